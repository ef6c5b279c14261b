"""Explanations: the decision, and how every rule and guardrail fared."""

from datetime import timedelta

import pytest

from bot.core.conditions import compile_condition
from bot.core.decision import Facts, Reject
from bot.core.errors import Invalid
from bot.core.explaining import Fate, explained, presumed_groups, supposed
from bot.core.policy import Group, Guardrail, Policy, Rule, Selector, Verdict
from tests.builders import ANNA, LEADS, T0
from tests.core.test_decision import BILLING, HOUR

BROKEN = "bundle.labels.owner == 'x'"


def a_rule(id_, *texts, verdict=Verdict.AUTO_APPROVE, **over):
    when = tuple(compile_condition(text) for text in texts)
    return Rule(id=id_, bundles=Selector(), verdict=verdict, when=when, where="f:1", **over)


def a_rail(id_, *texts, **over):
    when = tuple(compile_condition(text) for text in texts)
    return Guardrail(id=id_, bundles=Selector(), when=when, **over)


def found(*rules, rails=()):
    policy = Policy(
        digest="",
        bundles={BILLING.name: BILLING},
        groups={},
        rules_of={BILLING.name: rules},
        guardrails_of={BILLING.name: rails},
    )
    ask = supposed(BILLING, by=ANNA, duration=HOUR)
    return explained(ask, policy, Facts(now=T0, groups=frozenset({"engineers"})))


def fates(explanation):
    return {tried.id: tried.fate for tried in explanation.tried}


def test_what_decides_what_does_not_and_what_is_not_reached():
    explanation = found(
        a_rule("others", requesters=("sre",)),
        a_rule("first", "request.duration == duration('1h')"),
        a_rule("second"),
        rails=(a_rail("cap", max_duration=HOUR), a_rail("off", "false", deny=True)),
    )
    assert fates(explanation) == {
        "cap": Fate.APPLIES,
        "off": Fate.IS_NOT_ABOUT_IT,
        "others": Fate.IS_NOT_ABOUT_IT,
        "first": Fate.DECIDES,
        "second": Fate.IS_NOT_REACHED,
    }
    assert explanation.tried[2].why == "it is for sre, and you are in none of them"
    assert explanation.tried[3].where == "f:1"


def test_every_condition_has_its_value_also_behind_one_that_does_not_hold():
    explanation = found(a_rule("x", "false", "true", BROKEN))
    (tried,) = explanation.tried
    assert [each.words for each in tried.conditions[:2]] == ["false", "true"]
    assert tried.conditions[2].words.startswith("it cannot be evaluated")


def test_a_rule_that_cannot_be_decided_ends_the_search():
    explanation = found(a_rule("broken", BROKEN), a_rule("free"))
    assert fates(explanation) == {"broken": Fate.FAILS, "free": Fate.IS_NOT_REACHED}
    assert isinstance(explanation.decision, Reject)


def test_when_a_guardrail_forbids_it_no_rule_is_reached():
    explanation = found(a_rule("free"), rails=(a_rail("closed", deny=True),))
    assert fates(explanation) == {"closed": Fate.APPLIES, "free": Fate.IS_NOT_REACHED}


def test_a_rule_that_asks_too_few_people_for_a_guardrail_was_reached():
    explanation = found(a_rule("free"), a_rule("more"), rails=(a_rail("human", min_approvals=1),))
    assert fates(explanation)["free"] is Fate.DECIDES
    assert fates(explanation)["more"] is Fate.IS_NOT_REACHED


def test_nobody_can_suppose_more_than_the_bundle_allows():
    with pytest.raises(Invalid):
        supposed(BILLING, by=ANNA, duration=timedelta(days=2))
    assert supposed(BILLING, by=ANNA, duration=None).duration == BILLING.default_duration


def test_people_are_in_the_groups_that_list_them_and_in_unions_of_what_they_are_in():
    sre = Group(name="sre", usergroup="S0SRE")
    union = Group(name="union", any_of=(Group(name="inner", any_of=(sre,)),))
    groups = {"sre": sre, "leads": LEADS, "union": union}
    policy = Policy(digest="", bundles={}, groups=groups, rules_of={}, guardrails_of={})
    assert presumed_groups(policy, "UBEN", ()) == {"leads"}
    assert presumed_groups(policy, "UANNA", ["sre"]) == {"sre", "union"}
    assert presumed_groups(policy, "UANNA", ()) == frozenset()
