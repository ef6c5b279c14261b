"""Modals of break-glass: the form that breaks it, and those of its reviewers."""

from collections.abc import Mapping
from typing import Any, Final

from bot.core.durations import spell
from bot.core.errors import Invalid
from bot.core.identity import RequestId
from bot.core.moves import RaiseConcern, SignOff
from bot.core.policy import Policy
from bot.core.request import Request
from bot.slack import glass, words
from bot.slack.buttons import button_value, read_button
from bot.slack.cards import why
from bot.slack.forms import (
    TICKET,
    chosen_duration,
    option,
    own_fields,
    reason_field,
    ticked,
    ticket_fields,
)
from bot.slack.modals import REASON, Form, answer, field, modal, typed
from bot.slack.mrkdwn import NAME_TEXT, REASON_TEXT, Block, View, code, quoted, section
from bot.usecases.emergencies import Prospect
from bot.usecases.wishes import Wish

ENDS: Final = "ends"


def glass_form(prospect: Prospect, wish: Wish) -> View:
    """Return the form that breaks the glass, filled in with what is known of `wish`.

    It says first what will happen.
    """
    bundle = prospect.bundle
    title = quoted(bundle.title, limit=NAME_TEXT) or code(bundle.name)
    happens = glass.what_happens(prospect.emergency, longest=spell(bundle.max_duration))
    return modal(
        Form.BREAK_GLASS,
        "Break glass",
        [
            section(f"*{title}*  ·  {words.risk(bundle.risk)}"),
            section(happens),
            *own_fields(bundle, wish),
            reason_field(bundle, wish.reason, read_by="Reviewers"),
            *ticket_fields(bundle.ticket, wish.ticket),
        ],
        submit="Break glass",
        close="Cancel",
        metadata=bundle.name,
    )


def read_glass_form(view: Mapping[str, Any], policy: Policy) -> Wish:
    """Return what the form takes.

    Raises:
        Invalid: The duration is none, or a scope is no longer in the bundle.
    """
    name = str(view.get("private_metadata", ""))
    bundle = policy.bundles.get(name)
    return Wish(
        bundle=name,
        scopes=ticked(view, bundle.scope_names, of=name) if bundle is not None else None,
        duration=chosen_duration(view),
        reason=typed(view, REASON, limit=REASON_TEXT),
        ticket=typed(view, TICKET, limit=NAME_TEXT),
    )


def sign_off_form(request: Request) -> View:
    """Return the modal in which a reviewer signs a break-glass grant off."""
    return modal(
        Form.SIGN_OFF,
        "Sign off",
        [
            section(f"{words.wish(request)}."),
            why(request),
            _comment("What did you find?", "It is kept, and stands in the thread."),
        ],
        submit="Sign off",
        close="Back",
        metadata=button_value(request),
    )


def concern_form(request: Request) -> View:
    """Return the modal in which a reviewer raises a concern, and may end the access."""
    works = request.working_grant is not None
    return modal(
        Form.CONCERN,
        "Raise a concern",
        [
            section(f"{words.wish(request)}."),
            why(request),
            _comment(
                "What is your concern?",
                "The requester is told; the review stays open until somebody signs it off.",
            ),
            *([_ends()] if works else []),
        ],
        submit="Raise concern",
        close="Back",
        metadata=button_value(request),
    )


def _comment(label: str, hint: str) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": REASON,
        "multiline": True,
        "min_length": 1,
        "max_length": REASON_TEXT,
    }
    return field(REASON, label, element, hint=hint)


def _ends() -> Block:
    boxes: Block = {
        "type": "checkboxes",
        "action_id": ENDS,
        "options": [option("End the access now", value=ENDS, about="Its token dies at once")],
    }
    return field(ENDS, "And", boxes, optional=True)


def read_sign_off_form(view: Mapping[str, Any]) -> tuple[RequestId, SignOff]:
    """Return which request is signed off, and with which comment.

    Raises:
        NotFound: The form belongs to no request.
        Invalid: There is no comment.
    """
    id_, comment = _commented(view)
    return id_, SignOff(comment)


def read_concern_form(view: Mapping[str, Any]) -> tuple[RequestId, RaiseConcern]:
    """Return about which request a concern is raised, and whether its access should end.

    Raises:
        NotFound: The form belongs to no request.
        Invalid: There is no comment.
    """
    id_, comment = _commented(view)
    return id_, RaiseConcern(comment, ends=bool(answer(view, ENDS).get("selected_options")))


def _commented(view: Mapping[str, Any]) -> tuple[RequestId, str]:
    id_, _ = read_button(str(view.get("private_metadata", "")))
    comment = typed(view, REASON, limit=REASON_TEXT)
    if not comment:
        raise Invalid("write something", field="reason")
    return id_, comment
