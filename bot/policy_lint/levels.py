"""What policy says to a request that is not known: `decide_ask` of the core, as terms."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from bot.core.conditions import Condition
from bot.core.policy import Chain, Guardrail, Policy, Rule, Stage
from bot.core.policy import Verdict as Says
from bot.core.replaying import Verdict
from bot.core.scopes import Bundle
from bot.policy_lint.asked import Asked, limits_of
from bot.policy_lint.expressions import Reading
from bot.policy_lint.terms import Term, Value, both, chosen, either, lifted, negation

# More people than could ever be asked for: the answer is no.
DENIED: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """How one rule or guardrail fares.

    Attributes:
        holds: Whether it is about the request, and that can be found out.
        fails: Whether a condition cannot be evaluated that decides about it.
    """

    holds: Term
    fails: Term

    @property
    def is_reached(self) -> Term:
        """Whether it is about the request, or that cannot be found out."""
        return either(self.holds, self.fails)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedRail(Weighed):
    """How a guardrail fares."""

    rail: Guardrail


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a rule that lets something pass.

    Attributes:
        stages: Those that are asked.
        given: Whether this is its answer, and enough for the guardrails.
    """

    stages: tuple[Stage, ...]
    given: Term

    @property
    def approvals(self) -> int:
        """How many people must agree."""
        return sum(stage.quorum for stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedRule(Weighed):
    """How a rule fares.

    Attributes:
        decides: Whether it is the first that holds or fails.
        answers: What it says then; where none is given it is no.
    """

    rule: Rule
    decides: Term
    answers: tuple[Answer, ...]

    @property
    def allows(self) -> Term:
        """Whether what it says is no denial, and enough for the guardrails."""
        return either(*(each.given for each in self.answers))


class Said:
    """What one policy says to requests for one bundle.

    Attributes:
        within: Whether the request keeps to the bundle's own limits.
        barred: Whether it is denied whatever the rules say.
        rules: In their order; neither of the former counts in how they fare.
    """

    def __init__(self, asked: Asked, policy: Policy, bundle: Bundle) -> None:
        self.asked = asked
        self.policy = policy
        self.bundle = bundle
        self._reading = Reading(asked, policy, bundle)
        self.guardrails = [self._rail(each) for each in policy.guardrails_of[bundle.name]]
        self.barred = either(self._unchecked(), *(self._bar(each) for each in self.guardrails))
        self.rules = self._in_order(policy.rules_of[bundle.name])
        self.within = limits_of(asked, bundle)

    def value(self, condition: Condition) -> Value:
        """Return what a condition comes to."""
        return self._reading.condition(condition)

    @property
    def level(self) -> Term:
        """How hard it is to get: so many people must agree, DENIED is no."""
        found: Term = DENIED
        for each in reversed(self.rules):
            level: Term = DENIED
            for answer in each.answers:
                level = chosen(answer.given, answer.approvals, level)
            found = chosen(each.decides, level, found)
        barred = either(self.barred, negation(self.within))
        return lifted(chosen(barred, DENIED, found))

    @property
    def granted(self) -> Sequence[tuple[Verdict, Term]]:
        """What is said that is no denial, and when."""
        free = both(self.within, negation(self.barred))
        return [
            (_verdict(each.rule, answer), both(free, each.decides, answer.given))
            for each in self.rules
            for answer in each.answers
        ]

    def is_asked(self, conditions: Iterable[Condition]) -> Term:
        """Return whether a stage with these conditions is asked; what fails skips nothing."""
        holds, fails = self._all_hold(conditions)
        return either(holds, fails)

    def _unchecked(self) -> Term:
        """Return whether the ticket cannot be checked, where that means no."""
        rule = self.bundle.ticket
        if rule is None or rule.tracker is None or rule.people_if_down:
            return False
        return self.asked.ticket_unknown

    def _bar(self, weighed: WeighedRail) -> Term:
        rail = weighed.rail
        if rail.deny:
            return weighed.is_reached
        if rail.max_duration is None:
            return False
        most = int(rail.max_duration.total_seconds())
        return both(weighed.is_reached, self.asked.duration > most)

    def _in_order(self, rules: Sequence[Rule]) -> Sequence[WeighedRule]:
        found: list[WeighedRule] = []
        before: Term = False
        for rule in rules:
            holds, fails = self._weighed(rule)
            is_reached = either(holds, fails)
            found.append(
                WeighedRule(
                    rule=rule,
                    holds=holds,
                    fails=fails,
                    decides=both(is_reached, negation(before)),
                    answers=tuple(self._answers(rule, negation(fails))),
                )
            )
            before = either(before, is_reached)
        return found

    def _answers(self, rule: Rule, holds: Term) -> Iterator[Answer]:
        """Yield what `rule` can say, if it `holds`; see `decision.decide_ask`."""
        if rule.verdict is Says.DENY:
            return
        for stages, asked in self._ways(rule.chain):
            if rule.chain is None or stages:  # where all are skipped the answer is no
                answer = Answer(stages=stages, given=both(holds, asked))
                yield replace(answer, given=both(answer.given, self._stands(answer.approvals)))

    def _ways(self, chain: Chain | None) -> Iterator[tuple[tuple[Stage, ...], Term]]:
        """Yield which stages of `chain` can be asked, and when; see `weighing.asked_stages`."""
        optional = chain.conditions if chain is not None else {}
        stages = chain.stages if chain is not None else ()
        asked = {place: self.is_asked(conditions) for place, conditions in optional.items()}
        for choice in product((True, False), repeat=len(asked)):
            chosen_ones = dict(zip(asked, choice, strict=True))
            terms = (
                asked[at] if is_in else negation(asked[at]) for at, is_in in chosen_ones.items()
            )
            kept = (stage for at, stage in enumerate(stages) if chosen_ones.get(at, True))
            yield tuple(kept), both(*terms)

    def _stands(self, approvals: int) -> Term:
        """Return whether so many approvals are enough for the guardrails."""
        lax = (each for each in self.guardrails if each.rail.min_approvals > approvals)
        return negation(either(*(each.is_reached for each in lax)))

    def _rail(self, rail: Guardrail) -> WeighedRail:
        holds, fails = self._weighed(rail)
        return WeighedRail(rail=rail, holds=holds, fails=fails)

    def _weighed(self, one: Rule | Guardrail) -> tuple[Term, Term]:
        """Return `weighing.weigh` as terms: whether `one` holds, and whether it fails.

        Conditions are read in turn, up to one that is not true.
        """
        return self._all_hold(one.when, reached=self._about(one))

    def _all_hold(
        self, conditions: Iterable[Condition], *, reached: Term = True
    ) -> tuple[Term, Term]:
        fails: Term = False
        for condition in conditions:
            value = self.value(condition)
            fails = either(fails, both(reached, value.fails))
            reached = both(reached, value.holds)
        return reached, fails

    def _about(self, one: Rule | Guardrail) -> Term:
        parts: list[Term] = []
        if one.clients:
            parts.append(either(*map(self.asked.is_client, one.clients)))
        elif isinstance(one, Rule):
            parts.append(self.asked.by_person)
        if one.requesters:
            named = [self.policy.groups[name] for name in one.requesters]
            parts.append(either(*map(self.asked.is_in, named)))
        if one.during is not None:
            parts.append(self.asked.is_open(one.during))
        if isinstance(one, Rule):
            parts += self._not_beyond(one)
        return both(*parts)

    def _not_beyond(self, rule: Rule) -> Sequence[Term]:
        parts: list[Term] = []
        if rule.max_duration is not None:
            parts.append(self.asked.duration <= int(rule.max_duration.total_seconds()))
        if rule.verdict is not Says.AUTO_APPROVE:
            return parts
        cap, ticket = self.bundle.limits.auto_per_day, self.bundle.ticket
        if cap is not None:
            parts.append(self.asked.auto_today < cap)
        if ticket is not None and ticket.tracker is not None:
            parts.append(negation(self.asked.ticket_unknown))
        return parts


def _verdict(rule: Rule, answer: Answer) -> Verdict:
    return Verdict(rule=rule.id, approvals=answer.approvals, stages=answer.stages)
