"""What a bundle says of itself that no rule decides about: which way it changed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from bot.core.durations import spell
from bot.core.replaying import Shift
from bot.core.scopes import Bundle, Delivery, Glass

# What shows how much of something there may be; None is no limit.
_CAPS: Final[Mapping[str, Callable[[Bundle], Any]]] = {
    "limits.per_user_per_day": lambda bundle: bundle.limits.per_user_per_day,
    "limits.active_total": lambda bundle: bundle.limits.active_total,
    "limits.active_per_user": lambda bundle: bundle.limits.active_per_user,
    "extend.times": lambda bundle: bundle.prolonging.times,
    "extend.total": lambda bundle: bundle.prolonging.total,
    "idle_end": lambda bundle: bundle.idle_end,
}
_CAPS_OF_GLASS: Final[Mapping[str, Callable[[Glass], Any]]] = {
    "break_glass.review_within": lambda glass: glass.review_within,
    "break_glass.unreviewed": lambda glass: glass.unreviewed,
}


def differing(old: Bundle, new: Bundle) -> Iterator[tuple[Shift, str]]:
    """Yield each difference in words; what cannot be compared counts as looser."""
    yield from _more("scopes", old.scope_names, new.scope_names, more=Shift.LOOSER)
    if old.resource != new.resource:
        yield Shift.LOOSER, f"resource: {old.resource} -> {new.resource}"
    if old.delivery is not new.delivery:
        is_stricter = new.delivery is Delivery.REVEAL
        yield _way(not is_stricter), f"delivery: {old.delivery} -> {new.delivery}"
    for name, cap in _CAPS.items():
        yield from _capped(name, cap(old), cap(new))
    if old.limits.cool_down != new.limits.cool_down:
        none = timedelta(0)
        before, after = old.limits.cool_down or none, new.limits.cool_down or none
        yield _way(after < before), f"limits.cool_down: {spell(before)} -> {spell(after)}"
    yield from _tickets(old, new)
    yield from _glasses(old.glass, new.glass)


def _tickets(old: Bundle, new: Bundle) -> Iterator[tuple[Shift, str]]:
    if old.ticket == new.ticket:
        return
    if old.ticket is None:
        yield Shift.STRICTER, "ticket: one is needed now"
    elif new.ticket is None:
        yield Shift.LOOSER, "ticket: none is needed any more"
    else:
        yield Shift.LOOSER, "ticket: another kind is needed, which may be easier to have"


def _glasses(old: Glass | None, new: Glass | None) -> Iterator[tuple[Shift, str]]:
    if old is None or new is None:
        if old is not new:
            which = "there is none any more" if new is None else "there was none"
            yield _way(old is None), f"break_glass: {which}"
        return
    for name, cap in _CAPS_OF_GLASS.items():
        yield from _capped(name, cap(old), cap(new))
    yield from _more("break_glass.notify", old.notify, new.notify, more=Shift.STRICTER)
    yield from _more("break_glass.review_by", old.review_by, new.review_by, more=Shift.LOOSER)


def _capped(name: str, old: Any, new: Any) -> Iterator[tuple[Shift, str]]:
    if old != new:
        is_more = old is not None and (new is None or new > old)
        yield _way(is_more), f"{name}: {_said(old)} -> {_said(new)}"


def _said(cap: Any) -> str:
    if isinstance(cap, timedelta):
        return spell(cap)
    return "no limit" if cap is None else str(cap)


def _more(
    name: str, old: Collection[str], new: Collection[str], *, more: Shift
) -> Iterator[tuple[Shift, str]]:
    """Yield what was put in or taken out."""
    less = Shift.STRICTER if more is Shift.LOOSER else Shift.LOOSER
    for which, mark, these in (
        (more, "+", [each for each in new if each not in old]),
        (less, "-", [each for each in old if each not in new]),
    ):
        if these:
            yield which, f"{name}: {', '.join(mark + each for each in these)}"


def _way(is_looser: bool) -> Shift:  # noqa: FBT001 - a name of the one or the other
    return Shift.LOOSER if is_looser else Shift.STRICTER
