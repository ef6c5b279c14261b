"""Policies to fill forms with."""

from datetime import timedelta

from bot.core.policy import Policy
from bot.core.scopes import Bundle, Risk, ScopeText, TicketRule


def a_bundle(name, **over):
    """Return a bundle of two scopes for an hour at most."""
    plain = {
        "name": name,
        "title": f"Do {name}",
        "scopes": (ScopeText(f"{name}:read", "Read it"), ScopeText(f"{name}:write")),
        "resource": "https://api.example",
        "channel": "#access",
        "max_duration": timedelta(hours=1),
        "default_duration": timedelta(minutes=30),
        "description": "What it is for",
        "risk": Risk.LOW,
    }
    return Bundle(**{**plain, **over})


def a_policy(*bundles):
    """Return a policy that declares `bundles`."""
    named = {bundle.name: bundle for bundle in bundles}
    none = dict.fromkeys(named, ())
    return Policy(digest="d" * 64, bundles=named, groups={}, rules_of=none, guardrails_of=none)


TICKETED = a_bundle(
    "deploy", ticket=TicketRule(pattern="INC-[0-9]+", example="INC-7"), reason_min=15
)
PLAIN = a_bundle("logs")
POLICY = a_policy(PLAIN, TICKETED)
