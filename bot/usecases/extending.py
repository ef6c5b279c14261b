"""What must hold for a grant to go on, under today's policy."""

from bot.core.decision import Ask, asked_anew
from bot.core.errors import NotAllowed, Refused
from bot.core.grant import why_not_prolonged
from bot.core.policy import Policy
from bot.core.request import Request
from bot.usecases.gate import bundle_named


def why_no_longer(original: Request, policy: Policy) -> str | None:
    """Return why today's bundle lets the grant of `original` go on no longer; None if it does."""
    if original.asked.emergency is not None:
        return "what break-glass gave ends at its time"
    if original.asked.machine is not None:
        return "a client asks anew when it needs more time"
    bundle = policy.bundles.get(original.asked.bundle)
    if bundle is None or original.grant is None:
        return None  # said with more words where the bundle, or the grant, is needed
    return why_not_prolonged(original.grant, bundle.prolonging) or None


def asked_again(original: Request, policy: Policy) -> Ask:
    """Return the ask for as much again of what `original` got, under today's bundle.

    Raises:
        NotAllowed: The bundle is gone or has lost what was granted.
    """
    asked = original.asked
    try:
        bundle = bundle_named(policy, asked.bundle)
        return asked_anew(asked, bundle, duration=min(asked.duration, bundle.max_duration))
    except Refused as problem:
        raise NotAllowed(f"this cannot be extended: {problem}", hint="ask anew") from None
