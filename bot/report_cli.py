"""The command `jit report`: what was granted and not used, and the change that takes it out."""

import difflib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from bot.cli_kinds import json_option, policies_option
from bot.core.durations import read_duration
from bot.core.errors import Misconfigured
from bot.core.events import UsageSummed
from bot.core.reporting import LAST, BundleReport, ScopeReport, report_of
from bot.core.usage import Usage
from bot.policy_files import Folder, load_folder, read_folder, without_scopes
from bot.stored import answered, the_log, the_store

# The audience of bundles that name none matters to no proposal.
_RESOURCE: Final = "https://jit.example"


class _Since(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, _: Any, __: Any) -> datetime:
        """Return the time that a duration before now, or a date, means."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - read_duration(value)
        except (ValueError, OverflowError):
            pass
        try:
            return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            self.fail(f"{value!r} is neither a duration such as 30d nor a date such as 2026-11-23")


@click.group("report")
def report_group() -> None:
    """What was granted, and what it was used for."""


@report_group.command()
@click.option("--bundle", help="This one only.")
@click.option("--since", type=_Since(), help="Grants that ended since then: 30d, or 2026-11-23.")
@click.option(
    "--last",
    type=click.IntRange(1, 1000),
    default=LAST,
    show_default=True,
    help="How many of a bundle's last grants with data count, and a proposal needs.",
)
@click.option("--propose", is_flag=True, help="Print the change to the policy files, as a patch.")
@policies_option
@json_option
def usage(
    bundle: str | None,
    since: datetime | None,
    last: int,
    folder: Path,
    *,
    propose: bool,
    as_json: bool,
) -> None:
    """Say of each bundle's scopes in how many of its last grants they were used.

    From the log in REDIS_URL. A grant during which nothing that checks tokens was seen counts for
    nothing: that a scope was not used is not known then. With --propose: a patch that takes out
    what none of them used, for `git apply` or `patch -p0`.
    """
    if propose and as_json:
        raise click.UsageError("a patch is no JSON: choose --propose or --json")
    answered(_usage(bundle, since, last, folder if propose else None, as_json=as_json))


async def _usage(
    bundle: str | None, since: datetime | None, last: int, folder: Path | None, *, as_json: bool
) -> int:
    found = [
        report_of(name, usages, last=last)
        for name, usages in sorted((await _usages(since)).items())
        if bundle in (None, name)
    ]
    if folder is not None:
        _propose(found, folder)
    elif as_json:
        click.echo(json.dumps({each.bundle: _told(each) for each in found}, indent=2))
    else:
        for line in _lines(found, bundle):
            click.echo(line)
    return 0


async def _usages(since: datetime | None) -> Mapping[str, list[Usage]]:
    """Return what grants were used for, the newest first, by bundle."""
    found: defaultdict[str, list[Usage]] = defaultdict(list)
    async with the_store() as store:
        async for event in the_log(store.ledger):
            if isinstance(event, UsageSummed) and (since is None or event.at >= since):
                found[event.bundle].append(event.usage)
    return {name: usages[::-1] for name, usages in found.items()}


def _told(report: BundleReport) -> Mapping[str, Any]:
    return {
        each.scope: {
            "used": each.used,
            "grants": each.grants,
            "data": each.grants > 0,
            "last": each.last.isoformat() if each.last is not None else None,
            "unused": each.scope in report.unused,
        }
        for each in report.scopes
    }


def _lines(found: Sequence[BundleReport], bundle: str | None) -> Iterator[str]:
    if not found:
        yield f"no grant{f' of {bundle}' if bundle else ''} has ended that was summed up"
    for report in found:
        without = f", {report.unwatched} without data" if report.unwatched else ""
        yield f"{report.bundle}: {report.grants} grants{without}"
        width = max(len(each.scope) for each in report.scopes)
        for each in report.scopes:
            yield f"  {each.scope:{width}}  {_use(each)}"
        if report.unused:
            yield f"  could do without {', '.join(report.unused)}: see --propose"


def _use(each: ScopeReport) -> str:
    if not each.grants:
        return "no data"
    if not each.used:
        return f"never used in {each.grants} grants"
    last = f", last {each.last:%Y-%m-%d}" if each.last is not None else ""
    return f"used in {each.used} of {each.grants} grants{last}"


def _propose(found: Sequence[BundleReport], path: Path) -> None:
    """Print the patch; what is beside it is told on stderr."""
    before = read_folder(path)
    loaded = load_folder(before, default_resource=_RESOURCE)
    after, taken = before, False
    for report in found:
        declared = loaded.policy.bundles.get(report.bundle)
        known = declared.scope_names if declared is not None else ()
        unused = [scope for scope in report.unused if scope in known]
        if not unused:
            continue
        try:
            after, taken = without_scopes(after, report.bundle, unused), True
        except Misconfigured as problem:
            click.echo(f"jit: {problem}", err=True)
            continue
        named = ", ".join(unused)
        click.echo(f"jit: {report.bundle} could do without {named}", err=True)
    if not taken:
        click.echo("jit: there is nothing to propose", err=True)
    load_folder(after, default_resource=_RESOURCE)
    click.echo(patch(before, after, path), nl=False)


def patch(before: Folder, after: Folder, path: Path) -> str:
    """Return what leads from `before` to `after`, as a unified diff.

    The names begin with ./ so that `git apply`, which takes their first part off, and `patch -p0`,
    which does not, both find the files.
    """
    shown = os.path.relpath(path)
    where = before.name if shown.startswith("..") else shown
    lines: list[str] = []
    for old, new in zip(before.files, after.files, strict=True):
        if old.raw != new.raw:
            name = f"./{where}/{old.path}".replace("/./", "/")
            lines += _diff(old.raw.decode(), new.raw.decode(), name)
    return "".join(lines)


def _diff(old: str, new: str, name: str) -> Iterator[str]:
    for line in difflib.unified_diff(_split(old), _split(new), name, name):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _split(text: str) -> list[str]:
    """Return the lines as patches count them, each with its end."""
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [
        line for line in text.split("\n")[-1:] if line
    ]
