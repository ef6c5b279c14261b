"""What waits for people, decided again under the policy of this moment.

Neither the policy that a request was asked under nor the one in force now is given up: the stricter
of the two counts, and where neither is, both do. A request is on one chain at a time. Where today's
policy asks for more it is put on today's chain, and the one before is owed after it, unless whoever
completes today's has completed that, too. A yes counts in each chain in which whoever gave it has a
say, once in each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from bot.core import events as e
from bot.core.decision import Allow, Decision, NeedApproval, Reject
from bot.core.demands import covers, is_same
from bot.core.identity import BOT, Actor
from bot.core.opening import kept_members
from bot.core.policy import Group, Policy, Stage, groups_in
from bot.core.request import Request, chain_of, others_in
from bot.core.votes import dealt

# So much of a digest tells two policies apart in a group's name.
_MARK = 8


@dataclass(frozen=True, slots=True)
class Same:
    """Today's policy asks for what the request waits for, by this rule."""

    rule: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Today's policy asks for less, by this rule: what the request was asked under goes on."""

    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tightened:
    """Today's policy asks for more, or for others.

    Attributes:
        stages: Those of today's chain, as they concern the requester.
    """

    decision: NeedApproval
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A policy that came into force since says no: the request ends."""

    why: str
    rule: str


@dataclass(frozen=True, slots=True)
class Barred:
    """The policy has not changed, and says no as things are just now: by a window, say."""

    why: str


Recheck: TypeAlias = Same | Kept | Tightened | Closed | Barred


def recheck(request: Request, decision: Decision, policy: Policy) -> Recheck:
    """Return what becomes of `request`.

    Args:
        decision: What `policy`, that of this moment, says to what is asked.
    """
    asked = request.asked
    if isinstance(decision, Reject):
        why = "; ".join(decision.reasons)
        is_new = policy.slice_of(asked.bundle) != asked.slice
        return Closed(why, decision.rule) if is_new else Barred(why)
    if isinstance(decision, Allow):
        return Kept(decision.rule)
    today = tuple(stage.concerning(asked.by.id) for stage in decision.chain.stages)
    covering = [way for way in _ways(request) if covers(way, today)]
    if not covering:
        return Tightened(decision=decision, stages=today)
    if any(covers(today, way) for way in covering):
        return Same(decision.rule)
    return Kept(decision.rule)


def _ways(request: Request) -> Iterator[Sequence[Stage]]:
    """Yield every chain that the request has completed, or must."""
    asked = request.asked
    for chain in (*request.passed, chain_of(asked), *asked.owed):
        yield chain.stages


def why_no_more(found: Recheck) -> str | None:
    """Return why what is about to be granted must not be; None if it may."""
    match found:
        case Same() | Kept():
            return None
        case Tightened():
            return "others must approve it now"
        case Closed(why) | Barred(why):
            return why


def on_todays_way(request: Request, found: Tightened) -> Request:
    """Return `request` at the beginning of today's chain, with all that it owes then."""
    asked = request.asked
    owed = tuple(
        _apart(chain, groups_in(found.stages))
        for chain in (chain_of(asked), *asked.owed)
        if not covers(found.stages, chain.stages)
    )
    return replace(
        request, asked=replace(asked, stages=found.stages, owed=owed), votes=(), spare=()
    )


def rerouted(
    request: Request,
    found: Tightened,
    way: Request,
    *,
    policy: Policy,
    now: datetime,
    voters: Mapping[Actor, frozenset[str]],
    members: Mapping[str, frozenset[str] | None],
) -> e.Rerouted:
    """Return the fact that puts `request` on today's chain.

    Args:
        way: What `on_todays_way` returns.
        voters: Of everybody who has said yes, the groups with a say in `way` that they are in now.
        members: Slack user ids of the groups with a say; None for a group that cannot be read.
    """
    asked, decision = request.asked, found.decision
    given = [
        replace(vote, groups=tuple(sorted(voters[vote.by])))
        for vote in (*request.votes, *request.spare)
    ]
    known = kept_members(members)
    rest = dealt(given, found.stages, others_in(replace(asked, members=known)))
    return e.Rerouted(
        request=request.id,
        at=now,
        by=BOT,
        rule=decision.rule,
        reasons=decision.reasons,
        digest=decision.digest,
        slice=policy.slice_of(asked.bundle),
        stages=found.stages,
        deadline=min(asked.deadline, now + decision.chain.expire_after),
        owed=way.asked.owed,
        optional=decision.optional,
        shadows=decision.shadows,
        members=known,
        votes=rest.counted,
        spare=rest.spare,
        what=tuple(_what(asked, decision.rule, found.stages)),
    )


def _apart(chain: e.Owed, others: Iterable[Group]) -> e.Owed:
    """Return `chain` with another name for each of its groups whose name means others now."""
    today = {group.name: group for group in others}
    names = {
        group.name: f"{group.name}@{chain.digest[:_MARK]}"
        for group in groups_in(chain.stages)
        if group.name in today and not is_same(group, today[group.name])
    }
    return replace(chain, stages=tuple(_renamed(stage, names) for stage in chain.stages))


def _renamed(stage: Stage, names: Mapping[str, str]) -> Stage:
    other = stage.with_groups(lambda group: replace(group, name=names.get(group.name, group.name)))
    return replace(
        other,
        at_least=tuple(
            replace(share, group=names.get(share.group, share.group)) for share in other.at_least
        ),
        escalate=tuple(
            replace(step, stand_in_for=names.get(step.stand_in_for, step.stand_in_for))
            for step in other.escalate
        ),
    )


def _what(asked: e.Requested, rule: str, stages: Sequence[Stage]) -> Iterator[str]:
    """Yield what is different on today's chain, in words."""
    if rule != asked.rule:
        yield f"rule {rule} decides now, not {asked.rule}"
    was, is_ = (sum(each.quorum for each in chain) for chain in (asked.stages, stages))
    if was != is_:
        yield f"{is_} {'must' if is_ > 1 else 'person must'} approve, not {was}"
    before = {group.name for group in groups_in(asked.stages)}
    after = {group.name for group in groups_in(stages)}
    if after - before:
        yield f"new among the approvers: {', '.join(sorted(after - before))}"
    if before - after:
        yield f"no longer among them: {', '.join(sorted(before - after))}"
