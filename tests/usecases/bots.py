"""The whole bot over ports, without Slack and HTTP: what every use case test acts in."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from bot.core import events as e
from bot.core.identity import Actor, RequestId, person
from bot.core.moves import Approve
from bot.core.policy import (
    Chain,
    Escalation,
    Group,
    Guardrail,
    Policy,
    Rule,
    Selector,
    Share,
    Stage,
    Verdict,
)
from bot.core.request import Request
from bot.core.scopes import Bundle, Delivery, Glass, Limits, ScopeText, TicketRule, Tracker
from bot.core.states import Timer
from bot.keyring import MemorySigner
from bot.slack.memory import MemoryDirectory, MemoryMessenger
from bot.store.memory import (
    MemoryJobs,
    MemoryLedger,
    MemoryListings,
    MemoryOnce,
    MemoryReceipts,
    MemoryStore,
    MemoryTokenIndex,
)
from bot.store.memory_use import MemoryUseBook
from bot.store.redis import RedisStore
from bot.trackers.memory import MemoryTickets
from bot.usecases.background import Backgrounds
from bot.usecases.desk import Desk, Stores
from bot.usecases.emergencies import Emergencies
from bot.usecases.facts import FactFinder
from bot.usecases.gate import Gate
from bot.usecases.misuse import Misuses
from bot.usecases.ports import (
    MISUSE,
    SHOW,
    Clock,
    Jobs,
    Ledger,
    Listings,
    Once,
    Queue,
    Receipts,
    Standing,
    TokenIndex,
)
from bot.usecases.recording import Recorder
from bot.usecases.reports import Reports
from bot.usecases.requests import Requests
from bot.usecases.shows import Shows
from bot.usecases.suspects import Suspects
from bot.usecases.tickets import WATCH_EVERY, TicketDesk
from bot.usecases.timers import Timers
from bot.usecases.tokens import Tokens
from bot.usecases.usage import Usages
from bot.usecases.use import UseBook
from bot.usecases.wishes import Outcome, Wish
from bot.usecases.workers import Worker
from tests.clocks import ManualClock

TEAM = "T0DEMO"
ISSUER = "https://jit.example"
ANNA, BEN, CLEO, DAN, EVA, FINN, GUS, OLGA = PEOPLE = tuple(
    person(f"U0{name}", home=TEAM)
    for name in ("ANNA", "BEN", "CLEO", "DAN", "EVA", "FINN", "GUS", "OLGA")
)
FOREIGN_BEN = person(BEN.id, home="T0OTHER")

ENGINEERS = Group(name="engineers", users=frozenset({ANNA.id, BEN.id, CLEO.id, DAN.id}))
LEADS = Group(name="leads", users=frozenset({BEN.id, CLEO.id, DAN.id}))
SECURITY = Group(name="security", usergroup="S0SECURITY")
OWNERS = Group(name="owners", users=frozenset({DAN.id}))
LEAD = Stage(name="lead", approvers=(LEADS,))
TWO_LEADS = Stage(name="leads", approvers=(LEADS,), quorum=2)
GUARD = Stage(name="security", approvers=(SECURITY,))

# One of two must be of the owners; security stands in for them after ten minutes.
PEERS = Stage(
    name="peers",
    approvers=(LEADS, OWNERS),
    quorum=2,
    at_least=(Share("owners", 1),),
    remind=(timedelta(minutes=3), timedelta(minutes=8)),
    escalate=(
        Escalation(after=timedelta(minutes=10), add_approvers=(SECURITY,), stand_in_for="owners"),
    ),
)

STANDINGS = {
    **{who.id: Standing.MEMBER for who in PEOPLE},
    GUS.id: Standing.GUEST,
    OLGA.id: Standing.DEACTIVATED,
    "U0JITBOT": Standing.BOT,
}


def a_bundle(name: str, **over: Any) -> Bundle:
    plain: dict[str, Any] = {
        "title": f"Use {name}",
        "scopes": (ScopeText("invoices:read", "Read invoices"), ScopeText("refunds:read")),
        "resource": "https://billing.example",
        "channel": "#access",
        "max_duration": timedelta(hours=1),
        "default_duration": timedelta(minutes=30),
        "owner": "owners",
    }
    return Bundle(name=name, **{**plain, **over})


def a_rule(verdict: Verdict, *stages: Stage, **over: Any) -> Rule:
    chain = Chain(name="chain", stages=stages, expire_after=timedelta(minutes=20))
    plain: dict[str, Any] = {"requesters": ("engineers",), "chain": chain if stages else None}
    return Rule(id="rule", bundles=Selector(), verdict=verdict, **{**plain, **over})


BY_LEAD = a_rule(Verdict.REQUIRE, LEAD)
AT_ONCE = a_rule(Verdict.AUTO_APPROVE)
CLAIM_WITHIN = timedelta(minutes=20)
GLASS = Glass(
    who=("engineers",),
    max_duration=timedelta(minutes=15),
    reason_min=20,
    notify=("#alarm",),
    review_by=("security", "owners"),
    review_within=timedelta(hours=4),
)

# Bundles by name, with the rules that decide about each.
SHELF: Mapping[str, tuple[Bundle, tuple[Rule, ...]]] = {
    bundle.name: (bundle, rules)
    for bundle, *rules in [
        (a_bundle("read"), BY_LEAD),
        (a_bundle("two"), a_rule(Verdict.REQUIRE, TWO_LEADS)),
        (a_bundle("staged"), a_rule(Verdict.REQUIRE, LEAD, GUARD)),
        (a_bundle("careful"), a_rule(Verdict.REQUIRE, PEERS, GUARD)),
        (a_bundle("auto"), AT_ONCE),
        (a_bundle("secret", delivery=Delivery.REVEAL), AT_ONCE),
        (a_bundle("twice", limits=Limits(per_user_per_day=2)), AT_ONCE),
        (a_bundle("scarce", limits=Limits(active_total=1)), AT_ONCE),
        (a_bundle("claimed", claim_within=CLAIM_WITHIN), BY_LEAD),
        (
            a_bundle("claimed-rare", claim_within=CLAIM_WITHIN, limits=Limits(active_total=1)),
            AT_ONCE,
        ),
        (
            a_bundle("claimed-once", claim_within=CLAIM_WITHIN, limits=Limits(auto_per_day=1)),
            AT_ONCE,
        ),
        (a_bundle("planned", start_within=timedelta(days=7)), BY_LEAD),
        (a_bundle("rare", limits=Limits(active_total=1)), BY_LEAD),
        (a_bundle("never"), a_rule(Verdict.DENY)),
        (a_bundle("ruleless"),),
        (a_bundle("hidden", channel="#hidden"), AT_ONCE),
        (a_bundle("alarm", glass=GLASS), BY_LEAD),
        (a_bundle("ticketed", ticket=TicketRule(pattern="INC-[0-9]+", example="INC-7")), BY_LEAD),
    ]
}


def a_policy(
    shelf: Mapping[str, tuple[Bundle, tuple[Rule, ...]]] = SHELF,
    *,
    digest: str = "d" * 64,
    groups: tuple[Group, ...] = (ENGINEERS, LEADS, SECURITY, OWNERS),
    rails: tuple[Guardrail, ...] = (),
) -> Policy:
    return Policy(
        digest=digest,
        bundles={name: bundle for name, (bundle, _) in shelf.items()},
        groups={group.name: group for group in groups},
        rules_of={name: rules for name, (_, rules) in shelf.items()},
        guardrails_of=dict.fromkeys(shelf, rails),
    )


class CountingMetrics:
    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def count(self, name: str, **labels: str) -> None:
        self.counts[name, *labels.values()] += 1

    def observe(self, name: str, value_s: float, **labels: str) -> None: ...


class SystemTime:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def agrees(self) -> bool:
        return True


@dataclass(kw_only=True)
class Bot:
    """One replica of the bot; `another` is a second one on the same store."""

    clock: Clock
    wait: Callable[[timedelta], Awaitable[None]]
    ledger: Ledger
    listings: Listings
    jobs: Jobs
    receipts: Receipts
    index: TokenIndex
    once: Once
    book: UseBook
    directory: MemoryDirectory
    messenger: MemoryMessenger
    signer: MemorySigner = field(default_factory=lambda: MemorySigner("kid-1"))
    policy: Policy = field(default_factory=a_policy)
    tracker: MemoryTickets = field(default_factory=MemoryTickets)
    watch_every: timedelta = WATCH_EVERY

    def __post_init__(self) -> None:
        self.metrics = CountingMetrics()
        self.shown: list[RequestId] = []
        stores = Stores(
            ledger=self.ledger,
            once=self.once,
            signer=self.signer,
            clock=self.clock,
            metrics=self.metrics,
        )
        self.failed = []
        self.desk = Desk(stores, issuer=ISSUER, shown=self.shown.append, failed=self.failed.extend)
        self.gate = Gate(self.directory)
        self.tickets = TicketDesk(
            trackers={Tracker.JIRA: self.tracker}, directory=self.directory, every=self.watch_every
        )
        self.requests = Requests(
            self.desk,
            self.gate,
            ledger=self.ledger,
            listings=self.listings,
            policy=lambda: self.policy,
            tickets=self.tickets,
        )
        self.usages = Usages(self.book, self.clock)
        self.backgrounds = Backgrounds(
            self.requests,
            self.gate,
            listings=self.listings,
            usages=self.usages,
            policy=lambda: self.policy,
        )
        self.reports = Reports(self.usages, listings=self.listings, policy=lambda: self.policy)
        self.facts = FactFinder(
            self.gate, ledger=self.ledger, listings=self.listings, tickets=self.tickets
        )
        self.emergencies = Emergencies(
            self.desk,
            self.gate,
            ledger=self.ledger,
            facts=self.facts,
            policy=lambda: self.policy,
        )
        self.shows = Shows(
            self.requests,
            self.messenger,
            self.gate,
            policy=lambda: self.policy,
            ledger=self.ledger,
            receipts=self.receipts,
            mint=self.desk.mint,
            clock=self.clock,
        )
        self.timers = Timers(
            self.desk,
            self.gate,
            policy=lambda: self.policy,
            tickets=self.tickets,
            usages=self.usages,
            still_right=self.requests.still_right,
        )
        self.misuses = Misuses(self.desk, ledger=self.ledger, book=self.book)
        self.log = Recorder(
            self.book, self.jobs, instance=hex(id(self)), clock=self.clock, metrics=self.metrics
        )
        self.suspects = Suspects(self.log, self.signer, issuer=ISSUER, metrics=self.metrics)
        self.tokens = Tokens(
            self.index,
            self.signer,
            self.clock,
            self.requests,
            log=self.log,
            suspects=self.suspects,
        )
        self.safety, self.messages = self.worker(Queue.SAFETY), self.worker(Queue.MESSAGES)
        self.watches = self.worker(Queue.WATCHES)
        self.deliveries = 0

    def worker(self, queue: Queue) -> Worker:
        return Worker(
            queue,
            self.jobs,
            {**dict.fromkeys(Timer, self.timers), SHOW: self.shows, MISUSE: self.misuses},
            clock=self.clock,
            metrics=self.metrics,
        )

    def delivery(self) -> str:
        self.deliveries += 1
        return f"delivery {self.deliveries}"

    async def ask(self, bundle: str = "read", *, by: Actor = ANNA, **over: Any) -> Request:
        outcome = await self.open(bundle, by=by, delivery=self.delivery(), **over)
        return outcome.request

    async def open(
        self, bundle: str = "read", *, by: Actor = ANNA, delivery: str = "d", **over: Any
    ) -> Outcome:
        wish = Wish(bundle=bundle, **{"reason": "incident number 7", **over})
        return await self.requests.open(wish, by=by, delivery=delivery)

    async def break_glass(
        self, bundle: str = "alarm", *, by: Actor = ANNA, delivery: str = "", **over: Any
    ) -> Request:
        wish = Wish(bundle=bundle, **{"reason": "production is down, INC-7", **over})
        outcome = await self.emergencies.open(wish, by=by, delivery=delivery or self.delivery())
        return outcome.request

    async def move(self, request: Request, move: Any, *, by: Actor, delivery: str = "") -> Outcome:
        delivery = delivery or self.delivery()
        return await self.requests.move(request.id, move, by=by, delivery=delivery)

    async def granted(self, bundle: str = "read", *, by: Actor = ANNA) -> Request:
        """Return a request with a live grant."""
        request = await self.ask(bundle, by=by)
        if request.grant is not None:
            return request
        return (await self.move(request, Approve(), by=BEN)).request

    async def now(self, request: Request) -> Request:
        return await self.desk.load(request.id)

    async def kinds(self, request: Request) -> list[type[e.Event]]:
        return [type(event) for event in await self.ledger.history(request.id)]

    async def works(self, token: e.TokenSpec) -> bool:
        hash_, _ = self.desk.mint(token)
        return await self.index.find(hash_) is not None

    async def work(self) -> None:
        """Do everything that is due now."""
        for _ in range(50):
            workers = (self.safety, self.messages, self.watches)
            begun = [await worker._turn() == 0.0 for worker in workers]
            await asyncio.gather(*(worker.drained() for worker in workers))
            if not any(begun):
                return
        raise AssertionError("the work never ends")

    async def pass_(self, **length: float) -> None:
        """Let time pass, doing what is due at each of its moments."""
        end = self.clock.now() + timedelta(**length)
        while True:
            await self.work()
            due = [await self.jobs.next_due(queue) for queue in Queue]
            nearest = min((at for at in due if at is not None), default=None)
            if nearest is None or nearest > end:
                break
            await self.wait(nearest - self.clock.now())
        await self.wait(end - self.clock.now())

    def texts(self, channel: str = "#access") -> list[str]:
        posted = self.messenger.posted.values()
        return [message.text for message in posted if message.channel == channel]

    def readable(self, token: e.TokenSpec) -> list[str]:
        """Return the channels in which the token can be read now."""
        text = self.desk.mint.token(token)
        return [each.channel for each in self.messenger.posted.values() if text in each.text]


def slack() -> dict[str, Any]:
    directory = MemoryDirectory(TEAM)
    directory.people |= STANDINGS
    directory.usergroups["S0SECURITY"] = frozenset({EVA.id})
    directory.channels |= {"#access": "", "#alarm": "", "#hidden": "the app is not in #hidden"}
    return {"directory": directory, "messenger": MemoryMessenger()}


def in_memory(store: MemoryStore, clock: ManualClock, **over: Any) -> Bot:
    parts: dict[str, Any] = {
        "ledger": MemoryLedger(store),
        "listings": MemoryListings(store),
        "jobs": MemoryJobs(store),
        "receipts": MemoryReceipts(store),
        "index": MemoryTokenIndex(store),
        "once": MemoryOnce(store),
        "book": MemoryUseBook(store),
    }
    return Bot(clock=clock, wait=clock.wait, **{**parts, **slack(), **over})


def on_redis(redis: Redis, **over: Any) -> Bot:
    store = RedisStore.on(redis)
    parts: dict[str, Any] = {
        "ledger": store.ledger,
        "listings": store.listings,
        "jobs": store.jobs,
        "receipts": store.receipts,
        "index": store.tokens,
        "once": store.once,
        "book": store.use,
    }

    async def wait(length: timedelta) -> None:
        await asyncio.sleep(length.total_seconds())

    return Bot(clock=SystemTime(), wait=wait, **{**parts, **slack(), **over})
