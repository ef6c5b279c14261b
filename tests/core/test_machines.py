"""Clients that ask: whose rules they come under, who decides, and what their tokens say."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as e
from bot.core.client import Client
from bot.core.decision import Allow, Ask, Facts, Reject, decide_ask
from bot.core.errors import Invalid, NotAllowed, TooLate, WrongState
from bot.core.grant import claims
from bot.core.identity import Actor, Kind
from bot.core.lifecycle import decide
from bot.core.machine import Machine
from bot.core.moves import Approve, Cancel, Deny, Disown, Narrow, Question, Reveal, Revoke
from bot.core.opening import requested as kept
from bot.core.permission import Circumstances
from bot.core.policy import Guardrail, Policy, Rule, Selector, Verdict
from bot.core.request import Request, evolve, shown_digest, timers
from bot.core.scopes import Bundle, Risk, ScopeText
from bot.core.states import GrantState, RequestState, Timer
from bot.core.wanted import Unlisted, Wanted, bundle_for
from tests.builders import ANNA, BEN, CLEO, REQUEST, SIGNING, T0, a_request, granted, requested

MINUTE = timedelta(minutes=1)
CI = Machine(client="ci", owner="owners", address="10.0.0.7", code="AB-12", alarm="#alarms")
ITSELF = {"by": CI.actor, "machine": CI}
FOR_ANNA = {"by": ANNA, "machine": CI}


def case(*groups: str, after: timedelta = MINUTE, resources=()) -> Circumstances:
    return Circumstances(
        now=T0 + after, signing=SIGNING, groups=frozenset(groups), resources=frozenset(resources)
    )


def live(**over) -> Request:
    asked = requested(**over)
    request = a_request(**over)
    for fact in granted(asked, at=T0 + MINUTE):
        request = evolve(request, fact)
    return request


# --- rules -------------------------------------------------------------------------------------

BUNDLE = Bundle(
    name="b",
    title="B",
    scopes=(ScopeText("a"),),
    resource="https://b.example",
    channel="#c",
    max_duration=60 * MINUTE,
    default_duration=MINUTE,
)
someone = st.sampled_from([(ANNA, None), (ANNA, CI), (CI.actor, CI)])
named = st.sampled_from([(), ("ci",), ("cron",), ("cron", "ci")])
staff = st.sampled_from([(), ("staff",)])


def decided(who, rules=(), rails=()):
    by, machine = who
    policy = Policy(
        digest="d",
        bundles={"b": BUNDLE},
        groups={},
        rules_of={"b": tuple(rules)},
        guardrails_of={"b": tuple(rails)},
    )
    ask = Ask(by=by, bundle=BUNDLE, scopes=BUNDLE.scopes, duration=MINUTE, reason="")
    ask = replace(ask, machine=machine)
    groups = frozenset({"staff"} if by.kind is Kind.PERSON else ())
    return decide_ask(ask, policy, Facts(now=T0, groups=groups))


def a_rule(**over) -> Rule:
    return Rule(id="r", bundles=Selector(), verdict=Verdict.AUTO_APPROVE, **over)


def test_what_a_client_asks_for_waits_for_nobody_to_start_it():
    bundle = replace(BUNDLE, claim_within=MINUTE)
    for by, machine in ((CI.actor, CI), (ANNA, CI), (ANNA, None)):
        ask = Ask(
            by=by, bundle=bundle, scopes=bundle.scopes, duration=MINUTE, reason="", machine=machine
        )
        decision = Allow(rule="r", reasons=(), digest="d")
        asked = kept(REQUEST, ask, decision, now=T0, prolongs=None)
        assert asked.claim_within == (MINUTE if machine is None else None)


@given(someone, named, staff)
def test_a_rule_is_for_the_clients_that_it_names_and_else_for_people(who, clients, requesters):
    found = decided(who, [a_rule(clients=clients, requesters=requesters)])
    by, machine = who
    is_theirs = machine.client in clients if machine is not None else not clients
    in_groups = not requesters or by.kind is Kind.PERSON
    assert isinstance(found, Allow) == (is_theirs and in_groups)


@given(someone, named)
def test_a_guardrail_is_for_everybody_unless_it_names_clients(who, clients):
    rail = Guardrail(id="g", bundles=Selector(), clients=clients, deny=True)
    found = decided(who, [a_rule(), a_rule(clients=("ci",))], [rail])
    _, machine = who
    bars = not clients or (machine is not None and machine.client in clients)
    assert isinstance(found, Reject) == bars


def test_why_a_rule_is_not_theirs_is_said():
    (why,) = decided((CI.actor, CI), [a_rule()]).reasons[1:]
    assert why == "r: it is for people, and a client asks"
    (why,) = decided((ANNA, None), [a_rule(clients=("cron", "ci"))]).reasons[1:]
    assert why == "r: it is for clients cron, ci alone"


# --- which bundle ------------------------------------------------------------------------------


def a_bundle(name, *scopes, risk=Risk.LOW, resource="https://b.example") -> Bundle:
    kept = tuple(map(ScopeText, scopes))
    return replace(BUNDLE, name=name, scopes=kept, risk=risk, resource=resource)


SHELF = {
    each.name: each
    for each in (
        a_bundle("big", "a", "b", "c"),
        a_bundle("risky", "a", "b", risk=Risk.HIGH),
        a_bundle("small", "a", "b"),
        a_bundle("twin", "a", "b"),
        a_bundle("far", "a", resource="https://far.example"),
        a_bundle("foreign", "x"),
    )
}
POLICY = Policy(digest="d", bundles=SHELF, groups={}, rules_of={}, guardrails_of={})
CLIENT = Client(id="ci", bundles=("big", "risky", "small", "twin", "far", "gone"))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(scopes=("a",)), "far"),
        (Wanted(scopes=("b", "a")), "small"),
        (Wanted(scopes=("c",)), "big"),
        (Wanted(scopes=("a",), resource="https://b.example"), "small"),
        (Wanted(bundle="risky"), "risky"),
        (Wanted(bundle="risky", scopes=("a",)), "risky"),
    ],
)
def test_scopes_mean_the_smallest_and_most_harmless_bundle(wanted, found):
    assert bundle_for(CLIENT, POLICY, wanted).name == found


@pytest.mark.parametrize(
    ("wanted", "problem", "field"),
    [
        (Wanted(bundle="foreign"), Unlisted, None),
        (Wanted(bundle="gone"), Unlisted, None),
        (Wanted(scopes=("x",)), Invalid, "scopes"),
        (Wanted(scopes=("a", "x")), Invalid, "scopes"),
        (Wanted(bundle="small", scopes=("c",)), Invalid, "scopes"),
        (Wanted(), Invalid, "bundle"),
        (Wanted(bundle="small", resource="https://far.example"), Invalid, "resource"),
        (Wanted(scopes=("a",), resource="https://x.example"), Invalid, "resource"),
    ],
)
def test_of_others_bundles_nothing_is_said(wanted, problem, field):
    with pytest.raises(problem) as caught:
        bundle_for(CLIENT, POLICY, wanted)
    assert getattr(caught.value, "field", None) == field
    assert "foreign" not in str(caught.value).replace("'foreign'", "")


def test_who_is_listed_for_nothing_may_ask_for_nothing():
    with pytest.raises(Unlisted):
        bundle_for(Client(id="ci"), POLICY, Wanted(scopes=("a",)))


# --- who decides -------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", [ITSELF, FOR_ANNA])
@pytest.mark.parametrize("move", [Approve(), Narrow("", ("refunds:read",), MINUTE)])
def test_whoever_answers_for_a_client_never_approves_what_it_asks(whose, move):
    request = a_request(**whose)
    with pytest.raises(NotAllowed, match="you answer for the client"):
        decide(request, move, by=BEN, case=case("leads", "owners"))
    facts = decide(request, move, by=BEN, case=case("leads"))
    assert isinstance(facts[-2], e.Granted) or isinstance(facts[-1], e.Started)


def test_nor_one_person_who_does():
    machine = replace(CI, owner=BEN.id)
    request = a_request(by=machine.actor, machine=machine)
    with pytest.raises(NotAllowed, match="you answer for the client"):
        decide(request, Approve(), by=BEN, case=case("leads"))
    assert decide(request, Deny("no"), by=BEN, case=case("leads"))


def test_nor_does_the_person_named():
    with pytest.raises(NotAllowed, match="your own request"):
        decide(a_request(**FOR_ANNA), Approve(), by=ANNA, case=case("leads"))


@pytest.mark.parametrize(
    ("by", "groups", "may"),
    [
        (BEN, ("owners",), True),
        (BEN, ("leads",), True),
        (CLEO, ("others",), False),
        (ANNA, (), True),
        (CI.actor, (), True),
        (Actor(Kind.MACHINE, "cron"), (), False),
    ],
)
def test_who_may_end_what_a_client_has(by, groups, may):
    request = live(**FOR_ANNA, owner="bundle-owners")
    if not may:
        with pytest.raises(NotAllowed):
            decide(request, Revoke(), by=by, case=case(*groups, after=2 * MINUTE))
        return
    assert decide(request, Revoke(), by=by, case=case(*groups, after=2 * MINUTE))


def test_a_client_cannot_be_asked():
    with pytest.raises(NotAllowed, match="ask whoever answers for it"):
        decide(a_request(**ITSELF), Question("?"), by=BEN, case=case("leads"))
    assert decide(a_request(**FOR_ANNA), Question("?"), by=BEN, case=case("leads"))


def test_nobody_looks_at_a_clients_token():
    for by in (ANNA, BEN):
        with pytest.raises(NotAllowed):
            decide(live(**FOR_ANNA), Reveal(), by=by, case=case("leads", after=2 * MINUTE))
    assert not live(**FOR_ANNA).token_is_readable
    assert {Timer.SCRUB, Timer.WARN}.isdisjoint(timers(live(**FOR_ANNA)))


def test_the_button_is_about_the_client_and_the_code_that_were_shown():
    request = a_request(**ITSELF)
    for other in (
        replace(CI, client="cron"),
        replace(CI, code="XY-99"),
        replace(CI, address="10.9.9.9"),
    ):
        seen = shown_digest(requested(by=CI.actor, machine=other))
        with pytest.raises(WrongState, match="shows something else"):
            decide(request, Approve(seen), by=BEN, case=case("leads"))


# --- not me ------------------------------------------------------------------------------------


def test_the_person_named_may_say_that_it_was_not_them():
    facts = decide(a_request(**FOR_ANNA), Disown(), by=ANNA, case=case())
    assert [type(fact) for fact in facts] == [e.Disowned, e.Denied]
    denied = a_request(*facts, **FOR_ANNA)
    assert denied.state is RequestState.DENIED
    assert decide(denied, Disown(), by=ANNA, case=case()) == ()


def test_also_once_the_client_has_its_token():
    request = live(**FOR_ANNA)
    facts = decide(request, Disown(), by=ANNA, case=case(after=2 * MINUTE))
    assert [type(fact) for fact in facts] == [e.Disowned, e.Revoked]
    for fact in facts:
        request = evolve(request, fact)
    assert request.grant is not None
    assert request.grant.state is GrantState.REVOKED
    assert decide(request, Disown(), by=ANNA, case=case(after=2 * MINUTE)) == ()


@pytest.mark.parametrize(
    ("request_", "by"),
    [
        (a_request(), ANNA),
        (a_request(**FOR_ANNA), BEN),
        (a_request(**FOR_ANNA), CI.actor),
        (a_request(**ITSELF), BEN),
        (a_request(**ITSELF), CI.actor),
    ],
)
def test_nobody_else_may(request_, by):
    if request_.asked.machine is not None and by == request_.requester:
        return
    with pytest.raises(NotAllowed):
        decide(request_, Disown(), by=by, case=case("leads"))


def test_not_when_nothing_is_left_to_end():
    cancelled = a_request(e.Cancelled(request=requested().request, at=T0, by=ANNA), **FOR_ANNA)
    lapsed = a_request(e.Lapsed(request=requested().request, at=T0, by=CI.actor), **FOR_ANNA)
    for request, problem in ((lapsed, WrongState), (a_request(**FOR_ANNA), TooLate)):
        with pytest.raises(problem):
            decide(request, Disown(), by=ANNA, case=case(after=timedelta(hours=2)))
    assert decide(cancelled, Cancel(), by=ANNA, case=case()) == ()


# --- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        ({}, {"sub": str(ANNA), "client_id": "slack"}),
        (ITSELF, {"sub": "ci", "client_id": "ci"}),
        (FOR_ANNA, {"sub": str(ANNA), "client_id": "ci", "act": {"sub": "ci"}}),
    ],
)
def test_a_token_says_whom_it_is_for_and_who_acts(whose, said):
    grant = live(**whose).grant
    assert grant is not None
    found = claims(grant.token)
    assert {key: found[key] for key in ("sub", "client_id", "act") if key in found} == said
