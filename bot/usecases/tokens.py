"""Tokens: made from a grant's pinned parts, looked up by hash, revoked by their resource."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bot.core.client import Client
from bot.core.errors import Refused
from bot.core.events import TokenSpec
from bot.core.grant import claims
from bot.core.identity import RequestId, request_of_token
from bot.usecases.ports import Clock, Signer, TokenHash, TokenIndex, TokenRecord
from bot.usecases.suspects import Presented, Suspects
from bot.usecases.use import Use, UseLog, UseOutcome
from bot.usecases.wishes import Outcome

# RFC 7662, section 2.2: nothing else is said of a token that may not be used.
INACTIVE: Final[Mapping[str, Any]] = {"active": False}


def hash_of(token: str) -> TokenHash:
    """Return the name under which `token` is looked up."""
    return TokenHash(hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest())


class Mint:
    """Makes tokens; the same specification always gives the same bytes."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def knows(self, spec: TokenSpec) -> bool:
        """Return whether the key of `spec` is still in the ring."""
        return self._signer.knows(spec.kid)

    def token(self, spec: TokenSpec) -> str:
        """Return the signed token.

        Raises:
            Unavailable: Its key has left the ring.
        """
        return self._signer.sign(claims(spec), kid=spec.kid)

    def __call__(self, spec: TokenSpec) -> tuple[TokenHash, TokenRecord]:
        """Return the token's hash and what is stored under it."""
        answer = {"active": True, "token_type": "Bearer", **claims(spec)}
        record = TokenRecord(
            request=request_of_token(spec.jti),
            kid=spec.kid,
            answer=answer,
            expires_at=spec.expires_at,
        )
        return hash_of(self.token(spec)), record


class Revoker(Protocol):
    """Ends a grant for the owner of its resource."""

    async def revoke_for(self, id_: RequestId, *, caller: Client, delivery: str) -> Outcome:
        """End the grant of request `id_`.

        Raises:
            Refused: It has ended already.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The call for which an API asks about a token.

    Attributes:
        scopes: Those that it needs; () where the API does not say.
        address: From where it came, "" where the API does not say.
    """

    scopes: tuple[str, ...] = ()
    address: str = ""


UNTOLD: Final = Call()


class Tokens:
    """What API owners may do with a token that they were shown.

    Args:
        log: Where the use of tokens is taken down.
        suspects: Who looks at tokens that stand nowhere.
    """

    def __init__(
        self,
        index: TokenIndex,
        signer: Signer,
        clock: Clock,
        revoker: Revoker,
        *,
        log: UseLog,
        suspects: Suspects,
    ) -> None:
        self._index = index
        self._signer = signer
        self._clock = clock
        self._revoker = revoker
        self._log = log
        self._suspects = suspects

    async def introspect(
        self, token: str, *, caller: Client, call: Call = UNTOLD
    ) -> Mapping[str, Any]:
        """Return the introspection answer for `caller` (RFC 7662, section 2.2).

        A token that is unknown, ended, meant for somebody else's resource, or lacks a scope that
        the call needs is inactive alike: who looks at nothing else lets nothing through.

        Raises:
            Unavailable: The store did not answer; the token must not be believed.
        """
        hash_ = hash_of(token)
        record = await self._working(hash_)
        if record is None or record.answer["aud"] not in caller.resources:
            self._take_down_unknown(token, hash_, caller, call)
            return INACTIVE
        lacks = not set(call.scopes) <= set(record.answer["scope"].split(" "))
        self._log.note(
            Use(
                request=record.request,
                jti=record.answer["jti"],
                scopes=call.scopes,
                resource=record.answer["aud"],
                outcome=UseOutcome.BEYOND if lacks else UseOutcome.ALLOWED,
                point=caller.id,
                address=call.address,
                at=self._clock.now(),
            )
        )
        return INACTIVE if lacks else record.answer

    def _take_down_unknown(self, token: str, hash_: TokenHash, caller: Client, call: Call) -> None:
        # Who answers for several APIs has not said for which of them it asks.
        if call.scopes and len(caller.resources) == 1:
            self._log.alive(min(caller.resources), point=caller.id)
        self._suspects.present(
            Presented(
                token=token,
                hash=hash_,
                resources=caller.resources,
                scopes=call.scopes,
                point=caller.id,
                address=call.address,
                at=self._clock.now(),
            )
        )

    async def revoke(self, token: str, *, caller: Client, delivery: str) -> None:
        """End the grant of `token` if `caller` has it, or its resource (RFC 7009, section 2.1).

        Any other token is left alone, and the answer does not tell.

        Raises:
            Unavailable: The store did not answer; the token may still work.
        """
        record = await self._working(hash_of(token))
        if record is None or not _may_revoke(record, caller):
            return
        try:
            await self._revoker.revoke_for(record.request, caller=caller, delivery=delivery)
        except Refused:
            return  # it has ended in the meantime, which is what was wanted

    async def _working(self, hash_: TokenHash) -> TokenRecord | None:
        record = await self._index.find(hash_)
        if record is None:
            return None
        dead = record.expires_at <= self._clock.now() or not self._signer.knows(record.kid)
        return None if dead else record


def _may_revoke(record: TokenRecord, caller: Client) -> bool:
    return record.answer["aud"] in caller.resources or record.answer["client_id"] == caller.id
