"""What each form that is sent does, and what Slack is answered."""

from collections.abc import Mapping
from typing import Any, Final

from bot.core.errors import BotError, Invalid, Refused, Unavailable
from bot.core.identity import RequestId, request_id
from bot.core.moves import Answer, Approve, Deny, Move, Narrow, Question, RaiseConcern, SignOff
from bot.slack.approver_forms import (
    changed_request,
    read_answer_form,
    read_changes_form,
    read_question_form,
)
from bot.slack.away_desk import AwayDesk
from bot.slack.clicks import done
from bot.slack.forms import errors_for, read_request_form
from bot.slack.glass_forms import read_concern_form, read_glass_form, read_sign_off_form
from bot.slack.modals import Form, message_modal, modal, read_deny_form, read_details_form
from bot.slack.mrkdwn import View
from bot.slack.payloads import Submission
from bot.slack.problems import FAULT, answer_to
from bot.usecases.emergencies import Emergencies
from bot.usecases.requests import Requests

# What Slack does with its views (https://docs.slack.dev/surfaces/modals#updating_response).
Reply = Mapping[str, Any]
_CLEAR: Final[Reply] = {"response_action": "clear"}
# Forms in which people write something that they should not have to write again.
_WRITTEN: Final = (Form.DENY, Form.QUESTION, Form.ANSWER, Form.SIGN_OFF, Form.CONCERN)
# Forms that open a request.
_ASKING: Final = (Form.REQUEST, Form.BREAK_GLASS)


class Submissions:
    """Answers forms."""

    def __init__(self, requests: Requests, emergencies: Emergencies, away: AwayDesk) -> None:
        self._away = away
        self._requests = requests
        self._emergencies = emergencies

    async def answer(self, form: Submission) -> Reply:
        """Carry out `form`; return the arguments of the acknowledgement.

        Raises:
            BotError: It was refused, or could not be done.
        """
        if form.form == Form.REQUEST:
            await self._requests.admit(form.by)
            wish = read_request_form(form.view, self._requests.policy)
            await self._requests.open(wish, by=form.by, delivery=form.delivery)
            return _CLEAR
        if form.form == Form.BREAK_GLASS:
            await self._requests.admit(form.by)
            wish = read_glass_form(form.view, self._requests.policy)
            await self._emergencies.open(wish, by=form.by, delivery=form.delivery)
            return _CLEAR
        if form.form == Form.AWAY:
            told = await self._away.submitted(form)
            return _told(modal(Form.MESSAGE, "Recorded", told.blocks))
        id_, move = await self._move(form)
        outcome = await self._requests.move(id_, move, by=form.by, delivery=form.delivery)
        if isinstance(move, Approve | Narrow | SignOff | RaiseConcern):
            return _told(message_modal("Recorded", done(move, outcome.request)))
        return _CLEAR

    async def _move(self, form: Submission) -> tuple[RequestId, Move]:
        """Return what `form` does to which request.

        Raises:
            Refused: It cannot be read.
        """
        match form.form:
            case Form.DENY:
                id_, reason = read_deny_form(form.view)
                return id_, Deny(reason)
            case Form.DETAILS:
                id_, seen = read_details_form(form.view)
                return id_, Approve(seen)
            case Form.NARROW:
                id_, _ = changed_request(form.view)
                await self._requests.admit(form.by)
                request = await self._requests.load(id_)
                return id_, read_changes_form(form.view, request.asked)
            case Form.QUESTION:
                id_, text = read_question_form(form.view)
                return id_, Question(text)
            case Form.ANSWER:
                id_, number, text = read_answer_form(form.view)
                return id_, Answer(number, text)
            case Form.SIGN_OFF:
                return read_sign_off_form(form.view)
            case Form.CONCERN:
                return read_concern_form(form.view)
            case _:
                raise Refused("this form is of another version", hint="open it again")


def _told(view: View) -> Reply:
    return {"response_action": "update", "view": view}


def problem_in(form: Submission, problem: BotError) -> Reply:
    """Return what to show of `problem`; what was typed is kept where trying again may help."""
    if isinstance(problem, Invalid):
        return {"response_action": "errors", "errors": errors_for(problem, form.view)}
    opened = request_id(form.delivery) if form.form in _ASKING else None
    text = answer_to(problem, request=opened)
    if form.form in _ASKING or (form.form in _WRITTEN and isinstance(problem, Unavailable)):
        # Sending the same form again is one request, however often it is recorded.
        kept = Invalid(f"{text} What you typed is still here", field="reason")
        return {"response_action": "errors", "errors": errors_for(kept, form.view)}
    return _told(message_modal("Not done", text))


def fault_in(_: Submission) -> Reply:
    """Return what to show when the fault is ours."""
    return _told(message_modal("Not done", FAULT))
