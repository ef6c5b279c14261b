"""The form to ask for a bundle, and how its answers are read.

Slack keeps what was entered while block id and action id stay the same. So both are constant for
what belongs to the person (reason, ticket), and the action id names the bundle for what belongs to
it (scopes, duration): another bundle starts with its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bot.core.durations import read_duration, spell
from bot.core.errors import Invalid
from bot.core.identity import fingerprint
from bot.core.policy import Policy
from bot.core.scopes import Bundle, ScopeText, TicketRule
from bot.slack import words
from bot.slack.buttons import Action
from bot.slack.modals import REASON, Form, answer, field, modal, typed
from bot.slack.mrkdwn import (
    CHECKBOXES,
    NAME_TEXT,
    OPTION_TEXT,
    OPTION_VALUE,
    OPTIONS,
    PLACEHOLDER,
    REASON_TEXT,
    Block,
    View,
    context,
    plain,
    quoted,
    section,
    tidy,
)
from bot.usecases.wishes import Wish

BUNDLE: Final = "bundle"
SCOPES: Final = "scopes"
DURATION: Final = "duration"
TICKET: Final = "ticket"
START: Final = "start"

# Errors are short: Slack shows them on one or two lines.
ERROR_TEXT: Final = 300
# As many scopes as can be ticked one by one without the form growing too heavy.
SCOPES_TICKED: Final = 100

_LADDER: Final = tuple(
    read_duration(text) for text in ("15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "7d")
)


def request_form(
    policy: Policy, wish: Wish | None = None, *, note: str = "", metadata: str = ""
) -> View:
    """Return the form, filled in with what is known of `wish`.

    Args:
        note: Why the form is shown, in words that are anybody's.
        metadata: Comes back with the answers: an opaque id.
    """
    given = wish or Wish(bundle="")
    bundle = policy.bundles.get(given.bundle)
    said = quoted(note)
    return modal(
        Form.REQUEST,
        "Ask for access",
        [
            *([section(said)] if said else []),
            *_bundle_fields(policy, bundle),
            *(own_fields(bundle, given) if bundle is not None else ()),
            reason_field(bundle, given.reason),
            *ticket_fields(bundle.ticket if bundle is not None else None, given.ticket),
        ],
        submit="Ask",
        close="Cancel",
        metadata=metadata,
    )


def read_draft(view: Mapping[str, Any]) -> Wish:
    """Return what a form holds in which another bundle was chosen: the person's own words."""
    return Wish(
        bundle=_chosen_bundle(view),
        reason=typed(view, REASON, limit=REASON_TEXT),
        ticket=typed(view, TICKET, limit=NAME_TEXT),
        start=_chosen_start(view),
    )


def read_request_form(view: Mapping[str, Any], policy: Policy) -> Wish:
    """Return what the form asks for; scopes are named one by one, as they were shown.

    Raises:
        Invalid: The duration is none, or a scope is no longer in the bundle.
    """
    name = _chosen_bundle(view)
    bundle = policy.bundles.get(name)
    return Wish(
        bundle=name,
        scopes=ticked(view, bundle.scope_names, of=name) if bundle is not None else None,
        duration=chosen_duration(view),
        reason=typed(view, REASON, limit=REASON_TEXT),
        ticket=typed(view, TICKET, limit=NAME_TEXT),
        start=_chosen_start(view),
    )


def errors_for(problem: Invalid, view: Mapping[str, Any]) -> dict[str, str]:
    """Return `problem` under the block of `view` that it belongs to.

    Slack ignores an error of a block that a form does not have, so that goes under the first one.
    """
    block = f"{SCOPES}-0" if problem.field == SCOPES else problem.field
    known = {shown.get("block_id") for shown in view.get("blocks", ())}
    hint = f" ({problem.hint})" if problem.hint else ""
    return {block if block in known else first_block(view): tidy(f"{problem}{hint}", ERROR_TEXT)}


def first_block(view: Mapping[str, Any]) -> str:
    """Return the id of the first block of `view` that an error can stand under."""
    blocks = view.get("blocks", ())
    return next((str(b["block_id"]) for b in blocks if b.get("type") == "input"), REASON)


def _bundle_fields(policy: Policy, chosen: Bundle | None) -> Iterator[Block]:
    bundles = list(policy.bundles.values())
    listed = bundles[:OPTIONS]
    if chosen is not None and chosen not in listed:
        listed = [chosen, *listed[:-1]]
    element: Block = {
        "type": "static_select",
        "action_id": Action.CHOOSE_BUNDLE,
        "placeholder": plain("Choose a bundle"),
        "options": [_bundle_option(bundle) for bundle in listed],
    }
    if chosen is not None:
        element["initial_option"] = _bundle_option(chosen)
    yield field(BUNDLE, "What do you need?", element, dispatches=True)
    if len(listed) < len(bundles):
        more = len(bundles) - len(listed)
        yield context(f"{more} more bundles are not in this menu: type `/jit request NAME`.")


def _bundle_option(bundle: Bundle) -> Block:
    about = f"{words.risk(bundle.risk)} · up to {spell(bundle.max_duration)}"
    if bundle.description:
        about = f"{about} · {bundle.description}"
    return option(bundle.title or bundle.name, value=bundle.name, about=about)


def option(text: str, *, value: str, about: str = "") -> Block:
    """Return one entry of a menu or of boxes."""
    made: Block = {"text": plain(tidy(text, OPTION_TEXT) or "-"), "value": value}
    shown = tidy(about, OPTION_TEXT)
    if shown:
        made["description"] = plain(shown)
    return made


def own_fields(bundle: Bundle, wish: Wish) -> Iterator[Block]:
    """Yield what differs from bundle to bundle: its scopes and its durations."""
    own = fingerprint(bundle.name)[:8]
    if len(bundle.scopes) > SCOPES_TICKED:
        yield context(f"All {len(bundle.scopes)} scopes are asked for: too many to choose from.")
    else:
        yield from scope_fields(bundle.scopes, wish.scopes, own)
    yield _duration_field(bundle, wish.duration, own)
    if bundle.claim_within is not None:
        yield context(words.begins(bundle))
    if bundle.start_within is not None:
        yield _start_field(bundle.start_within, wish.start)


def _start_field(ahead: timedelta, start: datetime | None) -> Block:
    """Return the field for a start that is later; Slack shows it in the reader's own time zone.

    Source: https://docs.slack.dev/reference/block-kit/block-elements/datetime-picker-element
    """
    element: Block = {"type": "datetimepicker", "action_id": START}
    if start is not None:
        element["initial_date_time"] = int(start.timestamp())
    most = f"{spell(ahead)} ahead at most; policy decides again then."
    hint = f"Left empty, as soon as it is approved. {most}"
    return field(START, "From when?", element, optional=True, hint=hint)


def scope_fields(
    scopes: Sequence[ScopeText], ticked: Sequence[str] | None, own: str
) -> Iterator[Block]:
    """Yield the boxes to tick scopes in.

    Args:
        ticked: Those that are ticked at first; None for all.
        own: The same for as long as what was ticked should stay.
    """
    several = len(scopes) > CHECKBOXES
    for number, start in enumerate(range(0, len(scopes), CHECKBOXES)):
        part = scopes[start : start + CHECKBOXES]
        boxes: Block = {
            "type": "checkboxes",
            "action_id": f"{SCOPES}-{own}",
            "options": [_scope_option(text) for text in part],
        }
        initial = [_scope_option(t) for t in part if ticked is None or t.scope in ticked]
        if initial:
            boxes["initial_options"] = initial
        label = "What should it allow?" if number == 0 else "and"
        yield field(f"{SCOPES}-{number}", label, boxes, optional=several)


def _scope_option(text: ScopeText) -> Block:
    value = scope_value(text.scope)
    if not text.words:
        return option(text.scope, value=value)
    return option(text.words, value=value, about=text.scope)


def scope_value(scope: str) -> str:
    """Return what stands for `scope` in the form: itself, or a digest where it is too long."""
    return scope if len(scope) <= OPTION_VALUE else f"sha256 {fingerprint(scope)}"


def _duration_field(bundle: Bundle, wanted: timedelta | None, own: str) -> Block:
    fits = wanted is not None and timedelta(0) < wanted <= bundle.max_duration
    chosen = wanted if wanted is not None and fits else bundle.default_duration
    ladder = {step for step in _LADDER if step <= bundle.max_duration}
    steps = sorted(ladder | {bundle.default_duration, bundle.max_duration, chosen})
    options = {step: _duration_option(step, bundle) for step in steps}
    return duration_menu(options, chosen, own)


def duration_menu(options: Mapping[timedelta, Block], chosen: timedelta, own: str) -> Block:
    """Return the menu of durations; `chosen` is one of `options`."""
    return field(
        DURATION,
        "For how long?",
        {
            "type": "static_select",
            "action_id": f"{DURATION}-{own}",
            "options": list(options.values()),
            "initial_option": options[chosen],
        },
    )


def _duration_option(length: timedelta, bundle: Bundle) -> Block:
    usual = " (usual)" if length == bundle.default_duration else ""
    most = " (the most)" if length == bundle.max_duration and not usual else ""
    return option(f"{spell(length)}{usual}{most}", value=spell(length))


def reason_field(bundle: Bundle | None, reason: str, *, read_by: str = "Approvers") -> Block:
    """Return the field for the reason."""
    least = max(bundle.reason_min, 1) if bundle is not None else 1
    element: Block = {
        "type": "plain_text_input",
        "action_id": REASON,
        "multiline": True,
        "min_length": min(least, REASON_TEXT),
        "max_length": REASON_TEXT,
        "placeholder": plain("What are you going to do with it?"),
    }
    initial = tidy(reason, REASON_TEXT)
    if initial:
        element["initial_value"] = initial
    return field(REASON, "Why?", element, hint=f"{read_by} read this, and it is kept.")


def ticket_fields(rule: TicketRule | None, ticket: str) -> Iterator[Block]:
    """Yield the field for the ticket, where one is needed or given."""
    initial = tidy(ticket, NAME_TEXT)
    if rule is None and not initial:
        return
    element: Block = {"type": "plain_text_input", "action_id": TICKET, "max_length": NAME_TEXT}
    if rule is not None:
        element["placeholder"] = plain(tidy(f"such as {rule.example}", PLACEHOLDER))
    if initial:
        element["initial_value"] = initial
    yield field(TICKET, "Which ticket?", element, optional=rule is None)


def _chosen_bundle(view: Mapping[str, Any]) -> str:
    chosen = answer(view, BUNDLE).get("selected_option") or {}
    return str(chosen.get("value", ""))


def _chosen_start(view: Mapping[str, Any]) -> datetime | None:
    seconds = answer(view, START).get("selected_date_time")
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None


def chosen_duration(view: Mapping[str, Any]) -> timedelta | None:
    """Return the duration that was chosen, None if the form has none.

    Raises:
        Invalid: It is no duration.
    """
    chosen = answer(view, DURATION).get("selected_option") or {}
    if not chosen:
        return None
    try:
        return read_duration(str(chosen.get("value", "")))
    except ValueError as problem:
        raise Invalid(str(problem), field=DURATION) from None


def ticked(view: Mapping[str, Any], scopes: Sequence[str], *, of: str) -> tuple[str, ...] | None:
    """Return which of `scopes` are ticked; None where the form let nobody choose.

    Args:
        of: What they are scopes of.

    Raises:
        Invalid: Something else is ticked.
    """
    values = view.get("state", {}).get("values", {})
    blocks = [block for block in values if block.startswith(f"{SCOPES}-")]
    if not blocks:
        return None
    ticks = {str(value) for block in blocks for value in _values(answer(view, block))}
    known = {scope_value(scope): scope for scope in scopes}
    gone = sorted(ticks - known.keys())
    if gone:
        raise Invalid(f"{of} has no scope {gone[0]!r} any more", field=SCOPES)
    return tuple(scope for value, scope in known.items() if value in ticks)


def _values(state: Mapping[str, Any]) -> Iterable[object]:
    return [option.get("value", "") for option in state.get("selected_options") or ()]
