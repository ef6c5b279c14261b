"""The demo: bot, embedded Redis and the stand-in for Slack in one process."""

import asyncio
import hashlib
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from bot.config import read_settings
from bot.core.errors import Misconfigured
from bot.sandbox.client import Acme, NotThere
from bot.sandbox.server import Sandbox
from bot.service import Role, running
from bot.story import API, Stage, tell

POLICIES: Final = Path("policies")
MANIFEST: Final = Path("manifest.yml")
LOCAL: Final = "127.0.0.1"
# Short enough to watch a grant end with its ticket.
WATCH_EVERY_S: Final = "3"

WELCOME: Final = """
  {url}   a small Slack: open it in your browser

  1. As Anna, type   /jit request
  2. Switch to Ben, a billing lead, and approve the card in #access-requests
  3. Back to Anna: the token is in her direct messages; watch it end

  The bot itself is at {bot}. Ctrl-C stops everything.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where things are.

    Attributes:
        sandbox, bot: URLs of the stand-in for Slack and of the bot.
    """

    sandbox: str
    bot: str


@asynccontextmanager
async def together(
    folder: Path, *, port: int = 0, policies: Path = POLICIES, socket_mode: bool = False
) -> AsyncGenerator[Place, None]:
    """Run bot and stand-in, talking to each other over real HTTP.

    Args:
        folder: Keeps Redis and keys.
        port: Of the stand-in; 0 for a free one.
        socket_mode: Payloads come over Socket Mode instead of HTTP.

    Raises:
        Misconfigured: Something is missing, or a port is taken.
    """
    for needed in (policies, MANIFEST):
        if not needed.exists():
            raise Misconfigured(f"{needed} is not here; run this in the project's folder")
    signing, bot_token, app_token = (secrets.token_hex(16) for _ in range(3))
    env = {
        "SLACK_BOT_TOKEN": f"xoxb-{bot_token}",
        "HOST": LOCAL,
        "PORT": str(free_port()),
        "JIT_POLICIES": str(policies),
    }
    if socket_mode:
        env["SLACK_APP_TOKEN"] = f"xapp-{app_token}"
    else:
        env["SLACK_SIGNING_SECRET"] = signing
    sandbox = Sandbox(
        port=port,
        manifest=MANIFEST,
        signing_secret=signing,
        bot_token=f"xoxb-{bot_token}",
        app_token=f"xapp-{app_token}",
    )
    try:
        await sandbox.start()
    except OSError as problem:
        raise Misconfigured(f"port {port} cannot be used: {problem.strerror}; try --port") from None
    try:
        env |= {
            "SLACK_API_URL": sandbox.api_url,
            "JIT_TICKET_URL": sandbox.ticket_url,
            "JIT_TICKET_PAGES": sandbox.ticket_pages,
            "JIT_TICKET_EVERY_S": WATCH_EVERY_S,
            "JIT_ON_CALL_URL": sandbox.on_call_url,
            "JIT_ALLOW_PRIVATE": LOCAL,
        }
        settings = read_settings(env, embedded=folder)
        async with running(settings, Role.ALL, embedded=folder) as bot:
            sandbox.events_url = f"{bot.url}/slack/events"
            yield Place(sandbox=sandbox.url, bot=bot.url)
    finally:
        await sandbox.stop()


def free_port() -> int:
    """Return a port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        number: int = probe.getsockname()[1]
        return number


async def play_demo(folder: Path, *, port: int) -> None:
    """Run the demo until Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with together(folder, port=port) as place:
        print(WELCOME.format(url=place.sandbox, bot=place.bot), flush=True)
        await stop.wait()


async def play_story(folder: Path) -> int:
    """Play a day at Acme without a browser; return 0 if every step went as it must."""
    shutil.rmtree(folder, ignore_errors=True)
    secret = secrets.token_urlsafe(32)
    policies = _with_client(folder / "policies", secret)
    async with together(folder, policies=policies) as place, Acme(place.sandbox) as acme:
        try:
            await tell(Stage(acme, bot=place.bot, secret=secret, out=sys.stdout))
        except NotThere as problem:
            print(f"\n✗ {problem}", file=sys.stderr)
            return 1
    print("\n✓ every step went as it must")
    return 0


def _with_client(folder: Path, secret: str) -> Path:
    """Return a copy of the shipped policies in which the API of billing has `secret`."""
    shutil.copytree(POLICIES, folder)
    path = folder / "clients.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    content["clients"][API]["secret_sha256"] = hashlib.sha256(secret.encode()).hexdigest()
    path.write_text(yaml.safe_dump(content), "utf-8")
    return folder
