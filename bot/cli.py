"""The command `jit`."""

import asyncio
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import yaml

from bot.apply_cli import apply
from bot.config import SECRETS, read_settings
from bot.core.errors import BotError
from bot.demo import play_demo, play_story
from bot.keyring import make_key
from bot.log_cli import log_group
from bot.policy_cli import policy
from bot.replay_cli import replay
from bot.request_cli import request_group
from bot.service import Role, serve_forever
from bot.telemetry import configure_logging

# Where `--embedded` and the demo keep Redis and keys.
STATE: Final = Path(".jit")
MANIFEST: Final = Path("manifest.yml")
_CLIENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def _run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run `work`; an error made for people is told without a traceback."""
    try:
        sys.exit(asyncio.run(work) or 0)
    except BotError as problem:
        _fail(problem)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(problem: BotError) -> None:
    for line in str(problem).splitlines():
        click.echo(f"jit: {line}", err=True)
    if problem.hint:
        click.echo(f"jit: {problem.hint}", err=True)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jit-access-bot", prog_name="jit")
def main() -> None:
    """Just-in-time access for Slack."""


@main.command()
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.ALL.value,
    help="web answers Slack and APIs, worker runs timers and messages; all does both.",
)
@click.option(
    "--embedded",
    is_flag=True,
    help="Start a Redis server of our own that keeps its data in ./.jit; for one process only.",
)
def serve(role: str, *, embedded: bool) -> None:
    """Run the bot; settings come from the environment, see the README."""
    state = STATE if embedded else None
    try:
        settings = read_settings(os.environ, embedded=state)
    except BotError as problem:
        _fail(problem)
        return
    for name in SECRETS:  # from here on they are in `settings` only, and in no dump of a process
        os.environ.pop(name, None)
    configure_logging(settings.log_level, sys.stderr)
    _run(serve_forever(settings, Role(role), embedded=state))


@main.command()
@click.option("--script", is_flag=True, help="Play the day without a browser, and check it.")
@click.option("--port", default=8080, show_default=True, help="Where the stand-in for Slack is.")
def demo(*, script: bool, port: int) -> None:
    """Show the whole job on this machine: no Slack, no account, no key."""
    configure_logging("warning", sys.stderr)
    _run(play_story(STATE / "story") if script else play_demo(STATE / "demo", port=port))


policy.add_command(replay)
policy.add_command(apply)
main.add_command(policy)
main.add_command(log_group)
main.add_command(request_group)


@main.group()
def keys() -> None:
    """Signing keys."""


@keys.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), envvar="JIT_KEYS")
def keys_init(folder: Path) -> None:
    """Make the first signing key in FOLDER (default: $JIT_KEYS)."""
    if folder.exists() and any(folder.glob("*.pem")):
        raise click.ClickException(f"{folder} holds a key already")
    path = make_key(folder, name=f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}")
    click.echo(f"made {path}; keep it secret, and give every replica the same folder")


@main.group()
def clients() -> None:
    """OAuth clients that may ask about tokens."""


@clients.command("add")
@click.argument("name")
@click.argument("resources", nargs=-1, required=True)
def clients_add(name: str, resources: tuple[str, ...]) -> None:
    """Make a secret for client NAME, which answers for RESOURCES (URIs).

    The secret is printed once and kept nowhere; what goes into policies/clients.yaml follows it.
    """
    if not _CLIENT_ID.fullmatch(name):
        raise click.ClickException("a client's name is small letters, digits and dashes")
    secret = secrets.token_urlsafe(32)
    entry = {
        "secret_sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "resources": list(resources),
    }
    click.echo(f"client_id:     {name}\nclient_secret: {secret}\n")
    click.echo("# add this to policies/clients.yaml; the secret above is not shown again")
    text = yaml.safe_dump({"version": 1, "clients": {name: entry}}, sort_keys=False)
    click.echo(text, nl=False)


@main.command()
@click.option(
    "--url", required=True, help="Where Slack reaches this bot, such as https://jit.example.com"
)
@click.option("--file", "path", type=click.Path(path_type=Path, exists=True), default=MANIFEST)
def manifest(url: str, path: Path) -> None:
    """Print the Slack app manifest for payloads over HTTP."""
    if not re.fullmatch(r"https://[^\s/]+(/[^\s?#]*)?", url):
        raise click.ClickException("--url must be an https URL without query or fragment")
    app = yaml.safe_load(path.read_text("utf-8"))
    events = url.rstrip("/") + "/slack/events"
    for command in app["features"]["slash_commands"]:
        command["url"] = events
    app["settings"]["event_subscriptions"]["request_url"] = events
    app["settings"]["interactivity"]["request_url"] = events
    app["settings"]["socket_mode_enabled"] = False
    click.echo(yaml.safe_dump(app, sort_keys=False), nl=False)
