"""Two policies: for which bundles more, or less, can be had under the new one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.core.emergency import in_emergency
from bot.core.policy import Policy
from bot.core.replaying import Shift, Verdict, shift
from bot.core.scopes import Bundle
from bot.policy_lint.asked import Asked
from bot.policy_lint.differing import differing
from bot.policy_lint.findings import Change, Compared, Shown
from bot.policy_lint.levels import Said
from bot.policy_lint.moments import Moments
from bot.policy_lint.solving import EFFORT, Solver, Undecided
from bot.policy_lint.terms import Term, both, either, negation
from bot.policy_lint.trying import tried

_NO: Final = Verdict(rule="", denied="no")
_DIRECTIONS: Final = (Shift.LOOSER, Shift.STRICTER)


def compare(old: Policy, new: Policy, *, now: datetime, effort: int = EFFORT) -> Compared:
    """Return what differs for all requests from `now` on.

    Args:
        effort: When the solver gives up, see `solving`.
    """
    moments = Moments(now)
    kept = [name for name in new.bundles if name in old.bundles]
    changes: list[Change] = []
    same, undecided = [], []
    for name in kept:
        try:
            found = list(_changes(old, new, name, moments, effort))
        except Undecided:
            undecided.append(name)
            continue
        changes += found
        same += [] if found else [name]
    return Compared(
        changes=tuple(changes),
        added=tuple(name for name in new.bundles if name not in old.bundles),
        removed=tuple(name for name in old.bundles if name not in new.bundles),
        same=tuple(same),
        undecided=tuple(undecided),
    )


def _changes(
    old: Policy, new: Policy, name: str, moments: Moments, effort: int
) -> Iterator[Change]:
    before, after = old.bundles[name], new.bundles[name]
    yield from _decided(_Pair((old, before), (new, after), moments, effort), "")
    for which, what in differing(before, after):
        yield Change(bundle=name, shift=which, what=what)
    if before.glass is not None and after.glass is not None:
        broken = (in_emergency(old, before), in_emergency(new, after))
        puts = [(policy, policy.bundles[name]) for policy in broken]
        pair = _Pair(puts[0], puts[1], moments, effort)
        yield from _decided(pair, "by break-glass: ")


class _Pair:
    """What two policies say to the same request."""

    def __init__(
        self,
        old: tuple[Policy, Bundle],
        new: tuple[Policy, Bundle],
        moments: Moments,
        effort: int,
    ) -> None:
        asked = Asked(moments, old, new)
        asked.read("request.reason")  # how long it must be may differ
        self.old, self.new = Said(asked, *old), Said(asked, *new)
        self.solver = Solver(asked, effort=effort)


def _decided(pair: _Pair, prefix: str) -> Iterator[Change]:
    for wanted in _DIRECTIONS:
        examples = pair.solver.examples((pair.old, pair.new), _shifted(pair, wanted))
        if not examples:
            continue
        verdicts = [
            tried(said.policy, example)
            for said, example in zip((pair.old, pair.new), examples, strict=True)
        ]
        words = tuple(verdict.words for verdict in verdicts)
        groups = sorted({*examples[0].groups, *examples[1].groups})
        example = replace(examples[1], groups=tuple(groups))
        is_so = shift(*verdicts) is wanted
        yield Change(
            bundle=pair.new.bundle.name,
            shift=wanted,
            what=prefix + " -> ".join(words),
            shown=Shown(example=example, answers=words, confirmed=is_so),
        )


def _shifted(pair: _Pair, wanted: Shift) -> Term:
    """Return whether the new policy's answer differs from the old one's in this way."""
    return either(
        *(
            both(was, is_now)
            for then, was in _answers(pair.old)
            for now, is_now in _answers(pair.new)
            if shift(then, now) is wanted
        )
    )


def _answers(said: Said) -> Sequence[tuple[Verdict, Term]]:
    """Return every answer that there is, and when it is given."""
    denied = negation(either(*(term for _, term in said.granted)))
    return [*said.granted, (_NO, denied)]
