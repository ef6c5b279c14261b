"""What one entry says of another: names that must be known, and caps over several entries."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bot.core.durations import spell
from bot.policy_files.declared import Declared, Entry, Naming
from bot.policy_files.documents import Defaults, Guardrail, Model, Rule
from bot.policy_files.problems import Path, Problem, quoted, suggestion


def doubles(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every name that was given before."""
    first: dict[tuple[str, str], Naming] = {}
    for naming in declared.namings:
        before = first.setdefault((naming.section, naming.name), naming)
        if before is not naming:
            yield naming.problem(f"{quoted(naming.name)} is defined at {before.where} already")


def longer_than_allowed(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every bundle that passes the longest duration of `defaults`."""
    longest = next((entry.model for entry in declared.defaults), Defaults()).max_duration
    for entry in declared.bundles:
        if entry.model.max_duration > longest:
            length = spell(entry.model.max_duration)
            what = f"{length} is longer than defaults.max_duration, {spell(longest)}"
            yield entry.problem("max_duration", what=what)


def too_few_people(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every stage that asks for more people than are listed for it.

    Who is in a Slack user group is not known here.
    """
    users = {entry.name: entry.model.users for entry in declared.groups}
    for entry in declared.chains:
        for place, stage in enumerate(entry.model.stages):
            added = [(step.stand_in_for, step.add_approvers or ()) for step in stage.escalate]
            everybody = [*stage.approvers, *(name for _, names in added for name in names)]
            listed = _listed_in(everybody, users)
            if listed is not None and listed < stage.quorum:
                what = f"{stage.quorum} must approve, but the groups list {listed} people"
                yield entry.problem("stages", place, "quorum", what=what)
            for name, people in stage.at_least.items():
                stands_in = [names for stand_in_for, names in added if stand_in_for == name]
                able = [name, *(other for names in stands_in for other in names)]
                listed = _listed_in(able, users)
                if listed is not None and listed < people:
                    what = f"{people} must come from it, but {listed} are listed"
                    yield entry.problem("stages", place, "at_least", name, what=what)


def _listed_in(names: Iterable[str], users: Mapping[str, list[str] | None]) -> int | None:
    """Return how many people the groups list together; None if one of them lists none."""
    lists = [users.get(name) for name in names]
    if None in lists:
        return None
    return len({user for members in lists for user in members or ()})


def unknown_names(declared: Declared) -> Iterator[Problem]:
    """Yield a problem for every name that nothing has."""
    sections = ("groups", "chains", "bundles")
    known = {section: sorted(declared.names(section)) for section in sections}
    for mention in _mentions(declared):
        if mention.name not in known[mention.section]:
            near = suggestion(mention.name, known[mention.section])
            what = f"there is no {mention.section[:-1]} {quoted(mention.name)}{near}"
            yield mention.entry.problem(*mention.part, what=what)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mention:
    """A part of an entry that names another entry."""

    entry: Entry[Model]
    part: Path
    section: str
    name: str


def _mentions(declared: Declared) -> Iterator[_Mention]:
    for bundle in declared.bundles:
        owner = bundle.model.owner
        yield _Mention(entry=bundle, part=("owner",), section="groups", name=owner)
    for chain in declared.chains:
        for place, stage in enumerate(chain.model.stages):
            part = ("stages", place, "approvers")
            yield from _listed(chain, part, "groups", stage.approvers)
            for number, step in enumerate(stage.escalate):
                at = ("stages", place, "escalate", number, "add_approvers")
                yield from _listed(chain, at, "groups", step.add_approvers)
    tried: tuple[Entry[Rule] | Entry[Guardrail], ...] = (*declared.rules, *declared.guardrails)
    for one in tried:
        yield from _listed(one, ("bundles", "name"), "bundles", one.model.bundles.name)
        yield from _listed(one, ("requesters",), "groups", one.model.requesters)
    for rule in declared.rules:
        if rule.model.chain is not None:
            yield _Mention(entry=rule, part=("chain",), section="chains", name=rule.model.chain)


def _listed(
    entry: Entry[Model], part: Path, section: str, names: Iterable[str] | None
) -> Iterator[_Mention]:
    for place, name in enumerate(names or ()):
        yield _Mention(entry=entry, part=(*part, place), section=section, name=name)
