"""The command `jit policy`: what the files in a folder say, before they are in force."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from bot import policy_tables
from bot.cli_kinds import Length, Time, folder_argument, json_option, policies_option
from bot.config import missing_trackers, read_trackers
from bot.core.decision import Facts
from bot.core.emergency import in_emergency
from bot.core.errors import Invalid, Misconfigured, NotAllowed
from bot.core.explaining import Explanation, explained, presumed_groups, supposed
from bot.core.identity import person
from bot.core.machine import Machine
from bot.core.policy import Policy
from bot.core.scopes import Bundle
from bot.policy_files import (
    Case,
    Trial,
    WrongFiles,
    load_cases,
    load_policies,
    schema_text,
    try_case,
)
from bot.policy_files.problems import quoted, suggestion
from bot.policy_files.schema import SCHEMA_FILE

# The audience of bundles that name none matters to no decision.
_RESOURCE: Final = "https://jit.example"
_HOME: Final = "T0"
_STRANGER: Final = "U0SOMEBODY"

_COUNT: Final = click.IntRange(min=0)
_at = click.option("--at", type=Time(), help="When it is asked; left out, now.")
_break_glass = click.option("--break-glass", is_flag=True, help="In an emergency.")
_duration = click.option("--duration", type=Length(), help="Left out, the bundle's default.")


@click.group()
def policy() -> None:
    """Check, test and explain policy files."""


@policy.command()
@folder_argument
@json_option
def check(folder: Path, *, as_json: bool) -> None:
    """Say everything that is wrong with the files in FOLDER; exit code 1 if anything is."""
    found = _read(folder, as_json=as_json)
    bundles, rules = len(found.bundles), len(_rule_ids(found))
    warnings = _warnings(found)
    if as_json:
        told = {"problems": [], "warnings": warnings, "digest": found.digest}
        click.echo(json.dumps(told))
    else:
        for text in warnings:
            click.echo(f"warning: {text}", err=True)
        click.echo(f"{folder}: {bundles} bundles, {rules} rules and guardrails, all right")


@policy.command()
@folder_argument
@json_option
@click.option("--require-coverage", is_flag=True, help="Fail if a rule is reached by no case.")
def test(folder: Path, *, as_json: bool, require_coverage: bool) -> None:
    """Try the cases in FOLDER/tests; exit code 1 if one gets what it does not expect."""
    found = _read(folder, as_json=as_json)
    trials = [try_case(case, found) for case in _cases(folder, found, as_json=as_json)]
    reached = frozenset().union(*(trial.reached for trial in trials))
    never = sorted(_rule_ids(found) - reached)
    failed = [trial for trial in trials if trial.failures]
    if as_json:
        click.echo(json.dumps(policy_tables.trials_json(trials, never), indent=2))
    else:
        _tell_trials(trials, never, total=len(_rule_ids(found)))
    if failed or not trials or (require_coverage and never):
        sys.exit(1)


def _tell_trials(trials: Sequence[Trial], never: Sequence[str], *, total: int) -> None:
    for trial in trials:
        for failure in trial.failures:
            click.echo(f"FAIL {failure}")
        if not trial.failures:
            click.echo(f"ok   {trial.case.name}")
    failed = sum(bool(trial.failures) for trial in trials)
    click.echo(
        f"{len(trials) - failed} passed, {failed} failed; {total - len(never)} of {total} rules and"
        f" guardrails were reached; never: {', '.join(never) or '-'}"
    )


@policy.command()
@click.argument("bundle")
@policies_option
@click.option("--user", default=_STRANGER, show_default=True, help="The Slack user id.")
@click.option(
    "--client", default="", help="The OAuth client that asks; without --user, for itself."
)
@click.option("--groups", default="", help="Groups that they are in, as a,b; lists count anyway.")
@_duration
@click.option("--reason", default="", help="What they write as their reason.")
@click.option("--ticket", default="", help="The ticket that they name.")
@_at
@click.option("--active-grants", type=_COUNT, default=0, help="Their grants that work now.")
@click.option("--requests-today", type=_COUNT, default=0, help="Their requests of 24 hours.")
@click.option("--auto-today", type=_COUNT, default=0, help="Of these, approved by policy itself.")
@_break_glass
@json_option
def explain(bundle: str, *, folder: Path, as_json: bool, **given: Any) -> None:
    """Say what somebody who asks for BUNDLE would get, and how every rule fares."""
    found = _read(folder, as_json=as_json)
    chosen = _bundle(found, bundle)
    if given["break_glass"]:
        found = _emergency(found, chosen)
        chosen = found.bundles[bundle]
    names = [name.strip() for name in given["groups"].split(",") if name.strip()]
    for name in names:
        _known("group", name, found.groups)
    machine = Machine(client=given["client"], owner="") if given["client"] else None
    is_service = machine is not None and given["user"] == _STRANGER
    by = machine.actor if machine and is_service else person(given["user"], home=_HOME)
    facts = Facts(
        now=given["at"] or datetime.now(UTC),
        groups=presumed_groups(found, by.id, names),
        active_grants=given["active_grants"],
        requests_today=given["requests_today"],
        auto_today=given["auto_today"],
    )
    try:
        ask = supposed(
            chosen,
            by=by,
            duration=given["duration"],
            reason=given["reason"],
            ticket=given["ticket"],
        )
    except Invalid as problem:
        raise click.ClickException(str(problem)) from None
    explanation = explained(replace(ask, machine=machine), found, facts)
    if as_json:
        click.echo(json.dumps(policy_tables.explanation_json(explanation, facts), indent=2))
    else:
        click.echo("\n".join(policy_tables.explanation_lines(explanation, facts)))


@policy.command()
@policies_option
@click.option(
    "--who",
    multiple=True,
    help="A row, as NAME=GROUP,GROUP or a user id; left out, a row for each group alone.",
)
@click.option("--bundle", "bundles", multiple=True, help="A column; left out, all bundles.")
@_duration
@_at
@_break_glass
@json_option
def simulate(
    *,
    folder: Path,
    who: tuple[str, ...],
    bundles: tuple[str, ...],
    duration: timedelta | None,
    at: datetime | None,
    break_glass: bool,
    as_json: bool,
) -> None:
    """Say who would get what: a table of people and bundles."""
    found = _read(folder, as_json=as_json)
    every = [each for each in found.bundles.values() if each.glass is not None or not break_glass]
    columns = [_bundle(found, name) for name in bundles] or every
    rows = {row: _row(found, row) for row in who or ("nobody=", *found.groups)}
    now = at or datetime.now(UTC)

    def cell(row: tuple[str, frozenset[str]], bundle: Bundle) -> Explanation:
        user, groups = row
        counts = _emergency(found, bundle) if break_glass else found
        bundle = counts.bundles[bundle.name]
        length = min(duration or bundle.default_duration, bundle.max_duration)
        ask = supposed(bundle, by=person(user, home=_HOME), duration=length)
        facts = Facts(now=now, groups=groups, active_grants=0, requests_today=0, auto_today=0)
        return explained(ask, counts, facts)

    table = {
        name.partition("=")[0]: {each.name: cell(row, each) for each in columns}
        for name, row in rows.items()
    }
    tell: Callable[[policy_tables.Table], str] = (
        policy_tables.table_json if as_json else policy_tables.table_text
    )
    click.echo(tell(table))


def _row(found: Policy, text: str) -> tuple[str, frozenset[str]]:
    """Return user id and groups of a row of `simulate`."""
    name, is_given, listed = text.partition("=")
    names = [each.strip() for each in listed.split(",") if each.strip()]
    if not is_given and name in found.groups:
        names = [name]
    for each in names:
        _known("group", each, found.groups)
    user = name if not is_given and name not in found.groups else _STRANGER
    return user, presumed_groups(found, user, names)


@policy.command()
@folder_argument
@click.option("--write", is_flag=True, help=f"Write it to FOLDER/{SCHEMA_FILE}.")
def schema(folder: Path, *, write: bool) -> None:
    """Print the JSON Schema of policy files, for editors."""
    if not write:
        click.echo(schema_text(), nl=False)
        return
    path = folder / SCHEMA_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text(), encoding="utf-8")
    click.echo(f"wrote {path}")


def _read(folder: Path, *, as_json: bool) -> Policy:
    """Return the policy of `folder`; what is wrong with it is told, and ends the command."""
    try:
        return load_policies(folder, default_resource=_RESOURCE).policy
    except Misconfigured as problem:
        _refuse(problem, as_json=as_json)
        raise


def _cases(folder: Path, found: Policy, *, as_json: bool) -> Sequence[Case]:
    try:
        return load_cases(folder, found)
    except WrongFiles as problem:
        _refuse(problem, as_json=as_json)
        raise


def _refuse(wrong: Misconfigured, *, as_json: bool) -> None:
    """Tell what is wrong, and end the command with code 1."""
    if as_json:
        places = wrong.found if isinstance(wrong, WrongFiles) else ()
        said = [policy_tables.problem_json(place) for place in places]
        click.echo(json.dumps({"problems": said or [{"what": text} for text in wrong.problems]}))
    else:
        for text in wrong.problems:
            click.echo(text, err=True)
        click.echo(f"{len(wrong.problems)} problems", err=True)
    sys.exit(1)


def _warnings(found: Policy) -> list[str]:
    """Return which trackers the settings lack, if this machine has any setting of trackers."""
    try:
        trackers = read_trackers(os.environ)
    except Misconfigured as problem:
        return list(problem.problems)
    return list(missing_trackers(found, trackers)) if trackers.configured else []


def _bundle(found: Policy, name: str) -> Bundle:
    _known("bundle", name, found.bundles)
    return found.bundles[name]


def _emergency(found: Policy, bundle: Bundle) -> Policy:
    """Return what of the policy counts when the glass of `bundle` is broken."""
    try:
        return in_emergency(found, bundle)
    except NotAllowed as problem:
        raise click.ClickException(str(problem)) from None


def _known(kind: str, name: str, known: Any) -> None:
    if name not in known:
        near = suggestion(name, sorted(known))
        raise click.ClickException(f"there is no {kind} {quoted(name)}{near}")


def _rule_ids(found: Policy) -> frozenset[str]:
    rules = {rule.id for rules in found.rules_of.values() for rule in rules}
    audited = {each.one.id for ones in found.audited_of.values() for each in ones}
    return frozenset(rules | audited).union(
        rail.id for rails in found.guardrails_of.values() for rail in rails
    )
