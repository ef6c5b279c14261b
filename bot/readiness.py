"""What operators are told of the running bot: what is wrong, what will be, and its numbers."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from bot.core.errors import Unavailable
from bot.http.health import Report
from bot.keyring.watch import KeyWatch
from bot.slack.cache import Kept
from bot.slack.socket_mode import Socket
from bot.store.redis import current_epoch
from bot.wiring import Ground, Parts

# Probes come every few seconds from several sides; each look costs calls to Slack.
REPORT_KEPT: Final = timedelta(seconds=10)


class Readiness:
    """What operators are told.

    Args:
        socket: None when payloads come over HTTP only.
    """

    def __init__(self, on: Ground, parts: Parts, socket: Socket | None, keys: KeyWatch) -> None:
        self._on = on
        self._keys = keys
        self._parts = parts
        self._socket = socket
        self._channels = Kept(self._find_warnings, keep=REPORT_KEPT, now=on.clock.now)

    async def report(self) -> Report:
        """Return what is wrong, and what will be for some requests."""
        problems: list[str] = []
        try:
            if await current_epoch(self._on.redis) != self._on.mark:
                problems.append("Redis was wiped while this ran: nothing is granted any more")
        except Unavailable:
            problems.append("Redis does not answer")
        if not self._on.clock.agrees() and not problems:
            problems.append("the clocks of Redis and this machine disagree: nothing is granted")
        if self._socket is not None and not await self._socket.client.is_connected():
            problems.append("Socket Mode is not connected")
        now = self._on.held.now
        warnings = [*now.warnings, *self._keys.problems, *await self._channels.get("")]
        return Report(problems=problems, warnings=warnings, policy=now.digest)

    def forget_channels(self) -> None:
        """The policy names others now."""
        self._channels.forget_all()

    async def _find_warnings(self, _: str) -> Sequence[str]:
        """Return why cards, alarms of break-glass or words for operators could not be posted."""
        loaded = self._on.loaded
        named = {loaded.admin_channel} - {""}
        for bundle in loaded.policy.bundles.values():
            named |= {bundle.channel, *(bundle.glass.notify if bundle.glass else ())}
        try:
            found = [
                await self._parts.directory.channel_problem(channel) for channel in sorted(named)
            ]
        except Unavailable as problem:
            return [str(problem)]
        return [problem for problem in found if problem]

    async def metrics(self) -> tuple[bytes, str]:
        """Return the page for a scrape."""
        on, listings = self._on, self._on.store.listings
        on.metrics.measure("jit_policy_info", 1, digest=on.loaded.policy.digest)
        try:
            on.metrics.measure("jit_grants_live", await listings.count_live())
            on.metrics.measure("jit_requests_pending", await listings.count_pending())
        except Unavailable:
            on.metrics.measure("jit_grants_live", math.nan)
            on.metrics.measure("jit_requests_pending", math.nan)
        return on.metrics.render()
