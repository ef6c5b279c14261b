"""Tokens that are presented and stand nowhere: over, or never ours.

Only a signature of ours shows that one was: then the grant is known. Checking it takes a while,
and anybody can present anything, so it is done later and at a bounded rate.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bot.core.errors import Invalid
from bot.core.identity import is_request_id, request_of_token
from bot.usecases.ports import Metrics, Signer, TokenHash
from bot.usecases.use import Use, UseLog, UseOutcome

# Different tokens that wait to be looked at, and those that were.
WAITING_AT_MOST: Final = 100
KNOWN_AT_MOST: Final = 1_000
# Signatures checked in one look; one takes about 0.1 ms.
CHECKED_AT_ONCE: Final = 10
# Longer than any token of ours.
LONGEST_TOKEN: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A token that stands nowhere, as an enforcement point was shown it.

    Attributes:
        resources: Those that the point answers for: of other tokens nothing is taken down.
        scopes, point, address, at, count: As of a `Use`.
    """

    token: str
    hash: TokenHash
    resources: frozenset[str]
    scopes: tuple[str, ...]
    point: str
    address: str
    at: datetime
    count: int = 1


class Suspects:
    """Finds out which of the presented tokens were ours, and takes their use down."""

    def __init__(self, log: UseLog, signer: Signer, *, issuer: str, metrics: Metrics) -> None:
        self._log = log
        self._signer = signer
        self._issuer = issuer
        self._metrics = metrics
        self._waiting: dict[tuple[TokenHash, str, tuple[str, ...], str], Presented] = {}
        self._known: OrderedDict[TokenHash, Mapping[str, Any] | None] = OrderedDict()

    def present(self, one: Presented) -> None:
        """Have `one` looked at soon; returns at once, and never raises."""
        if len(one.token) > LONGEST_TOKEN or one.token.count(".") != 2:  # noqa: PLR2004  RFC 7515
            return
        key = (one.hash, one.point, one.scopes, one.address)
        before = self._waiting.get(key)
        if before is not None:
            self._waiting[key] = replace(one, count=before.count + one.count)
        elif len(self._waiting) < WAITING_AT_MOST:
            self._waiting[key] = one
        else:
            self._metrics.count("jit_use_dropped_total")

    def look(self) -> None:
        """Look at what waits, as far as it goes with CHECKED_AT_ONCE signatures."""
        left = CHECKED_AT_ONCE
        for key, one in list(self._waiting.items()):
            if one.hash not in self._known:
                if not left:
                    continue
                left -= 1
                self._learn(one)
            del self._waiting[key]
            self._tell(one, self._known[one.hash])

    def _learn(self, one: Presented) -> None:
        try:
            self._known[one.hash] = self._signer.signed(one.token, issuer=self._issuer)
        except Invalid:
            self._known[one.hash] = None
        while len(self._known) > KNOWN_AT_MOST:
            self._known.popitem(last=False)

    def _tell(self, one: Presented, claims: Mapping[str, Any] | None) -> None:
        if claims is None or claims["aud"] not in one.resources:
            return
        jti = str(claims["jti"])
        id_ = request_of_token(jti)
        if not is_request_id(id_):
            return
        self._log.note(
            Use(
                request=id_,
                jti=jti,
                scopes=one.scopes,
                resource=claims["aud"],
                outcome=UseOutcome.ENDED,
                point=one.point,
                address=one.address,
                at=one.at,
                count=one.count,
            )
        )
