"""Past requests under another policy, so far as was recorded."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.absence import Absence
from bot.core.conditions import compile_condition
from bot.core.emergency import RULE, Emergency
from bot.core.identity import BOT, absence_id
from bot.core.known import Known, Members
from bot.core.policy import Group, Guardrail, Selector, Verdict
from bot.core.replaying import Shift, pasts, replayed
from bot.core.scopes import Limits
from tests.builders import T0, requested
from tests.usecases.bots import (
    ANNA,
    AT_ONCE,
    BEN,
    BY_LEAD,
    ENGINEERS,
    EVA,
    GLASS,
    GUARD,
    LEADS,
    OWNERS,
    SECURITY,
    TWO_LEADS,
    a_bundle,
    a_policy,
    a_rule,
)

STAFF = Group(name="staff", usergroup="S0STAFF")
EVERYBODY = Group(name="everybody", any_of=(STAFF, SECURITY))
GROUPS = (ENGINEERS, LEADS, SECURITY, OWNERS, STAFF, EVERYBODY)


def policy(*rules, **over):
    return a_policy({"read": (a_bundle("read", **over), rules)}, groups=GROUPS)


def asked(**over):
    known = Known(groups=("engineers",), looked_up=("engineers",))
    plain = {"bundle": "read", "by": ANNA, "known": known, "stages": BY_LEAD.chain.stages}
    return requested(**{**plain, **over})


def tried(request, new, *facts, old=None):
    [past] = pasts([request, *facts])
    return replayed(past, new, old=old)


def approved(request):
    return e.Approved(request=request.request, at=request.at, by=BOT)


def denied(request):
    return e.Denied(request=request.request, at=request.at, by=BOT, reason="no")


@pytest.mark.parametrize(
    ("rules", "shift"),
    [
        ((BY_LEAD,), Shift.SAME),
        ((AT_ONCE,), Shift.LOOSER),
        ((a_rule(Verdict.REQUIRE, TWO_LEADS),), Shift.STRICTER),
        ((a_rule(Verdict.DENY),), Shift.STRICTER),
        ((), Shift.STRICTER),
        # As many people; others among them.
        ((a_rule(Verdict.REQUIRE, GUARD),), Shift.LOOSER),
    ],
)
def test_what_needed_one_lead_is_compared(rules, shift):
    assert tried(asked(), policy(*rules)).shift is shift


def test_fewer_people_who_may_agree_is_stricter():
    both = replace(BY_LEAD.chain.stages[0], approvers=(LEADS, SECURITY))
    assert tried(asked(stages=(both,)), policy(BY_LEAD)).shift is Shift.STRICTER


def test_what_policy_settled_by_itself_is_told_from_the_fact_that_followed():
    auto, no = asked(stages=()), asked(stages=())
    assert tried(auto, policy(AT_ONCE), approved(auto)).shift is Shift.SAME
    assert tried(no, policy(AT_ONCE), denied(no)).shift is Shift.LOOSER
    assert list(pasts([auto])) == []


def test_a_bundle_that_is_gone_or_gives_less_is_a_no():
    gone = tried(asked(), a_policy({}, groups=GROUPS))
    assert (gone.shift, gone.why) == (Shift.STRICTER, "there is no bundle read")
    short = tried(asked(), policy(BY_LEAD, max_duration=timedelta(minutes=5)))
    assert short.why == "read can be had for 5m at most"


@pytest.mark.parametrize(
    ("group", "known", "shift"),
    [
        ("staff", Known(groups=("staff",), looked_up=("staff",)), Shift.SAME),
        ("staff", Known(groups=(), looked_up=("staff",)), Shift.STRICTER),
        ("staff", Known(groups=(), looked_up=("engineers",)), None),
        ("everybody", Known(groups=("staff",), looked_up=("staff",)), Shift.SAME),
        ("everybody", Known(groups=(), looked_up=("staff",)), None),
        ("everybody", Known(groups=(), looked_up=("security", "staff")), Shift.STRICTER),
        ("everybody", Known(groups=("everybody",), looked_up=("everybody",)), Shift.SAME),
        # A list of the files counts as it is now.
        ("engineers", Known(groups=(), looked_up=("engineers",)), Shift.SAME),
        ("leads", Known(groups=("leads",), looked_up=("leads",)), Shift.STRICTER),
    ],
)
def test_who_was_in_a_group_is_what_was_recorded_or_what_the_files_say(group, known, shift):
    found = tried(asked(known=known), policy(replace(BY_LEAD, requesters=(group,))))
    assert found.shift is shift
    if shift is None:
        assert found.why == f"who was in {group} was not looked up then"


def test_what_was_not_counted_then_cannot_be_replayed():
    rule = replace(BY_LEAD, when=(compile_condition("user.active_grants == 0"),))
    assert (
        tried(asked(), policy(rule)).why == "what user.active_grants counts was not looked up then"
    )
    counted = Known(groups=("engineers",), looked_up=("engineers",), active_grants=0)
    assert tried(asked(known=counted), policy(rule)).shift is Shift.SAME
    capped = tried(asked(), policy(BY_LEAD, limits=Limits(auto_per_day=1)))
    assert capped.why == "what limits.auto_per_day counts was not looked up then"


def test_a_record_from_before_facts_were_kept_cannot_be_replayed():
    found = tried(asked(known=None), policy(BY_LEAD))
    assert (found.shift, found.why) == (None, "it was recorded before facts were kept")


def test_a_chain_that_nobody_could_have_completed_is_a_no_if_that_was_recorded():
    new = policy(a_rule(Verdict.REQUIRE, GUARD))
    alone = Members(group="security", people=(ANNA.id,), count=1)
    found = tried(asked(members=(alone,)), new)
    assert found.shift is Shift.STRICTER
    assert "its chain cannot be completed" in found.why
    for members in ((), (replace(alone, count=3),), (replace(alone, people=(BEN.id,)),)):
        assert tried(asked(members=members), new).shift is Shift.LOOSER


def test_two_policies_are_compared_whatever_was_decided_then():
    request = asked()
    assert tried(request, policy(AT_ONCE), old=policy(AT_ONCE)).shift is Shift.SAME
    assert tried(request, policy(BY_LEAD), old=policy(AT_ONCE)).shift is Shift.STRICTER


EMERGENCY = Emergency(
    skipped=(LEADS,),
    notify=("#alarm",),
    unreachable=(),
    review_by=(SECURITY,),
    review_within=timedelta(hours=1),
    unreviewed=1,
)
# What the rules say must not matter.
NO = a_rule(Verdict.DENY)


def broken(**over):
    """Return an ask of break-glass, and that the glass was broken."""
    plain = {"stages": (), "rule": RULE, "duration": timedelta(minutes=10)}
    said = "incident 7, nobody answers"
    ask = asked(**{**plain, "emergency": EMERGENCY, "reason": said, **over})
    return ask, e.GlassBroken(request=ask.request, at=ask.at, by=ask.by)


def rail(**over):
    return Guardrail(id="rail", bundles=Selector(), deny=True, **over)


@pytest.mark.parametrize(
    ("glass", "rails", "shift", "why"),
    [
        (GLASS, (), Shift.SAME, ""),
        (GLASS, (rail(),), Shift.SAME, ""),
        (GLASS, (rail(even_break_glass=True),), Shift.STRICTER, "guardrail rail forbids it"),
        (None, (), Shift.STRICTER, "read cannot be had by break-glass"),
        (replace(GLASS, who=("leads",)), (), Shift.STRICTER, "no rule lets you have read"),
        (replace(GLASS, max_duration=timedelta(minutes=5)), (), Shift.STRICTER, "5m at most"),
        (replace(GLASS, reason_min=200), (), Shift.STRICTER, "at least 200 characters"),
    ],
)
def test_break_glass_is_replayed_by_what_the_glass_says_and_not_by_the_rules(
    glass, rails, shift, why
):
    new = a_policy({"read": (a_bundle("read", glass=glass), (NO,))}, groups=GROUPS, rails=rails)
    ask, fact = broken()
    found = tried(ask, new, fact)
    assert found.shift is shift
    assert why in found.why
    assert found.then.words == "break_glass"


def test_break_glass_that_was_denied_and_would_be_granted_is_looser():
    ask, _ = broken(rule="")
    found = tried(ask, policy(NO, glass=GLASS), denied(ask))
    assert (found.shift, found.then.words, found.now.words) == (
        Shift.LOOSER,
        "deny",
        "break_glass",
    )


def test_what_break_glass_did_not_look_up_cannot_be_replayed():
    ask, fact = broken()
    found = tried(ask, policy(NO, glass=replace(GLASS, who=("staff",))), fact)
    assert found.why == "who was in staff was not looked up then"


def test_an_ordinary_ask_is_not_decided_by_the_glass():
    assert tried(asked(), policy(NO, glass=GLASS)).shift is Shift.STRICTER


def test_who_was_away_then_is_away_in_a_replay():
    ben = Absence(
        id=absence_id("x"), who=BEN, stand_in=None, since=T0, until=T0 + timedelta(hours=9)
    )
    alone = Group(name="alone", users=frozenset({BEN.id}))
    chain = replace(BY_LEAD.chain, stages=(replace(TWO_LEADS, approvers=(alone,), quorum=1),))
    by_ben = replace(BY_LEAD, chain=chain)
    new = a_policy({"read": (a_bundle("read"), (by_ben,))}, groups=(*GROUPS, alone))
    assert tried(asked(), new).now.approvals == 1
    left = tried(asked(away=(ben,)), new).now
    assert "nobody besides you is there" in left.denied
    lent = replace(ben, stand_in=EVA)
    assert tried(asked(away=(lent,)), new).now.approvals == 1
    barred = a_policy({"read": (a_bundle("read", delegation=False), (by_ben,))}, groups=GROUPS)
    assert tried(asked(away=(lent,)), barred).now.denied
