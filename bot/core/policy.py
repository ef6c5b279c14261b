"""The policy as the core sees it: bundles, groups, rules, guardrails, chains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from bot.core.scopes import Bundle, Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """People by name: listed one by one, or the members of a Slack user group.

    Attributes:
        usergroup: Slack user group id ("S…"); "" when `users` lists the members.
        users: Slack user ids.
    """

    name: str
    usergroup: str = ""
    users: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a stage's quorum must be people of this group."""

    group: str
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """What happens when a stage has waited for long; it never lowers a quorum, and never grants.

    Attributes:
        after: Since the stage began.
        add_approvers: Groups whose members may vote in the stage from then on.
        stand_in_for: The group whose share of the quorum they may fill too; "" for none.
        notify: Channels that are told, "#name" or id.
    """

    after: timedelta
    add_approvers: tuple[Group, ...] = ()
    stand_in_for: str = ""
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a chain.

    Attributes:
        approvers: Groups whose members may vote.
        quorum: Distinct people that must say yes.
        at_least: How many of the quorum must come from which groups; the sum is `quorum` at most.
        channel: Where it is announced that the stage begins, "#name" or id; "" for nowhere else.
        remind: When the approvers are reminded, each since the stage began, growing.
        escalate: In the order of their times.
    """

    name: str
    approvers: tuple[Group, ...]
    quorum: int = 1
    at_least: tuple[Share, ...] = ()
    channel: str = ""
    remind: tuple[timedelta, ...] = ()
    escalate: tuple[Escalation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Stages that all must pass, in order.

    Attributes:
        expire_after: How long people have to decide.
    """

    name: str
    stages: tuple[Stage, ...]
    expire_after: timedelta


Voters: TypeAlias = tuple[
    frozenset[str], int, frozenset[Share], tuple[tuple[frozenset[str], str], ...]
]


def voters_of(stages: Iterable[Stage]) -> tuple[Voters, ...]:
    """Return of each stage all that decides whose yes it needs, escalations included."""
    return tuple(
        (
            _names(stage.approvers),
            stage.quorum,
            frozenset(stage.at_least),
            tuple(
                (_names(step.add_approvers), step.stand_in_for)
                for step in stage.escalate
                if step.add_approvers
            ),
        )
        for stage in stages
    )


def _names(groups: Iterable[Group]) -> frozenset[str]:
    return frozenset(group.name for group in groups)


def groups_in(stages: Iterable[Stage]) -> tuple[Group, ...]:
    """Return every group that has, or can come to have, a vote in `stages`, each once."""
    found = {
        group.name: group
        for stage in stages
        for groups in (stage.approvers, *(step.add_approvers for step in stage.escalate))
        for group in groups
    }
    return tuple(found.values())


def channels_in(stages: Iterable[Stage]) -> tuple[str, ...]:
    """Return every channel that `stages` name, each once."""
    named = [
        channel
        for stage in stages
        for channel in (stage.channel, *(name for step in stage.escalate for name in step.notify))
        if channel
    ]
    return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which bundles a rule is about; an empty part does not restrict."""

    names: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    risks: frozenset[Risk] = frozenset()
    accesses: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    def covers(self, bundle: Bundle) -> bool:
        """Return whether `bundle` is meant."""
        return (
            (not self.names or bundle.name in self.names)
            and (not self.environments or bundle.environment in self.environments)
            and (not self.risks or bundle.risk in self.risks)
            and (not self.accesses or bundle.access in self.accesses)
            and all(bundle.labels.get(key) == value for key, value in self.labels.items())
        )


class Verdict(StrEnum):
    """What a rule says when it applies."""

    AUTO_APPROVE = "auto_approve"
    REQUIRE = "require"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """For one bundle the first rule that holds decides.

    Attributes:
        requesters: Group names of which the requester must be in one; empty means everybody.
        max_duration: A condition: a longer request falls through to the next rule.
        chain: Set if and only if the verdict is REQUIRE.
        where: "file:line" of the rule.
    """

    id: str
    bundles: Selector
    verdict: Verdict
    requesters: tuple[str, ...] = ()
    max_duration: timedelta | None = None
    chain: Chain | None = None
    note: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """Applies whatever the rules say, and can only tighten."""

    id: str
    bundles: Selector
    requesters: tuple[str, ...] = ()
    deny: bool = False
    max_duration: timedelta | None = None
    min_approvals: int = 0
    note: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that was declared.

    Attributes:
        digest: SHA-256 over the canonical form; comments and layout do not count.
        rules_of, guardrails_of: By bundle name, in the order in which they are tried.
    """

    digest: str
    bundles: Mapping[str, Bundle]
    groups: Mapping[str, Group]
    rules_of: Mapping[str, tuple[Rule, ...]]
    guardrails_of: Mapping[str, tuple[Guardrail, ...]]

    def groups_read_for(self, bundle: str) -> tuple[Group, ...]:
        """Return the groups that decide who may ask for `bundle`, each once."""
        named = [rule.requesters for rule in self.rules_of.get(bundle, ())]
        named += [rail.requesters for rail in self.guardrails_of.get(bundle, ())]
        names = {name for names in named for name in names}
        return tuple(self.groups[name] for name in sorted(names))
