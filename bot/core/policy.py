"""The policy as the core sees it: bundles, groups, rules, guardrails, chains."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from bot.core.conditions import GROUPS_VARIABLE, Condition
from bot.core.errors import Unavailable
from bot.core.scopes import Bundle, Risk
from bot.core.sources import Manager, Rota, Source, Usergroup
from bot.core.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """People by name: listed one by one, looked up elsewhere, or the members of other groups.

    Who is in it may depend on whose request it is about: the requester's manager is.

    Attributes:
        usergroup: Slack user group id ("S…"); "" when something else says who is in it.
        users: Slack user ids.
        any_of: The groups of which it is the union; none of them contains it.
        on_call: The rota of which whoever is on call is in it.
        manager: How the requester's manager is found, who is in it alone.
        min_members: With fewer people in it, who is in it counts as unknown.
    """

    name: str
    usergroup: str = ""
    users: frozenset[str] = frozenset()
    any_of: tuple["Group", ...] = ()
    on_call: Rota | None = None
    manager: Manager | None = None
    min_members: int = 0

    def parts(self) -> Iterator["Group"]:
        """Yield the groups that it is put together from, itself if it is no union."""
        if not self.any_of:
            yield self
        for part in self.any_of:
            yield from part.parts()

    def concerning(self, user: str) -> "Group":
        """Return it with no more in it than matters to `user`: not everybody's manager."""
        return replace(
            self,
            any_of=tuple(part.concerning(user) for part in self.any_of),
            manager=self.manager.concerning(user) if self.manager is not None else None,
        )

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether neither the policy nor Slack's user groups say who is in it."""
        return self.on_call is not None or self.manager is not None

    def sources(self, about: str) -> frozenset[Source]:
        """Return where it stands who is in it.

        Args:
            about: The Slack user id of whose request it is about.
        """
        found = [part.source(about) for part in self.parts()]
        return frozenset(each for each in found if each is not None)

    def source(self, about: str) -> Source | None:
        """Return where it stands who is in it itself; None for people listed, and for a union."""
        if self.usergroup:
            return Usergroup(self.usergroup)
        return self.manager.source(about) if self.manager is not None else self.on_call

    def members(self, of: Mapping[Source, frozenset[str]], *, about: str) -> frozenset[str]:
        """Return who is in it.

        Args:
            of: What each of its `sources` says.
            about: As for `sources`; nobody is their own manager.

        Raises:
            Unavailable: There are fewer than `min_members`, here or in a part.
        """
        source = self.source(about)
        found = self.users if source is None else of[source]
        if self.manager is not None:
            found -= {about}
        if self.any_of:
            found = found.union(*(part.members(of, about=about) for part in self.any_of))
        if len(found) < self.min_members:
            raise Unavailable(
                f"the group {self.name} has {len(found)} members, and the policy expects"
                f" {self.min_members} at least"
            )
        return found


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

    def concerning(self, user: str) -> "Stage":
        """Return it with no more in its groups than matters to `user`."""
        return self.with_groups(lambda group: group.concerning(user))

    def with_groups(self, other: Callable[[Group], Group]) -> "Stage":
        """Return it with `other` of each of its groups in the place of that."""
        return replace(
            self,
            approvers=tuple(map(other, self.approvers)),
            escalate=tuple(
                replace(step, add_approvers=tuple(map(other, step.add_approvers)))
                for step in self.escalate
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Stages that all must pass, in order.

    Attributes:
        expire_after: How long people have to decide.
        conditions: Of each optional stage, by its place from 0: where all of them hold it is asked,
            else skipped. What somebody must get through, as `weighing.asked_stages` returns it,
            has none.
    """

    name: str
    stages: tuple[Stage, ...]
    expire_after: timedelta
    conditions: Mapping[int, tuple[Condition, ...]] = field(default_factory=dict)


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
    BREAK_GLASS = "break_glass"
    """No policy file says it of a rule; see `emergency.in_emergency`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """For one bundle the first rule that holds decides.

    Attributes:
        requesters: Group names of which the requester must be in one; empty means everybody.
        clients: OAuth clients of which one must ask; empty means that a person must.
        max_duration: A condition: a longer request falls through to the next rule.
        during: A condition too: only while this window is open.
        when: All of these must hold as well.
        chain: Set if and only if the verdict is REQUIRE.
        where: "file:line" of the rule.
    """

    id: str
    bundles: Selector
    verdict: Verdict
    requesters: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    max_duration: timedelta | None = None
    during: Window | None = None
    when: tuple[Condition, ...] = ()
    chain: Chain | None = None
    note: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """Applies whatever the rules say, and can only tighten.

    Attributes:
        requesters, during, when: As those of a rule.
        clients: OAuth clients that it is about; empty means everybody, people and clients.
        even_break_glass: Whether it holds in an emergency, too.
    """

    id: str
    bundles: Selector
    requesters: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    during: Window | None = None
    when: tuple[Condition, ...] = ()
    deny: bool = False
    max_duration: timedelta | None = None
    min_approvals: int = 0
    even_break_glass: bool = False
    note: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """A rule or guardrail in audit mode: weighed and told, never applied.

    Attributes:
        after: How many of the bundle's rules are tried before it.
    """

    one: Rule | Guardrail
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that was declared.

    Attributes:
        digest: SHA-256 over the canonical form; comments and layout do not count.
        rules_of, guardrails_of: What applies, by bundle name, in the order in which it is tried.
        audited_of: What does not, as it is in audit mode, by bundle name.
        slices: By bundle name, the SHA-256 of all that decides about it: the bundle, its rules and
            guardrails, and the chains, windows and groups that they name.
    """

    digest: str
    bundles: Mapping[str, Bundle]
    groups: Mapping[str, Group]
    rules_of: Mapping[str, tuple[Rule, ...]]
    guardrails_of: Mapping[str, tuple[Guardrail, ...]]
    windows: Mapping[str, Window] = field(default_factory=dict)
    audited_of: Mapping[str, tuple[Audited, ...]] = field(default_factory=dict)
    slices: Mapping[str, str] = field(default_factory=dict)

    def slice_of(self, bundle: str) -> str:
        """Return the digest of all that decides about `bundle`; of all, where none is known."""
        return self.slices.get(bundle, self.digest)

    @property
    def scopes(self) -> frozenset[str]:
        """Every scope that a bundle has."""
        return frozenset(scope for each in self.bundles.values() for scope in each.scope_names)

    def groups_read_for(self, bundle: str) -> tuple[Group, ...]:
        """Return the groups that decide who may ask for `bundle`, each once.

        Whoever asks is not their own manager, so groups of managers are left out.
        """
        return self._groups_read_by(self._tried(bundle))

    def groups_audited_for(self, bundle: str) -> tuple[Group, ...]:
        """Return the groups that only what is in audit mode reads, each once."""
        audited = tuple(each.one for each in self.audited_of.get(bundle, ()))
        read = self.groups_read_for(bundle)
        return tuple(each for each in self._groups_read_by(audited) if each not in read)

    def _groups_read_by(self, tried: tuple[Rule | Guardrail, ...]) -> tuple[Group, ...]:
        conditions = _conditions(tried)
        if any(condition.all_groups for condition in conditions):
            return self._groups(self.groups)
        names = {name for one in tried for name in one.requesters}
        names |= {
            mention.name
            for condition in conditions
            for mention in condition.mentions
            if mention.variable == GROUPS_VARIABLE
        }
        return self._groups(names)

    def _groups(self, names: Iterable[str]) -> tuple[Group, ...]:
        named = (self.groups[name] for name in sorted(names))
        return tuple(group for group in named if group.manager is None)

    def facts_read_for(self, bundle: str) -> frozenset[str]:
        """Return the variables that conditions about `bundle` read, in audit mode or not."""
        audited = tuple(each.one for each in self.audited_of.get(bundle, ()))
        conditions = _conditions((*self._tried(bundle), *audited))
        return frozenset().union(*(condition.reads for condition in conditions))

    def _tried(self, bundle: str) -> tuple[Rule | Guardrail, ...]:
        return (*self.rules_of.get(bundle, ()), *self.guardrails_of.get(bundle, ()))


def _conditions(tried: Iterable[Rule | Guardrail]) -> tuple[Condition, ...]:
    """Return all conditions of `tried`, those of optional stages as well."""
    found: list[Condition] = []
    for one in tried:
        found += one.when
        if isinstance(one, Rule) and one.chain is not None:
            found += [each for stage in one.chain.conditions.values() for each in stage]
    return tuple(found)
