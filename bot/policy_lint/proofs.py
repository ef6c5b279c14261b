"""What is true of all requests for a bundle: proved, or refuted by one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from bot.core.decision import FAILED
from bot.core.durations import spell
from bot.core.emergency import in_emergency
from bot.core.policy import Policy, Rule, Stage
from bot.core.scopes import Bundle, Risk
from bot.policy_files import Places
from bot.policy_lint.asked import Asked
from bot.policy_lint.findings import Check, Finding, Level, Shown
from bot.policy_lint.levels import DENIED, Said, WeighedRule
from bot.policy_lint.moments import Moments
from bot.policy_lint.solving import Solver
from bot.policy_lint.terms import Term, either, negation
from bot.policy_lint.trying import tried

PRODUCTION: Final = "production"


def needs_a_human(bundle: Bundle) -> bool:
    """Return whether nobody may have `bundle` without anybody else."""
    return bundle.environment == PRODUCTION or bundle.risk >= Risk.HIGH


class BundleProofs:
    """The questions about one bundle.

    Args:
        policy: Of which `bundle` is one; in an emergency, what counts then.
    """

    def __init__(
        self, policy: Policy, bundle: Bundle, *, places: Places, moments: Moments, effort: int
    ) -> None:
        self.policy = policy
        self.bundle = bundle
        self._places = places
        self.said = Said(Asked(moments, (policy, bundle)), policy, bundle)
        self.level = self.said.level
        self.solver = Solver(self.said.asked, self.said.within, effort=effort)

    def automatic(self) -> Iterator[Finding]:
        """Yield a finding where nobody else is needed, though somebody must be."""
        if not needs_a_human(self.bundle):
            return
        shown = self._shown(self.level == 0, expected=0)
        if shown is not None:
            what = f"{self.bundle.name} can be had with nobody else involved"
            yield self._finding(Level.ERROR, Check.NO_HUMAN, what, shown)

    def unobtainable(self) -> Iterator[Finding]:
        """Yield a finding where the answer is always no."""
        if not self.solver.is_possible(self.level < DENIED):
            what = f"nobody can ever have {self.bundle.name}: every request for it is denied"
            yield self._finding(Level.ERROR, Check.UNOBTAINABLE, what)

    def decided_by(
        self, rule: Rule, *terms: Term, stages: Sequence[Stage] | None = None, user: str = ""
    ) -> Shown | None:
        """Return a request on which `rule` decides, its answer stands, and `terms` are true.

        Args:
            stages: Those that are asked; None for any.
            user: Who asks; "" for anybody.
        """
        granted = (
            term
            for verdict, term in self.said.granted
            if verdict.rule == rule.id and stages in (None, verdict.stages)
        )
        example = self.solver.example(self.said, either(*granted), *terms)
        if example is None:
            return None
        example = replace(example, user=user or example.user)
        answer = tried(self.policy, example)
        is_so = answer.rule == rule.id and not answer.denied
        return Shown(example=example, answers=(answer.words,), confirmed=is_so)

    def _shown(self, *terms: Term, expected: int) -> Shown | None:
        example = self.solver.example(self.said, *terms)
        if example is None:
            return None
        answer = tried(self.policy, example)
        is_so = not answer.denied and answer.level == expected
        return Shown(example=example, answers=(answer.words,), confirmed=is_so)

    def failing(self, rule: WeighedRule) -> Shown | None:
        """Return a request that is denied as a condition of `rule` fails."""
        terms = (rule.decides, rule.fails, negation(self.said.barred))
        example = self.solver.example(self.said, *terms)
        if example is None:
            return None
        answer = tried(self.policy, example)
        is_so = FAILED in answer.denied
        return Shown(example=example, answers=(answer.words,), confirmed=is_so)

    def _finding(
        self, level: Level, check: Check, sentence: str, shown: Shown | None = None
    ) -> Finding:
        place = self._places.of("bundles", self.bundle.name)
        return Finding(level=level, check=check, place=place, sentence=sentence, shown=shown)


def in_emergencies(proofs: BundleProofs, *, places: Places) -> Iterator[Finding]:
    """Yield what break-glass lets through; it is no error, and is listed apart.

    Args:
        proofs: Of a bundle in an emergency.
    """
    bundle, glass = proofs.bundle, proofs.bundle.glass
    if glass is None:
        return
    place = places.of("bundles", bundle.name, "break_glass")
    shown = proofs.decided_by(proofs.policy.rules_of[bundle.name][0])
    if shown is None:
        what = f"the glass of {bundle.name} can never be broken: guardrails forbid it"
        yield Finding(level=Level.WARNING, check=Check.UNOBTAINABLE, place=place, sentence=what)
        return
    what = (
        f"{bundle.name} can be had by break-glass: by {', '.join(glass.who)}, for"
        f" {spell(glass.max_duration)} at most, signed off afterwards by"
        f" {', '.join(glass.review_by)} within {spell(glass.review_within)}"
    )
    yield Finding(level=Level.INFO, check=Check.NO_HUMAN, place=place, sentence=what, shown=shown)


def emergency_proofs(
    policy: Policy, bundle: Bundle, *, places: Places, moments: Moments, effort: int
) -> BundleProofs:
    """Return the questions about `bundle` when its glass is broken."""
    counts, name = in_emergency(policy, bundle), bundle.name
    return BundleProofs(counts, counts.bundles[name], places=places, moments=moments, effort=effort)
