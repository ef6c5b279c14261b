"""The composition root: the only module that knows every concrete class, and reads the clock."""

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import aiohttp
from redis.asyncio import Redis

from bot.admin_channel import AdminChannel
from bot.config import Settings
from bot.core.errors import Misconfigured, Unavailable
from bot.core.identity import RequestId
from bot.core.policy import Policy
from bot.core.states import Timer
from bot.in_force import Held, InForce, Refusal, first_look, last_good
from bot.keyring import Keyring, make_key
from bot.policy_files import Loaded
from bot.slack.api import SlackApi
from bot.slack.clicks import Clicks
from bot.slack.directory import Home, SlackDirectory
from bot.slack.listeners import Listeners
from bot.slack.messenger import SlackMessenger
from bot.slack.submissions import Submissions
from bot.slack.typed import Commands
from bot.store.embedded import EmbeddedServer
from bot.store.redis import RedisStore, check_server, connect, epoch
from bot.telemetry import PrometheusMetrics
from bot.usecases.background import Backgrounds
from bot.usecases.desk import Desk, Stores
from bot.usecases.emergencies import Emergencies
from bot.usecases.facts import FactFinder
from bot.usecases.forbidden import Forbidden
from bot.usecases.gate import Gate
from bot.usecases.ports import SHOW, Queue
from bot.usecases.requests import Requests
from bot.usecases.shows import Shows
from bot.usecases.tasks import Tasks
from bot.usecases.timers import Timers
from bot.usecases.tokens import Tokens
from bot.usecases.workers import Handler, Worker

# How far our clock and the store's may be apart before nothing is granted any more.
SKEW_AT_MOST: Final = timedelta(seconds=5)


class SystemClock:
    """Local monotonic time plus the offset to the store's clock, from its latest reply.

    Attributes:
        stopped: Set when the store is no longer the one that we began with.
    """

    def __init__(self) -> None:
        self._zero = datetime.now(UTC) - _elapsed()
        self.stopped = False

    def now(self) -> datetime:
        """Return the store's time as well as it is known here."""
        return self._zero + _elapsed()

    def follow(self, store_now: datetime) -> None:
        """Take over the store's time."""
        self._zero = store_now - _elapsed()

    def agrees(self) -> bool:
        """Return whether anything may be granted: see SKEW_AT_MOST."""
        return not self.stopped and abs(self.now() - datetime.now(UTC)) <= SKEW_AT_MOST


def _elapsed() -> timedelta:
    return timedelta(seconds=time.monotonic())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What everything else stands on.

    Attributes:
        mark: The store's epoch when we began; another one later means that it was wiped.
    """

    settings: Settings
    held: Held
    keyring: Keyring
    clock: SystemClock
    metrics: PrometheusMetrics
    redis: Redis
    store: RedisStore
    session: aiohttp.ClientSession
    api: SlackApi
    mark: str

    @property
    def loaded(self) -> Loaded:
        """What the policy files in force say."""
        return self.held.now.loaded


@asynccontextmanager
async def ground(settings: Settings, *, embedded: Path | None) -> AsyncGenerator[Ground, None]:
    """Open what everything stands on; it is closed when the context is left.

    Raises:
        Misconfigured: With everything that an operator must change.
        Unavailable: The store did not answer.
    """
    first, keyring = _files(settings, embedded=embedded)
    async with AsyncExitStack() as stack:
        url = settings.redis_url.reveal()
        if embedded is not None and not url:
            url = (await stack.enter_async_context(EmbeddedServer(embedded / "redis"))).url
        redis = _client(url)
        stack.push_async_callback(redis.aclose)
        await _check(redis, first)
        clock, metrics = SystemClock(), PrometheusMetrics()
        store = RedisStore.on(redis, on_time=clock.follow)
        if isinstance(first, Refusal):
            first = await last_good(store.policies, first, default_resource=settings.resource)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Ground(
            settings=settings,
            held=Held(first),
            keyring=keyring,
            clock=clock,
            metrics=metrics,
            redis=redis,
            store=store,
            session=session,
            api=SlackApi(
                settings.bot_token, base_url=settings.slack_api, session=session, metrics=metrics
            ),
            mark=await epoch(redis, create=uuid.uuid4().hex),
        )


def _files(settings: Settings, *, embedded: Path | None) -> tuple[InForce | Refusal, Keyring]:
    """Return what the files say, or why those of the policy cannot come into force.

    Raises:
        Misconfigured: With the problems of all of them, as nothing works without a key.
    """
    first = first_look(settings.policies, default_resource=settings.resource)
    try:
        if embedded is not None and not any(settings.keys.glob("*.pem")):
            make_key(settings.keys, name=f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}")
        keyring = Keyring.load(settings.keys)
    except Misconfigured as problem:
        known = first.problems if isinstance(first, Refusal) else ()
        raise Misconfigured(*known, *problem.problems) from None
    return first, keyring


async def _check(redis: Redis, first: InForce | Refusal) -> None:
    """Return if the server will do.

    Raises:
        Misconfigured: It will not; or the policy files will not, and it does not answer either.
        Unavailable: It did not answer.
    """
    known = first.problems if isinstance(first, Refusal) else ()
    try:
        problems = await check_server(redis)
    except Unavailable:
        if known:
            raise Misconfigured(*known) from None
        raise
    if problems:
        raise Misconfigured(*known, *problems)


def _client(url: str) -> Redis:
    try:
        return connect(url)
    except ValueError as problem:
        raise Misconfigured(f"REDIS_URL is not a Redis URL: {problem}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that runs.

    Attributes:
        after: What follows an acknowledgement.
        admins: Where operators are told.
    """

    home: Home
    directory: SlackDirectory
    requests: Requests
    workers: tuple[Worker, ...]
    tokens: Tokens
    listeners: Listeners
    after: Tasks
    admins: AdminChannel
    forbidden: Forbidden


def build(on: Ground, home: Home) -> Parts:
    """Return the bot, built but not running."""
    store, clock, after = on.store, on.clock, Tasks()
    directory = SlackDirectory(on.api, home, now=clock.now)
    messenger = SlackMessenger(on.api, directory)
    stores = Stores(
        ledger=store.ledger, once=store.once, signer=on.keyring, clock=clock, metrics=on.metrics
    )

    def shown(id_: RequestId) -> None:
        messages.soon(id_)

    def policy() -> Policy:
        return on.loaded.policy

    desk, gate = Desk(stores, issuer=on.settings.issuer, shown=shown), Gate(directory)
    requests = Requests(desk, gate, ledger=store.ledger, listings=store.listings, policy=policy)
    shows = Shows(
        requests,
        messenger,
        ledger=store.ledger,
        receipts=store.receipts,
        mint=desk.mint,
        clock=clock,
    )
    handlers: dict[str, Handler] = {
        SHOW: shows,
        **dict.fromkeys(Timer, Timers(desk, gate, policy=policy)),
    }
    safety, messages = (
        Worker(queue, store.jobs, handlers, clock=clock, metrics=on.metrics)
        for queue in (Queue.SAFETY, Queue.MESSAGES)
    )
    backgrounds = Backgrounds(requests, gate, listings=store.listings, policy=policy)
    emergencies = Emergencies(
        desk, gate, ledger=store.ledger, listings=store.listings, policy=policy
    )
    clicks = Clicks(
        requests,
        api=on.api,
        messenger=messenger,
        receipts=store.receipts,
        backgrounds=backgrounds,
        emergencies=emergencies,
    )
    return Parts(
        home=home,
        directory=directory,
        requests=requests,
        workers=(safety, messages),
        tokens=Tokens(store.tokens, on.keyring, clock, requests),
        listeners=_front(on, requests, emergencies, clicks, directory, after),
        after=after,
        admins=AdminChannel(on.api, directory, shelf=store.policies, once=store.once),
        forbidden=Forbidden(
            desk,
            gate,
            FactFinder(gate, ledger=store.ledger, listings=store.listings),
            listings=store.listings,
            policy=policy,
        ),
    )


def _front(
    on: Ground,
    requests: Requests,
    emergencies: Emergencies,
    clicks: Clicks,
    directory: SlackDirectory,
    after: Tasks,
) -> Listeners:
    """Return what everything that Slack sends comes to."""
    return Listeners(
        commands=Commands(requests, emergencies, api=on.api),
        clicks=clicks,
        submissions=Submissions(requests, emergencies),
        api=on.api,
        directory=directory,
        metrics=on.metrics,
        after=after,
    )
