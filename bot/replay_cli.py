"""The command `jit policy replay`: what past requests would get under changed files."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from bot.cli_kinds import FOLDER, json_option
from bot.core.durations import spell
from bot.core.errors import Misconfigured
from bot.core.events import Event
from bot.core.policy import Policy
from bot.core.replaying import Past, Replayed, Shift, pasts, replayed
from bot.policy_files import load_policies
from bot.store.records import read_event
from bot.stored import answered, the_log, the_store

# The audience of bundles that name none matters to no decision.
_RESOURCE: Final = "https://jit.example"


@click.command()
@click.argument("old", type=FOLDER, required=False)
@click.option(
    "--against", type=FOLDER, required=True, help="The folder of policy files to be tried."
)
@click.option(
    "--requests",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What `jit log export` printed; left out, the log in REDIS_URL.",
)
@json_option
def replay(old: Path | None, against: Path, requests: Path | None, *, as_json: bool) -> None:
    """Say which past requests would be decided otherwise by the files of --against.

    They are compared with the policy in the folder OLD; left out, with what was decided then.
    Exit code 1 if anything becomes looser, 2 if it cannot be found out.
    """
    answered(_replay(old, against, requests, as_json=as_json))


async def _replay(old: Path | None, against: Path, requests: Path | None, *, as_json: bool) -> int:
    before = _policy(old) if old is not None else None
    after = _policy(against)
    found = [replayed(past, after, old=before) for past in await _pasts(requests)]
    if as_json:
        click.echo(json.dumps(_told(found), indent=2))
    else:
        for line in _lines(found):
            click.echo(line)
    return int(any(each.shift is Shift.LOOSER for each in found))


def _policy(folder: Path) -> Policy:
    return load_policies(folder, default_resource=_RESOURCE).policy


async def _pasts(requests: Path | None) -> Sequence[Past]:
    if requests is not None:
        return list(pasts(_events(requests)))
    async with the_store() as store:
        return list(pasts([event async for event in the_log(store.ledger)]))


def _events(path: Path) -> Iterator[Event]:
    """Yield the events in a file.

    Raises:
        Misconfigured: It cannot be read.
        Unavailable: A line of it is no event.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as problem:
        raise Misconfigured(f"{path} cannot be read: {problem.strerror}") from problem
    for line in lines:
        if line.strip():
            yield read_event(line)


def _lines(found: Sequence[Replayed]) -> Iterator[str]:
    for each in found:
        if each.now is not None and each.shift is not Shift.SAME:
            why = f" ({each.why})" if each.why else ""
            yield f"{str(each.shift).upper():8} {_what(each)}: {_change(each)}{why}"
    shifts = Counter(each.shift for each in found)
    unknown = Counter(each.why for each in found if each.shift is None)
    yield (
        f"{shifts[Shift.LOOSER]} looser, {shifts[Shift.STRICTER]} stricter,"
        f" {shifts[Shift.SAME]} the same, {unknown.total()} cannot be replayed"
    )
    for why, count in unknown.most_common():
        yield f"  {count}: {why}"
    for words, count in _shadows(found).most_common():
        yield f"  {count}: {words}"


def _shadows(found: Sequence[Replayed]) -> Counter[str]:
    """Return how often which rule or guardrail in audit mode would have done what."""
    known = [each.now for each in found if each.now is not None]
    return Counter(shadow.words for now in known for shadow in now.shadows)


def _what(each: Replayed) -> str:
    asked = each.asked
    return f"{asked.request} {asked.by.id} {asked.bundle} {spell(asked.duration)}"


def _change(each: Replayed) -> str:
    return f"{each.then.words} -> {each.now.words if each.now is not None else '?'}"


def _told(found: Sequence[Replayed]) -> Mapping[str, Any]:
    return {
        "counts": {
            **{str(kind): sum(each.shift is kind for each in found) for kind in Shift},
            "unknown": sum(each.shift is None for each in found),
        },
        "audit_mode": dict(_shadows(found)),
        "requests": [
            {
                "request": each.asked.request,
                "by": each.asked.by.id,
                "bundle": each.asked.bundle,
                "duration": spell(each.asked.duration),
                "at": each.asked.at.isoformat(),
                "then": each.then.words,
                "now": each.now.words if each.now is not None else None,
                "shift": each.shift,
                "why": each.why,
            }
            for each in found
            if each.shift is not Shift.SAME
        ],
    }
