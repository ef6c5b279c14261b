"""May this call pass: what gateways ask before they let one through."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from bot.core.enforcement import Need
from bot.core.errors import Invalid
from bot.core.identity import request_of
from bot.usecases.ports import Clock, Signer, TokenIndex, TokenRecord
from bot.usecases.tokens import hash_of
from bot.usecases.use import Use, UseLog, UseOutcome

# Who saw it, where a gateway asked.
POINT: Final = "forward-auth"
# For how long after its end a token is still known to be one of ours.
_REMEMBERED: Final = timedelta(days=30)


class Verifier(Protocol):
    """Tells our own tokens from others by their signature."""

    def verify(
        self, token: str, *, issuer: str, now: datetime, leeway: timedelta
    ) -> Mapping[str, Any]:
        """Return the claims of `token`.

        Raises:
            Invalid: It is none of ours, or its time is further away than `leeway`.
        """


class Ruling(StrEnum):
    """What becomes of a call."""

    PASSES = "passes"
    INVALID = "invalid"  # no such token works here
    BEYOND = "beyond"  # it lacks a scope that is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a call may pass.

    Attributes:
        claims: Of the call's token; None where it does not work here.
        lives_for: How long that token may be used still.
    """

    ruling: Ruling
    claims: Mapping[str, Any] | None = None
    lives_for: timedelta = timedelta(0)


_INVALID: Final = Decision(ruling=Ruling.INVALID)


class Enforcement:
    """Decides about calls, and has each decision taken down.

    Tokens are looked up by hash, so no signature is checked for those that work; it is for those
    that do not, to find out whose they were.

    Args:
        issuer: The tokens' `iss`.
    """

    def __init__(
        self,
        index: TokenIndex,
        signer: Signer,
        verifier: Verifier,
        clock: Clock,
        uses: UseLog,
        *,
        issuer: str,
    ) -> None:
        self._index = index
        self._signer = signer
        self._verifier = verifier
        self._clock = clock
        self._uses = uses
        self._issuer = issuer

    def alive(self, resource: str) -> None:
        """Take down that a gateway enforces the scopes of `resource`, if that is an API."""
        if resource:
            self._uses.alive(resource, point=POINT)

    async def decide(self, token: str, need: Need, *, resource: str, address: str) -> Decision:
        """Return whether a call with `token` may pass.

        Args:
            resource: The API that is called; "" if it has no name, and then no call may pass.
            address: From where the call came, "" if that is not known.

        Raises:
            Unavailable: The store did not answer: the call must not pass.
        """
        record = await self._index.find(hash_of(token))
        now = self._clock.now()
        if record is None:
            self.alive(resource)
            self._note_ended(token, need, resource=resource, address=address, now=now)
            return _INVALID
        if resource not in ("", record.answer["aud"]) or not self._works(record, now):
            return _INVALID
        granted = record.answer["scope"].split(" ")
        passes = bool(resource) and need.is_covered_by(granted)
        self._uses.note(
            Use(
                request=record.request,
                jti=record.answer["jti"],
                scopes=need.used_of(granted) if passes else need.scopes,
                resource=record.answer["aud"],
                outcome=UseOutcome.ALLOWED if passes else UseOutcome.BEYOND,
                point=POINT,
                address=address,
                at=now,
            )
        )
        return Decision(
            ruling=Ruling.PASSES if passes else Ruling.BEYOND,
            claims=record.answer,
            lives_for=record.expires_at - now,
        )

    def _works(self, record: TokenRecord, now: datetime) -> bool:
        return record.expires_at > now and self._signer.knows(record.kid)

    def _note_ended(
        self, token: str, need: Need, *, resource: str, address: str, now: datetime
    ) -> None:
        """Have the call taken down if `token` is one of ours, for `resource`, that is over."""
        try:
            claims = self._verifier.verify(token, issuer=self._issuer, now=now, leeway=_REMEMBERED)
        except Invalid:
            return
        if claims["aud"] != resource:
            return
        self._uses.note(
            Use(
                request=request_of(claims["jti"].rpartition(".")[0]),
                jti=claims["jti"],
                scopes=need.scopes,
                resource=resource,
                outcome=UseOutcome.ENDED,
                point=POINT,
                address=address,
                at=now,
            )
        )
