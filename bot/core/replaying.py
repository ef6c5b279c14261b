"""Past requests under another policy: what would differ.

Only what was known then counts, so nobody is asked anew: lists of people are those of the files,
as a change of them is a change of the policy; everything else is what was recorded. Where that does
not say enough, the request cannot be replayed, and says why.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bot.core import events as e
from bot.core.decision import Allow, Decision, Facts, NeedApproval, asked_anew, decide_ask
from bot.core.emergency import RULE, judged_by
from bot.core.errors import Invalid, NotAllowed
from bot.core.identity import RequestId
from bot.core.known import Known, Shadow
from bot.core.places import why_incompletable
from bot.core.policy import Group, Policy, Stage, groups_in, voters_of
from bot.core.scopes import Bundle

# More than people could ever be asked for.
_DENIED: Final = 1_000_000


class Shift(StrEnum):
    """How a decision differs from another."""

    LOOSER = "looser"
    STRICTER = "stricter"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What policy says to a request.

    Attributes:
        approvals: How many people must agree; none where policy grants at once.
        denied: Why policy says no; "" if it does not.
        stages: Whose yes is needed.
        shadows: What rules and guardrails in audit mode would have done.
    """

    rule: str
    approvals: int = 0
    denied: str = ""
    stages: tuple[Stage, ...] = ()
    shadows: tuple[Shadow, ...] = ()

    @property
    def level(self) -> int:
        """How hard it is to get; comparable."""
        return _DENIED if self.denied else self.approvals

    @property
    def words(self) -> str:
        """What it says, in the words of policy files: "require(2) by deploy-production"."""
        if self.rule == RULE:
            return "deny by break_glass" if self.denied else "break_glass"
        kind = "auto_approve" if not self.approvals else f"require({self.approvals})"
        by = f" by {self.rule}" if self.rule else ""
        return f"{'deny' if self.denied else kind}{by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A request as it was asked, and what policy said to it then."""

    asked: e.Requested
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A request then and now.

    Attributes:
        shift: None where it cannot be replayed.
        why: Why not, or why the answer now is no; "" otherwise.
    """

    asked: e.Requested
    then: Verdict
    now: Verdict | None = None
    shift: Shift | None = None
    why: str = ""


class _Unknown(Exception):
    """Something was not recorded; never leaves this module."""


def pasts(log: Iterable[e.Event]) -> Iterator[Past]:
    """Yield the requests in `log`, in the order in which policy had decided about them."""
    waiting: dict[RequestId, e.Requested] = {}
    for event in log:
        match event:
            case e.Requested():
                if event.stages:
                    yield Past(asked=event, verdict=_needs(event.rule, event.stages))
                else:
                    waiting[event.request] = event
            case e.Approved() | e.GlassBroken() if event.request in waiting:
                asked = waiting.pop(event.request)
                yield Past(asked=asked, verdict=Verdict(rule=asked.rule))
            case e.Denied(reason=why) if event.request in waiting:
                asked = waiting.pop(event.request)
                yield Past(asked=asked, verdict=Verdict(rule=asked.rule, denied=why))
            case _:
                pass


def replayed(past: Past, policy: Policy, *, old: Policy | None = None) -> Replayed:
    """Return what would become of `past` under `policy`.

    Args:
        old: What is compared with; None for what was decided then.
    """
    asked, then = past.asked, past.verdict
    try:
        then = _verdict(asked, old) if old is not None else then
        now = _verdict(asked, policy)
    except _Unknown as why:
        return Replayed(asked=asked, then=then, why=str(why))
    return Replayed(asked=asked, then=then, now=now, shift=shift(then, now), why=now.denied)


def shift(then: Verdict, now: Verdict) -> Shift:
    """Return how `now` differs; as many approvals of people who could not give them is looser."""
    if now.level != then.level:
        return Shift.LOOSER if now.level < then.level else Shift.STRICTER
    before, after = voters_of(then.stages), voters_of(now.stages)
    if now.denied or before == after:
        return Shift.SAME
    names_then = {group.name for group in groups_in(then.stages)}
    names_now = {group.name for group in groups_in(now.stages)}
    return Shift.STRICTER if names_now < names_then else Shift.LOOSER


def _needs(rule: str, stages: tuple[Stage, ...]) -> Verdict:
    approvals = sum(stage.quorum for stage in stages)
    return Verdict(rule=rule, approvals=approvals, stages=stages)


def _verdict(asked: e.Requested, policy: Policy) -> Verdict:
    """Return what `policy` says; to break-glass, by what it says of that.

    Raises:
        _Unknown: What it must know was not recorded.
    """
    if asked.bundle not in policy.bundles:
        return Verdict(rule="", denied=f"there is no bundle {asked.bundle}")
    try:
        policy = judged_by(policy, asked.bundle, asked.emergency)
        bundle = policy.bundles[asked.bundle]
        ask = asked_anew(asked, bundle, duration=asked.duration)
    except (Invalid, NotAllowed) as problem:
        return Verdict(rule="", denied=str(problem))
    decision = decide_ask(ask, policy, _facts(asked, bundle, policy))
    if not isinstance(decision, NeedApproval):
        return verdict_of(decision)
    members = {group.name: _members(group, asked) for group in groups_in(decision.chain.stages)}
    why = why_incompletable(decision.chain, members, _out(asked))
    if why is not None:
        denied = f"its chain cannot be completed: {why}"
        return Verdict(rule=decision.rule, denied=denied, shadows=decision.shadows)
    return verdict_of(decision)


def verdict_of(decision: Decision) -> Verdict:
    """Return what a decision says."""
    if isinstance(decision, NeedApproval):
        found = _needs(decision.rule, decision.chain.stages)
    elif isinstance(decision, Allow):
        found = Verdict(rule=decision.rule)
    else:
        found = Verdict(rule=decision.rule, denied="; ".join(decision.reasons))
    return replace(found, shadows=decision.shadows)


def _out(asked: e.Requested) -> frozenset[str]:
    """Return who could not approve it, so far as that was recorded."""
    machine = asked.machine
    return frozenset({asked.by.id, machine.owner_user if machine is not None else asked.by.id})


def _facts(asked: e.Requested, bundle: Bundle, policy: Policy) -> Facts:
    known, reads = asked.known, policy.facts_read_for(bundle.name)
    if known is None:
        raise _Unknown("it was recorded before facts were kept")
    counts: Mapping[str, tuple[bool, int | None]] = {
        "user.active_grants": ("user.active_grants" in reads, known.active_grants),
        "user.requests_today": ("user.requests_today" in reads, known.requests_today),
        "limits.auto_per_day": (bundle.limits.auto_per_day is not None, known.auto_today),
    }
    for name, (is_read, value) in counts.items():
        if is_read and value is None:
            raise _Unknown(f"what {name} counts was not looked up then")
    audited, unseen = _groups_audited(asked.by.id, known, policy.groups_audited_for(bundle.name))
    return Facts(
        now=asked.decided_for(asked.at),
        groups=_groups(asked.by.id, known, policy.groups_read_for(bundle.name)) | audited,
        unseen=unseen,
        active_grants=known.active_grants,
        requests_today=known.requests_today,
        auto_today=known.auto_today,
    )


def _groups(user: str, known: Known, groups: Iterable[Group]) -> frozenset[str]:
    found = set()
    for group in groups:
        is_in = _is_in(user, known, group)
        if is_in is None:
            raise _Unknown(f"who was in {group.name} was not looked up then")
        if is_in:
            found.add(group.name)
    return frozenset(found)


def _groups_audited(user: str, known: Known, groups: Iterable[Group]) -> tuple[frozenset[str], str]:
    """Return as `_groups` does, or why not: what is in audit mode holds no replay up."""
    try:
        return _groups(user, known, groups), ""
    except _Unknown as why:
        return frozenset(), str(why)


def _is_in(user: str, known: Known, group: Group) -> bool | None:
    """Return whether `user` was in `group`; None where that was not recorded."""
    if not group.sources(user):
        return user in group.members({}, about=user)
    parts = [_is_in(user, known, part) for part in group.any_of]
    if True in parts:
        return True
    if parts and None not in parts:
        return False
    return group.name in known.groups if group.name in known.looked_up else None


def _members(group: Group, asked: e.Requested) -> frozenset[str] | None:
    """Return who was in `group`; None where that was not recorded, and so may be anybody."""
    if not group.sources(asked.by.id):
        return group.members({}, about=asked.by.id)
    kept = next((each for each in asked.members if each.group == group.name), None)
    return frozenset(kept.people) if kept is not None and kept.all_known else None
