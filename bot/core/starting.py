"""When a grant may be asked to start."""

from datetime import datetime

from bot.core.durations import spell
from bot.core.errors import Invalid
from bot.core.scopes import Bundle


def start_of(bundle: Bundle, wanted: datetime | None, *, now: datetime) -> datetime | None:
    """Return the start that is asked for, to the second; None for as soon as it is approved.

    Raises:
        Invalid: `bundle` cannot be had later, or not so much later, or that time has passed.
    """
    if wanted is None:
        return None
    if bundle.start_within is None:
        raise Invalid(f"{bundle.name} cannot be asked for later", field="start", hint=_how(bundle))
    if wanted <= now:
        hint = "leave the start out for as soon as it is approved"
        raise Invalid("the start that was asked for has passed", field="start", hint=hint)
    if wanted > now + bundle.start_within:
        most = spell(bundle.start_within)
        raise Invalid(f"{bundle.name} can be asked for {most} ahead at most", field="start")
    return wanted.replace(microsecond=0)


def _how(bundle: Bundle) -> str:
    if bundle.claim_within is None:
        return "it starts as soon as it is approved"
    return f"you start it yourself, within {spell(bundle.claim_within)} of the approval"
