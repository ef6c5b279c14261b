"""Who could complete a chain, as far as it is known who is in a group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.core.errors import Unavailable
from bot.core.places import why_incompletable
from bot.core.policy import Chain, Group, Policy, Rule, Verdict, groups_in
from bot.core.sources import Source
from bot.policy_files import Places
from bot.policy_lint.evidence import Snapshot
from bot.policy_lint.findings import Check, Finding, Level, Shown
from bot.policy_lint.proofs import BundleProofs
from bot.policy_lint.solving import Undecided
from bot.policy_lint.terms import Term, lifted, negation

# Whoever no group lists; Slack gives nobody such an id.
ANYBODY_ELSE: Final = "anybody else"


@dataclass(frozen=True, slots=True)
class Stuck:
    """For whom a chain cannot be completed: at all, or before its escalations apply."""

    who: str
    why: str
    for_good: bool


class People:
    """Who is in the groups of a policy: those that files list, and those of a snapshot."""

    def __init__(self, policy: Policy, snapshot: Snapshot) -> None:
        self._policy = policy
        self._known = {
            source: people
            for name, people in snapshot.items()
            if (source := policy.groups[name].source("")) is not None
        }
        self._stuck: dict[tuple[int, ...], Sequence[Stuck]] = {}

    def of(self, group: Group, about: str) -> frozenset[str] | None:
        """Return who is in `group`; None where nobody here knows.

        Args:
            about: As for `Group.members`.
        """
        try:
            return group.members(self._answers(group, about), about=about)
        except (KeyError, Unavailable):
            return None

    def _answers(self, group: Group, about: str) -> Mapping[Source, frozenset[str]]:
        answers = dict(self._known)
        for part in group.parts():
            manager = part.manager.of.get(about) if part.manager is not None else None
            source = part.source(about)
            if manager is not None and source is not None:
                answers[source] = frozenset({manager})
        return answers

    def is_known(self, group: Group) -> bool:
        """Return whether somebody here knows who is in `group`, whomever it is about."""
        return all(
            bool(part.users) or part.source("") in self._known or _is_listed(part)
            for part in group.parts()
        )

    def stuck(self, chain: Chain) -> Sequence[Stuck]:
        """Return for whom `chain`, none of whose stages is optional, cannot be completed."""
        key = tuple(map(id, chain.stages))  # many rules share a chain
        if key not in self._stuck:
            self._stuck[key] = list(self._found_stuck(chain))
        return self._stuck[key]

    def _found_stuck(self, chain: Chain) -> Iterator[Stuck]:
        first = replace(chain, stages=tuple(replace(each, escalate=()) for each in chain.stages))
        groups = groups_in(chain.stages)
        for who in (*sorted(self.named(groups)), ANYBODY_ELSE):
            members = {group.name: self.of(group, who) for group in groups}
            for tried, for_good in ((chain, True), (first, False)):
                why = why_incompletable(tried, members, frozenset({who}))
                if why is not None:
                    yield Stuck(who, why, for_good=for_good)
                    break

    def named(self, groups: Sequence[Group]) -> frozenset[str]:
        """Return everybody who is known to be in one of `groups`, or to have a manager by it."""
        found: set[str] = set()
        for group in groups:
            for part in group.parts():
                found |= set(self.of(part, "") or ())
                if part.manager is not None:
                    found |= {*part.manager.of, *part.manager.of.values()}
        return frozenset(found)


def _is_listed(part: Group) -> bool:
    return part.manager is not None and not part.manager.profile_field


def of_chains(proofs: Sequence[BundleProofs], people: People, places: Places) -> Iterator[Finding]:
    """Yield a finding for every rule whose chain somebody could not have completed."""
    seen: set[str] = set()
    for each in proofs:
        for weighed in each.said.rules:
            rule = weighed.rule
            for answer in weighed.answers:
                if rule.chain is not None and rule.id not in seen:
                    chain = replace(rule.chain, stages=answer.stages, conditions={})
                    found = list(_decided(rule, chain, each, people, places))
                    yield from found
                    seen |= {rule.id} if found else set()


def _decided(
    rule: Rule, chain: Chain, proofs: BundleProofs, people: People, places: Places
) -> Iterator[Finding]:
    try:
        yield from _of_rule(rule, chain, proofs, people, places)
    except Undecided:
        yield Finding(
            level=Level.WARNING,
            check=Check.UNDECIDED,
            place=places.of("rules", rule.id, "chain"),
            sentence=f"rule {rule.id}: the solver gave up on who gets to its chain",
        )


def _of_rule(
    rule: Rule, chain: Chain, proofs: BundleProofs, people: People, places: Places
) -> Iterator[Finding]:
    stuck = people.stuck(chain)
    for for_good in (True, False):
        able = [
            (each, shown)
            for each in stuck
            if each.for_good is for_good
            and (shown := _asking(rule, chain, each.who, proofs, people)) is not None
        ]
        if not able:
            continue
        first, shown = able[0]
        names = [each.who for each, _ in able]
        how = "can never be completed" if for_good else "can be completed only after escalation"
        yield Finding(
            level=_level(names, for_good=for_good),
            check=Check.INCOMPLETABLE,
            place=places.of("rules", rule.id, "chain"),
            sentence=(
                f"rule {rule.id}: chain {chain.name} {how} when {', '.join(names)} asks:"
                f" {first.why}"
            ),
            shown=shown,
        )


def _asking(
    rule: Rule, chain: Chain, who: str, proofs: BundleProofs, people: People
) -> Shown | None:
    """Return a request of `who` that `rule` puts to all stages of `chain`."""
    user = "" if who == ANYBODY_ELSE else who
    terms = _is(who, proofs, people)
    return proofs.decided_by(rule, *terms, stages=chain.stages, user=user)


def _level(names: Sequence[str], *, for_good: bool) -> Level:
    """Return how bad it is; whether there is anybody else is not known."""
    return Level.ERROR if for_good and names != [ANYBODY_ELSE] else Level.WARNING


def _is(who: str, proofs: BundleProofs, people: People) -> Iterator[Term]:
    """Yield what is true of a request that `who` makes."""
    asked = proofs.said.asked
    if who != ANYBODY_ELSE:
        yield asked.is_user(who)
    else:
        yield asked.is_none_of(people.named(list(proofs.policy.groups.values())))
    for group, term in asked.groups:
        members = people.of(group, who)
        if members is not None:
            yield lifted(term) if who in members else negation(term)


def of_members(policy: Policy, people: People, places: Places) -> Iterator[Finding]:
    """Yield what is wrong with groups, or cannot be known of them here."""
    unknown = []
    for name, group in policy.groups.items():
        members = people.of(replace(group, min_members=0), "") if people.is_known(group) else None
        if members is None:
            unknown.append(name)
        elif len(members) < group.min_members:
            yield Finding(
                level=Level.ERROR,
                check=Check.MEMBERS,
                place=places.of("groups", name, "min_members"),
                sentence=(
                    f"group {name} has {len(members)} members, and the policy expects"
                    f" {group.min_members} at least"
                ),
            )
    if unknown:
        yield Finding(
            level=Level.INFO,
            check=Check.MEMBERS,
            place=places.of("groups", unknown[0]),
            sentence=(
                f"not known here is who is in {', '.join(unknown)}; chains that need them count"
                " as completable (--members FILE says who is in them)"
            ),
        )
    yield from _emptied(policy, places)


def _emptied(policy: Policy, places: Places) -> Iterator[Finding]:
    """Yield a finding for every group that bars somebody only while it has members."""
    barring: dict[str, str] = {}
    for rails in policy.guardrails_of.values():
        barring |= {name: rail.id for rail in rails if rail.deny for name in rail.requesters}
    for rules in policy.rules_of.values():
        denying = [rule for rule in rules if rule.verdict is Verdict.DENY]
        barring |= {name: rule.id for rule in denying for name in rule.requesters}
    for name, by in sorted(barring.items()):
        for part in policy.groups[name].parts():
            if (part.usergroup or part.on_call) and not part.min_members:
                yield Finding(
                    level=Level.WARNING,
                    check=Check.MEMBERS,
                    place=places.of("groups", part.name),
                    sentence=(
                        f"{by} denies who is in {part.name}; emptied by mistake, it would bar"
                        " nobody: give it `min_members`"
                    ),
                )
