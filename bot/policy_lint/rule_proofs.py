"""Rules and guardrails that change nothing, whatever is asked: dead, never true, in vain."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.core.conditions import Condition
from bot.core.policy import Chain, Guardrail, Policy, Rule, Verdict
from bot.policy_files import Place, Places
from bot.policy_lint.findings import Check, Finding, Level, Shown
from bot.policy_lint.levels import WeighedRail, WeighedRule
from bot.policy_lint.proofs import BundleProofs
from bot.policy_lint.solving import Undecided
from bot.policy_lint.terms import negation


def of_rules(policy: Policy, proofs: Sequence[BundleProofs], places: Places) -> Iterator[Finding]:
    """Yield what is wrong with rules and guardrails, over all bundles that each chooses."""
    audited = [each.one for ones in policy.audited_of.values() for each in ones]
    rules = _by_id(policy.rules_of, proofs)
    left_out = {each.id for each in audited if isinstance(each, Rule)}
    for name in places.names("rules"):
        if name not in left_out:
            told = _Teller("rules", name, places)
            yield from told.decided(_of_rule(told, rules.get(name, ())))
    rails = _by_id(policy.guardrails_of, proofs)
    left_out = {each.id for each in audited if isinstance(each, Guardrail)}
    for name in places.names("guardrails"):
        if name not in left_out:
            told = _Teller("guardrails", name, places)
            yield from told.decided(_of_guardrail(told, rails.get(name, ())))
    yield from _of_stages(proofs, places)


def _by_id(
    tried: Mapping[str, Iterable[Rule | Guardrail]], proofs: Sequence[BundleProofs]
) -> Mapping[str, Sequence[BundleProofs]]:
    found: dict[str, list[BundleProofs]] = {}
    for each in proofs:
        for one in tried[each.bundle.name]:
            found.setdefault(one.id, []).append(each)
    return found


class _Teller:
    """Says what is wrong with one rule or guardrail."""

    def __init__(self, section: str, name: str, places: Places) -> None:
        self.name = name
        self._section = section
        self._places = places

    def finding(
        self,
        level: Level,
        check: Check,
        what: str,
        *part: str | int,
        shown: Shown | None = None,
    ) -> Finding:
        sentence = f"{self._section.removesuffix('s')} {self.name}: {what}"
        return Finding(
            level=level, check=check, place=self.place(*part), sentence=sentence, shown=shown
        )

    def place(self, *part: str | int) -> Place:
        return self._places.of(self._section, self.name, *part)

    def decided(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        """Yield `findings`, and that there may be more where the solver gives up."""
        try:
            yield from findings
        except Undecided:
            yield self.finding(Level.WARNING, Check.UNDECIDED, "the solver gave up on it")


def _of_rule(told: _Teller, about: Sequence[BundleProofs]) -> Iterator[Finding]:
    if not about:
        yield told.finding(Level.ERROR, Check.DEAD_RULE, "it chooses no bundle", "bundles")
        return
    weighed = [(each, _rule(told.name, each)) for each in about]
    yield from _never_true(told, about, weighed[0][1].rule.when)
    if not any(each.solver.is_possible(rule.decides) for each, rule in weighed):
        yield told.finding(Level.ERROR, Check.DEAD_RULE, _why_dead(*weighed[0]))
        return
    if weighed[0][1].rule.verdict is not Verdict.DENY and not any(
        each.solver.is_possible(rule.decides, rule.allows, negation(each.said.barred))
        for each, rule in weighed
    ):
        yield told.finding(Level.WARNING, Check.DEAD_RULE, "guardrails stop all that it lets pass")
    yield from _failing(told, weighed)


def _rule(name: str, proofs: BundleProofs) -> WeighedRule:
    return next(each for each in proofs.said.rules if each.rule.id == name)


def _why_dead(proofs: BundleProofs, dead: WeighedRule) -> str:
    before = proofs.said.rules[: proofs.said.rules.index(dead)]
    if not proofs.solver.is_possible(dead.is_reached):
        return "it can never decide, as what it asks for is never so"
    deciding = [
        each.rule.id
        for each in before
        if not proofs.solver.is_possible(dead.is_reached, negation(each.is_reached))
    ]
    if not deciding:
        deciding = [
            each.rule.id
            for each in before
            if proofs.solver.is_possible(dead.is_reached, each.is_reached)
        ]
    return f"it can never decide, as {', '.join(deciding)} above decides all that it is about"


def _failing(
    told: _Teller, weighed: Sequence[tuple[BundleProofs, WeighedRule]]
) -> Iterator[Finding]:
    for each, rule in weighed:
        shown = each.failing(rule)
        if shown is not None and shown.confirmed:
            what = f"a condition can fail for {each.bundle.name}, and that denies the request"
            yield told.finding(Level.WARNING, Check.FAILS, what, "when", shown=shown)
            return


def _of_guardrail(told: _Teller, about: Sequence[BundleProofs]) -> Iterator[Finding]:
    if not about:
        yield told.finding(Level.WARNING, Check.DEAD_RULE, "it chooses no bundle", "bundles")
        return
    weighed = [(each, _rail(told.name, each)) for each in about]
    never = list(_never_true(told, about, weighed[0][1].rail.when))
    yield from never
    if not never and not any(each.solver.is_possible(rail.is_reached) for each, rail in weighed):
        what = "it can never apply, as what it asks for is never so"
        yield told.finding(Level.WARNING, Check.DEAD_RULE, what)


def _rail(name: str, proofs: BundleProofs) -> WeighedRail:
    return next(each for each in proofs.said.guardrails if each.rail.id == name)


def _never_true(
    told: _Teller, about: Sequence[BundleProofs], conditions: Sequence[Condition]
) -> Iterator[Finding]:
    for number, condition in enumerate(conditions):
        if not any(each.solver.is_possible(each.said.value(condition).holds) for each in about):
            what = f"`{condition.text}` is never true"
            yield told.finding(Level.WARNING, Check.NEVER_TRUE, what, "when", number)


def _of_stages(proofs: Sequence[BundleProofs], places: Places) -> Iterator[Finding]:
    """Yield a finding for every optional stage that is never asked, whichever rule asks it."""
    used: dict[str, list[tuple[BundleProofs, WeighedRule, Chain]]] = {}
    for each in proofs:
        for rule in each.said.rules:
            if rule.rule.chain is not None:
                chain = rule.rule.chain
                used.setdefault(chain.name, []).append((each, rule, chain))
    for name, uses in used.items():
        told = _Teller("chains", name, places)
        yield from told.decided(_never_asked(told, uses))


def _never_asked(
    told: _Teller, uses: Sequence[tuple[BundleProofs, WeighedRule, Chain]]
) -> Iterator[Finding]:
    chain = uses[0][2]
    for place, conditions in chain.conditions.items():
        if not any(
            each.solver.is_possible(rule.decides, each.said.is_asked(conditions))
            for each, rule, _ in uses
        ):
            what = f"stage {chain.stages[place].name} is skipped whatever is asked"
            part = ("stages", place, "when")
            yield told.finding(Level.WARNING, Check.NEVER_TRUE, what, *part)
