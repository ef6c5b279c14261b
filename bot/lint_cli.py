"""The commands `jit policy lint` and `jit policy compare`: what is true of all requests.

Both need z3-solver, which comes with the extra `lint`; it is loaded when one of them is called.
"""

import importlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from bot.cli_kinds import FOLDER, Time, folder_argument, json_option
from bot.core.errors import BotError, Misconfigured
from bot.core.replaying import Shift
from bot.lint_tables import comparison_json, comparison_lines, lint_json, lint_lines
from bot.policy_files import load_folder, load_policies, read_folder
from bot.policy_lint.evidence import read_snapshot, read_usage
from bot.policy_lint.findings import Check, Compared, Level, Linted
from bot.stored import BROKEN, broken

INSTALL: Final = 'pip install "jit-access-bot[lint]"'
# The audience of bundles that name none matters to no decision.
_RESOURCE: Final = "https://jit.example"
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_at = click.option("--at", type=Time(), help="From when on it may be asked; left out, now.")


@click.command()
@folder_argument
@click.option("--members", type=_FILE, help='Who is in groups, as JSON: {"sre": ["U012AB3CD"]}.')
@click.option("--usage", type=_FILE, help="Which scopes are used: `jit report usage --json`.")
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@_at
@json_option
def lint(
    folder: Path,
    *,
    members: Path | None,
    usage: Path | None,
    strict: bool,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Say what holds for all requests under the files in FOLDER, and what does not.

    Exit code 1 if an error is found, 2 if it cannot be found out.
    """
    prover = _prover("linting")
    try:
        files = read_folder(folder)
        policy = load_folder(files, default_resource=_RESOURCE).policy
        found: Linted = prover.lint(
            files,
            now=at or datetime.now(UTC),
            default_resource=_RESOURCE,
            snapshot=read_snapshot(members, policy) if members is not None else {},
            usage=read_usage(usage) if usage is not None else None,
        )
    except BotError as problem:
        _fail(problem)
        return
    if as_json:
        click.echo(json.dumps(lint_json(found), indent=2))
    else:
        _tell(lint_lines(found))
    sys.exit(code_of(found, strict=strict))


def code_of(found: Linted, *, strict: bool) -> int:
    """Return the exit code for what was found."""
    failing = {Level.ERROR, Level.WARNING} if strict else {Level.ERROR}
    if any(each.level in failing and each.check is not Check.UNDECIDED for each in found.findings):
        return 1
    return BROKEN if any(each.check is Check.UNDECIDED for each in found.findings) else 0


@click.command()
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER, default=Path("policies"), envvar="JIT_POLICIES")
@_at
@json_option
def compare(old: Path, new: Path, *, at: datetime | None, as_json: bool) -> None:
    """Say for which bundles the files in NEW are looser or stricter than those in OLD.

    Exit code 1 if anything is looser, 2 if it cannot be found out.
    """
    prover = _prover("comparing")
    try:
        before, after = (
            load_policies(folder, default_resource=_RESOURCE).policy for folder in (old, new)
        )
        found: Compared = prover.compare(before, after, now=at or datetime.now(UTC))
    except BotError as problem:
        _fail(problem)
        return
    if as_json:
        click.echo(json.dumps(comparison_json(found), indent=2))
    else:
        _tell(comparison_lines(found))
    if any(each.shift is Shift.LOOSER for each in found.changes):
        sys.exit(1)
    sys.exit(BROKEN if found.undecided else 0)


def _tell(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(line)


def _prover(name: str) -> Any:
    """Return a module of `bot.policy_lint` that asks the solver; without it the command ends."""
    try:
        return importlib.import_module(f"bot.policy_lint.{name}")
    except ModuleNotFoundError as problem:
        if problem.name != "z3":
            raise
        broken(f"this needs z3-solver; type: {INSTALL}")


def _fail(problem: BotError) -> None:
    """Tell what is wrong, and end the command."""
    lines = problem.problems if isinstance(problem, Misconfigured) else str(problem).splitlines()
    broken(*lines, *([problem.hint] if problem.hint else ()))
