"""The real engine, run on a request that the solver found."""

from bot.core.decision import Ask, Facts, checked, decide_ask
from bot.core.errors import Invalid
from bot.core.identity import person
from bot.core.machine import Machine
from bot.core.policy import Policy
from bot.core.replaying import Verdict, verdict_of
from bot.core.scopes import Tracker
from bot.core.tickets import SeenTicket
from bot.policy_lint.findings import Example

_HOME = "T0"
_OWNER = "U0OWNER"
_AWAY = "the tracker does not answer"


def tried(policy: Policy, example: Example) -> Verdict:
    """Return what the engine says to `example`."""
    if example.bundle not in policy.bundles:
        return Verdict(rule="", denied=f"there is no bundle {example.bundle}")
    try:
        ask = ask_of(policy, example)
    except Invalid as problem:
        return Verdict(rule="", denied=str(problem))
    return verdict_of(decide_ask(ask, policy, facts_of(example)))


def ask_of(policy: Policy, example: Example) -> Ask:
    """Return the ask of `example`.

    Raises:
        Invalid: It does not keep to the bundle's limits.
    """
    return checked(
        policy.bundles[example.bundle],
        by=person(example.user, home=_HOME),
        scopes=None,
        duration=example.duration,
        reason=example.reason,
        ticket=example.ticket,
        machine=Machine(client=example.client, owner=_OWNER) if example.client else None,
    )


def facts_of(example: Example) -> Facts:
    """Return what is known of whoever asks."""
    unknown = SeenTicket(tracker=Tracker.URL, unknown=_AWAY) if example.ticket_unknown else None
    return Facts(
        now=example.at,
        groups=frozenset(example.groups),
        active_grants=example.active_grants,
        requests_today=example.requests_today,
        auto_today=example.auto_today,
        ticket=unknown,
    )
