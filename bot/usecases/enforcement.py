"""May this call pass: what gateways ask before they let one through."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from bot.core.enforcement import Need
from bot.usecases.ports import Clock, Signer, TokenIndex, TokenRecord
from bot.usecases.suspects import Presented, Suspects
from bot.usecases.tokens import hash_of
from bot.usecases.use import Use, UseLog, UseOutcome

# Who saw it, where a gateway asked.
POINT: Final = "forward-auth"


class Ruling(StrEnum):
    """What becomes of a call."""

    PASSES = "passes"
    INVALID = "invalid"  # no such token works here
    BEYOND = "beyond"  # it lacks a scope that is needed


class Decision(NamedTuple):
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

    Tokens are looked up by hash, so no signature is checked here; for those that stand nowhere it
    is afterwards, to find out whose they were.
    """

    def __init__(
        self,
        index: TokenIndex,
        signer: Signer,
        clock: Clock,
        uses: UseLog,
        suspects: Suspects,
    ) -> None:
        self._index = index
        self._signer = signer
        self._clock = clock
        self._uses = uses
        self._suspects = suspects

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
        hash_ = hash_of(token)
        record = await self._index.find(hash_)
        now = self._clock.now()
        if record is None:
            self.alive(resource)
            self._suspects.present(
                Presented(
                    token=token,
                    hash=hash_,
                    resources=frozenset({resource}),
                    scopes=need.scopes,
                    point=POINT,
                    address=address,
                    at=now,
                )
            )
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
