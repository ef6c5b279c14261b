"""The composition root: the only module that knows every concrete class, and reads the clock."""

import secrets
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import aiohttp
from redis.asyncio import Redis

from bot.admin_channel import AdminChannel
from bot.config import OnCallSettings, Settings, missing_trackers
from bot.core.errors import Misconfigured, Unavailable
from bot.core.identity import RequestId
from bot.core.known import Failure
from bot.core.policy import Policy
from bot.core.scopes import Tracker
from bot.core.sources import Provider
from bot.core.states import Timer
from bot.http.clients import Clients
from bot.in_force import Held, InForce, Refusal, Unmet, first_look, last_good
from bot.keyring import Keyring, load_ring, make_key
from bot.on_call.json_url import JsonUrl as OnCallUrl
from bot.on_call.opsgenie import Opsgenie
from bot.on_call.pagerduty import PagerDuty
from bot.on_call.services import Services, unconfigured
from bot.outbound import Outbound, open_outbound
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
from bot.trackers.github import GitHub
from bot.trackers.jira import Jira
from bot.trackers.json_url import JsonUrl
from bot.usecases.background import Backgrounds
from bot.usecases.desk import Desk, Stores
from bot.usecases.emergencies import Emergencies
from bot.usecases.enforcement import Enforcement
from bot.usecases.facts import FactFinder
from bot.usecases.forbidden import Forbidden
from bot.usecases.gate import Gate
from bot.usecases.intake import Intake
from bot.usecases.machines import Machines
from bot.usecases.misuse import Misuses
from bot.usecases.ports import MISUSE, SHOW, OnCall, Queue, Tickets
from bot.usecases.recording import Recorder, Recording
from bot.usecases.reports import Reports
from bot.usecases.requests import Requests
from bot.usecases.revocations import Revocations
from bot.usecases.shows import Shows
from bot.usecases.suspects import Suspects
from bot.usecases.tasks import Tasks
from bot.usecases.tickets import TicketDesk
from bot.usecases.timers import Timers
from bot.usecases.tokens import Tokens
from bot.usecases.usage import Usages
from bot.usecases.waiting import WaitingRoom
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
    outbound: Outbound
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
            first = await last_good(
                store.policies, first, default_resource=settings.resource, unmet=unmet(settings)
            )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        outbound = await stack.enter_async_context(open_outbound(settings.allow_private))
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
            outbound=outbound,
            mark=await epoch(redis, create=uuid.uuid4().hex),
        )


def _files(settings: Settings, *, embedded: Path | None) -> tuple[InForce | Refusal, Keyring]:
    """Return what the files say, or why those of the policy cannot come into force.

    Raises:
        Misconfigured: With the problems of all of them, as nothing works without a key.
    """
    first = first_look(settings.policies, default_resource=settings.resource, unmet=unmet(settings))
    try:
        if embedded is not None and not any(settings.keys.glob("*.pem")):
            make_key(settings.keys, name=f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}")
        keyring = load_ring(settings.keys)
    except Misconfigured as problem:
        known = first.problems if isinstance(first, Refusal) else ()
        raise Misconfigured(*known, *problem.problems) from None
    return first, keyring


def unmet(settings: Settings) -> Unmet:
    """Return what tells which settings a policy needs and does not find."""

    def problems(policy: Policy) -> Sequence[str]:
        trackers = missing_trackers(policy, settings.trackers)
        return [*trackers, *unconfigured(policy, settings.on_call.configured)]

    return problems


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
        recording: What writes down how tokens are used.
    """

    home: Home
    directory: SlackDirectory
    requests: Requests
    workers: tuple[Worker, ...]
    tokens: Tokens
    machines: Machines
    room: WaitingRoom
    enforcement: Enforcement
    revocations: Revocations
    clients: Clients
    listeners: Listeners
    after: Tasks
    admins: AdminChannel
    forbidden: Forbidden
    recording: Recording
    intake: Intake


def build(on: Ground, home: Home) -> Parts:
    """Return the bot, built but not running."""
    store, clock, after = on.store, on.clock, Tasks()
    on_call = _on_call(on.outbound, on.settings.on_call)
    directory = SlackDirectory(on.api, home, on_call, now=clock.now)
    messenger = SlackMessenger(on.api, directory)
    stores = Stores(
        ledger=store.ledger, once=store.once, signer=on.keyring, clock=clock, metrics=on.metrics
    )

    def shown(id_: RequestId) -> None:
        messages.soon(id_)

    def policy() -> Policy:
        return on.loaded.policy

    admins = AdminChannel(on.api, directory, shelf=store.policies, once=store.once)

    def failed(failures: Sequence[Failure]) -> None:
        if on.loaded.admin_channel:
            after.spawn(admins.failed(on.loaded.admin_channel, failures))

    desk = Desk(stores, issuer=on.settings.issuer, shown=shown, failed=failed)
    gate = Gate(directory)
    tickets = TicketDesk(
        trackers=_trackers(on), directory=directory, every=on.settings.trackers.every
    )
    requests = Requests(
        desk,
        gate,
        ledger=store.ledger,
        listings=store.listings,
        policy=policy,
        tickets=tickets,
    )
    shows = Shows(
        requests,
        messenger,
        gate,
        policy=policy,
        ledger=store.ledger,
        receipts=store.receipts,
        mint=desk.mint,
        clock=clock,
    )
    usages = Usages(store.use, clock)
    timers = Timers(
        desk,
        gate,
        policy=policy,
        tickets=tickets,
        usages=usages,
        still_right=requests.still_right,
    )
    handlers: dict[str, Handler] = {
        SHOW: shows,
        MISUSE: Misuses(desk, ledger=store.ledger, book=store.use),
        **dict.fromkeys(Timer, timers),
    }
    safety, messages, watches = (
        Worker(queue, store.jobs, handlers, clock=clock, metrics=on.metrics)
        for queue in (Queue.SAFETY, Queue.MESSAGES, Queue.WATCHES)
    )
    backgrounds = Backgrounds(requests, gate, listings=store.listings, usages=usages, policy=policy)
    facts = FactFinder(gate, ledger=store.ledger, listings=store.listings, tickets=tickets)
    emergencies = Emergencies(desk, gate, ledger=store.ledger, facts=facts, policy=policy)
    clicks = Clicks(
        requests,
        api=on.api,
        messenger=messenger,
        receipts=store.receipts,
        backgrounds=backgrounds,
        emergencies=emergencies,
    )
    recorder = Recorder(
        store.use, store.jobs, instance=uuid.uuid4().hex, clock=clock, metrics=on.metrics
    )
    reports = Reports(usages, listings=store.listings, policy=policy)
    suspects = Suspects(recorder, on.keyring, issuer=on.settings.issuer, metrics=on.metrics)
    return Parts(
        home=home,
        directory=directory,
        requests=requests,
        workers=(safety, messages, watches),
        tokens=Tokens(store.tokens, on.keyring, clock, requests, log=recorder, suspects=suspects),
        machines=Machines(
            requests,
            desk.mint,
            ledger=store.ledger,
            people=directory,
            clock=clock,
            policy=policy,
            alarm=lambda: on.loaded.admin_channel,
            draw=secrets.token_urlsafe,
        ),
        room=WaitingRoom(store.changes),
        enforcement=Enforcement(store.tokens, on.keyring, clock, recorder, suspects),
        revocations=Revocations(
            store.ended,
            kids=on.keyring.kids,
            clock=clock,
            is_whole=lambda: not clock.stopped,
        ),
        clients=Clients(
            lambda: on.loaded.clients,
            issuer=on.settings.issuer,
            once=store.once,
            clock=clock,
        ),
        listeners=_front(on, requests, emergencies, reports, clicks, directory, after),
        after=after,
        admins=admins,
        forbidden=Forbidden(
            desk,
            gate,
            facts,
            listings=store.listings,
            policy=policy,
        ),
        recording=Recording(recorder, look=suspects.look),
        intake=Intake(store.ledger, store.use, store.jobs, clock),
    )


def _trackers(on: Ground) -> dict[Tracker, Tickets]:
    """Return the trackers that are configured."""
    given, outbound = on.settings.trackers, on.outbound
    known: dict[Tracker, Tickets] = {
        Tracker.JIRA: Jira(
            outbound, url=given.jira_url, user=given.jira_user, token=given.jira_token
        ),
        Tracker.GITHUB: GitHub(outbound, api=given.github_url, token=given.github_token),
        Tracker.URL: JsonUrl(
            outbound, url=given.ticket_url, pages=given.ticket_pages, token=given.ticket_token
        ),
    }
    return {tracker: known[tracker] for tracker in given.configured}


def _on_call(outbound: Outbound, given: OnCallSettings) -> OnCall:
    """Return the on-call services that are configured, as one."""
    known: dict[Provider, OnCall] = {
        Provider.PAGERDUTY: PagerDuty(
            outbound, url=given.pagerduty_url, token=given.pagerduty_token
        ),
        Provider.OPSGENIE: Opsgenie(outbound, url=given.opsgenie_url, token=given.opsgenie_token),
        Provider.URL: OnCallUrl(outbound, url=given.url, token=given.token),
    }
    return Services({provider: known[provider] for provider in given.configured})


def _front(
    on: Ground,
    requests: Requests,
    emergencies: Emergencies,
    reports: Reports,
    clicks: Clicks,
    directory: SlackDirectory,
    after: Tasks,
) -> Listeners:
    """Return what everything that Slack sends comes to."""
    return Listeners(
        commands=Commands(
            requests, emergencies, reports, api=on.api, zones=directory, clock=on.clock
        ),
        clicks=clicks,
        submissions=Submissions(requests, emergencies),
        api=on.api,
        directory=directory,
        metrics=on.metrics,
        after=after,
    )
