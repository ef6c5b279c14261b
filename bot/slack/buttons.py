"""What buttons are called, what they carry, and the buttons that more than one message has."""

import re
from enum import StrEnum
from typing import Final

from bot.core.errors import NotFound
from bot.core.identity import RequestId, grant_id, request_of
from bot.core.request import Request, shown_digest
from bot.slack.mrkdwn import Block, button, confirm

_VALUE: Final = re.compile(r"(R-[0-9A-HJKMNP-TV-Z]{12})\.([0-9a-f]{16})", re.ASCII)
_TOKEN_VALUE: Final = re.compile(r"(G-[0-9A-HJKMNP-TV-Z]{12})\.[1-9][0-9]{0,5}", re.ASCII)
_QUESTION_VALUE: Final = re.compile(r"(R-[0-9A-HJKMNP-TV-Z]{12})\.q(0|[1-9][0-9]{0,5})", re.ASCII)
_ID: Final = re.compile(r"R-[0-9A-HJKMNP-TV-Z]{12}", re.ASCII)


class Action(StrEnum):
    """The action ids of everything that can be clicked in a message or a form."""

    APPROVE = "approve"
    NARROW = "narrow"
    QUESTION = "question"
    ANSWER = "answer"
    DETAILS = "details"
    ASK_AGAIN = "ask_again"
    DENY = "deny"
    SHOW_ALL = "show_all"
    CANCEL = "cancel"
    REVOKE = "revoke"
    END_NOW = "end_now"
    EXTEND = "extend"
    START = "start"
    REVEAL = "reveal"
    GOT_IT = "got_it"
    RENEW = "renew"
    CHOOSE_BUNDLE = "choose_bundle"
    BREAK_GLASS = "break_glass"
    SIGN_OFF = "sign_off"
    CONCERN = "concern"
    NOT_ME = "not_me"


def read_id(typed: str) -> RequestId:
    """Return the request that `typed` names, by its own id or its grant's.

    Raises:
        NotFound: It has not the form of an id.
    """
    found = request_of(typed)
    if not _ID.fullmatch(found):
        raise NotFound("that is not an id", hint="see /jit list for yours")
    return found


def button_value(request: Request) -> str:
    """Return what a button carries: the request's id, and a digest of what the card showed."""
    return f"{request.id}.{shown_digest(request.asked)}"


def read_button(value: str) -> tuple[RequestId, str]:
    """Return the request and the digest of what was seen when the button was clicked.

    Raises:
        NotFound: `value` was not made by `button_value`.
    """
    found = _parts(_VALUE, value)
    return RequestId(found[1]), found[2]


def _parts(made: re.Pattern[str], value: str) -> re.Match[str]:
    """Return the parts of a button's value that has the form `made`.

    Raises:
        NotFound: It has another form.
    """
    found = made.fullmatch(value)
    if found is None:
        raise NotFound("this button belongs to nothing that I know", hint="see /jit list for yours")
    return found


def token_button_value(request: Request, number: int) -> str:
    """Return what the button of the grant's token `number` (from 1) carries: the token's jti."""
    return f"{grant_id(request.id)}.{number}"


def read_token_button(value: str) -> tuple[RequestId, str]:
    """Return the request and the jti of the token that the button is about.

    Raises:
        NotFound: `value` was not made by `token_button_value`.
    """
    found = _parts(_TOKEN_VALUE, value)
    return request_of(found[1]), value


def question_value(request: Request, number: int) -> str:
    """Return what the button that answers question `number` (from 0) carries."""
    return f"{request.id}.q{number}"


def read_question(value: str) -> tuple[RequestId, int]:
    """Return the request, and the number of the question that is answered.

    Raises:
        NotFound: `value` was not made by `question_value`.
    """
    found = _parts(_QUESTION_VALUE, value)
    return RequestId(found[1]), int(found[2])


def ask_again_button(request: Request) -> Block:
    """Return a button that opens the form for the same again."""
    return button(
        Action.ASK_AGAIN,
        "Ask again",
        value=button_value(request),
        describes=f"Ask again for what {request.id} asked for: {request.asked.title}",
    )


def glass_button(request: Request) -> Block:
    """Return a button that opens the form of break-glass for what is asked for."""
    return button(
        Action.BREAK_GLASS,
        "Break glass",
        value=button_value(request),
        describes=f"Break the glass for what {request.id} asks for: {request.asked.title}",
    )


def ending_button(action: Action, label: str, request: Request) -> Block:
    """Return a button that ends the grant before its time, once that was confirmed."""
    return button(
        action,
        label,
        value=button_value(request),
        style="danger",
        describes=f"End the access of {request.id} now: {request.asked.title}",
        asks=confirm(
            "End this access now?",
            f"The token for {request.asked.title} stops working at once. "
            "Who needs it again must ask again.",
            yes="End it",
            no="Keep it",
        ),
    )
