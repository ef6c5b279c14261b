"""What one entry says of another: names that must be known, and caps over several entries."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bot.core.conditions import GROUPS_VARIABLE, WINDOWS_VARIABLE, compile_condition
from bot.core.durations import spell
from bot.policy_files.client_documents import Client, Resource
from bot.policy_files.declared import Declared, Entry, Naming
from bot.policy_files.documents import Defaults, Guardrail, Model, Rule
from bot.policy_files.group_documents import Group
from bot.policy_files.problems import Path, Problem, quoted, suggestion

_SECTION_OF: Final = {GROUPS_VARIABLE: "groups", WINDOWS_VARIABLE: "windows"}


def doubles(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every name that was given before."""
    first: dict[tuple[str, str], Naming] = {}
    for naming in declared.namings:
        before = first.setdefault((naming.section, naming.name), naming)
        if before is not naming:
            yield naming.problem(f"{quoted(naming.name)} is defined at {before.where} already")


def longer_than_allowed(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every bundle that passes the longest duration of `defaults`.

    And for every one that could be had for longer by break-glass than at all.
    """
    longest = next((entry.model for entry in declared.defaults), Defaults()).max_duration
    for entry in declared.bundles:
        if entry.model.max_duration > longest:
            length = spell(entry.model.max_duration)
            what = f"{length} is longer than defaults.max_duration, {spell(longest)}"
            yield entry.problem("max_duration", what=what)
        glass = entry.model.break_glass
        if glass is not None and glass.max_duration > entry.model.max_duration:
            length, most = spell(glass.max_duration), spell(entry.model.max_duration)
            what = f"{length} is longer than the bundle's max_duration, {most}"
            yield entry.problem("break_glass", "max_duration", what=what)


def too_few_people(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every stage or group that wants more people than are listed for it.

    Who is in a Slack user group is not known here.
    """
    groups = {entry.name: entry.model for entry in declared.groups}
    for chain in declared.chains:
        for place, stage in enumerate(chain.model.stages):
            added = [(step.stand_in_for, step.add_approvers or ()) for step in stage.escalate]
            everybody = [*stage.approvers, *(name for _, names in added for name in names)]
            listed = _listed_people(everybody, groups)
            if listed is not None and len(listed) < stage.quorum:
                what = f"{stage.quorum} must approve, but the groups list {len(listed)} people"
                yield chain.problem("stages", place, "quorum", what=what)
            for name, people in stage.at_least.items():
                stands_in = [names for stand_in_for, names in added if stand_in_for == name]
                able = [name, *(other for names in stands_in for other in names)]
                listed = _listed_people(able, groups)
                if listed is not None and len(listed) < people:
                    what = f"{people} must come from it, but {len(listed)} are listed"
                    yield chain.problem("stages", place, "at_least", name, what=what)
    for group in declared.groups:
        listed = _listed_people([group.name], groups)
        if listed is not None and len(listed) < group.model.min_members:
            what = f"{group.model.min_members} are expected, but {len(listed)} people are listed"
            yield group.problem("min_members", what=what)


def reviewed_by_nobody_else(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every break-glass that only one listed person could review.

    Whoever breaks the glass does not review it, and may be that person.
    """
    groups = {entry.name: entry.model for entry in declared.groups}
    for bundle in declared.bundles:
        glass = bundle.model.break_glass
        if glass is None:
            continue
        reviewers = _listed_people(glass.review_by, groups) or frozenset()
        breakers = _listed_people(glass.who, groups) or frozenset()
        if len(reviewers) == 1 and reviewers <= breakers:
            what = f"{min(reviewers)} may break the glass, and nobody else is there to review it"
            yield bundle.problem("break_glass", "review_by", what=what)


def _listed_people(names: Iterable[str], groups: Mapping[str, Group]) -> frozenset[str] | None:
    """Return all who are in any of these groups, None if Slack alone knows."""
    found: set[str] = set()
    ways = list(names)
    for name in ways:  # grows as it is read
        group = groups.get(name)
        if group is None or (group.users is None and group.any_of is None):
            return None
        found.update(group.users or ())
        ways += [part for part in group.any_of or () if part not in ways]
    return frozenset(found)


def circles(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every group that is a part of itself."""
    parts = {entry.name: tuple(entry.model.any_of or ()) for entry in declared.groups}
    for entry in declared.groups:
        for place, part in enumerate(entry.model.any_of or ()):
            way = _way(part, entry.name, parts)
            if way:
                what = f"the group would be a part of itself: {' > '.join((entry.name, *way))}"
                yield entry.problem("any_of", place, what=what)


def _way(start: str, goal: str, parts: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return a way through `parts` from one group to another, () if there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    for way in ways:  # grows as it is read
        if way[-1] == goal:
            return way
        new = [part for part in parts.get(way[-1], ()) if part not in seen]
        seen.update(new)
        ways += [(*way, part) for part in new]
    return ()


def unknown_scopes(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every scope of a bundle that its resource does not have.

    A resource that is not declared may have any.
    """
    scopes = {entry.name: entry.model.scopes for entry in declared.resources}
    for bundle in declared.bundles:
        resource = bundle.model.resource
        if resource not in scopes:
            continue
        for place, scope in enumerate(bundle.model.scopes):
            if scope not in scopes[resource]:
                near = suggestion(scope, scopes[resource])
                part = place if isinstance(bundle.model.scopes, list) else scope
                what = f"{resource} has no scope {quoted(scope)}{near}"
                yield bundle.problem("scopes", part, what=what)


def own_managers(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every place that asks whether whoever asks is their own manager."""
    managers = {entry.name for entry in declared.groups if entry.model.manager is not None}
    tried: tuple[Entry[Rule] | Entry[Guardrail], ...] = (*declared.rules, *declared.guardrails)
    for one in tried:
        requesters = _listed(one, ("requesters",), "groups", one.model.requesters)
        yield from _asking_managers((*requesters, *_conditioned(one)), managers)
    for chain in declared.chains:
        for place, stage in enumerate(chain.model.stages):
            named = _in_conditions(chain, ("stages", place, "when"), stage.when)
            yield from _asking_managers(named, managers)


def _asking_managers(mentions: Iterable["_Mention"], managers: set[str]) -> Iterator[Problem]:
    for mention in mentions:
        if mention.section == "groups" and mention.name in managers:
            what = f"{quoted(mention.name)} is their manager, and nobody is their own"
            yield mention.problem(what)


def unknown_names(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every name that nothing has."""
    sections = ("groups", "windows", "chains", "bundles", "clients")
    known = {section: sorted(declared.names(section)) for section in sections}
    for mention in _mentions(declared):
        if mention.name not in known[mention.section]:
            near = suggestion(mention.name, known[mention.section])
            what = f"there is no {mention.section[:-1]} {quoted(mention.name)}{near}"
            yield mention.problem(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mention:
    """A part of an entry that names another entry.

    Attributes:
        inside: Line and column within the text of that part; None for all of it.
    """

    entry: Entry[Model]
    part: Path
    section: str
    name: str
    inside: tuple[int, int] | None = None

    def problem(self, what: str) -> Problem:
        if self.inside is None:
            return self.entry.problem(*self.part, what=what)
        path = (*self.entry.path, *self.part)
        return self.entry.source.problem_inside(path, self.inside, what)


def _mentions(declared: Declared) -> Iterator[_Mention]:
    for group in declared.groups:
        yield from _listed(group, ("any_of",), "groups", group.model.any_of)
    for bundle in declared.bundles:
        owner = bundle.model.owner
        yield _Mention(entry=bundle, part=("owner",), section="groups", name=owner)
        glass = bundle.model.break_glass
        if glass is not None:
            yield from _listed(bundle, ("break_glass", "who"), "groups", glass.who)
            yield from _listed(bundle, ("break_glass", "review_by"), "groups", glass.review_by)
    yield from _by_clients(declared)
    for chain in declared.chains:
        for place, stage in enumerate(chain.model.stages):
            part = ("stages", place, "approvers")
            yield from _listed(chain, part, "groups", stage.approvers)
            for number, step in enumerate(stage.escalate):
                at = ("stages", place, "escalate", number, "add_approvers")
                yield from _listed(chain, at, "groups", step.add_approvers)
            yield from _in_conditions(chain, ("stages", place, "when"), stage.when)
    tried: tuple[Entry[Rule] | Entry[Guardrail], ...] = (*declared.rules, *declared.guardrails)
    for one in tried:
        yield from _listed(one, ("bundles", "name"), "bundles", one.model.bundles.name)
        yield from _listed(one, ("requesters",), "groups", one.model.requesters)
        yield from _listed(one, ("clients",), "clients", one.model.clients)
        yield from _conditioned(one)
    for rule in declared.rules:
        if rule.model.chain is not None:
            yield _Mention(entry=rule, part=("chain",), section="chains", name=rule.model.chain)


def _by_clients(declared: Declared) -> Iterator[_Mention]:
    for client in declared.clients:
        yield from _listed(client, ("bundles",), "bundles", client.model.bundles)
    owned_ones: tuple[Entry[Client] | Entry[Resource], ...] = (
        *declared.clients,
        *declared.resources,
    )
    for owned in owned_ones:
        if owned.model.owner is not None and owned.model.owner[0].islower():  # else a person's id
            owner = owned.model.owner
            yield _Mention(entry=owned, part=("owner",), section="groups", name=owner)


def _conditioned(one: Entry[Rule] | Entry[Guardrail]) -> Iterator[_Mention]:
    if one.model.during is not None:
        yield _Mention(entry=one, part=("during",), section="windows", name=one.model.during)
    yield from _in_conditions(one, ("when",), one.model.when)


def _in_conditions(
    entry: Entry[Model], part: Path, conditions: Iterable[str] | None
) -> Iterator[_Mention]:
    for place, text in enumerate(conditions or ()):
        for mention in compile_condition(text).mentions:
            yield _Mention(
                entry=entry,
                part=(*part, place),
                section=_SECTION_OF[mention.variable],
                name=mention.name,
                inside=mention.place,
            )


def _listed(
    entry: Entry[Model], part: Path, section: str, names: Iterable[str] | None
) -> Iterator[_Mention]:
    for place, name in enumerate(names or ()):
        yield _Mention(entry=entry, part=(*part, place), section=section, name=name)
