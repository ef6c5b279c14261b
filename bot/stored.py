"""What commands read from the store that the bot runs on."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import click
import structlog

from bot.core.errors import BotError, Misconfigured
from bot.core.events import Event
from bot.store.redis import RedisStore, connect
from bot.usecases.ports import Ledger

# Exit codes: 1 is an answer, such as "something is looser"; this is none.
BROKEN: Final = 2
_PAGE: Final = 1000


def answered(work: Coroutine[Any, Any, int]) -> None:
    """Run `work` and exit with what it returns; what is wrong is told, and ends in BROKEN."""
    try:
        with _log_apart():
            code = asyncio.run(work)
    except BotError as problem:
        broken(*str(problem).splitlines(), *([problem.hint] if problem.hint else ()))
        return
    sys.exit(code)


@contextmanager
def _log_apart() -> Iterator[None]:
    """Keep what is logged out of the answer, which may be for a program: warnings go to stderr."""
    if structlog.is_configured():
        yield
        return
    warnings = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(
        wrapper_class=warnings, logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    try:
        yield
    finally:
        structlog.reset_defaults()


def broken(*lines: str) -> None:
    """Tell what is wrong, and end the command with BROKEN."""
    for line in lines:
        click.echo(f"jit: {line}", err=True)
    sys.exit(BROKEN)


@asynccontextmanager
async def the_store() -> AsyncGenerator[RedisStore, None]:
    """Open the store at REDIS_URL; it is closed when the context is left.

    Raises:
        Misconfigured: It is not set, or is no such URL.
    """
    url = os.environ.get("REDIS_URL", "").strip()
    if not url:
        raise Misconfigured("REDIS_URL is not set: the Redis that the bot runs on")
    try:
        redis = connect(url)
    except ValueError:  # what is in it is not repeated: it may be a password
        raise Misconfigured("REDIS_URL is not a Redis URL") from None
    try:
        yield RedisStore.on(redis)
    finally:
        await redis.aclose()


async def the_log(ledger: Ledger) -> AsyncIterator[Event]:
    """Yield every event of the one log, first first.

    Raises:
        Unavailable: The store did not answer, or holds what this version cannot read.
    """
    cursor = ""
    while page := await ledger.log(cursor, limit=_PAGE):
        for cursor, event in page:  # noqa: B007  the last one is where to go on
            yield event
