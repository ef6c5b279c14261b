"""The running bot: start and stop in the right order, and what operators are told of it.

Leaving `running` finishes what was accepted: first nothing new comes in, then what follows the
last acknowledgements is done, then the workers end; what they leave is owed and stays stored.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncApp

from bot.config import Settings
from bot.core.errors import Busy, Misconfigured, Unavailable
from bot.http.health import Report
from bot.http.peers import Peers
from bot.http.server import HttpParts, SlackHandler, make_app, make_runner
from bot.keyring.watch import KeyWatch
from bot.readiness import Readiness
from bot.reload import Reloader
from bot.slack.api import SlackError
from bot.slack.directory import Home, find_home
from bot.slack.listeners import make_bolt
from bot.slack.over_http import over_http
from bot.slack.socket_mode import Socket
from bot.store.redis import current_epoch
from bot.wiring import Ground, Parts, build, ground, unmet

log = structlog.get_logger()

# How often it is looked at whether the store is still the one that we began with.
WATCH_EVERY_S: Final = 2.0
SLACK_AGAIN_S: Final = 2.0
# Objects made since the last look of the garbage collector; a recorded request makes about 300.
COLLECT_AFTER: Final = 20_000


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"

    @property
    def answers(self) -> bool:
        """Whether it answers Slack and APIs."""
        return self is not Role.WORKER

    @property
    def works(self) -> bool:
        """Whether it runs timers and what is owed."""
        return self is not Role.WEB


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A running bot.

    Attributes:
        url: Where its HTTP server listens.
    """

    url: str
    ground: Ground


@asynccontextmanager
async def running(
    settings: Settings,
    role: Role,
    *,
    embedded: Path | None = None,
    reload: asyncio.Event | None = None,
) -> AsyncGenerator[Bot, None]:
    """Run the bot while the context lasts.

    Args:
        embedded: Folder of a Redis of our own; its keys are made where there are none.
        reload: Set whenever the policy files are to be read now.

    Raises:
        Misconfigured: With everything that an operator must change.
    """
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(ground(settings, embedded=embedded))
        parts = build(on, await _home(on))
        await stack.enter_async_context(_working(parts, role))
        await stack.enter_async_context(_recording(parts))
        bolt = make_bolt(
            parts.listeners,
            api=on.api,
            home=parts.home,
            token=settings.bot_token,
        )
        socket = None
        if role.answers and settings.app_token is not None:
            socket = Socket(bolt, settings.app_token)
            await stack.enter_async_context(_connected(socket))
        keys = KeyWatch(settings.keys, on.keyring)
        health = Readiness(on, parts, socket, keys)
        await stack.enter_async_context(_going(_watch_store(on), keys.run()))
        await stack.enter_async_context(
            _reloading(on, parts, health, woken=reload or asyncio.Event())
        )
        url = await stack.enter_async_context(_serving(on, parts, bolt, health, role))
        calm_collector()
        log.info("bot.started", role=role, url=url, policy=on.loaded.policy.digest[:12])
        yield Bot(url=url, ground=on)
        log.info("bot.stopping")


def calm_collector() -> None:
    """Let the garbage collector look at requests only, and not after every few of them.

    What was loaded by now stays for good; looking at it again and again costs a seventh of the
    time of a recorded request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


async def _home(on: Ground) -> Home:
    """Return where the app is installed; waits until Slack answers.

    Raises:
        Misconfigured: Slack does not accept the token.
    """
    while True:
        try:
            return await find_home(on.api)
        except SlackError as problem:
            raise Misconfigured(f"SLACK_BOT_TOKEN is not accepted: {problem.name}") from problem
        except (Busy, Unavailable) as problem:
            log.warning("slack.away_at_start", why=str(problem))
            await asyncio.sleep(SLACK_AGAIN_S)


@asynccontextmanager
async def _working(parts: Parts, role: Role) -> AsyncGenerator[None, None]:
    """Run the workers; where others do, only what we committed ourselves is shown from here."""
    loops = [asyncio.create_task(worker.run()) for worker in parts.workers if role.works]
    try:
        yield
    finally:
        await parts.after.drained()
        for worker in parts.workers:
            worker.stop()
        await asyncio.gather(*loops, *(worker.drained() for worker in parts.workers))


@asynccontextmanager
async def _recording(parts: Parts) -> AsyncGenerator[None, None]:
    """Write down how tokens are used; leaving writes what is left."""
    task = asyncio.create_task(parts.recording.run())
    try:
        yield
    finally:
        parts.recording.stop()
        await asyncio.gather(task)


@asynccontextmanager
async def _going(*loops: Coroutine[Any, Any, None]) -> AsyncGenerator[None, None]:
    """Run `loops` in the background."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch_store(on: Ground) -> None:
    """Grant nothing any more once the store has been wiped: what it forgot cannot be known."""
    while True:
        await asyncio.sleep(WATCH_EVERY_S)
        try:
            stopped = await current_epoch(on.redis) != on.mark
        except Unavailable:
            continue
        if stopped and not on.clock.stopped:
            log.critical("store.wiped", hint="see docs/operations.md, 'The store was wiped'")
        on.clock.stopped = stopped


@asynccontextmanager
async def _reloading(
    on: Ground, parts: Parts, health: Readiness, *, woken: asyncio.Event
) -> AsyncGenerator[None, None]:
    """Put changed policy files in force."""

    def swapped() -> None:
        parts.directory.forget_groups_and_channels()
        health.forget_channels()

    reloader = Reloader(
        on.held,
        on.settings.policies,
        default_resource=on.settings.resource,
        shelf=on.store.policies,
        admins=parts.admins,
        metrics=on.metrics,
        swapped=swapped,
        unmet=unmet(on.settings),
    )
    task = asyncio.create_task(reloader.run(woken))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _connected(socket: Socket) -> AsyncGenerator[Socket, None]:
    """Have payloads come over Socket Mode; leaving waits for the answers that are owed."""
    try:
        await socket.connect()
        yield socket
    finally:
        await socket.leave()


def http_parts(
    on: Ground,
    parts: Parts,
    *,
    slack: SlackHandler | None,
    ready: Callable[[], Awaitable[Report]],
    render_metrics: Callable[[], Awaitable[tuple[bytes, str]]],
) -> HttpParts:
    """Return what the HTTP server is made of; see `HttpParts`."""
    return HttpParts(
        tokens=parts.tokens,
        machines=parts.machines,
        room=parts.room,
        revocations=parts.revocations,
        clients=parts.clients,
        jwks=on.keyring.jwks,
        issuer=on.settings.issuer,
        resources=lambda: on.loaded.resources,
        scopes=lambda: on.loaded.policy.scopes,
        homes=lambda: on.loaded.homes,
        enforcement=parts.enforcement,
        peers=Peers(on.settings.gateways),
        cached_for=on.settings.passes_kept,
        slack=slack,
        ready=ready,
        render_metrics=render_metrics,
        metrics=on.metrics,
        intake=parts.intake,
        clock=on.clock,
    )


@asynccontextmanager
async def _serving(
    on: Ground, parts: Parts, bolt: AsyncApp, health: Readiness, role: Role
) -> AsyncGenerator[str, None]:
    """Listen; leaving stops listening and waits for the answers that are owed."""
    settings = on.settings
    secret = settings.signing_secret if role.answers else None
    slack = over_http(bolt, secret) if secret is not None else None
    app = make_app(
        http_parts(on, parts, slack=slack, ready=health.report, render_metrics=health.metrics)
    )
    runner = make_runner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as problem:
            raise Misconfigured(
                f"cannot listen on {settings.host}:{settings.port}: {problem.strerror}; "
                "set HOST and PORT"
            ) from None
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def serve_forever(settings: Settings, role: Role, *, embedded: Path | None) -> None:
    """Run until SIGTERM or SIGINT; a second one ends at once. SIGHUP reads the policy files.

    Raises:
        Misconfigured: See `running`.
    """
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked_to_stop(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop, number)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    stopping = asyncio.create_task(stop.wait())
    async with AsyncExitStack() as stack:
        bot = running(settings, role, embedded=embedded, reload=reload)
        starting = asyncio.create_task(stack.enter_async_context(bot))
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()  # it may be waiting for Slack
            await asyncio.wait({starting})
        elif starting.exception() is None:
            await stopping
        else:
            stopping.cancel()
            await starting
