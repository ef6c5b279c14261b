"""A server on loopback over a store, with one live grant or more."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from ipaddress import ip_network
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote_plus

from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import rsa
from redis.asyncio import Redis

from bot.core.client import Client, Resource
from bot.core.enforcement import homes_of
from bot.core.events import Approved
from bot.core.grant import Signing, granted
from bot.core.identity import BOT
from bot.core.policy import Policy
from bot.http.clients import Clients
from bot.http.health import Report
from bot.http.peers import Peers
from bot.http.server import HttpParts, make_runner
from bot.keyring import Keyring
from bot.slack.memory import MemoryDirectory
from bot.store.memory import (
    MemoryChanges,
    MemoryEndedTokens,
    MemoryJobs,
    MemoryLedger,
    MemoryListings,
    MemoryOnce,
    MemoryStore,
    MemoryTokenIndex,
)
from bot.store.memory_use import MemoryUseBook
from bot.store.redis import RedisStore
from bot.telemetry import MemoryMetrics
from bot.usecases.commits import Step, commit_of
from bot.usecases.desk import Desk, Stores
from bot.usecases.enforcement import Enforcement
from bot.usecases.gate import Gate
from bot.usecases.intake import Intake
from bot.usecases.machines import Machines
from bot.usecases.ports import CommitId
from bot.usecases.recording import MemoryUseLog
from bot.usecases.requests import Requests
from bot.usecases.revocations import Revocations
from bot.usecases.suspects import Suspects
from bot.usecases.tickets import TicketDesk
from bot.usecases.tokens import Mint, Tokens
from bot.usecases.waiting import WaitingRoom
from tests.builders import requested
from tests.clocks import ManualClock
from tests.http.machines import ASKING, a_workspace, machine_policy

ISSUER = "https://jit.example"
SECRETS = {"billing-api": "correct horse", "deploy-api": "battery/staple", "odd id+": "100 %:ö&="}
RESOURCES = {
    "billing-api": {"https://billing.example", "https://refunds.example"},
    "deploy-api": {"https://deploy.example"},
    "odd id+": {"https://billing.example"},
}
CLIENTS = {
    id_: Client(
        id=id_,
        secrets_sha256=frozenset({sha256(secret.encode()).hexdigest()}),
        resources=frozenset(RESOURCES[id_]),
    )
    for id_, secret in SECRETS.items()
}

APIS = {
    "https://billing.example": Resource(
        uri="https://billing.example",
        title="Billing",
        owner="finance",
        scopes={
            "invoices:read": "Read invoices",
            "invoices:write": "Change invoices",
            "refunds:read": "Read refunds",
        },
    )
}


@cache
def key(number: int) -> rsa.RSAPrivateKey:
    """Return one of a few keys; making one takes a while."""
    return rsa.generate_private_key(65537, 2048)


def basic(id_: str, secret: str | None = None) -> dict[str, str]:
    """Return the header of client `id_`, form-encoded inside as RFC 6749 wants it."""
    secret = SECRETS[id_] if secret is None else secret
    pair = f"{quote_plus(id_)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}


@dataclass
class House:
    """One store and what is around it.

    Attributes:
        problems: What /readyz finds.
        gateways: Addresses and networks of the gateways that are trusted.
        cached_for: How long a gateway may keep that a call may pass.
        whole: Whether the store was never wiped.
    """

    ledger: Any
    changes: Any
    listings: Any
    once: Any
    tokens: Any
    jobs: Any
    book: Any
    ended: Any
    clock: Any
    ring: Keyring = field(default_factory=lambda: Keyring.of(key(1)))
    metrics: MemoryMetrics = field(default_factory=MemoryMetrics)
    problems: list[str] = field(default_factory=list)
    slack: Any = None
    clients: dict[str, Client] = field(default_factory=lambda: {**CLIENTS, **ASKING})
    policy: Policy = field(default_factory=machine_policy)
    directory: MemoryDirectory = field(default_factory=a_workspace)
    alarm: str = "#alarms"
    whole: bool = True
    log: MemoryUseLog = field(default_factory=MemoryUseLog)
    presented: list[Suspects] = field(default_factory=list)
    apis: dict[str, Resource] = field(default_factory=lambda: dict(APIS))
    gateways: tuple[str, ...] = ()
    cached_for: timedelta = timedelta(seconds=5)

    def suspects(self, issuer: str) -> Suspects:
        """Return what looks at tokens that stand nowhere; `look` has it look."""
        made = Suspects(self.log, self.ring, issuer=issuer, metrics=self.metrics)
        self.presented.append(made)
        return made

    def look(self) -> None:
        for each in self.presented:
            each.look()

    async def grant(self, *, lasts: timedelta = timedelta(minutes=30), **over: Any) -> str:
        """Return the token of a grant that starts now."""
        at, mint = self.clock.now(), Mint(self.ring)
        asked = requested(**{"at": at, "duration": lasts, "longest": lasts, **over})
        signing = Signing(issuer=ISSUER, kid=self.ring.active_kid)
        approved = Approved(request=asked.request, at=at, by=BOT)
        facts = (asked, approved, *granted(asked, now=at, by=BOT, signing=signing))
        change = commit_of(CommitId(f"live:{asked.request}"), [Step(None, facts)], mint=mint)
        await self.ledger.commit(change)
        return mint.token(facts[-1].token)

    def desk(self) -> Desk:
        stores = Stores(
            ledger=self.ledger,
            once=self.once,
            signer=self.ring,
            clock=self.clock,
            metrics=self.metrics,
        )
        return Desk(stores, issuer=ISSUER, shown=lambda _: None, failed=lambda _: None)

    def requests(self) -> Requests:
        return Requests(
            self.desk(),
            Gate(self.directory),
            ledger=self.ledger,
            listings=self.listings,
            policy=lambda: self.policy,
            tickets=TicketDesk(trackers={}, directory=self.directory),
        )

    def machines(self) -> Machines:
        return Machines(
            self.requests(),
            self.desk().mint,
            ledger=self.ledger,
            people=self.directory,
            clock=self.clock,
            policy=lambda: self.policy,
            alarm=lambda: self.alarm,
            draw=token_urlsafe,
        )

    def parts(self, *, issuer: str = ISSUER) -> HttpParts:
        async def ready():
            return Report(problems=self.problems)

        async def render():
            return b"jit_up 1\n", "text/plain; version=0.0.4"

        revocations = Revocations(
            self.ended,
            kids=self.ring.kids,
            clock=self.clock,
            is_whole=lambda: self.whole,
        )
        return HttpParts(
            tokens=Tokens(
                self.tokens,
                self.ring,
                self.clock,
                self.requests(),
                log=self.log,
                suspects=self.suspects(issuer),
            ),
            machines=self.machines(),
            room=WaitingRoom(self.changes),
            revocations=revocations,
            clients=Clients(lambda: self.clients, issuer=issuer, once=self.once, clock=self.clock),
            jwks=self.ring.jwks,
            issuer=issuer,
            resources=lambda: self.apis,
            scopes=lambda: self.policy.scopes,
            homes=lambda: homes_of(self.apis.values(), ()),
            enforcement=Enforcement(
                self.tokens, self.ring, self.clock, self.log, self.suspects(issuer)
            ),
            peers=Peers([ip_network(each) for each in self.gateways]),
            cached_for=self.cached_for,
            slack=self.slack,
            ready=ready,
            render_metrics=render,
            metrics=self.metrics,
            intake=Intake(self.ledger, self.book, self.jobs, self.clock),
            clock=self.clock,
        )


class RealClock:
    def now(self):
        return datetime.now(UTC)

    def agrees(self):
        return True


def house_on(redis: Redis) -> House:
    store = RedisStore.on(redis)
    return House(
        ledger=store.ledger,
        changes=store.changes,
        listings=store.listings,
        once=store.once,
        tokens=store.tokens,
        jobs=store.jobs,
        book=store.use,
        ended=store.ended,
        clock=RealClock(),
    )


def house_in_memory() -> House:
    clock = ManualClock()
    store = MemoryStore(clock.now)
    return House(
        ledger=MemoryLedger(store),
        changes=MemoryChanges(store),
        listings=MemoryListings(store),
        once=MemoryOnce(store),
        tokens=MemoryTokenIndex(store),
        jobs=MemoryJobs(store),
        book=MemoryUseBook(store),
        ended=MemoryEndedTokens(store),
        clock=clock,
    )


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[ClientSession]:
    """Serve `app` as production does, and give a client of it."""
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(f"http://{host}:{port}") as client:
        yield client
    await runner.cleanup()
