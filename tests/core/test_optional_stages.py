"""Optional stages: asked under conditions, skipped with the reason; never a way around people."""

from dataclasses import replace

import pytest

from bot.core.conditions import compile_condition
from bot.core.decision import NeedApproval, Reject
from bot.core.explaining import explained
from bot.core.known import OptionalStage
from bot.core.policy import Chain, Policy, Stage, Verdict
from tests.builders import ANNA, LEADS
from tests.core.test_decision import BILLING, HOUR, T0, Ask, Facts, a_rail, a_rule, decided

LEAD, GUARD = Stage(name="lead", approvers=(LEADS,)), Stage(name="guard", approvers=(LEADS,))
LONG, SHORT = "request.duration > duration('30m')", "request.duration <= duration('30m')"
BROKEN = "bundle.labels.owner == 'x'"


def a_chain(*stages):
    """Return a chain of (stage, condition, condition, …)."""
    conditions = {
        place: tuple(compile_condition(text) for text in texts)
        for place, (_, *texts) in enumerate(stages)
        if texts
    }
    plain = tuple(stage for stage, *_ in stages)
    return Chain(name="chain", stages=plain, expire_after=HOUR, conditions=conditions)


def require(*stages, **over):
    return a_rule("r", Verdict.REQUIRE, chain=a_chain(*stages), **over)


def names(need):
    return [stage.name for stage in need.chain.stages]


def test_a_stage_whose_conditions_hold_is_asked():
    need = decided(require((LEAD,), (GUARD, LONG, "bundle.access == 'read'")))
    assert names(need) == ["lead", "guard"]
    assert need.optional == (OptionalStage(name="guard", is_asked=True),)
    assert not need.chain.conditions


def test_one_condition_that_does_not_hold_skips_it_with_the_reason():
    need = decided(require((LEAD,), (GUARD, "bundle.access == 'read'", SHORT)))
    assert names(need) == ["lead"]
    assert need.approvals == 1
    why = f"`{SHORT}` is not so"
    assert need.optional == (OptionalStage(name="guard", is_asked=False, why=why),)


def test_a_condition_that_fails_skips_nothing_and_names_itself():
    need = decided(require((LEAD,), (GUARD, BROKEN, SHORT)))
    assert names(need) == ["lead", "guard"]
    [optional] = need.optional
    assert optional.is_asked
    assert optional.why.startswith(f"`{BROKEN}`: it cannot be evaluated")
    [failure] = need.failures
    assert (failure.one, failure.why) == ("stage guard of chain chain", optional.why)


def test_the_first_stages_may_be_the_optional_ones():
    need = decided(require((GUARD, SHORT), (LEAD, LONG), (replace(LEAD, name="last"),)))
    assert names(need) == ["lead", "last"]
    assert [each.name for each in need.optional] == ["guard", "lead"]


def test_where_every_stage_is_skipped_nobody_gets_it():
    no = decided(require((LEAD, SHORT), (GUARD, SHORT)))
    assert isinstance(no, Reject)
    assert no.rule == "r"
    assert no.reasons == (
        "every stage of chain chain is skipped, and rule r does not approve by itself",
        f"stage lead is skipped: `{SHORT}` is not so",
        f"stage guard is skipped: `{SHORT}` is not so",
    )


def test_and_no_rule_behind_it_is_tried():
    no = decided(require((LEAD, SHORT)), a_rule("later"))
    assert isinstance(no, Reject)
    assert no.rule == "r"


def test_a_guardrail_counts_only_those_who_are_asked():
    rail = a_rail("two", min_approvals=2)
    asked, skipped = require((LEAD,), (GUARD, LONG)), require((LEAD,), (GUARD, SHORT))
    assert isinstance(decided(asked, rails=(rail,)), NeedApproval)
    no = decided(skipped, rails=(rail,))
    assert no.reasons == ("guardrail two wants 2 approvals, rule r asks for 1",)


@pytest.mark.parametrize("groups", [frozenset(), frozenset({"engineers"})])
def test_conditions_of_stages_read_facts_as_those_of_rules_do(groups):
    rule = require((LEAD,), (GUARD, "user.active_grants > 0", "'engineers' in user.groups"))
    policy = Policy(
        digest="d",
        bundles={BILLING.name: BILLING},
        groups={"engineers": replace(LEADS, name="engineers")},
        rules_of={BILLING.name: (rule,)},
        guardrails_of={BILLING.name: ()},
    )
    assert policy.facts_read_for(BILLING.name) == {"user.active_grants", "user.groups"}
    assert [group.name for group in policy.groups_read_for(BILLING.name)] == ["engineers"]
    ask = Ask(by=ANNA, bundle=BILLING, scopes=BILLING.scopes, duration=HOUR, reason="incident")
    found = explained(ask, policy, Facts(now=T0, groups=groups, active_grants=1))
    assert names(found.decision) == (["lead", "guard"] if groups else ["lead"])
