"""Slack, played by the stand-in, and what talks to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bot.sandbox.server import Sandbox
from bot.slack.api import SlackApi
from bot.telemetry import MemoryMetrics
from bot.usecases.secret import Secret
from tests.sandbox.parts import BOT_TOKEN, a_sandbox


@asynccontextmanager
async def a_slack(**options: Any) -> AsyncIterator[tuple[Sandbox, SlackApi]]:
    """Run a stand-in; see `Sandbox` for the options."""
    async with a_sandbox(**options) as sandbox, aiohttp.ClientSession() as session:
        yield (
            sandbox,
            SlackApi(
                Secret(BOT_TOKEN),
                base_url=sandbox.api_url,
                session=session,
                metrics=MemoryMetrics(),
            ),
        )
