"""The command `jit policy apply`: what today's policy means for what is live."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bot.cli_kinds import json_option, policies_option
from bot.config import Settings, read_settings
from bot.core.errors import BotError, Misconfigured, Refused
from bot.slack.api import SlackError
from bot.slack.directory import find_home
from bot.stored import answered
from bot.usecases.forbidden import Forbidden, Judged
from bot.wiring import Ground, build, ground


@click.command()
@click.option("--revoke-denied", is_flag=True, help="End live grants that the policy forbids.")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@policies_option
@json_option
def apply(folder: Path, *, revoke_denied: bool, dry_run: bool, as_json: bool) -> None:
    """Decide about live grants again, and end those that the files in force now forbid.

    Takes the settings of `jit serve`. Exit code 1 if something that is forbidden goes on, or may;
    2 if nothing could be found out.
    """
    if not revoke_denied:
        raise click.UsageError("say what to do: --revoke-denied")
    answered(_apply(folder, dry_run=dry_run, as_json=as_json))


async def _apply(folder: Path, *, dry_run: bool, as_json: bool) -> int:
    settings: Settings = replace(read_settings(os.environ), policies=folder)
    async with ground(settings, embedded=None) as on:
        refusal = on.held.now.refusal
        if refusal is not None:
            raise Misconfigured(*refusal.problems)
        grants = await _forbidden(on)
        judged = await grants.judge()
        left = {} if dry_run else await _ended(grants, judged)
        if as_json:
            click.echo(json.dumps(_told(judged, left, on.held.now.digest, dry_run=dry_run)))
        else:
            for line in _lines(judged, left, on.held.now.digest, dry_run=dry_run):
                click.echo(line)
    goes_on = any(each.unknown or (dry_run and each.forbidden) for each in judged)
    return int(goes_on or bool(left))


async def _forbidden(on: Ground) -> Forbidden:
    """Return the use case.

    Raises:
        Misconfigured: Slack does not accept the token.
        Unavailable: It did not answer.
    """
    try:
        parts = build(on, await find_home(on.api))
    except SlackError as problem:
        raise Misconfigured(f"SLACK_BOT_TOKEN is not accepted: {problem.name}") from problem
    for worker in parts.workers:  # the running service tells in threads what is done here
        worker.stop()
    return parts.forbidden


async def _ended(grants: Forbidden, judged: Sequence[Judged]) -> Mapping[str, str]:
    """End what is forbidden; return why something could not be, by request."""
    left: dict[str, str] = {}
    for each in judged:
        if each.forbidden:
            try:
                await grants.end(each)
            except Refused:
                continue  # it has ended in the meantime, which is what was wanted
            except BotError as problem:
                left[each.request.id] = str(problem)
    return left


def _lines(
    judged: Sequence[Judged], left: Mapping[str, str], digest: str, *, dry_run: bool
) -> Iterator[str]:
    for each in judged:
        what = f"{each.request.id} {each.request.requester.id} {each.request.asked.bundle}"
        if each.unknown:
            yield f"UNKNOWN   {what}: left alone, as {each.unknown}"
        elif each.request.id in left:
            yield f"LEFT      {what}: it could not be ended, as {left[each.request.id]}"
        elif each.forbidden:
            yield f"{'WOULD END' if dry_run else 'ENDED':9} {what}: {each.forbidden}"
    forbidden = sum(bool(each.forbidden) for each in judged)
    unknown = sum(bool(each.unknown) for each in judged)
    yield (
        f"{len(judged)} live, {forbidden} forbidden, {unknown} unknown, {len(left)} not ended;"
        f" policy {digest[:12]}"
    )


def _told(
    judged: Sequence[Judged], left: Mapping[str, str], digest: str, *, dry_run: bool
) -> Mapping[str, Any]:
    return {
        "policy": digest,
        "dry_run": dry_run,
        "live": len(judged),
        "grants": [
            {
                "request": each.request.id,
                "by": each.request.requester.id,
                "bundle": each.request.asked.bundle,
                "forbidden": each.forbidden,
                "unknown": each.unknown,
                "ended": bool(each.forbidden) and not dry_run and each.request.id not in left,
            }
            for each in judged
            if each.forbidden or each.unknown
        ],
    }
