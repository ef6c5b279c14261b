"""A whole policy of another company, not written for this reader: it loads, its cases pass.

Its files are kept as they were written. What they say in words beside each key is what the key must
mean here.
"""

from pathlib import Path

import pytest

from bot.core import emergency
from bot.core.policy import Verdict
from bot.policy_files import load_policies
from bot.policy_files.cases import load_cases
from bot.policy_files.trials import try_case

EXAMPLE = Path(__file__).parent / "example"
POLICY = load_policies(EXAMPLE, default_resource="https://payments.example").policy
CASES = load_cases(EXAMPLE, POLICY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_of_the_example_gets_what_it_expects(case):
    assert try_case(case, POLICY).failures == ()


def test_the_cases_reach_every_rule_and_guardrail_of_the_example():
    reached = {id_ for case in CASES for id_ in try_case(case, POLICY).reached}
    rules = [*POLICY.rules_of.values(), *POLICY.guardrails_of.values()]
    assert reached - {emergency.RULE} == {entry.id for entries in rules for entry in entries}
    assert {case.expect.outcome for case in CASES} == set(Verdict)
