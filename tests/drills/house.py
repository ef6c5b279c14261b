"""One house of the drill: Redis and the stand-in for Slack, which survive, and a bot that dies."""

import asyncio
import multiprocessing
import random
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from redis.asyncio import Redis

from bot.demo import MANIFEST
from bot.keyring import load_ring
from bot.sandbox.client import Acme
from bot.sandbox.rates import QUICK
from bot.sandbox.server import Sandbox
from bot.store.embedded import EmbeddedServer
from bot.store.redis import RedisStore, connect
from bot.usecases.tokens import Mint
from tests.drills.child import serve
from tests.drills.redis_proxy import RedisProxy
from tests.drills.slack_proxy import SlackProxy
from tests.drills.trap import Point, Trap
from tests.sandbox.parts import APP_TOKEN, BOT_TOKEN
from tests.sandbox.parts import SECRET as SIGNING_SECRET

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.drills.child"])

# Redis never dies here, so it need not wait for the disk.
LAZY = ("--appendfsync", "no")
LATE_AT_MOST_S = 5.0
LOOK_EVERY_S = 0.5

POLICIES = """\
version: 1
bundles:
  billing:
    title: Read billing
    scopes: {invoices:read: Read invoices, refunds:read: Read refunds}
    environment: production
    access: read
    risk: medium
    owner: leads
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  logs:
    title: Read logs
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: leads
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    limits: {active_total: 9}
groups:
  engineers: {usergroup: S0ENGINEERS}
  leads: {users: [U0BEN, U0CLEO]}
chains:
  one-lead:
    expire_after: 10m
    stages: [{name: lead, approvers: [leads]}]
rules:
  - id: by-a-lead
    bundles: {name: [billing]}
    requesters: [engineers]
    decision: require
    chain: one-lead
  - id: at-once
    bundles: {name: [logs]}
    requesters: [engineers]
    decision: auto_approve
"""


class BotProcess:
    """`jit serve` in a process of its own, always up but for the moment after it was killed."""

    def __init__(self, settings: dict[str, str], log: Path) -> None:
        self._settings = settings
        self._log = log
        self._running: BaseProcess

    def start(self) -> None:
        self._running = _FORKS.Process(target=serve, args=(self._settings, str(self._log)))
        self._running.start()

    def kill(self) -> None:
        """Kill -9; return when it is dead."""
        self._running.kill()
        self._running.join()

    @property
    def is_gone(self) -> bool:
        """Whether it ended by itself."""
        return self._running.exitcode not in (None, -signal.SIGKILL)

    def said(self) -> str:
        return self._log.read_text("utf-8") if self._log.exists() else ""


@dataclass(kw_only=True)
class House:
    """Everything at hand in one run of the story.

    Attributes:
        restarted_at: When the bot was killed last, or was up again, by `clock_s`.
        last_claim: The last one that a bot made who is dead now.
        held: How many jobs the bots that were killed held, all in all.
        too_late: Jobs that were left due for too long, with a sentence each.
    """

    trap: Trap
    sandbox: Sandbox
    acme: Acme
    redis: Redis
    store: RedisStore
    mint: Mint
    bot: BotProcess
    redis_proxy: RedisProxy
    slack_proxy: SlackProxy
    restarted_at: float
    last_claim: int = 0
    held: int = 0
    stolen_s: float = 0.0
    too_late: dict[str, str] = field(default_factory=dict)

    async def jobs(self) -> dict[str, int]:
        """Return when each job that is owed is, or was, due: Unix milliseconds."""
        owed = await self.redis.hgetall(self.store.jobs._server.key("job"))
        return {job.decode(): int(due.partition(b"|")[0]) for job, due in owed.items()}

    async def holders(self) -> dict[str, int]:
        """Return which jobs are somebody's, alive or dead, and by which claim."""
        leases = await self.redis.hgetall(self.store.jobs._server.key("lease"))
        fences = {job.decode(): int(lease.partition(b":")[0]) for job, lease in leases.items()}
        return {job: fence for job, fence in fences.items() if fence}

    async def due(self) -> dict[str, int]:
        """Return those of `jobs` that should be done by now; Redis has this machine's clock."""
        now_ms = time.time_ns() // 1_000_000
        return {job: due for job, due in (await self.jobs()).items() if due <= now_ms}

    def clock_s(self) -> float:
        """Return the time less what others on this machine took from us."""
        return asyncio.get_running_loop().time() - self.stolen_s

    async def neglected(self) -> dict[str, int]:
        """Return those of `due` that nobody alive works on."""
        due, held = await self.due(), await self.holders()
        return {job: at for job, at in due.items() if held.get(job, 0) <= self.last_claim}

    async def watch(self) -> None:
        """See that nothing is neglected for long; a death of the bot excuses what came before."""
        loop, seen, lives = asyncio.get_running_loop(), dict[tuple[str, int], float](), 0
        while True:
            due, now = await self.neglected(), self.clock_s()
            if lives != (lives := self.trap.passed.count("auth.test")):
                self.restarted_at = now
            seen = {each: seen.get(each, now) for each in due.items()}
            for (job, _), at in seen.items():
                late_s = now - max(at, self.restarted_at)
                if late_s > LATE_AT_MOST_S:
                    self.too_late[job] = f"{job} is late by {late_s:.1f} s"
                    self.trap.note(self.too_late[job])
            if self.bot.is_gone:  # where a crowded machine let it wait too long for Redis
                self.trap.note("ended by itself")
                self.bot.start()
            began = loop.time()
            await asyncio.sleep(LOOK_EVERY_S)
            self.stolen_s += loop.time() - began - LOOK_EVERY_S


def _lasting_port() -> int:
    """Return a free port that no outgoing connection is given while the bot is down (ip(7))."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def a_house(folder: Path, keys: Path, points: Iterable[Point]) -> AsyncIterator[House]:
    """Run a house whose bot is killed at each of `points`."""
    policies = folder / "policies"
    policies.mkdir(parents=True)
    (policies / "all.yaml").write_text(POLICIES, "utf-8")
    port = _lasting_port()

    one_death = asyncio.Lock()

    async def kill() -> None:
        async with one_death:
            house.bot.kill()
            held = await house.holders()
            house.last_claim = max([house.last_claim, *held.values()])
            house.held += len(held)
            house.restarted_at = house.clock_s()
            house.bot.start()

    trap = Trap(points, kill=kill)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(
            Sandbox(
                manifest=MANIFEST,
                signing_secret=SIGNING_SECRET,
                bot_token=BOT_TOKEN,
                app_token=APP_TOKEN,
                events_url=f"http://127.0.0.1:{port}/slack/events",
                rates=QUICK,
            )
        )
        acme = await stack.enter_async_context(Acme(sandbox.url))
        server = await stack.enter_async_context(EmbeddedServer(folder / "redis", options=LAZY))
        redis, client = Redis.from_url(server.url, socket_timeout=None), connect(server.url)
        for each in (redis, client):
            stack.push_async_callback(each.aclose)
        redis_proxy = await stack.enter_async_context(
            RedisProxy(server.url.removeprefix("unix://"), trap)
        )
        slack_proxy = await stack.enter_async_context(SlackProxy(sandbox.url, trap))
        sandbox.workspace.url = slack_proxy.url  # response URLs lead through the proxy
        bot = BotProcess(
            {
                "SLACK_BOT_TOKEN": BOT_TOKEN,
                "SLACK_SIGNING_SECRET": SIGNING_SECRET,
                "SLACK_API_URL": f"{slack_proxy.url}/api",
                "REDIS_URL": redis_proxy.url,
                "JIT_ISSUER": f"http://127.0.0.1:{port}",
                "JIT_POLICIES": str(policies),
                "JIT_KEYS": str(keys),
                "HOST": "127.0.0.1",
                "PORT": str(port),
            },
            folder / "bot.log",
        )
        house = House(
            trap=trap,
            sandbox=sandbox,
            acme=acme,
            redis=redis,
            store=RedisStore.on(client),
            mint=Mint(load_ring(keys)),
            bot=bot,
            redis_proxy=redis_proxy,
            slack_proxy=slack_proxy,
            restarted_at=asyncio.get_running_loop().time(),
        )
        bot.start()
        stack.callback(bot.kill)
        stack.callback(lambda: (folder / "diary").write_text("\n".join(trap.diary), "utf-8"))
        async with asyncio.TaskGroup() as together:
            watching = together.create_task(house.watch())
            yield house
            watching.cancel()
