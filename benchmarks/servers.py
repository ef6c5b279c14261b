"""The servers that slack_ack.py and introspection.py compare, one process each.

python benchmarks/servers.py bare PORT
python benchmarks/servers.py get PORT REDIS_URL
python benchmarks/servers.py evalsha PORT REDIS_URL TAPE
python benchmarks/servers.py bot PORT REDIS_URL SLACK_URL KEYS
"""

import asyncio
import itertools
import json
import os
import sys
import time
from pathlib import Path

from aiohttp import web
from redis.asyncio import Redis
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings, read_settings
from bot.http.health import Report
from bot.http.server import make_app, make_runner
from bot.service import calm_collector, http_parts
from bot.slack.directory import find_home
from bot.slack.listeners import make_bolt
from bot.slack.over_http import over_http
from bot.store.redis import connect
from bot.telemetry import configure_logging
from bot.wiring import build, ground

SECRET = "benchmark"
POLICIES = Path(__file__).parents[1] / "policies"


def pin() -> None:
    """Keep to the first core; the clients take the second."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # the clients' choice was inherited
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def settings_for(redis_url: str, slack_url: str, keys: str) -> Settings:
    return read_settings(
        {
            "SLACK_BOT_TOKEN": "xoxb-bench",
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": slack_url,
            "REDIS_URL": redis_url,
            "JIT_KEYS": keys,
            "JIT_ISSUER": "https://jit.example",
            "JIT_TICKET_URL": "https://tickets.example/{ticket}",  # the shipped policies want both
            "JIT_ON_CALL_URL": "https://on-call.example/{schedule}",
            "JIT_POLICIES": os.environ.get("JIT_POLICIES", str(POLICIES)),
        }
    )


def bare_bolt(answer) -> AsyncApp:
    """Return a Bolt app with one listener, and nothing that could be left out."""

    async def authorize(**_) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T0DEMO", bot_token="xoxb-bench")

    app = AsyncApp(
        client=AsyncWebClient(),
        authorize=authorize,
        signing_secret=SECRET,
        process_before_response=True,
    )
    app.command("/jit")(answer)
    return app


def handler_of(app: AsyncApp):
    async def handle(request: web.Request) -> web.StreamResponse:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    return handle


async def listen(site: web.Application, port: int, *, runner=None) -> None:
    """Serve `site`, and the process's CPU time in seconds at /cpu, for good."""

    async def cpu(_: web.Request) -> web.Response:
        return web.json_response({"cpu_s": time.process_time()})

    site.router.add_get("/cpu", cpu)
    runner = runner or web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def bare(port: int) -> None:
    async def answer(ack) -> None:
        await ack(text="pong")

    site = web.Application()
    site.router.add_post("/slack/events", handler_of(bare_bolt(answer)))
    await listen(site, port)


async def get(port: int, redis_url: str) -> None:
    """Answer with the JSON under a key, which one plain GET reads."""
    redis = Redis.from_url(redis_url, max_connections=1000)

    async def answer(request: web.Request) -> web.Response:
        found = await redis.get(request.match_info["key"])
        return web.Response(body=found, content_type="application/json")

    site = web.Application()
    site.router.add_get("/get/{key:.+}", answer)
    await listen(site, port)


async def evalsha(port: int, redis_url: str, tape: str) -> None:
    """Answer after one EVALSHA of the bytes that the bot's own commit had."""
    recorded = json.loads(Path(tape).read_text("utf-8"))
    redis = connect(redis_url)
    sha = await redis.script_load(recorded["script"])
    words, numbers = recorded["words"], itertools.count()

    async def answer(ack) -> None:
        mine = f"R-{next(numbers):012d}"
        sent = [word.replace(recorded["request"], mine) for word in words]
        await redis.execute_command("EVALSHA", sha, *sent)
        await ack(text="pong")

    site = web.Application()
    site.router.add_post("/slack/events", handler_of(bare_bolt(answer)))
    await listen(site, port)


async def bot(port: int, redis_url: str, slack_url: str, keys: str) -> None:
    """Serve the bot itself; what it owes to Slack afterwards is left to a worker elsewhere."""
    configure_logging("info", Path(os.devnull).open("w"))
    sys.excepthook = sys.__excepthook__
    settings = settings_for(redis_url, slack_url, keys)
    async with ground(settings, embedded=None) as on:
        home = await find_home(on.api)
        parts = build(on, home)
        for worker in parts.workers:
            worker.stop()
        bolt = make_bolt(
            parts.listeners,
            api=on.api,
            home=home,
            token=settings.bot_token,
        )

        async def nothing() -> Report:
            return Report()

        async def metrics() -> tuple[bytes, str]:
            return on.metrics.render()

        slack = over_http(bolt, settings.signing_secret)
        site = make_app(http_parts(on, parts, slack=slack, ready=nothing, render_metrics=metrics))
        calm_collector()
        await asyncio.gather(parts.recording.run(), listen(site, port, runner=make_runner(site)))


if __name__ == "__main__":
    pin()
    kind, port, *rest = sys.argv[1:]
    asyncio.run({"bare": bare, "get": get, "evalsha": evalsha, "bot": bot}[kind](int(port), *rest))
