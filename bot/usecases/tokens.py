"""Tokens: made from a grant's pinned parts, looked up by hash, revoked by their resource."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Protocol

from bot.core.client import Client
from bot.core.errors import Refused
from bot.core.events import TokenSpec
from bot.core.grant import claims
from bot.core.identity import RequestId, request_of
from bot.usecases.ports import Clock, Signer, TokenHash, TokenIndex, TokenRecord
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
            request=request_of(spec.jti.rpartition(".")[0]),
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


class Tokens:
    """What API owners may do with a token that they were shown."""

    def __init__(self, index: TokenIndex, signer: Signer, clock: Clock, revoker: Revoker) -> None:
        self._index = index
        self._signer = signer
        self._clock = clock
        self._revoker = revoker

    async def introspect(self, token: str, *, caller: Client) -> Mapping[str, Any]:
        """Return the introspection answer for `caller` (RFC 7662, section 2.2).

        A token that is unknown, ended, or meant for somebody else's resource is inactive alike.

        Raises:
            Unavailable: The store did not answer; the token must not be believed.
        """
        record = await self._working(token)
        if record is not None and record.answer["aud"] not in caller.resources:
            record = None
        return INACTIVE if record is None else record.answer

    async def revoke(self, token: str, *, caller: Client, delivery: str) -> None:
        """End the grant of `token` if `caller` has it, or its resource (RFC 7009, section 2.1).

        Any other token is left alone, and the answer does not tell.

        Raises:
            Unavailable: The store did not answer; the token may still work.
        """
        record = await self._working(token)
        if record is None or not _may_revoke(record, caller):
            return
        try:
            await self._revoker.revoke_for(record.request, caller=caller, delivery=delivery)
        except Refused:
            return  # it has ended in the meantime, which is what was wanted

    async def _working(self, token: str) -> TokenRecord | None:
        record = await self._index.find(hash_of(token))
        if record is None:
            return None
        dead = record.expires_at <= self._clock.now() or not self._signer.knows(record.kid)
        return None if dead else record


def _may_revoke(record: TokenRecord, caller: Client) -> bool:
    return record.answer["aud"] in caller.resources or record.answer["client_id"] == caller.id
