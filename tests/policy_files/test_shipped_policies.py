"""The policies that we ship: they load, and answer each person as the demo's story needs it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.core.decision import Allow, Facts, NeedApproval, Reject, checked, decide_ask
from bot.core.identity import person
from bot.core.scopes import Delivery
from bot.policy_files import load_policies

SHIPPED = Path(__file__).parents[2] / "policies"
LOADED = load_policies(SHIPPED, default_resource="https://jit.example")
POLICY = LOADED.policy
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)

# Who is in the user groups of the demo's workspace.
MEMBERS = {
    "S0ENGINEERS": {"U0ANNA", "U0BEN", "U0CLEO", "U0DAN"},
    "S0BILLING": {"U0BEN", "U0CLEO"},
    "S0SRE": {"U0CLEO", "U0DAN"},
    "S0SECURITY": {"U0EVA"},
    "S0CONTRACT": {"U0FINN"},
}
# Who is on call, and who manages whom, in the demo's workspace.
ON_CALL = {"sre": {"U0DAN"}}
MANAGERS = {"U0ANNA": "U0BEN", "U0BEN": "U0CLEO", "U0CLEO": "U0EVA", "U0DAN": "U0CLEO"}
TICKETS = {"billing-refund": "BILL-7", "deploy-production": "OPS-7"}


def members(group, about=""):
    if group.on_call is not None:
        return ON_CALL[group.on_call.schedule]
    if group.manager is not None:
        return {MANAGERS[about]} if about in MANAGERS else set()
    listed = MEMBERS[group.usergroup] if group.usergroup else group.users
    return set(listed).union(*(members(part, about) for part in group.any_of))


def answer(user, bundle, minutes=2):
    ask = checked(
        POLICY.bundles[bundle],
        by=person(user, home="T0DEMO"),
        scopes=None,
        duration=timedelta(minutes=minutes),
        reason="looking into incident 4711",
        ticket=TICKETS.get(bundle, ""),
    )
    groups = frozenset(name for name, group in POLICY.groups.items() if user in members(group))
    facts = Facts(now=NOW, groups=groups, active_grants=0, auto_today=0)
    return decide_ask(ask, POLICY, facts)


def who_can_approve(user, bundle):
    """Return for each stage who may vote on a request of `user`, and how many must."""
    need = answer(user, bundle)
    assert isinstance(need, NeedApproval)
    return [
        (set().union(*(members(each, user) for each in stage.approvers)) - {user}, stage.quorum)
        for stage in need.chain.stages
    ]


ENGINEERS = ("U0ANNA", "U0BEN", "U0CLEO", "U0DAN")
PRODUCTION = ("billing-read", "billing-refund", "deploy-production", "customer-export")


@pytest.mark.parametrize("user", ENGINEERS)
def test_engineers_read_staging_logs_at_once_for_a_quarter_of_an_hour(user):
    assert isinstance(answer(user, "staging-logs", minutes=15), Allow)


@pytest.mark.parametrize("user", ENGINEERS)
def test_longer_than_that_needs_a_lead(user):
    longer = answer(user, "staging-logs", minutes=16)
    assert isinstance(longer, NeedApproval)
    (stage,) = longer.chain.stages
    leads, on_call, manager = (members(group, user) for group in stage.approvers)
    assert leads == {"U0BEN", "U0CLEO", "U0DAN"}
    assert (on_call, manager) == ({"U0DAN"}, {MANAGERS[user]})


@pytest.mark.parametrize("bundle", ["billing-read", "billing-refund"])
def test_one_billing_lead_approves_billing_and_never_her_own_request(bundle):
    assert who_can_approve("U0ANNA", bundle) == [({"U0BEN", "U0CLEO"}, 1)]
    assert who_can_approve("U0BEN", bundle) == [({"U0CLEO"}, 1)]


def test_two_of_three_people_approve_a_deployment():
    assert who_can_approve("U0ANNA", "deploy-production") == [({"U0BEN", "U0CLEO", "U0DAN"}, 2)]
    assert who_can_approve("U0DAN", "deploy-production") == [({"U0BEN", "U0CLEO"}, 2)]


def test_an_export_needs_a_billing_lead_and_then_security():
    assert who_can_approve("U0ANNA", "customer-export") == [
        ({"U0BEN", "U0CLEO"}, 1),
        ({"U0EVA"}, 1),
    ]


def test_an_export_is_had_for_half_an_hour_at_most():
    longer = answer("U0ANNA", "customer-export", minutes=31)
    assert isinstance(longer, Reject)
    assert longer.reasons == ("guardrail critical-needs-two-people allows 30m at most",)


@pytest.mark.parametrize("bundle", PRODUCTION)
def test_contractors_have_no_production_and_are_told_whom_to_ask(bundle):
    no = answer("U0FINN", bundle)
    assert isinstance(no, Reject)
    assert no.reasons == (
        (
            "guardrail no-production-for-contractors forbids it: Contractors have no access to"
            " production. Ask your sponsor to pair instead."
        ),
    )


def test_contractors_have_no_staging_by_a_rule_that_says_why():
    no = answer("U0FINN", "staging-logs")
    assert isinstance(no, Reject)
    assert no.rule == "staging-not-for-contractors"
    assert no.reasons == (
        (
            "rule staging-not-for-contractors says deny: Ask the engineer you work with to look"
            " with you."
        ),
    )


@pytest.mark.parametrize(
    ("user", "bundle"),
    [("U0EVA", "billing-read"), ("U0EVA", "deploy-production"), ("U0NEW", "staging-logs")],
)
def test_who_is_in_no_group_of_a_rule_gets_nothing_and_is_told_why(user, bundle):
    no = answer(user, bundle)
    assert isinstance(no, Reject)
    assert no.rule == ""
    assert no.reasons[0] == f"no rule lets you have {bundle}"
    assert len(no.reasons) == 1 + len(POLICY.rules_of[bundle])


@pytest.mark.parametrize("bundle", PRODUCTION)
def test_nothing_of_production_is_granted_without_another_human(bundle):
    everybody = {user for users in MEMBERS.values() for user in users}
    for user in everybody:
        for minutes in (1, 30, 60):
            assert not isinstance(answer(user, bundle, minutes), Allow)


def test_a_demo_shows_a_reminder_and_an_end_within_minutes():
    assert {bundle.default_duration for bundle in POLICY.bundles.values()} == {timedelta(minutes=2)}
    chains = [rule.chain for rules in POLICY.rules_of.values() for rule in rules if rule.chain]
    assert max(chain.expire_after for chain in chains) <= timedelta(minutes=15)


def test_the_token_stands_in_the_message_unless_the_risk_is_high():
    assert {name: bundle.delivery for name, bundle in POLICY.bundles.items()} == {
        "staging-logs": Delivery.MESSAGE,
        "billing-read": Delivery.MESSAGE,
        "billing-refund": Delivery.MESSAGE,
        "deploy-production": Delivery.REVEAL,
        "customer-export": Delivery.REVEAL,
    }


def test_cards_go_to_channels_of_the_demo():
    assert {name: bundle.channel for name, bundle in POLICY.bundles.items()} == {
        "staging-logs": "#access-requests",
        "billing-read": "#access-requests",
        "billing-refund": "#access-requests",
        "deploy-production": "#deploy-approvals",
        "customer-export": "#security-approvals",
    }


def test_the_billing_api_is_a_client_for_the_audience_of_billing():
    audience = POLICY.bundles["billing-read"].resource
    assert audience == "https://billing.example"
    assert LOADED.clients["billing-api"].resources == {audience}
    assert POLICY.bundles["staging-logs"].resource == "https://jit.example"
