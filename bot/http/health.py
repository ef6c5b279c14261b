"""What operators ask: is the process alive, can it work, its numbers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

from bot.http.answers import answer

# Probes give up after a few seconds; an answer that comes later helps nobody.
READY_WITHIN_S: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is wrong, a sentence each.

    Attributes:
        problems: Why this process cannot work; a balancer should send nothing here.
        warnings: What will be refused until somebody mends it, such as a channel that the bot is
            not in; the rest works.
        policy: Digest of the policy in force.
    """

    problems: Sequence[str] = ()
    warnings: Sequence[str] = ()
    policy: str = ""


class Health:
    """The endpoints for operators; see `HttpParts` for what they are made of."""

    def __init__(
        self,
        *,
        ready: Callable[[], Awaitable[Report]],
        render_metrics: Callable[[], Awaitable[tuple[bytes, str]]],
    ) -> None:
        self._ready = ready
        self._render_metrics = render_metrics

    async def alive(self, _: web.Request) -> web.Response:
        """Answer, whatever else is broken."""
        return answer({"status": "alive"})

    async def ready(self, _: web.Request) -> web.Response:
        """Answer what is wrong, with 503; with 200 if nothing is."""
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                report = await self._ready()
        except TimeoutError:
            late = f"the checks did not end within {READY_WITHIN_S:.0f} seconds"
            report = Report(problems=[late])
        told = {
            "problems": list(report.problems),
            "warnings": list(report.warnings),
            "policy": report.policy,
        }
        if report.problems:
            return answer({"status": "not ready", **told}, status=503)
        return answer({"status": "ready", **told})

    async def metrics(self, _: web.Request) -> web.Response:
        """Answer with the page for a scrape."""
        page, kind = await self._render_metrics()
        return web.Response(body=page, headers={hdrs.CONTENT_TYPE: kind})
