"""Clients that ask for tokens, and what policy says to them."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from bot.core.client import Client
from bot.core.policy import Group, Guardrail, Policy, Selector, Stage, Verdict
from bot.core.scopes import Limits, ScopeText
from bot.slack.memory import MemoryDirectory
from tests.usecases.bots import STANDINGS, TEAM, a_bundle, a_policy, a_rule

OWNERS = Group(name="owners", users=frozenset({"U0DAN"}))
LEADS = Group(name="leads", users=frozenset({"U0BEN", "U0CLEO", "U0DAN"}))
ENGINEERS = Group(name="engineers", users=frozenset({"U0ANNA", "U0BEN"}))
LEAD = Stage(name="lead", approvers=(LEADS,))

SECRET = "secret of everybody"


def a_client(id_: str, *bundles: str, **over: Any) -> Client:
    plain: dict[str, Any] = {"owner": "owners", "reason": "the nightly run"}
    hashed = frozenset({sha256(SECRET.encode()).hexdigest()})
    return Client(id=id_, secrets_sha256=hashed, bundles=bundles, **{**plain, **over})


ASKING = {
    client.id: client
    for client in (
        a_client("ci", "logs", "billing", "deploy", "never", "scarce"),
        a_client("cron", "logs", "deploy", owner="U0CLEO"),
        a_client("silent", "logs", reason=""),
        a_client("idle"),
    )
}


def for_clients(verdict: Verdict, *stages: Stage, **over: Any):
    return a_rule(verdict, *stages, **{"requesters": (), "clients": ("ci", "cron"), **over})


AT_ONCE, BY_LEAD = for_clients(Verdict.AUTO_APPROVE), for_clients(Verdict.REQUIRE, LEAD)
SHELF = {
    bundle.name: (bundle, rules)
    for bundle, *rules in [
        (a_bundle("logs", scopes=(ScopeText("logs:read"), ScopeText("metrics:read"))), AT_ONCE),
        (a_bundle("billing"), AT_ONCE),
        (a_bundle("deploy", scopes=(ScopeText("deploy:run"), ScopeText("logs:read"))), BY_LEAD),
        (a_bundle("never", scopes=(ScopeText("never"),)), for_clients(Verdict.DENY)),
        (
            a_bundle("scarce", scopes=(ScopeText("scarce"),), limits=Limits(per_user_per_day=1)),
            AT_ONCE,
        ),
        (a_bundle("people", scopes=(ScopeText("people"),)), a_rule(Verdict.AUTO_APPROVE)),
    ]
}


def machine_policy(*rails: Guardrail) -> Policy:
    return a_policy(SHELF, groups=(ENGINEERS, LEADS, OWNERS), rails=rails)


def a_rail(**over: Any) -> Guardrail:
    return Guardrail(id="rail", bundles=Selector(), **over)


def a_workspace() -> MemoryDirectory:
    directory = MemoryDirectory(TEAM)
    directory.people = dict(STANDINGS)
    directory.emails = {"U0ANNA": "anna@acme.example", "U0BEN": "ben@acme.example"}
    directory.channels = {"#access": "", "#alarms": ""}
    return directory


MINUTE = timedelta(minutes=1)
