"""What a signed slash command costs until Slack is answered, against floors of the same run.

* bare: a Bolt app with `process_before_response` and one listener that answers "pong"
* evalsha: the same, after one EVALSHA of the very bytes that the bot commits for a request
* help, request: the bot's `/jit help`, and a `/jit request` that is recorded and waits for people

The messages that follow an answer are left to a worker elsewhere, so that the answer alone is
measured. All variants run in turns, several rounds; the figures are medians.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from servers import SECRET, settings_for

from bot.core.identity import person
from bot.demo import free_port
from bot.keyring import make_key
from bot.slack.directory import find_home
from bot.store.embedded import EmbeddedServer
from bot.store.redis import connect
from bot.store.redis_ledger import RedisLedger
from bot.store.redis_server import Server
from bot.telemetry import configure_logging
from bot.usecases.wishes import Wish
from bot.wiring import build, ground

ROUNDS = int(os.environ.get("ROUNDS", "5"))
CLIENTS = 64
REQUESTS = 1500
SEQUENTIAL = 300
ASKS = "request billing-read 30m looking into invoice 4711 for the customer of yesterday"

numbers = itertools.count()


class Tape(Server):
    """A server that keeps the words of the last commit."""

    words: list[str]
    script: str

    async def run(self, script, *, keys, args):
        if script == "commit":
            self.script = self._script(script)[1].decode()
            said = [len(keys), *keys, *args]
            self.words = [w.decode() if isinstance(w, bytes) else str(w) for w in said]
        return await super().run(script, keys=keys, args=args)


async def slack(port: int) -> web.AppRunner:
    """Serve as much of Slack as look-ups need: whoever asks is a member, and an engineer."""

    async def method(request: web.Request) -> web.Response:
        user = {"id": "U", "team_id": "T0DEMO"}
        room = {"id": "C0ACCESS", "name": "access-requests"}
        rooms = [room, {"id": "C1", "name": "deploy-approvals"}]
        asked = await request.text()
        people = [f"U0ANNA{n}" for n in range(50)] if "S0ENGINEERS" in asked else ["U0BEN"]
        answers = {
            "auth.test": {"team_id": "T0DEMO", "user_id": "UBOT", "bot_id": "B1"},
            "users.info": {"user": user},
            "conversations.list": {"channels": rooms},
            "conversations.info": {"channel": room},
            "usergroups.users.list": {"users": people},
        }
        return web.json_response({"ok": True, **answers[request.match_info["method"]]})

    site = web.Application()
    site.router.add_post("/api/{method}", method)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def record(redis_url: str, slack_url: str, keys: str, path: Path) -> None:
    """Write down what the bot commits for one request."""
    async with ground(settings_for(redis_url, slack_url, keys), embedded=None) as real:
        tape = Tape(real.redis)
        on = replace(real, store=replace(real.store, ledger=RedisLedger(tape)))
        parts = build(on, await find_home(on.api))
        for worker in parts.workers:
            worker.stop()
        requests = parts.requests
        bundle, reason = ASKS.split()[1], " ".join(ASKS.split()[3:])
        wish = Wish(bundle=bundle, reason=reason)
        outcome = await requests.open(wish, by=person("U0ANNA1", home="T0DEMO"), delivery="tape")
    said = {"request": outcome.request.id, "words": tape.words, "script": tape.script}
    path.write_text(json.dumps(said), "utf-8")


def signed(text: str) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of a slash command as Slack sends it."""
    number = next(numbers)
    body = urlencode(
        {
            "token": "unused-verification-token",
            "team_id": "T0DEMO",
            "team_domain": "acme",
            "channel_id": "C0ACCESS",
            "channel_name": "access-requests",
            "user_id": f"U0ANNA{number % 50}",
            "user_name": "anna",
            "command": "/jit",
            "text": text,
            "api_app_id": "A0JIT",
            "is_enterprise_install": "false",
            "response_url": "https://hooks.slack.com/commands/T0DEMO/1/abc",
            "trigger_id": f"{number}.{os.getpid()}.abcdef",
        }
    ).encode()
    stamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return body, {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest.hexdigest()}",
    }


async def send(session: aiohttp.ClientSession, port: int, text: str, *, expect: str) -> None:
    body, headers = signed(text)
    url = f"http://127.0.0.1:{port}/slack/events"
    async with session.post(url, data=body, headers=headers) as answer:
        told = await answer.text()
        assert answer.status == 200 and expect in told, (answer.status, told[:300])  # noqa: PT018


async def cpu_s(session: aiohttp.ClientSession, port: int) -> float:
    async with session.get(f"http://127.0.0.1:{port}/cpu") as answer:
        return (await answer.json())["cpu_s"]


async def crowd(session: aiohttp.ClientSession, port: int, text: str, expect: str) -> float:
    """Return the server's CPU time per request in µs, with CLIENTS at once."""
    began = await cpu_s(session, port)
    left = iter(range(REQUESTS))

    async def client() -> None:
        for _ in left:
            await send(session, port, text, expect=expect)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return (await cpu_s(session, port) - began) / REQUESTS * 1e6


async def alone(session: aiohttp.ClientSession, port: int, text: str, expect: str) -> float:
    """Return the median time to the answer in ms, one request after the other."""
    took = []
    for _ in range(SEQUENTIAL):
        began = time.perf_counter()
        await send(session, port, text, expect=expect)
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


async def ready(session: aiohttp.ClientSession, port: int) -> None:
    for _ in range(200):
        try:
            await cpu_s(session, port)
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on port {port}")


async def main() -> None:
    configure_logging("warning", sys.stderr)
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        keys = str(make_key(folder / "keys", name="1").parent)
        redis = await stack.enter_async_context(EmbeddedServer(folder / "redis"))
        slack_port = free_port()
        runner = await slack(slack_port)
        stack.push_async_callback(runner.cleanup)
        slack_url = f"http://127.0.0.1:{slack_port}/api/"
        tape = folder / "tape.json"
        await record(redis.url, slack_url, keys, tape)
        ports = {kind: free_port() for kind in ("bare", "evalsha", "bot")}
        more = {"bare": [], "evalsha": [redis.url, str(tape)], "bot": [redis.url, slack_url, keys]}
        here = Path(__file__).parent / "servers.py"
        for kind, port in ports.items():
            command = [sys.executable, str(here), kind, str(port), *more[kind]]
            process = subprocess.Popen(command)
            stack.callback(process.terminate)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS))
        )
        for port in ports.values():
            await ready(session, port)
        variants = {
            "bare": (ports["bare"], "help", "pong"),
            "evalsha": (ports["evalsha"], ASKS, "pong"),
            "help": (ports["bot"], "help", "/jit request"),
            "request": (ports["bot"], ASKS, "R-"),
        }
        cpu = {name: [] for name in variants}
        latency = {name: [] for name in variants}
        client = connect(redis.url)
        stack.push_async_callback(client.aclose)
        for number in range(ROUNDS + 1):
            for name, how in variants.items():
                found = await crowd(session, *how), await alone(session, *how)
                if number:  # the first round warms up
                    cpu[name].append(found[0])
                    latency[name].append(found[1])
        report(cpu, latency)


def report(cpu: dict[str, list[float]], latency: dict[str, list[float]]) -> None:
    print(f"{'':10}{'CPU µs/request at 64':>22}{'ratio':>8}{'limit':>8}{'alone, ms':>12}")
    floors = {"bare": "", "evalsha": "", "help": "bare", "request": "evalsha"}
    limits = {"help": 1.3, "request": 1.5}
    for name, floor in floors.items():
        found = statistics.median(cpu[name])
        ratio = found / statistics.median(cpu[floor]) if floor else 0
        shown = f"{ratio:8.2f}{limits[name]:8.1f}" if floor else " " * 16
        print(f"{name:10}{found:22.0f}{shown}{statistics.median(latency[name]):12.2f}")


if __name__ == "__main__":
    asyncio.run(main())
