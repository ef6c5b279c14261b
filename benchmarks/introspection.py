"""What it costs to ask about a token, against floors of the same run.

* get: a bare aiohttp handler that answers with the JSON that one plain Redis GET reads
* introspect: the bot's introspection, a client with a secret asking
* forward-auth: what a gateway asks about each call
* oidc-provider: the npm package, its introspection over Redis; left out where npm is missing

One Redis serves all of them. Each server has the first core for itself, and is asked by CLIENTS
connections at once from the second; all are asked in turns, several rounds, and the figures are
medians.
"""

import asyncio
import base64
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import npm_peers
from servers import POLICIES
from slack_ack import free_port, slack

from bot.core import events as e
from bot.core.grant import Signing, started
from bot.core.identity import BOT, grant_id, person, request_id
from bot.core.scopes import Delivery, Risk, ScopeText
from bot.keyring import load_ring, make_key
from bot.store.embedded import EmbeddedServer
from bot.store.redis import RedisStore, connect
from bot.telemetry import configure_logging
from bot.usecases.commits import Step, commit_of
from bot.usecases.ports import CommitId
from bot.usecases.tokens import Mint, hash_of

ROUNDS = int(os.environ.get("ROUNDS", "7"))
CLIENTS = int(os.environ.get("CLIENTS", "64"))
REQUESTS = int(os.environ.get("REQUESTS", "6000"))
GRANTS = 200
RESOURCE, CLIENT, SECRET = "https://billing.example", "billing-api", "a benchmark's secret"
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
FIRST_CORE, SECOND_CORE = (set(CORES[:1]), set(CORES[1:2])) if len(CORES) > 1 else (set(), set())


@dataclass(frozen=True)
class Variant:
    """A server, what it is asked in turns, and what its answers must hold."""

    name: str
    port: int
    pid: int
    requests: Sequence[bytes]
    expect: bytes


class Connection(asyncio.Protocol):
    """One client: sends the next request when it has the answer to the last."""

    def __init__(self, todo: Iterator[bytes], expect: bytes) -> None:
        self.todo, self.expect = todo, expect
        self.done = asyncio.get_running_loop().create_future()
        self.got = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        request = next(self.todo, None)
        if request is None:
            self.transport.close()
            self.done.set_result(None)
        else:
            self.transport.write(request)

    def data_received(self, received: bytes) -> None:
        self.got += received
        head, end, body = self.got.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            if not head.startswith(b"HTTP/1.1 200 ") or self.expect not in self.got:
                self.done.set_exception(AssertionError(self.got[:600]))
                self.transport.close()
                return
            self.got = b""
            self.next()

    def connection_lost(self, problem) -> None:
        if not self.done.done():
            self.done.set_exception(AssertionError(f"hung up: {problem}"))


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def crowd(variant: Variant, number: int) -> tuple[float, float]:
    """Return requests per second and the server's CPU time of one in microseconds."""
    asked = variant.requests
    todo = iter([asked[n % len(asked)] for n in range(number)])
    loop = asyncio.get_running_loop()
    began, before = time.perf_counter(), cpu_s(variant.pid)
    made = [
        await loop.create_connection(
            lambda: Connection(todo, variant.expect), "127.0.0.1", variant.port
        )
        for _ in range(CLIENTS)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    took = time.perf_counter() - began
    return number / took, (cpu_s(variant.pid) - before) / number * 1e6


def http(line: str, *headers: str, body: str = "") -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    head = [f"{line} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*", *headers, *length]
    return "\r\n".join([*head, "", body]).encode()


async def grant_all(redis_url: str, keys: Path) -> list[str]:
    """Store GRANTS live grants as the bot does; return their tokens."""
    ring = load_ring(keys)
    mint, signing = Mint(ring), Signing(issuer="https://jit.example", kid=ring.active_kid)
    client = connect(redis_url)
    store, tokens = RedisStore.on(client), []
    for number in range(GRANTS):
        now = datetime.now(UTC)
        asked = e.Requested(
            request=request_id(f"benchmark {number}"),
            at=now,
            by=person(f"U0ANNA{number}", home="T0DEMO"),
            bundle="billing-read",
            title="Read billing",
            risk=Risk.MEDIUM,
            resource=RESOURCE,
            delivery=Delivery.MESSAGE,
            channel="#access-requests",
            owner="billing-leads",
            scopes=tuple(map(ScopeText, ("invoices:read", "refunds:read", "customers:read"))),
            left_out=0,
            duration=timedelta(hours=1),
            longest=timedelta(hours=1),
            active_total=None,
            reason="to measure",
            ticket="",
            rule="none",
            reasons=(),
            digest="d" * 64,
            stages=(),
            deadline=now + timedelta(hours=1),
        )
        approved = e.Approved(request=asked.request, at=now, by=BOT)
        granted = e.Granted(request=asked.request, at=now, by=BOT, grant=grant_id(asked.request))
        facts = (asked, approved, granted, started(asked, now=now, by=BOT, signing=signing))
        change = commit_of(CommitId(asked.request), [Step(None, facts)], mint=mint)
        await store.ledger.commit(change)
        tokens.append(mint.token(facts[-1].token))
    await client.aclose()
    return tokens


def policies(folder: Path) -> Path:
    """Return the shipped policies, with a client whose secret is known."""
    copied = shutil.copytree(POLICIES, folder / "policies")
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    clients = copied / "clients.yaml"
    begin = f"{CLIENT}:\n    secret_sha256: "
    known, found = re.subn(f"(?<={begin})[0-9a-f]+", digest, clients.read_text("utf-8"))
    assert found == 1
    clients.write_text(known, "utf-8")
    return copied


def basic(id_: str, secret: str) -> str:
    pair = f"{id_}:{secret}".replace(" ", "+").replace("'", "%27")
    return "Authorization: Basic " + base64.b64encode(pair.encode()).decode()


def asked_of_the_bot(tokens: Sequence[str]) -> dict[str, list[bytes]]:
    form = "Content-Type: application/x-www-form-urlencoded"
    who = basic(CLIENT, SECRET)
    question = f"/forward-auth?scope=invoices:read&resource={RESOURCE}"
    return {
        "get": [http(f"GET /get/%7Bjit%3A0%7D%3Atok%3A{hash_of(each)}") for each in tokens],
        "introspect": [
            http("POST /oauth/introspect", who, form, body=f"token={each}") for each in tokens
        ],
        "forward-auth": [
            http(f"GET {question}", f"Authorization: Bearer {each}") for each in tokens
        ],
    }


async def peers(stack: AsyncExitStack, redis_url: str) -> list[Variant]:
    folder = npm_peers.installed()
    if folder is None:
        return []
    port, secret = free_port(), "a-secret-of-the-benchmark"
    url = redis_url.replace("unix://", "", 1)
    pid, tokens = await npm_peers.oidc_provider(
        stack, folder, port=port, args=[url, CLIENT, secret, str(GRANTS)], core=FIRST_CORE
    )
    form = "Content-Type: application/x-www-form-urlencoded"
    asked = [
        http("POST /token/introspection", basic(CLIENT, secret), form, body=f"token={each}")
        for each in tokens
    ]
    return [Variant("oidc-provider", port, pid, asked, b'"active":true')]


async def listening(port: int) -> None:
    for _ in range(400):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise SystemExit(f"nothing listens on port {port}")


async def main() -> None:
    configure_logging("warning", sys.stderr)
    if SECOND_CORE:
        os.sched_setaffinity(0, SECOND_CORE)  # which Redis inherits
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        keys = make_key(folder / "keys", name="1").parent
        redis = await stack.enter_async_context(EmbeddedServer(folder / "redis"))
        ports = {kind: free_port() for kind in ("slack", "get", "bot")}
        runner = await slack(ports["slack"])
        stack.push_async_callback(runner.cleanup)
        slack_url = f"http://127.0.0.1:{ports['slack']}/api/"
        tokens = await grant_all(redis.url, keys)
        more = {"get": [redis.url], "bot": [redis.url, slack_url, str(keys)]}
        env = {**os.environ, "JIT_POLICIES": str(policies(folder))}
        here, processes = Path(__file__).parent / "servers.py", {}
        for kind, args in more.items():
            command = [sys.executable, str(here), kind, str(ports[kind]), *args]
            processes[kind] = subprocess.Popen(command, env=env)
            stack.callback(processes[kind].terminate)
            await listening(ports[kind])
        variants = [
            Variant(
                name,
                ports["get" if name == "get" else "bot"],
                processes["get" if name == "get" else "bot"].pid,
                asked,
                b'"active":true' if name != "forward-auth" else b"X-JIT-Grant: G-",
            )
            for name, asked in asked_of_the_bot(tokens).items()
        ]
        variants += await peers(stack, redis.url)
        report(await measured(variants))


async def measured(variants: Sequence[Variant]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {each.name: [] for each in variants}
    for number in range(ROUNDS + 1):
        for each in variants:
            figures = await crowd(each, REQUESTS if number else REQUESTS // 4)
            if number:  # the first round warms up
                found[each.name].append(figures)
    return found


def report(found: dict[str, list[tuple[float, float]]]) -> None:
    speed = {name: statistics.median(each[0] for each in all_) for name, all_ in found.items()}
    cpu = {name: statistics.median(each[1] for each in all_) for name, all_ in found.items()}
    print(f"{CLIENTS} clients, {ROUNDS} rounds of {REQUESTS} requests, one core for each server")
    print(
        f"{'':15}{'requests/s':>12}{'x get':>8}{'x oidc':>8}{'CPU us':>10}{'x get':>8}{'x oidc':>8}"
    )
    work = {name: 1e6 / taken for name, taken in cpu.items()}
    for name in found:
        print(f"{name:15}{speed[name]:12.0f}{ratios(speed, name)}", end="")
        print(f"{cpu[name]:10.0f}{ratios(work, name)}")
    print("wanted of the bot's: at least 1.0 x get, and 4 x oidc-provider")
    print("The second core holds the clients and Redis, so requests/s can be bounded by these.")


def ratios(rates: dict[str, float], name: str) -> str:
    """Return how much of the two floors `name` does, as far as they were measured."""
    floors = [rates.get("get"), rates.get("oidc-provider")]
    return "".join(f"{rates[name] / floor:8.2f}" if floor else " " * 8 for floor in floors)


if __name__ == "__main__":
    asyncio.run(main())
