"""What `jit policy lint` and `jit policy compare` print, for people and for programs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bot.core.replaying import Shift
from bot.policy_lint.findings import Compared, Finding, Level, Linted, Shown


def lint_lines(found: Linted) -> Iterator[str]:
    """Yield what was found, line by line, and at the end how much."""
    for each in found.findings:
        yield f"{each.place}: {each.level}: {each.sentence} [{each.check}]"
        if each.shown is not None:
            yield f"    {each.shown}"
    levels = Counter(each.level for each in found.findings)
    counts = ", ".join(_counted(levels[level], level) for level in Level)
    yield (
        f"{_counted(found.bundles, 'bundle')}: {counts}; for {found.proved} of {found.guarded}"
        " that must have one it is proved that another human is needed"
    )


def _counted(count: int, what: str) -> str:
    is_plural = count != 1 and what != Level.INFO
    return f"{count} {what}{'s' * is_plural}"


def lint_json(found: Linted) -> Mapping[str, Any]:
    """Return what was found for programs."""
    return {
        "findings": [_finding(each) for each in found.findings],
        "bundles": found.bundles,
        "need_a_human": found.guarded,
        "proved": found.proved,
    }


def _finding(each: Finding) -> Mapping[str, Any]:
    return {
        "level": each.level,
        "check": each.check,
        "file": each.place.file,
        "line": each.place.line,
        "column": each.place.column,
        "what": each.sentence,
        "example": _shown(each.shown),
    }


def _shown(shown: Shown | None) -> Mapping[str, Any] | None:
    if shown is None:
        return None
    return {
        "request": shown.example.told(),
        "answers": list(shown.answers),
        "confirmed": shown.confirmed,
    }


def comparison_lines(found: Compared) -> Iterator[str]:
    """Yield what differs, line by line, and at the end how much."""
    for each in found.changes:
        yield f"{str(each.shift).upper():8} {each.bundle}: {each.what}"
        if each.shown is not None:
            yield f"    {each.shown.example} [{each.shown.mark}]"
    for name in found.added:
        yield f"ADDED    {name}"
    for name in found.removed:
        yield f"REMOVED  {name}"
    for name in found.undecided:
        yield f"UNKNOWN  {name}: the solver gave up"
    ways = {way: {each.bundle for each in found.changes if each.shift is way} for way in Shift}
    yield (
        f"{_counted(len(ways[Shift.LOOSER]), 'bundle')} looser,"
        f" {len(ways[Shift.STRICTER])} stricter, {len(found.same)} the same,"
        f" {len(found.added)} added, {len(found.removed)} removed"
    )


def comparison_json(found: Compared) -> Mapping[str, Any]:
    """Return what differs for programs."""
    return {
        "changes": [
            {
                "bundle": each.bundle,
                "shift": each.shift,
                "what": each.what,
                "example": _shown(each.shown),
            }
            for each in found.changes
        ],
        "added": list(found.added),
        "removed": list(found.removed),
        "same": list(found.same),
        "undecided": list(found.undecided),
    }
