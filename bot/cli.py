"""The command `jit`."""

import asyncio
import os
import re
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import click
import yaml

from bot.apply_cli import apply
from bot.cli_errors import fail, failures_told
from bot.clients_cli import clients
from bot.config import SECRETS, read_settings
from bot.core.errors import BotError
from bot.demo import play_demo, play_story
from bot.grants_cli import grants_group
from bot.keys_cli import keys
from bot.lint_cli import compare, lint
from bot.log_cli import log_group
from bot.policy_cli import policy
from bot.replay_cli import replay
from bot.report_cli import report_group
from bot.request_cli import request_group
from bot.service import Role, serve_forever
from bot.telemetry import configure_logging

# Where `--embedded` and the demo keep Redis and keys.
STATE: Final = Path(".jit")
MANIFEST: Final = Path("manifest.yml")


def _run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run `work`; an error made for people is told without a traceback."""
    try:
        sys.exit(asyncio.run(work) or 0)
    except BotError as problem:
        fail(problem)
    except KeyboardInterrupt:
        sys.exit(130)


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
    with failures_told():
        settings = read_settings(os.environ, embedded=state)
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


for command in (replay, apply, lint, compare):
    policy.add_command(command)
for group in (policy, keys, clients, grants_group, log_group, request_group, report_group):
    main.add_command(group)


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
