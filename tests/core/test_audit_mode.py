"""Audit mode: what a rule or guardrail would have done is told, and never done."""

from dataclasses import replace

import pytest

from bot.core.decision import Allow, Ask, Facts, NeedApproval, Reject, decide_ask
from bot.core.differences import differences
from bot.core.emergency import in_emergency
from bot.core.explaining import Fate, explained
from bot.core.policy import Audited, Group, Policy, Verdict
from bot.core.scopes import Glass
from tests.builders import ANNA, T0
from tests.core.test_decision import BILLING, HOUR, TWO_STAGES, a_rail, a_rule, when

BROKEN = "bundle.labels.owner == 'x'"
REQUIRE = Verdict.REQUIRE


def a_policy(*rules, rails=(), audited=(), **over):
    """Return a policy in which `audited` are (rule or guardrail, how many rules are before it)."""
    return Policy(
        digest="d",
        bundles={BILLING.name: BILLING},
        groups={name: Group(name=name) for name in ("engineers", "sre")},
        rules_of={BILLING.name: rules},
        guardrails_of={BILLING.name: rails},
        audited_of={BILLING.name: tuple(Audited(*each) for each in audited)},
        **over,
    )


def an_ask(bundle=BILLING):
    return Ask(by=ANNA, bundle=bundle, scopes=bundle.scopes, duration=HOUR, reason="incident")


def facts(**over):
    return Facts(now=T0, groups=frozenset({"engineers"}), **over)


def decided(*rules, **over):
    return decide_ask(an_ask(), a_policy(*rules, **over), facts())


def told(decision):
    return [shadow.words for shadow in decision.shadows]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            a_rail("g", deny=True, note="Not now"),
            "guardrail g (audit) would have denied it: Not now",
        ),
        (
            a_rail("g", max_duration=HOUR / 2),
            "guardrail g (audit) would have denied it, as it allows 30m at most",
        ),
        (
            a_rail("g", min_approvals=2),
            "guardrail g (audit) would have denied it, as it wants 2 approvals, not 0",
        ),
        (a_rule("r", Verdict.DENY), "rule r (audit) would have said deny"),
        (a_rule("r", REQUIRE), "rule r (audit) would have said require (chain one)"),
        (a_rule("r"), "rule r (audit) would have said auto approve"),
    ],
)
def test_what_it_would_have_done_is_told_and_not_done(one, words):
    decision = decided(a_rule("real"), audited=[(one, 0)])
    assert isinstance(decision, Allow)
    assert decision.rule == "real"
    assert told(decision) == [words]


@pytest.mark.parametrize(
    "one",
    [
        a_rail("g", deny=True, requesters=("sre",)),
        a_rail("g", deny=True, when=when("false")),
        a_rail("g", max_duration=HOUR),
        a_rule("r", requesters=("sre",)),
        a_rule("r", max_duration=HOUR / 2),
    ],
)
def test_what_would_have_done_nothing_is_not_told(one):
    assert told(decided(a_rule("real"), audited=[(one, 0)])) == []


def test_one_that_fails_is_told_with_the_failure_and_denies_nothing():
    rule, rail = a_rule("r", when=when(BROKEN)), a_rail("g", deny=True, when=when(BROKEN))
    decision = decided(a_rule("real"), audited=[(rail, 0), (rule, 0)])
    assert isinstance(decision, Allow)
    assert decision.failures == ()
    of_rail, of_rule = told(decision)
    assert of_rail.startswith(f"guardrail g (audit) would have denied it: `{BROKEN}`: it cannot")
    assert of_rule.startswith("rule r (audit) would have denied it, as it cannot be decided: `")


def test_a_rule_behind_the_one_that_decides_is_not_reached():
    other, real, late = a_rule("other", requesters=("sre",)), a_rule("real"), a_rule("late")
    decision = decided(other, real, late, audited=[(a_rule("a"), 1), (a_rule("b"), 2)])
    assert told(decision) == ["rule a (audit) would have said auto approve"]


def test_where_no_rule_holds_all_of_them_are_reached():
    decision = decided(audited=[(a_rule("a"), 0)])
    assert isinstance(decision, Reject)
    assert told(decision) == ["rule a (audit) would have said auto approve"]


def test_where_a_guardrail_denies_no_rule_is_reached():
    rail = a_rail("real", deny=True)
    decision = decided(a_rule("x"), rails=(rail,), audited=[(a_rule("a"), 0), (rail, 0)])
    assert told(decision) == ["guardrail real (audit) would have denied it"]


def test_approvals_are_those_of_the_chain():
    rail, chain = a_rail("g", min_approvals=3), TWO_STAGES
    need = decided(a_rule("real", REQUIRE, chain=chain), audited=[(rail, 0)])
    assert isinstance(need, NeedApproval)
    assert told(need) == []
    rail = replace(rail, min_approvals=4)
    need = decided(a_rule("real", REQUIRE, chain=chain), audited=[(rail, 0)])
    assert told(need) == [
        "guardrail g (audit) would have denied it, as it wants 4 approvals, not 3"
    ]


def test_groups_that_only_audit_mode_reads_are_apart():
    rule, rail = a_rule("real", requesters=("engineers",)), a_rail("g", requesters=("sre",))
    policy = a_policy(rule, audited=[(rail, 0), (a_rule("r", requesters=("engineers",)), 0)])
    assert [group.name for group in policy.groups_read_for(BILLING.name)] == ["engineers"]
    assert [group.name for group in policy.groups_audited_for(BILLING.name)] == ["sre"]


def test_where_they_cannot_be_read_nothing_is_weighed():
    policy = a_policy(a_rule("real"), audited=[(a_rail("g", deny=True), 0)])
    blind = facts(unseen="Slack did not answer")
    assert told(decide_ask(an_ask(), policy, blind)) == []
    found = explained(an_ask(), policy, blind)
    assert [tried.id for tried in found.tried] == ["real"]
    assert found.unseen == "Slack did not answer"


def test_the_explanation_shows_each_with_what_it_would_have_done():
    does, not_ = a_rail("g", deny=True), a_rule("r", when=when("user.id == 'x'"))
    found = explained(an_ask(), a_policy(a_rule("real"), audited=[(does, 0), (not_, 0)]), facts())
    real, rail, rule = found.tried
    assert (real.fate, rail.fate, rule.fate) == (Fate.DECIDES, Fate.WOULD_HAVE, Fate.WOULD_NOT)
    assert (rail.why, rule.why) == ("it would have denied it", "`user.id == 'x'` is not so")
    assert [each.words for each in rule.conditions] == ["false"]
    assert (rail.matched, rule.matched) == (True, False)


def test_break_glass_is_told_of_guardrails_that_would_hold_even_then():
    policy = a_policy(
        a_rule("real"),
        audited=[
            (a_rail("even", deny=True, even_break_glass=True), 0),
            (a_rail("not", deny=True), 0),
            (a_rule("rule"), 0),
        ],
    )
    glass = Glass(
        who=("engineers",),
        max_duration=HOUR,
        reason_min=1,
        notify=(),
        review_by=(),
        review_within=HOUR,
    )
    strict = in_emergency(policy, replace(BILLING, glass=glass))
    decision = decide_ask(an_ask(strict.bundles[BILLING.name]), strict, facts())
    assert isinstance(decision, Allow)
    assert told(decision) == ["guardrail even (audit) would have denied it"]


def test_a_rule_that_goes_into_audit_mode_is_a_difference():
    rule = a_rule("r", Verdict.DENY)
    assert differences(a_policy(rule), a_policy(audited=[(rule, 0)])).rules == ("r",)
    assert differences(a_policy(audited=[(rule, 0)]), a_policy(audited=[(rule, 0)])).rules == ()
