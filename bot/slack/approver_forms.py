"""Modals of approvers (approve with changes, ask, details), and the requester's answer."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from bot.core import events as e
from bot.core.durations import read_duration, spell
from bot.core.errors import Invalid
from bot.core.identity import RequestId
from bot.core.moves import Narrow
from bot.core.request import Request
from bot.slack import words
from bot.slack.buttons import button_value, question_value, read_button, read_question
from bot.slack.cards import why
from bot.slack.elsewhere import unknown
from bot.slack.forms import (
    SCOPES_TICKED,
    chosen_duration,
    duration_menu,
    option,
    scope_fields,
    ticked,
)
from bot.slack.modals import REASON, Form, field, modal, typed
from bot.slack.mrkdwn import (
    BLOCK_WEIGHT,
    REASON_TEXT,
    VIEW_BLOCKS,
    VIEW_WEIGHT,
    Block,
    View,
    code,
    context,
    counted,
    mention_user,
    moment,
    packed,
    quotation,
    section,
    weight,
)
from bot.slack.use import told_use
from bot.usecases.background import Background

_SHORTER: Final = tuple(
    read_duration(text)
    for text in ("1m", "5m", "10m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d")
)
_SAID: Final = 1000


def changes_form(request: Request) -> View:
    """Return the modal in which an approver agrees to less."""
    asked = request.asked
    can_choose = 1 < len(asked.scopes) <= SCOPES_TICKED and asked.extends is None
    own = button_value(request)[-8:]
    return modal(
        Form.NARROW,
        "Approve with changes",
        [
            section(f"{words.wish(request)}."),
            *(scope_fields(asked.scopes, None, own) if can_choose else ()),
            duration_menu(_durations(asked.duration), asked.duration, own),
            context(
                "You can only leave out and shorten. The requester is told what you changed, and "
                "whoever must approve after you approves just that."
            ),
        ],
        submit="Approve",
        close="Back",
        metadata=button_value(request),
    )


def _durations(asked: timedelta) -> dict[timedelta, Block]:
    shorter = [step for step in _SHORTER if step < asked]
    options = {step: option(spell(step), value=spell(step)) for step in shorter}
    return {**options, asked: option(f"{spell(asked)} (as asked)", value=spell(asked))}


def read_changes_form(view: Mapping[str, Any], asked: e.Requested) -> Narrow:
    """Return to what an approver agrees of `asked`.

    Raises:
        NotFound: The form belongs to no request.
        Invalid: A scope is ticked that is not asked for (any more), or a duration is none.
    """
    _, seen = changed_request(view)
    scopes = tuple(text.scope for text in asked.scopes)
    kept = ticked(view, scopes, of=asked.request)
    duration = chosen_duration(view)
    return Narrow(
        seen=seen,
        scopes=scopes if kept is None else kept,
        duration=asked.duration if duration is None else duration,
    )


def changed_request(view: Mapping[str, Any]) -> tuple[RequestId, str]:
    """Return which request a form is about, and the digest of what it showed.

    Raises:
        NotFound: It belongs to no request.
    """
    return read_button(str(view.get("private_metadata", "")))


def question_form(request: Request) -> View:
    """Return the modal in which an approver asks the requester something."""
    return modal(
        Form.QUESTION,
        "Ask a question",
        [
            section(f"{words.wish(request)}."),
            why(request),
            _words("What do you want to know?", "The requester gets it as a direct message."),
        ],
        submit="Ask",
        close="Back",
        metadata=button_value(request),
    )


def answer_form(request: Request, number: int) -> View:
    """Return the modal in which the requester answers question `number` (from 0)."""
    asked = request.questions[number]
    said = quotation(asked.text, limit=_SAID)
    return modal(
        Form.ANSWER,
        "Answer",
        [
            section(f"{mention_user(asked.by.id)} asks about {words.wanted(request)}:{said}"),
            _words("Your answer", "It stands in the thread of your request."),
        ],
        submit="Answer",
        close="Back",
        metadata=question_value(request, number),
    )


def _words(label: str, hint: str) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": REASON,
        "multiline": True,
        "min_length": 1,
        "max_length": REASON_TEXT,
    }
    return field(REASON, label, element, hint=hint)


def read_question_form(view: Mapping[str, Any]) -> tuple[RequestId, str]:
    """Return which request the question is about, and the question.

    Raises:
        NotFound: The form belongs to no request.
        Invalid: Nothing is asked.
    """
    id_, _ = changed_request(view)
    return id_, _said(view)


def read_answer_form(view: Mapping[str, Any]) -> tuple[RequestId, int, str]:
    """Return which request and question are answered, and the answer.

    Raises:
        NotFound: The form belongs to no question.
        Invalid: Nothing is answered.
    """
    id_, number = read_question(str(view.get("private_metadata", "")))
    return id_, number, _said(view)


def _said(view: Mapping[str, Any]) -> str:
    text = typed(view, REASON, limit=REASON_TEXT)
    if not text:
        raise Invalid("write something", field="reason")
    return text


def background_view(behind: Background) -> View:
    """Return the modal that tells an approver what is behind a request."""
    request = behind.request
    above = [section(f"{words.wish(request)}  ·  {words.risk(request.asked.risk)}"), why(request)]
    around = [*_asked_because(behind), *_earlier(behind)]
    scopes = [words.allows(request), *(words.scope_line(text) for text in request.asked.scopes)]
    room = VIEW_WEIGHT // 2 - weight([*above, *around]) - 10 * BLOCK_WEIGHT
    shown, hidden = packed([*around, *scopes], room=room, blocks=VIEW_BLOCKS - len(above) - 1)
    more = [context(f"{counted(hidden, 'more line')} do not fit here.")] if hidden else []
    return modal(Form.BACKGROUND, "What is behind this", [*above, *shown, *more])


def _asked_because(behind: Background) -> Iterator[str]:
    request = behind.request
    asked = request.asked
    yield f"*Rule*  {code(asked.rule)}{quotation('; '.join(asked.reasons), limit=_SAID)}"
    yield f"*You have a say* as one of {words.groups(behind.groups)}"
    if request.waits_for is None:
        return
    stage = words.stage_name(request, request.stage)
    yield f"*Now*  stage {stage} of {len(asked.stages)} waits for {words.missing_votes(request)}"
    people = words.mentions(mention_user(user) for user in behind.people)
    yield f"*Who can act*  {people or 'not all groups can be read now'}"
    yield from unknown(request, behind.found)


def _earlier(behind: Background) -> Iterator[str]:
    who = mention_user(behind.request.requester.id)
    if not behind.earlier:
        yield f"*Before*  {who} had nothing of {code(behind.request.asked.bundle)} lately"
        return
    yield f"*Before*  what {who} had of {code(behind.request.asked.bundle)} lately"
    for each, usage in zip(behind.earlier, behind.used, strict=True):
        state, used = words.state(each), told_use(usage)
        yield f"• {moment(each.asked.at)}  {code(each.id)}  {state}  ·  {used}"
