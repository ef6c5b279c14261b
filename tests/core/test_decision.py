"""What policy says to an ask: limits, guardrails, the first rule that holds, and why not."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.conditions import compile_condition
from bot.core.decision import (
    Allow,
    Ask,
    Facts,
    NeedApproval,
    Reject,
    checked,
    decide_ask,
    decided_again,
)
from bot.core.errors import Invalid
from bot.core.policy import Chain, Group, Guardrail, Policy, Rule, Selector, Stage, Verdict
from bot.core.recheck import recheck, why_no_more
from bot.core.request import Request
from bot.core.scopes import Bundle, Limits, Risk, ScopeText, TicketRule, Tracker
from bot.core.sources import Manager
from bot.core.tickets import SeenTicket
from bot.core.windows import Window
from tests.builders import ANNA, LEADS, T0, requested

HOUR = timedelta(hours=1)
BILLING = Bundle(
    name="billing-read",
    title="Read billing",
    scopes=(ScopeText("invoices:read"), ScopeText("refunds:read")),
    resource="https://billing.example",
    environment="production",
    access="read",
    labels={"team": "billing"},
    channel="#access",
    max_duration=8 * HOUR,
    default_duration=HOUR / 2,
)
ALL = Selector()
ONE = Chain(name="one", stages=(Stage(name="lead", approvers=(LEADS,)),), expire_after=HOUR)
TWO_STAGES = replace(ONE, stages=(ONE.stages[0], Stage(name="b", approvers=(LEADS,), quorum=2)))
ENGINEERS, CONTRACTORS = "engineers", "contractors"


def a_rule(id_, verdict=Verdict.AUTO_APPROVE, **over):
    chain = ONE if verdict is Verdict.REQUIRE else None
    return Rule(**({"id": id_, "bundles": ALL, "verdict": verdict, "chain": chain} | over))


def a_rail(id_, **over):
    return Guardrail(**({"id": id_, "bundles": ALL} | over))


def when(*texts):
    return tuple(compile_condition(text) for text in texts)


def decided(
    *rules, rails=(), groups=(ENGINEERS,), duration=HOUR, bundle=BILLING, windows=(), **facts
):
    policy = Policy(
        digest="d" * 64,
        bundles={bundle.name: bundle},
        groups={},
        rules_of={bundle.name: rules},
        guardrails_of={bundle.name: rails},
        windows={window.name: window for window in windows},
    )
    ask = Ask(by=ANNA, bundle=bundle, scopes=BILLING.scopes, duration=duration, reason="incident")
    answer = decide_ask(ask, policy, Facts(now=T0, groups=frozenset(groups), **facts))
    assert answer.digest == policy.digest
    return answer


def test_without_any_rule_the_answer_is_no():
    no = decided()
    assert isinstance(no, Reject)
    assert (no.rule, no.reasons) == ("", ("no rule lets you have billing-read",))


def test_the_first_rule_that_holds_decides():
    answer = decided(
        a_rule("not-mine", requesters=(CONTRACTORS,)),
        a_rule("too-short", max_duration=HOUR / 2),
        a_rule("asked", Verdict.REQUIRE, requesters=(CONTRACTORS, ENGINEERS), max_duration=HOUR),
        a_rule("free"),
    )
    assert isinstance(answer, NeedApproval)
    assert (answer.rule, answer.chain) == ("asked", ONE)
    assert answer.reasons == ("rule asked says require",)


def test_a_rule_that_denies_ends_the_search():
    no = decided(a_rule("closed", Verdict.DENY, note="Frozen until Monday."), a_rule("free"))
    assert isinstance(no, Reject)
    assert (no.rule, no.reasons) == ("closed", ("rule closed says deny: Frozen until Monday.",))


def test_a_no_tells_of_every_rule_why_it_did_not_hold():
    no = decided(
        a_rule("others", requesters=(CONTRACTORS, "sre")),
        a_rule("short", max_duration=HOUR / 2),
        groups=(),
    )
    assert isinstance(no, Reject)
    assert no.reasons == (
        "no rule lets you have billing-read",
        "others: it is for contractors, sre, and you are in none of them",
        "short: it is for 30m at most",
    )


def test_what_nobody_needs_to_approve_is_allowed_with_its_rule():
    answer = decided(a_rule("free", note="Until we know better."))
    assert isinstance(answer, Allow)
    assert answer.reasons == ("rule free says auto approve: Until we know better.",)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_guardrail_that_denies_denies_whatever_the_rules_say(verdict):
    no = decided(a_rule("any", verdict), rails=(a_rail("closed", deny=True, note="Ask Eva."),))
    assert isinstance(no, Reject)
    assert (no.rule, no.reasons) == ("", ("guardrail closed forbids it: Ask Eva.",))


def test_all_guardrails_that_forbid_it_are_told():
    rails = (a_rail("closed", deny=True), a_rail("short", max_duration=HOUR / 2))
    no = decided(a_rule("free"), rails=rails)
    assert no.reasons == ("guardrail closed forbids it", "guardrail short allows 30m at most")


def test_a_guardrail_caps_the_duration_and_not_below_its_cap():
    rails = (a_rail("short", max_duration=HOUR),)
    assert isinstance(decided(a_rule("free"), rails=rails, duration=HOUR), Allow)
    longer = decided(a_rule("free"), rails=rails, duration=HOUR + timedelta(seconds=1))
    assert isinstance(longer, Reject)


def test_a_guardrail_for_some_people_is_about_them_alone():
    rails = (a_rail("no-contractors", deny=True, requesters=(CONTRACTORS,)),)
    assert isinstance(decided(a_rule("free"), rails=rails), Allow)
    both = decided(a_rule("free"), rails=rails, groups=(ENGINEERS, CONTRACTORS))
    assert isinstance(both, Reject)


def test_a_guardrail_wants_more_people_than_the_rule_asks():
    rails = (a_rail("humans", min_approvals=2, note="Contract 7.3."),)
    free = decided(a_rule("free"), rails=rails)
    assert isinstance(free, Reject)
    assert (free.rule, free.reasons) == (
        "free",
        ("guardrail humans wants 2 approvals, rule free asks for 0: Contract 7.3.",),
    )
    one = decided(a_rule("one", Verdict.REQUIRE), rails=rails)
    assert isinstance(one, Reject)
    assert one.reasons == (
        "guardrail humans wants 2 approvals, rule one asks for 1: Contract 7.3.",
    )


def test_the_people_of_all_stages_count_for_a_guardrail():
    rule = a_rule("stages", Verdict.REQUIRE, chain=TWO_STAGES)
    assert isinstance(decided(rule, rails=(a_rail("three", min_approvals=3),)), NeedApproval)
    assert isinstance(decided(rule, rails=(a_rail("four", min_approvals=4),)), Reject)


def test_a_lax_rule_is_not_passed_over_for_a_stricter_one_below():
    rails = (a_rail("humans", min_approvals=1),)
    no = decided(a_rule("free"), a_rule("asked", Verdict.REQUIRE), rails=rails)
    assert isinstance(no, Reject)
    assert no.rule == "free"


rails = st.builds(
    a_rail,
    st.just("rail"),
    deny=st.booleans(),
    requesters=st.sampled_from([(), (ENGINEERS,), (CONTRACTORS,)]),
    max_duration=st.none() | st.sampled_from([HOUR / 2, HOUR, 2 * HOUR]),
    min_approvals=st.integers(0, 4),
)
rules = st.builds(
    a_rule,
    st.just("rule"),
    st.sampled_from(Verdict),
    requesters=st.sampled_from([(), (ENGINEERS,), (CONTRACTORS,)]),
    max_duration=st.none() | st.sampled_from([HOUR / 2, HOUR, 2 * HOUR]),
)
LAXNESS = {Reject: 0, NeedApproval: 1, Allow: 2}


@given(st.lists(rules, max_size=4), st.lists(rails, max_size=3), rails)
def test_one_guardrail_more_never_gives_more(some_rules, some_rails, another):
    before = decided(*some_rules, rails=some_rails)
    after = decided(*some_rules, rails=[*some_rails, another])
    assert LAXNESS[type(after)] <= LAXNESS[type(before)]


@given(st.lists(rules, max_size=4), st.permutations([*range(3)]), st.tuples(rails, rails, rails))
def test_the_order_of_guardrails_does_not_matter(some_rules, order, some_rails):
    plain = decided(*some_rules, rails=some_rails)
    turned = decided(*some_rules, rails=[some_rails[place] for place in order])
    assert (type(plain), plain.rule) == (type(turned), turned.rule)
    assert sorted(plain.reasons) == sorted(turned.reasons)


@given(st.lists(rules.filter(lambda rule: rule.requesters == (CONTRACTORS,)), max_size=4))
def test_who_is_in_no_group_of_any_rule_gets_nothing(some_rules):
    assert isinstance(decided(*some_rules), Reject)


OTHER = replace(
    BILLING, name="other", environment="staging", access="write", risk=Risk.HIGH, labels={}
)
PARTS = {
    "names": frozenset({"billing-read", "third"}),
    "environments": frozenset({"production", "dev"}),
    "risks": frozenset({Risk.MEDIUM, Risk.LOW}),
    "accesses": frozenset({"read"}),
    "labels": {"team": "billing"},
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_a_selector_restricts_it(part):
    selector = Selector(**{part: PARTS[part]})
    assert selector.covers(BILLING)
    assert not selector.covers(OTHER)


@given(st.sets(st.sampled_from(sorted(PARTS))), st.sampled_from(sorted(PARTS)))
def test_a_selector_with_one_part_more_never_covers_more(parts, another):
    fewer = Selector(**{part: PARTS[part] for part in parts})
    more = Selector(**{part: PARTS[part] for part in parts | {another}})
    mixed = (replace(BILLING, risk=Risk.CRITICAL), replace(OTHER, access="read"))
    for bundle in (BILLING, OTHER, *mixed):
        assert fewer.covers(bundle) or not more.covers(bundle)


def an_ask(bundle=BILLING, **over):
    plain = {"scopes": None, "duration": None, "reason": "incident 4711", "ticket": ""}
    return checked(bundle, by=ANNA, **(plain | over))


def test_an_ask_that_names_nothing_is_for_all_scopes_and_the_default_time():
    ask = an_ask()
    assert (ask.scopes, ask.duration) == (BILLING.scopes, BILLING.default_duration)


def test_scopes_are_narrowed_in_the_order_of_the_bundle():
    assert an_ask(scopes=["refunds:read", "invoices:read"]).scopes == BILLING.scopes
    assert an_ask(scopes=["refunds:read"]).scopes == (ScopeText("refunds:read"),)


TICKETED = replace(BILLING, ticket=TicketRule(pattern="(BILL|OPS)-[0-9]+", example="OPS-1"))


@pytest.mark.parametrize(
    ("bundle", "wish", "field", "sentence"),
    [
        (BILLING, {"scopes": []}, "scopes", "choose at least one scope"),
        (
            BILLING,
            {"scopes": ["invoices:write"]},
            "scopes",
            "billing-read has no scope 'invoices:write'; it has invoices:read, refunds:read",
        ),
        (BILLING, {"duration": 9 * HOUR}, "duration", "billing-read can be had for 8h at most"),
        (BILLING, {"reason": " too short  "}, "reason", "say why in at least 10 characters"),
        (TICKETED, {}, "ticket", "a ticket is needed; one looks like OPS-1"),
        (
            TICKETED,
            {"ticket": "OPS-1 and more"},
            "ticket",
            "'OPS-1 and more' is not a ticket of billing-read; one looks like OPS-1",
        ),
    ],
)
def test_an_ask_beyond_the_limits_of_the_bundle_says_which_part(bundle, wish, field, sentence):
    with pytest.raises(Invalid) as caught:
        an_ask(bundle, **wish)
    assert (caught.value.field, str(caught.value)) == (field, sentence)


@pytest.mark.parametrize("seconds", [0, -60, 0.5])
def test_a_duration_is_of_whole_seconds_and_longer_than_nothing(seconds):
    with pytest.raises(Invalid) as caught:
        an_ask(duration=timedelta(seconds=seconds))
    assert caught.value.field == "duration"


def test_a_ticket_must_match_in_full_and_may_stand_between_spaces():
    assert an_ask(TICKETED, ticket="  BILL-12 ").ticket == "BILL-12"


def test_a_reason_is_always_needed():
    with pytest.raises(Invalid, match="say why"):
        an_ask(replace(BILLING, reason_min=0), reason="  ")


FREE = a_rule("free")


def test_a_rule_holds_only_if_all_its_conditions_do():
    rule = a_rule("short", when=when("request.duration < duration('2h')", "user.id == 'UANNA'"))
    assert decided(rule).rule == "short"
    no = decided(replace(rule, when=when("true", "request.duration < duration('1h')")))
    assert no.reasons[1] == "short: `request.duration < duration('1h')` is not so"


@pytest.mark.parametrize(
    "text",
    [
        "bundle.labels.owner == 'x'",  # an evaluation error is a text, and a text is not empty
        "!(bundle.labels.owner == 'x')",
        "user.active_grants < 3",  # nobody looked it up
        "user.requests_today < 3",
    ],
)
def test_a_condition_that_fails_denies_and_never_falls_through_to_a_laxer_rule(text):
    no = decided(a_rule("strict", Verdict.REQUIRE, when=when(text)), FREE)
    assert isinstance(no, Reject)
    assert no.rule == "strict"
    assert no.reasons[0].startswith(
        f"rule strict cannot be decided: `{text}`: it cannot be evaluated"
    )


def test_a_condition_that_fails_is_told_apart_with_whose_it_is_and_where():
    broken = when("bundle.labels.owner == 'x'")
    rail = a_rail("lid", min_approvals=1, when=broken, where="p/rules.yaml:9")
    no = decided(a_rule("strict", when=broken, where="p/rules.yaml:3"), rails=(rail,))
    assert [(each.one, each.where) for each in no.failures] == [
        ("guardrail lid", "p/rules.yaml:9"),
        ("rule strict", "p/rules.yaml:3"),
    ]
    assert no.failures[1].why == (
        "`bundle.labels.owner == 'x'`: it cannot be evaluated: Key not found in map : \"owner\""
    )
    assert decided(FREE, a_rule("strict", when=broken)).failures == ()


def test_a_condition_that_fails_in_a_rule_that_is_not_reached_does_nothing():
    broken = when("bundle.labels.owner == 'x'")
    assert decided(FREE, a_rule("later", when=broken)).rule == "free"
    others = a_rule("others", requesters=(CONTRACTORS,), when=broken)
    assert decided(others, FREE).rule == "free"


def test_a_guardrail_applies_only_if_its_conditions_hold():
    rail = a_rail("closed", deny=True, when=when("'contractors' in user.groups"))
    assert isinstance(decided(FREE, rails=(rail,)), Allow)
    no = decided(FREE, rails=(rail,), groups=(CONTRACTORS,))
    assert (no.guardrail, no.reasons) == ("closed", ("guardrail closed forbids it",))


def test_a_guardrail_whose_condition_fails_applies_and_names_it():
    rail = a_rail("closed", deny=True, note="Ask Eva.", when=when("user.active_grants >= 5"))
    no = decided(FREE, rails=(rail,))
    assert no.reasons[0].startswith("guardrail closed forbids it: Ask Eva.: `user.active_grants")
    assert isinstance(decided(FREE, rails=(rail,), active_grants=4), Allow)
    human = a_rail("human", min_approvals=1, when=when("bundle.labels.owner == 'x'"))
    no = decided(FREE, rails=(human,))
    assert (no.rule, no.guardrail) == ("free", "human")


def a_window(name, *, open_):
    hours = (0, 24 * 60) if open_ else (0, 1)
    return Window(name=name, zone=UTC, start=hours[0], end=hours[1])


def test_rules_and_guardrails_can_be_for_a_window():
    hours, freeze = a_window("hours", open_=True), a_window("freeze", open_=False)
    assert decided(a_rule("in-hours", during=hours)).rule == "in-hours"
    no = decided(a_rule("in-freeze", during=freeze))
    assert no.reasons[1] == "in-freeze: it is for freeze only"
    assert isinstance(decided(FREE, rails=(a_rail("x", deny=True, during=freeze),)), Allow)
    assert isinstance(decided(FREE, rails=(a_rail("x", deny=True, during=hours),)), Reject)


def test_conditions_see_the_windows_that_are_open():
    windows = (a_window("hours", open_=True), a_window("freeze", open_=False))
    rule = a_rule("open", when=when("'hours' in now.windows && !('freeze' in now.windows)"))
    assert decided(rule, windows=windows).rule == "open"


@pytest.mark.parametrize(
    "text",
    [
        "user.id == 'UANNA' && user.groups == ['engineers', 'sre']",
        "user.active_grants == 2 && user.requests_today == 3",
        "request.duration == duration('1h') && request.reason == 'incident'",
        "request.ticket == '' && bundle.name == 'billing-read' && bundle.access == 'read'",
        "bundle.environment == 'production' && bundle.risk_level == 2",
        "bundle.labels == {'team': 'billing'}",
        "bundle.scopes == ['invoices:read', 'refunds:read']",
        "now.time == timestamp('2026-03-01T09:00:00Z') && now.windows == []",
    ],
)
def test_conditions_see_what_is_asked(text):
    answer = decided(
        a_rule("x", when=when(text)), groups=("sre", ENGINEERS), active_grants=2, requests_today=3
    )
    assert answer.rule == "x"


CAPPED = replace(BILLING, limits=Limits(auto_per_day=2))


def test_beyond_its_cap_policy_approves_nothing_by_itself_but_people_still_may():
    rules = (FREE, a_rule("asked", Verdict.REQUIRE))
    assert decided(*rules, bundle=CAPPED, auto_today=1).rule == "free"
    assert decided(*rules, bundle=CAPPED, auto_today=2).rule == "asked"
    assert decided(*rules, bundle=CAPPED).rule == "asked"  # not known how often
    assert decided(*rules).rule == "free"
    assert isinstance(decided(FREE, a_rule("freer"), bundle=CAPPED, auto_today=2), Reject)


def test_the_groups_that_conditions_name_are_read_and_all_if_they_name_none():
    groups = {name: Group(name=name, usergroup="S0X") for name in ("a", "b", "c")}

    def read(text):
        policy = Policy(
            digest="",
            bundles={BILLING.name: BILLING},
            groups=groups,
            rules_of={BILLING.name: (a_rule("x", requesters=("a",), when=when(text)),)},
            guardrails_of={BILLING.name: ()},
        )
        return [group.name for group in policy.groups_read_for(BILLING.name)]

    assert read("'c' in user.groups") == ["a", "c"]
    assert read("size(user.groups) > 1") == ["a", "b", "c"]
    assert read("user.id == 'c'") == ["a"]


def test_nobody_is_looked_up_as_their_own_manager():
    groups = {"a": Group(name="a", users=frozenset({"U0BEN"}))}
    groups["boss"] = Group(name="boss", manager=Manager(profile_field="Xf0MANAGER"))
    policy = Policy(
        digest="",
        bundles={BILLING.name: BILLING},
        groups=groups,
        rules_of={BILLING.name: (a_rule("x", when=when("size(user.groups) > 1")),)},
        guardrails_of={BILLING.name: ()},
    )
    assert [group.name for group in policy.groups_read_for(BILLING.name)] == ["a"]


def test_the_groups_of_rules_and_guardrails_are_read_each_once():
    groups = {name: Group(name=name, usergroup="S0X") for name in ("a", "b", "c", "d")}
    policy = Policy(
        digest="",
        bundles={BILLING.name: BILLING},
        groups=groups,
        rules_of={BILLING.name: (a_rule("x", requesters=("b", "a")), a_rule("y"))},
        guardrails_of={BILLING.name: (a_rail("z", requesters=("c", "a")),)},
    )
    assert policy.groups_read_for(BILLING.name) == (groups["a"], groups["b"], groups["c"])


ASKED = requested(duration=HOUR / 2, reason="incident 4711")
BY_LEADS = a_rule("by-leads", Verdict.REQUIRE)


def later(*rules, bundle=BILLING, rails=(), groups=(ENGINEERS,), now=T0):
    """Return why a policy of now would not have ASKED granted."""
    policy = Policy(
        digest="e" * 64,
        bundles={bundle.name: bundle},
        groups={},
        rules_of={bundle.name: rules},
        guardrails_of={bundle.name: rails},
    )
    decision = decided_again(ASKED, policy, Facts(now=now, groups=frozenset(groups)))
    return why_no_more(recheck(Request(asked=ASKED), decision, policy))


def test_a_request_is_still_granted_under_a_policy_that_asks_the_same_or_less():
    assert later(BY_LEADS) is None
    assert later(a_rule("renamed", Verdict.REQUIRE)) is None
    assert later(a_rule("free")) is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"bundle": replace(BILLING, name="renamed")}, "there is no billing-read any more"),
        ({"bundle": replace(BILLING, resource="https://x")}, "billing-read is not what it was"),
        (
            {"bundle": replace(BILLING, max_duration=HOUR / 4)},
            "billing-read can be had for 15m at most",
        ),
        (
            {"bundle": replace(BILLING, scopes=BILLING.scopes[:1])},
            "billing-read has no scope 'refunds:read'; it has invoices:read",
        ),
        ({"rails": (a_rail("closed", deny=True),)}, "guardrail closed forbids it"),
    ],
)
def test_a_request_is_not_granted_under_a_policy_that_forbids_it_now(changed, why):
    assert later(BY_LEADS, **changed) == why


def test_a_request_is_not_granted_when_its_requester_left_the_group_of_the_rule():
    why = later(replace(BY_LEADS, requesters=(ENGINEERS,)), groups=())
    assert why is not None
    assert "you are in none of them" in why


@pytest.mark.parametrize("chain", [TWO_STAGES, replace(ONE, stages=TWO_STAGES.stages[1:])])
def test_a_request_is_not_granted_when_others_or_more_must_approve_it_now(chain):
    assert later(replace(BY_LEADS, chain=chain)) == "others must approve it now"


def test_a_request_is_not_granted_once_the_window_of_its_rule_has_closed():
    morning = Window(name="morning", zone=UTC, start=8 * 60, end=10 * 60)
    rule = replace(BY_LEADS, during=morning)
    assert later(rule) is None
    assert "it is for morning only" in str(later(rule, now=T0 + HOUR))


def test_a_request_is_not_granted_once_a_condition_does_not_hold_any_more():
    rule = replace(BY_LEADS, when=when("now.time < timestamp('2026-03-01T09:30:00Z')"))
    assert later(rule) is None
    assert "is not so" in str(later(rule, now=T0 + HOUR))
    assert "cannot be decided" in str(
        later(replace(BY_LEADS, when=when("user.active_grants < 3")), a_rule("free"))
    )


UNKNOWN = SeenTicket(tracker=Tracker.JIRA, unknown="jira.example did not answer")
STRICT = replace(BILLING, ticket=TicketRule(pattern="OPS-7", example="OPS-7", tracker=Tracker.JIRA))
LENIENT = replace(STRICT, ticket=replace(STRICT.ticket, people_if_down=True))


def test_nobody_can_have_what_needs_a_ticket_that_cannot_be_checked():
    no = decided(a_rule("free"), a_rule("asked", Verdict.REQUIRE), bundle=STRICT, ticket=UNKNOWN)
    assert isinstance(no, Reject)
    assert no.reasons == ("the ticket cannot be checked: jira.example did not answer",)


def test_a_ticket_that_cannot_be_checked_passes_over_rules_that_ask_nobody():
    rules = (a_rule("free"), a_rule("asked", Verdict.REQUIRE), a_rule("freer"))
    for ticket in (None, replace(UNKNOWN, unknown="")):
        assert isinstance(decided(*rules, bundle=LENIENT, ticket=ticket), Allow)
    answer = decided(*rules, bundle=LENIENT, ticket=UNKNOWN)
    assert isinstance(answer, NeedApproval)
    assert answer.rule == "asked"


def test_a_ticket_that_cannot_be_checked_never_lifts_a_rule_that_denies():
    no = decided(a_rule("no", Verdict.DENY), a_rule("free"), bundle=LENIENT, ticket=UNKNOWN)
    assert isinstance(no, Reject)
    assert no.rule == "no"


def test_where_only_rules_that_ask_nobody_would_hold_the_answer_is_no():
    no = decided(a_rule("free"), bundle=LENIENT, ticket=UNKNOWN)
    assert isinstance(no, Reject)
    assert no.reasons[1] == "free: it asks nobody, and the ticket cannot be checked now"
