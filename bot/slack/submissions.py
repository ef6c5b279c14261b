"""What each form that is sent does, and what Slack is answered."""

from collections.abc import Mapping
from typing import Any, Final

from bot.core.errors import BotError, Invalid, Refused, Unavailable
from bot.core.identity import request_id
from bot.core.moves import Approve, Deny
from bot.slack.clicks import done
from bot.slack.forms import errors_for, read_request_form
from bot.slack.modals import Form, message_modal, read_deny_form, read_details_form
from bot.slack.mrkdwn import View
from bot.slack.payloads import Submission
from bot.slack.problems import FAULT, answer_to
from bot.usecases.requests import Requests

# What Slack does with its views (https://docs.slack.dev/surfaces/modals#updating_response).
Answer = Mapping[str, Any]
_CLEAR: Final[Answer] = {"response_action": "clear"}


class Submissions:
    """Answers forms."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def answer(self, form: Submission) -> Answer:
        """Carry out `form`; return the arguments of the acknowledgement.

        Raises:
            BotError: It was refused, or could not be done.
        """
        if form.form == Form.REQUEST:
            await self._requests.admit(form.by)
            wish = read_request_form(form.view, self._requests.policy)
            await self._requests.open(wish, by=form.by, delivery=form.delivery)
            return _CLEAR
        if form.form == Form.DENY:
            id_, reason = read_deny_form(form.view)
            await self._requests.move(id_, Deny(reason), by=form.by, delivery=form.delivery)
            return _CLEAR
        if form.form == Form.DETAILS:
            id_, seen = read_details_form(form.view)
            move = Approve(seen)
            outcome = await self._requests.move(id_, move, by=form.by, delivery=form.delivery)
            return _told(message_modal("Recorded", done(move, outcome.request)))
        raise Refused("this form is of another version", hint="open it again")


def _told(view: View) -> Answer:
    return {"response_action": "update", "view": view}


def problem_in(form: Submission, problem: BotError) -> Answer:
    """Return what to show of `problem`; what was typed is kept where trying again may help."""
    if isinstance(problem, Invalid):
        return {"response_action": "errors", "errors": errors_for(problem, form.view)}
    opened = request_id(form.delivery) if form.form == Form.REQUEST else None
    text = answer_to(problem, request=opened)
    if form.form == Form.REQUEST or (form.form == Form.DENY and isinstance(problem, Unavailable)):
        # Sending the same form again is one request, however often it is recorded.
        kept = Invalid(f"{text} What you typed is still here", field="reason")
        return {"response_action": "errors", "errors": errors_for(kept, form.view)}
    return _told(message_modal("Not done", text))


def fault_in(_: Submission) -> Answer:
    """Return what to show when the fault is ours."""
    return _told(message_modal("Not done", FAULT))
