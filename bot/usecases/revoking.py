"""Ending many grants at once, as an operator wants it; without the keys that signed the tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.errors import Invalid, Unavailable
from bot.core.events import Event, TokenSpec
from bot.core.identity import BOT, fingerprint
from bot.core.moves import Revoke
from bot.core.request import Request
from bot.core.selecting import Selection
from bot.core.texts import LONGEST_REASON
from bot.usecases.desk import Desk
from bot.usecases.ports import CommitId, Listings, TokenHash, TokenIndex, TokenRecord
from bot.usecases.wishes import Outcome


class Keyless:
    """The port Signer where nothing may be signed."""

    active_kid = ""

    def knows(self, _: str) -> bool:
        """See `Signer.knows`."""
        return False

    def sign(self, _: Mapping[str, Any], *, kid: str) -> str:
        """See `Signer.sign`."""
        raise Unavailable(f"nothing is signed here, and so not with {kid!a}")

    def signed(self, _: str, *, issuer: str) -> Mapping[str, Any]:
        """See `Signer.signed`."""
        raise Invalid(f"nothing is known here of tokens of {issuer}", field="token")


class StoredTokens:
    """Finds tokens where they are kept, as they cannot be signed again here."""

    def __init__(self, index: TokenIndex) -> None:
        self._index = index
        self._by_jti: Mapping[str, tuple[TokenHash, TokenRecord]] = {}

    async def look(self, request: Request) -> None:
        """Look where the tokens of `request` are, unless that is known.

        Called between loading a request and the commit, which fails if a token came meanwhile.

        Raises:
            Unavailable: The store did not answer.
        """
        grant = request.working_grant
        if grant is not None and not all(map(self.knows, grant.tokens)):
            found = await self._index.living()
            self._by_jti = {record.answer["jti"]: (hash_, record) for hash_, record in found}

    def knows(self, spec: TokenSpec) -> bool:
        """Return whether the token may still be used."""
        return spec.jti in self._by_jti

    def __call__(self, spec: TokenSpec) -> tuple[TokenHash, TokenRecord]:
        """Return the token's hash and what is stored under it.

        Raises:
            Unavailable: It is not stored; here none is made.
        """
        if not self.knows(spec):
            raise Unavailable("no token is made here")
        return self._by_jti[spec.jti]


class Revoking:
    """Finds live grants, and ends them.

    Args:
        desk: One that takes its tokens from `tokens`.
    """

    def __init__(self, desk: Desk, tokens: StoredTokens, *, listings: Listings) -> None:
        self._desk = desk
        self._tokens = tokens
        self._listings = listings

    async def select(self, selection: Selection) -> Sequence[Request]:
        """Return the requests whose grants work now and are meant, those that end first first.

        Raises:
            Unavailable: The store did not answer.
        """
        live = await self._listings.live()
        return [
            request
            for request in live
            if request.working_grant is not None and selection.holds(request, request.working_grant)
        ]

    async def end(self, request: Request, *, reason: str) -> Outcome:
        """End a grant; the running bot tells it in the thread.

        Raises:
            Refused: It has ended already.
            Conflict, Unavailable: It may work on.
        """
        told = f"by an operator: {reason}" if reason else "by an operator"
        return await self._desk.carry_out(
            request.id,
            Revoke(told[:LONGEST_REASON]),
            by=BOT,
            case=self._desk.circumstances(),
            commit_id=CommitId(fingerprint("operator", request.id)),
            check=self._check,
        )

    async def _check(self, request: Request, _: Sequence[Event]) -> None:
        await self._tokens.look(request)
