"""The feed of tokens that ended before their time, for APIs that verify tokens by themselves.

One follower in each process reads the store's list, and callers are answered from what it has
read: however many of them wait, the store has no more to do.
"""

import asyncio
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final

import structlog

from bot.core.client import Client
from bot.core.errors import Unavailable
from bot.core.identity import fingerprint
from bot.usecases.ports import BEGINNING, Clock, EndedToken, EndedTokens, Place

log = structlog.get_logger()

# Longer polls are cut off by many a proxy.
WAIT_AT_MOST: Final = timedelta(seconds=25)
# Tokens in one answer.
PAGE: Final = 1000
# How long the store is asked to wait for news; less than any of its commands may take.
FOLLOW: Final = timedelta(seconds=1)
AGAIN_S: Final = 0.5
# Silence of the store must not be taken for peace: nothing is answered from what is older.
FRESH_S: Final = 5.0
# A verifier may be lenient about `exp`, and its clock may be late.
KEPT_PAST_END: Final = timedelta(hours=1)
TIDY_EVERY_S: Final = 60.0
# A place further ahead of the clock than this was never given by us.
_AHEAD: Final = timedelta(minutes=1)

# ms-number-keys: a place, and which keys the caller knows of; opaque to callers.
_CURSOR: Final = re.compile(r"(\d{1,15})-(\d{1,10})-([0-9a-f]{8})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What is new to a caller; `end` is how far that goes."""

    tokens: list[EndedToken]
    end: Place
    more: bool


class Revocations:
    """Follows what ended, and tells those whom it concerns.

    Args:
        kids: Returns the keys whose tokens are good; a key that was removed ends all of its own.
        is_whole: Returns whether the store is still the one that we began with: of one that was
            wiped nobody knows what had ended.
    """

    def __init__(
        self,
        ended: EndedTokens,
        *,
        kids: Callable[[], Collection[str]],
        clock: Clock,
        is_whole: Callable[[], bool],
    ) -> None:
        self._ended = ended
        self._kids = kids
        self._clock = clock
        self._is_whole = is_whole
        self._kept: list[tuple[Place, EndedToken]] = []
        self._place: Place = BEGINNING
        self._fresh_until_s = self._tidy_at_s = float("-inf")
        self._known_kids: frozenset[str] = frozenset()
        self._news = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Follow the store until cancelled."""
        while True:
            try:
                await self._follow()
            except Unavailable as problem:
                log.warning("revocations.store_away", code=problem.code)
                await asyncio.sleep(AGAIN_S)

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._stopping = True
        self._news.set()

    async def since(self, cursor: str, *, caller: Client, wait: timedelta) -> Mapping[str, Any]:
        """Return the tokens for the resources of `caller` that ended since `cursor`.

        Members: `revocations`, each with `jti`, `exp` and `at` (NumericDate); `kids`, the keys
        whose tokens are good; `cursor` for the next call; `more`, whether there are more by now.
        With `reset` it begins anew, because `cursor` is "" or none of ours.

        Args:
            wait: How long to wait for the first, WAIT_AT_MOST at most.

        Raises:
            Unavailable: Nobody knows at the moment what has ended.
        """
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + min(wait, WAIT_AT_MOST).total_seconds()
        self._check()
        place, seen = self._read(cursor)
        page = self._page(place or BEGINNING, caller)
        while (
            place is not None
            and not (page.tokens or page.more or self._stopping)
            and seen == self._mark()
            and (left_s := until_s - now_s()) > 0
        ):
            await self._wait(left_s)
            page = self._page(page.end, caller)
        self._check()
        return {
            "revocations": [_told(token) for token in page.tokens],
            "kids": sorted(self._known_kids),
            "cursor": f"{page.end[0]}-{page.end[1]}-{self._mark()}",
            "more": page.more,
            **({"reset": True} if place is None else {}),
        }

    async def _follow(self) -> None:
        now_s = asyncio.get_running_loop().time
        caught_up = self._fresh_until_s > now_s()
        found = await self._ended.after(
            self._place, limit=PAGE, wait=FOLLOW if caught_up else timedelta(0)
        )
        if found:
            self._kept += found
            self._place = found[-1][0]
        if len(found) < PAGE:
            self._fresh_until_s = now_s() + FRESH_S
        kids = frozenset(self._kids())
        if found or kids != self._known_kids:
            self._known_kids = kids
            self._news.set()
            self._news = asyncio.Event()
        if now_s() >= self._tidy_at_s and self._clock.agrees():
            self._tidy_at_s = now_s() + TIDY_EVERY_S
            await self._tidy()

    async def _tidy(self) -> None:
        """Forget the tokens that have been over for long."""
        before = self._clock.now() - KEPT_PAST_END
        over = [place for place, token in self._kept if token.expires_at < before]
        await self._ended.forget(over)
        self._kept = [each for each in self._kept if each[1].expires_at >= before]

    def _check(self) -> None:
        fresh = asyncio.get_running_loop().time() < self._fresh_until_s
        if not fresh or not self._is_whole():
            raise Unavailable("nobody knows at the moment which tokens have ended")

    def _read(self, cursor: str) -> tuple[Place | None, str]:
        """Return the place in `cursor`, None if it holds none, and the mark of the known keys."""
        found = _CURSOR.fullmatch(cursor)
        latest_ms = int((self._clock.now() + _AHEAD).timestamp() * 1000)
        if found is None or int(found[1]) > latest_ms:
            return None, ""
        return (int(found[1]), int(found[2])), found[3]

    def _mark(self) -> str:
        return fingerprint(*sorted(self._known_kids))[:8]

    def _page(self, place: Place, caller: Client) -> _Page:
        """Return what `caller` is told after `place`.

        What was forgotten in between is over, so no place is too old.
        """
        tokens: list[EndedToken] = []
        end = max(place, self._place)
        for number in range(bisect_right(self._kept, place, key=itemgetter(0)), len(self._kept)):
            at, token = self._kept[number]
            if token.audience in caller.resources:
                if len(tokens) == PAGE:
                    return _Page(tokens=tokens, end=end, more=True)
                tokens.append(token)
                end = at
        return _Page(tokens=tokens, end=max(place, self._place), more=False)

    async def _wait(self, at_most_s: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), at_most_s)
        except TimeoutError:
            return


def _told(token: EndedToken) -> Mapping[str, Any]:
    return {
        "jti": token.jti,
        "exp": int(token.expires_at.timestamp()),
        "at": int(token.at.timestamp()),
    }
