"""What a waiting poll costs: memory of the server, and commands that Redis is sent.

Thousands of programs ask, and each holds one long poll. Printed: the server's resident memory
before and with all of them waiting, the commands of a few quiet seconds, and how soon a poll is
answered once its request changes. Floors: 200 MB for 5,000 polls, and no more commands than the
server sends when nobody waits, plus the one of the shared follower a second.
"""

import asyncio
import base64
import hashlib
import json
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import yaml

from bot.keyring import make_key
from bot.sandbox.client import Acme
from bot.sandbox.rates import QUICK
from bot.sandbox.server import Sandbox
from bot.store.embedded import EmbeddedServer
from bot.store.redis import connect

POLLS = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
EACH = 100  # requests of one client that may wait at once
QUIET_S = 5.0
MOST_MB = 200
CIBA = "urn:openid:params:grant-type:ciba"
ROOT = Path(__file__).parents[1]
POLICIES = ROOT / "policies"
BOT_TOKEN, SECRET = "xoxb-bench", "benchmark"


def basic(client: str) -> str:
    return "Basic " + base64.b64encode(f"{client}:{SECRET}".encode()).decode()


def policies(folder: Path, clients: list[str]) -> Path:
    """Return the shipped policies with so many more pipelines, which people decide about."""
    folder.mkdir()
    for path in POLICIES.glob("*.yaml"):
        content = yaml.safe_load(path.read_text("utf-8"))
        if path.name == "clients.yaml":
            hashed = hashlib.sha256(SECRET.encode()).hexdigest()
            content["clients"] |= {
                client: {"secret_sha256": hashed, "bundles": ["staging-logs"], "owner": "U0EVA"}
                for client in clients
            }
        if path.name == "rules.yaml":
            by_lead = {
                "id": "pipelines",
                "bundles": {"name": ["staging-logs"]},
                "clients": clients,
                "decision": "require",
                "chain": "one-lead",
            }
            content["rules"].append(by_lead)
        (folder / path.name).write_text(yaml.safe_dump(content), "utf-8")
    return folder


PORT = 18099


async def serve(stack: AsyncExitStack, env: dict[str, str]) -> int:
    """Start `jit serve --role web` in a process of its own; return its id once it answers."""
    program = ("-c", "from bot.cli import main; main()", "serve", "--role", "web")
    quiet = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(
        sys.executable, *program, env=env, stdout=quiet, stderr=quiet
    )

    async def stop() -> None:
        if child.returncode is None:
            child.terminate()
        await child.wait()

    stack.push_async_callback(stop)
    url = f"http://127.0.0.1:{env['PORT']}/healthz"
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(url):
                    return child.pid
            except aiohttp.ClientError:
                if child.returncode is not None:
                    break
                await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


async def commands(redis_url: str, *, quiet_s: float) -> int:
    """Return how many commands Redis carried out in so many seconds."""
    redis = connect(redis_url)
    before = (await redis.info("stats"))["total_commands_processed"]
    await asyncio.sleep(quiet_s)
    after = (await redis.info("stats"))["total_commands_processed"]
    await redis.aclose()
    return after - before - 1


async def asked(session: aiohttp.ClientSession, url: str, client: str, seconds: int) -> str:
    form = {
        "login_hint": f"client:{client}",
        "bundle": "staging-logs",
        "duration": str(seconds),
        "reason": f"benchmark of {client} {seconds}",
    }
    headers = {"Authorization": basic(client)}
    async with session.post(f"{url}/oauth/backchannel", data=form, headers=headers) as reply:
        told = await reply.json()
        if reply.status != 200:
            raise SystemExit(str(told))
        return told["auth_req_id"]


async def poll(port: int, client: str, handle: str) -> tuple[int, float]:
    """Return status and time of the answer; a bare connection, as the client must be small."""
    body = urlencode({"grant_type": CIBA, "auth_req_id": handle})
    head = (
        f"POST /oauth/token HTTP/1.1\r\nHost: jit\r\nAuthorization: {basic(client)}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write((head + body).encode())
    line = await reader.readline()
    at = time.perf_counter()
    writer.close()
    return int(line.split()[1]), at


async def main() -> None:
    clients = [f"pipeline-{number}" for number in range(-(-POLLS // EACH))]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jit-")))
        server = await stack.enter_async_context(EmbeddedServer(folder / "redis"))
        sandbox = Sandbox(
            manifest=ROOT / "manifest.yml",
            signing_secret=SECRET,
            bot_token=BOT_TOKEN,
            app_token="xapp-bench",
            rates=QUICK,
        )
        await sandbox.start()
        stack.push_async_callback(sandbox.stop)
        acme = await stack.enter_async_context(Acme(sandbox.url))
        make_key(folder / "keys", name="first")
        env = {
            **os.environ,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": sandbox.api_url,
            "REDIS_URL": server.url,
            "JIT_KEYS": str(folder / "keys"),
            "JIT_ISSUER": "https://jit.example",
            "JIT_POLICIES": str(policies(folder / "policies", clients)),
            "JIT_ON_CALL_URL": sandbox.on_call_url,
            "JIT_TICKET_URL": sandbox.ticket_url,
            "JIT_ALLOW_PRIVATE": "127.0.0.1",
            "HOST": "127.0.0.1",
            "PORT": str(PORT),
        }
        pid = await serve(stack, env)
        sandbox.events_url = f"http://127.0.0.1:{PORT}/slack/events"
        idle = await commands(server.url, quiet_s=QUIET_S)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        wanted = [(client, 60 + number) for client in clients for number in range(EACH)][:POLLS]
        handles = {
            await asked(session, f"http://127.0.0.1:{PORT}", client, seconds): client
            for client, seconds in wanted
        }
        asked_mb = resident_mb(pid)
        rounds: list[asyncio.Task[tuple[int, float]]] = []
        for handle, client in handles.items():
            rounds.append(asyncio.create_task(poll(PORT, client, handle)))
            if len(rounds) % 100 == 0:
                await asyncio.sleep(0.05)
        await asyncio.sleep(2)
        with_all = await commands(server.url, quiet_s=QUIET_S)
        waiting = sum(not task.done() for task in rounds)
        mb = resident_mb(pid)
        ben = acme.person("Ben")
        card = await ben.sees(f"benchmark of {clients[-1]}", channel="access-requests")
        began = time.perf_counter()
        await ben.clicks("approve", card)
        done, _ = await asyncio.wait(rounds, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        latency = [round((at - began) * 1000) for status, at in map(asyncio.Task.result, done)]
        told = {
            "polls_waiting": waiting,
            "rss_mb_after_asking": round(asked_mb),
            "rss_mb_with_all_waiting": round(mb),
            f"redis_commands_in_{QUIET_S:.0f}_s": {"nobody_waits": idle, "all_wait": with_all},
            "ms_from_the_click_to_the_token": latency[:1],
            "floor": f"{MOST_MB} MB, and {QUIET_S:.0f} commands more than when nobody waits",
        }
        print(json.dumps(told, indent=2))
        for task in rounds:
            task.cancel()
        await asyncio.gather(*rounds, return_exceptions=True)
        if waiting < POLLS or mb > MOST_MB or with_all > idle + QUIET_S + 5:
            raise SystemExit("below the floor")


if __name__ == "__main__":
    asyncio.run(main())
