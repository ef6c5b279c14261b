"""Modals, and how their answers are read; `private_metadata` holds an opaque id at most."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from bot.core.errors import Invalid
from bot.core.identity import RequestId
from bot.core.request import Request
from bot.slack import words
from bot.slack.buttons import button_value, read_button
from bot.slack.cards import why
from bot.slack.mrkdwn import (
    BLOCK_WEIGHT,
    REASON_TEXT,
    SECTION_TEXT,
    VIEW_BLOCKS,
    VIEW_WEIGHT,
    VIEW_WORDS,
    Block,
    View,
    code,
    context,
    moment,
    packed,
    plain,
    quoted,
    section,
    tidy,
    weight,
)

REASON: Final = "reason"
_TOKEN_PART: Final = SECTION_TEXT - 10


class Form(StrEnum):
    """The callback ids of all modals."""

    REQUEST = "request"
    DENY = "deny"
    DETAILS = "details"
    NARROW = "narrow"
    QUESTION = "question"
    ANSWER = "answer"
    BACKGROUND = "background"
    BREAK_GLASS = "break_glass"
    SIGN_OFF = "sign_off"
    CONCERN = "concern"
    AWAY = "away"
    TOKEN = "token"  # noqa: S105 - the name of a form
    MESSAGE = "message"


def modal(
    form: Form,
    title: str,
    blocks: list[Block],
    *,
    submit: str = "",
    close: str = "Close",
    metadata: str = "",
) -> View:
    """Return a modal; `title`, `submit` and `close` have VIEW_WORDS characters at most.

    Args:
        metadata: Comes back with the form: an opaque id, never to be believed.
    """
    made: View = {
        "type": "modal",
        "callback_id": form,
        "title": plain(tidy(title, VIEW_WORDS)),
        "close": plain(close),
        "blocks": blocks,
        "private_metadata": metadata,
    }
    if submit:
        made["submit"] = plain(submit)
    return made


def field(
    block_id: str,
    label: str,
    element: Mapping[str, Any],
    *,
    optional: bool = False,
    dispatches: bool = False,
    hint: str = "",
) -> Block:
    """Return an input block.

    Args:
        dispatches: Whether a change is told at once.
    """
    made: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label),
        "element": dict(element),
        "optional": optional,
    }
    if dispatches:
        made["dispatch_action"] = True
    if hint:
        made["hint"] = plain(hint)
    return made


def answer(view: Mapping[str, Any], block_id: str) -> Mapping[str, Any]:
    """Return the state of the one element in a block, {} if the form has none."""
    values = view.get("state", {}).get("values", {})
    return next(iter(values.get(block_id, {}).values()), {})


def typed(view: Mapping[str, Any], block_id: str, *, limit: int) -> str:
    """Return what was typed into a block, tidied; "" if nothing."""
    return tidy(str(answer(view, block_id).get("value") or ""), limit)


def deny_form(request: Request) -> View:
    """Return the modal that asks why a request is denied."""
    return modal(
        Form.DENY,
        "Deny this request",
        [
            section(f"{words.wish(request)}."),
            field(
                REASON,
                "Why not?",
                {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "min_length": 1,
                    "max_length": REASON_TEXT,
                },
                hint="It is told to the requester and stands in the thread.",
            ),
        ],
        submit="Deny",
        close="Back",
        metadata=button_value(request),
    )


def read_deny_form(view: Mapping[str, Any]) -> tuple[RequestId, str]:
    """Return which request is denied, and why.

    Raises:
        NotFound: The form belongs to no request.
        Invalid: No reason is given.
    """
    id_, _ = read_button(str(view.get("private_metadata", "")))
    reason = typed(view, REASON, limit=REASON_TEXT)
    if not reason:
        raise Invalid("say why not", field="reason")
    return id_, reason


def details_form(request: Request) -> View:
    """Return the modal with every scope; it approves, if all of them could be shown."""
    above = section(f"{words.wish(request)}  ·  {words.risk(request.asked.risk)}")
    lines = [words.scope_line(text) for text in request.asked.scopes]
    scopes, hidden = packed(
        [words.allows(request), *lines],
        room=VIEW_WEIGHT // 2 - weight(why(request)) - 10 * BLOCK_WEIGHT,
        blocks=VIEW_BLOCKS - 3,
    )
    note = f"⚠️ *{hidden} of {len(lines)} scopes do not fit here either*: it cannot be approved."
    return modal(
        Form.DETAILS,
        "All that is asked for",
        [above, why(request), *scopes, *([section(note)] if hidden else [])],
        submit="Approve" if request.waits_for is not None and not hidden else "",
        metadata=button_value(request),
    )


def read_details_form(view: Mapping[str, Any]) -> tuple[RequestId, str]:
    """Return which request is approved, and the digest of what was shown.

    Raises:
        NotFound: The form belongs to no request.
    """
    return read_button(str(view.get("private_metadata", "")))


def token_modal(request: Request, token: str) -> View:
    """Return the modal that shows a token to the person who asked for it."""
    grant = request.working_grant
    until = f" until {moment(grant.ends_at)}" if grant is not None else ""
    parts = [token[at : at + _TOKEN_PART] for at in range(0, len(token), _TOKEN_PART)]
    joining = [section(f"Join its {len(parts)} parts without spaces.")] if len(parts) > 1 else []
    return modal(
        Form.TOKEN,
        "Your token",
        [
            section(f"For *{words.title(request)}*; it works{until}."),
            *joining,
            *(section(f"```{part}```") for part in parts),
            section(
                f"At {code(request.asked.resource, limit=300)}: `Authorization: Bearer $TOKEN`"
            ),
            context("Whoever has this token can do what it allows. That you saw it is on record."),
        ],
    )


def message_modal(title: str, text: str) -> View:
    """Return a modal that says one thing; `text` is anybody's, and shown as it is."""
    return modal(Form.MESSAGE, title, [section(quoted(text, limit=SECTION_TEXT) or "Done.")])
