"""Every Bolt registration: acknowledge, read, call one use case, answer. No rules.

There is one listener for each kind of payload, because Bolt prepares a full set of arguments for
each one that it tries. What changes state is stored before Slack is answered; messages follow.
"""

import asyncio
import re
from collections.abc import Awaitable
from time import perf_counter
from typing import Any, Final, TypeVar

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.core.errors import BotError, OutcomeUnknown
from bot.core.identity import Actor, RequestId, request_id
from bot.slack.api import SlackApi
from bot.slack.clicks import Clicks
from bot.slack.directory import Home, SlackDirectory
from bot.slack.payloads import Body, Click, Typed, read_click, read_submission, read_typed
from bot.slack.problems import FAULT, answer_to
from bot.slack.submissions import Submissions, fault_in, problem_in
from bot.slack.typed import Commands
from bot.usecases.ports import Metrics
from bot.usecases.secret import Secret
from bot.usecases.tasks import Tasks

log = structlog.get_logger()

# Slack shows an error after 3 s (see `api.READ_WITHIN_S`); ours comes first, and says more.
ANSWER_WITHIN_S: Final = 2.7

_ANY: Final = re.compile(".*")

T = TypeVar("T")


class Listeners:
    """What Slack sends, answered.

    Args:
        after: Work that follows an acknowledgement; a shutdown waits for it.
    """

    def __init__(
        self,
        *,
        commands: Commands,
        clicks: Clicks,
        submissions: Submissions,
        api: SlackApi,
        directory: SlackDirectory,
        metrics: Metrics,
        after: Tasks,
    ) -> None:
        self._commands = commands
        self._clicks = clicks
        self._submissions = submissions
        self._api = api
        self._directory = directory
        self._metrics = metrics
        self._after = after

    def register(self, app: AsyncApp) -> None:
        """Make `app` bring everything here."""
        app.command(_ANY)(self.command)
        app.action(_ANY)(self.action)
        app.view(_ANY)(self.view)
        app.event(_ANY)(self.event)

    async def command(self, ack: AsyncAck, body: Body) -> None:
        """Answer a slash command."""
        typed = read_typed(body)
        try:
            answer = await self._told("command", typed.by, self._commands.answer(typed))
        except BotError as problem:
            await ack(text=answer_to(problem, request=_opened_by(typed)))
        except Exception:  # the person gets an answer whatever happened  # noqa: BLE001
            await ack(text=FAULT)
        else:
            if answer is None:
                await ack()
            else:
                await ack(text=answer.text, blocks=answer.blocks)

    async def action(self, ack: AsyncAck, body: Body) -> None:
        """Answer a click; the answer follows the acknowledgement, which can carry none."""
        click = read_click(body)
        try:
            answer = await self._told("click", click.by, self._clicks.answer(click))
        except BotError as problem:
            answer = answer_to(problem)
        except Exception:  # as above  # noqa: BLE001
            answer = FAULT
        await ack()
        self._after.spawn(self._follow(click, answer))

    async def _follow(self, click: Click, answer: str) -> None:
        try:
            if answer and click.response_url:
                told = {"text": answer, "response_type": "ephemeral", "replace_original": False}
                await self._api.respond(click.response_url, told)
            if click.ts:
                await self._clicks.retire_twin(click)
        except BotError as problem:
            log.warning("slack.answer_lost", action=click.action, code=problem.code)

    async def view(self, ack: AsyncAck, body: Body) -> None:
        """Answer a form."""
        form = read_submission(body)
        try:
            answer = await self._told("form", form.by, self._submissions.answer(form))
        except BotError as problem:
            answer = problem_in(form, problem)
        except Exception:  # as above  # noqa: BLE001
            answer = fault_in(form)
        await ack(**answer)

    async def event(self, event: Body) -> None:
        """Forget what is no longer true."""
        match event:
            case {"type": "user_change", "user": {"id": str(user)}}:
                self._directory.forget_person(user)
            case {"type": "subteam_members_changed", "subteam_id": str(usergroup)}:
                self._directory.forget_members(usergroup)
            case _:
                return

    async def _told(self, kind: str, by: Actor, work: Awaitable[T]) -> T:
        """Return what `work` does, in time; one log line tells how it went."""
        began, outcome = perf_counter(), "done"
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await work
        except TimeoutError:
            outcome = "timeout"
            raise OutcomeUnknown("this took too long") from None
        except BotError as problem:
            outcome = problem.code
            raise
        except Exception:
            outcome = "fault"
            log.exception("slack.fault", kind=kind, by=str(by))
            raise
        finally:
            self._metrics.count("jit_commands_total", command=kind, outcome=outcome)
            took_ms = round((perf_counter() - began) * 1000)
            log.info("slack.handled", kind=kind, by=str(by), outcome=outcome, took_ms=took_ms)


def _opened_by(typed: Typed) -> RequestId:
    return request_id(typed.delivery)


def make_bolt(
    listeners: Listeners, *, api: SlackApi, home: Home, token: Secret, signing_secret: Secret | None
) -> AsyncApp:
    """Return the Bolt app; without a signing secret it refuses everything that comes over HTTP.

    * `process_before_response`: else Bolt looks every 10 ms whether a listener has acknowledged.
    * `authorize` of our own: else Bolt asks Slack (auth.test) in the first requests.
    """
    known = AuthorizeResult(
        enterprise_id=home.enterprise or None,
        team_id=home.team,
        bot_user_id=home.bot_user,
        bot_id=home.bot or None,
        bot_token=token.reveal(),
    )

    async def authorize(**_: Any) -> AuthorizeResult:
        return known

    app = AsyncApp(
        client=api.client,
        authorize=authorize,
        signing_secret=signing_secret.reveal() if signing_secret else "",
        process_before_response=True,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
    listeners.register(app)
    return app
