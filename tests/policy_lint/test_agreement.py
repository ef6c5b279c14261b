"""The prover says what the engine says: random policies, random requests, fixed seeds.

And it is caught when it does not: each mutant of it is a mistake that somebody could make.
"""

from copy import copy
from dataclasses import replace

import pytest
import z3

from bot.core.policy import Guardrail, Rule, Verdict
from bot.core.scopes import Limits
from bot.policy_lint.levels import Answer, Said
from bot.policy_lint.terms import both
from tests.policy_lint.random_policies import disagreements


@pytest.mark.parametrize("seed", [1, 11, 21, 31, 41])
def test_the_prover_says_what_the_engine_says(tmp_path, seed):
    found = list(disagreements(Said, tmp_path, seed=seed, policies=5, requests=10))
    assert found == []


class IgnoresCapsOfRules(Said):
    def _about(self, one):
        return super()._about(replace(one, max_duration=None) if isinstance(one, Rule) else one)


class IgnoresCapsOfGuardrails(Said):
    def _bar(self, weighed):
        return super()._bar(replace(weighed, rail=replace(weighed.rail, max_duration=None)))


class CapsExcludeTheirEnd(Said):
    def _bar(self, weighed):
        rail = weighed.rail
        if rail.max_duration is None:
            return super()._bar(weighed)
        most = int(rail.max_duration.total_seconds())
        return both(weighed.is_reached, self.asked.duration >= most)


class LastMatchDecides(Said):
    def _in_order(self, rules):
        return super()._in_order(tuple(reversed(rules)))


class FailuresOfRulesFallThrough(Said):
    def _weighed(self, one):
        holds, fails = super()._weighed(one)
        return holds, False if isinstance(one, Rule) else fails


class FailuresOfGuardrailsLetPass(Said):
    def _weighed(self, one):
        holds, fails = super()._weighed(one)
        return holds, False if isinstance(one, Guardrail) else fails


class IgnoresMinApprovals(Said):
    def _stands(self, approvals):
        return True


class DenialsGrant(Said):
    def _answers(self, rule, holds):
        is_denial = rule.verdict is Verdict.DENY
        return super()._answers(
            replace(rule, verdict=Verdict.AUTO_APPROVE) if is_denial else rule, holds
        )


class AsksEveryStage(Said):
    def is_asked(self, conditions):
        return True


class FailuresSkipStages(Said):
    def is_asked(self, conditions):
        return self._all_hold(conditions)[0]


class SkippingAllStagesGrants(Said):
    def _answers(self, rule, holds):
        if rule.chain is None:
            return super()._answers(rule, holds)
        ways = self._ways(rule.chain)
        return (Answer(stages=stages, given=both(holds, asked)) for stages, asked in ways)


class IgnoresWindows(Said):
    def _about(self, one):
        return super()._about(replace(one, during=None))


class IgnoresRequesters(Said):
    def _about(self, one):
        return super()._about(replace(one, requesters=()))


class IgnoresClients(Said):
    def _about(self, one):
        return super()._about(replace(one, clients=()))


class LetsClientsDoWhatPeopleMay(Said):
    def _about(self, one):
        self.asked, whole = copy(self.asked), self.asked
        vars(self.asked)["client"] = z3.IntVal(0)
        found = super()._about(one)
        self.asked = whole
        return found


class IgnoresTheCapOnAutomaticApprovals(Said):
    def _not_beyond(self, rule):
        whole, self.bundle = self.bundle, replace(self.bundle, limits=Limits())
        found = super()._not_beyond(rule)
        self.bundle = whole
        return found


class TrustsTicketsThatAreNotKnown(Said):
    def _unchecked(self):
        return False


# With these each is caught by one of the first policies.
SEEDS = dict.fromkeys(Said.__subclasses__(), 4) | {FailuresSkipStages: 2}


@pytest.mark.parametrize("mutant", SEEDS, ids=lambda mutant: mutant.__name__)
def test_a_prover_that_errs_is_caught(tmp_path, mutant):
    found = disagreements(mutant, tmp_path, seed=SEEDS[mutant], policies=60, requests=10)
    assert next(found, None) is not None
