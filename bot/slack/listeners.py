"""All that Slack sends: acknowledge, read, call one use case, answer. No rules.

This is one of Bolt's middlewares rather than a set of its listeners, because Bolt prepares a
full set of arguments for each listener that it tries. What changes state is stored before Slack is
answered; messages follow.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final, TypeVar

import orjson
import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.core.errors import BotError, OutcomeUnknown
from bot.core.identity import Actor, request_id
from bot.slack.api import SlackApi
from bot.slack.clicks import Clicks
from bot.slack.directory import Home, SlackDirectory
from bot.slack.payloads import Body, Click, read_click, read_submission, read_typed
from bot.slack.problems import FAULT, answer_to
from bot.slack.submissions import Submissions, fault_in, problem_in
from bot.slack.typed import Commands
from bot.usecases.ports import Metrics
from bot.usecases.secret import Secret
from bot.usecases.tasks import Tasks
from bot.usecases.telling import collect, stop

log = structlog.get_logger()

# Slack shows an error after 3 s (see `api.READ_WITHIN_S`); ours comes first, and says more.
ANSWER_WITHIN_S: Final = 2.7

T = TypeVar("T")


class Listeners(AsyncMiddleware):
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
        self._log = log.bind()  # bound once: this is the hottest line of all

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002  Bolt's name
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002  Bolt's name
    ) -> BoltResponse | None:
        """Answer one payload; what this app has not asked for goes on to Bolt's 404."""
        match req.body:
            case {"command": str()}:
                return await self._command(req.body)
            case {"type": "block_actions"}:
                return await self._click(req.body)
            case {"type": "view_submission"}:
                return await self._form(req.body)
            case {"type": "view_closed"}:
                return _acknowledged()
            case {"type": "event_callback", "event": event}:
                return await self._event(event)
            case _:
                return await next()

    async def _command(self, body: Body) -> BoltResponse:
        typed = read_typed(body)
        try:
            answer = await self._told("command", typed.by, self._commands.answer(typed))
        except BotError as problem:
            return _acknowledged(text=answer_to(problem, request=request_id(typed.delivery)))
        except Exception:  # the person gets an answer whatever happened  # noqa: BLE001
            return _acknowledged(text=FAULT)
        if answer is None:
            return _acknowledged()
        return _acknowledged(text=answer.text, blocks=answer.blocks)

    async def _click(self, body: Body) -> BoltResponse:
        """Acknowledge a click; what is to be told follows, as the acknowledgement carries none."""
        click = read_click(body)
        try:
            answer = await self._told("click", click.by, self._clicks.answer(click))
        except BotError as problem:
            answer = answer_to(problem)
        except Exception:  # as above  # noqa: BLE001
            answer = FAULT
        self._after.spawn(self._follow(click, answer))
        return _acknowledged()

    async def _follow(self, click: Click, answer: str) -> None:
        try:
            if answer and click.response_url:
                told = {"text": answer, "response_type": "ephemeral", "replace_original": False}
                await self._api.respond(click.response_url, told)
            if click.ts:
                await self._clicks.retire_twin(click)
        except BotError as problem:
            log.warning("slack.answer_lost", action=click.action, code=problem.code)

    async def _form(self, body: Body) -> BoltResponse:
        form = read_submission(body)
        try:
            answer = await self._told("form", form.by, self._submissions.answer(form))
        except BotError as problem:
            answer = problem_in(form, problem)
        except Exception:  # as above  # noqa: BLE001
            answer = fault_in(form)
        return _acknowledged(**answer)

    async def _event(self, event: Body) -> BoltResponse:
        """Forget what is no longer true."""
        match event:
            case {"type": "user_change", "user": {"id": str(user)}}:
                self._directory.forget_person(user)
            case {"type": "subteam_members_changed", "subteam_id": str(usergroup)}:
                self._directory.forget_members(usergroup)
            case _:
                pass
        return _acknowledged()

    async def _told(self, kind: str, by: Actor, work: Awaitable[T]) -> T:
        """Return what `work` does, in time; one log line tells how it went."""
        began, outcome = perf_counter(), "done"
        facts, collecting = collect()
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
            stop(collecting)
            self._metrics.count("jit_commands_total", command=kind, outcome=outcome)
            took_ms = round((perf_counter() - began) * 1000)
            told = {"by": str(by), "outcome": outcome, "took_ms": took_ms, "facts": facts}
            self._log.info("slack.handled", kind=kind, **told)


def _acknowledged(**told: Any) -> BoltResponse:
    """Return Slack's acknowledgement, with what it shows or does."""
    return BoltResponse(status=HTTPStatus.OK, body=orjson.dumps(told).decode() if told else "")


def make_bolt(listeners: Listeners, *, api: SlackApi, home: Home, token: Secret) -> AsyncApp:
    """Return the Bolt app, which hands payloads over to `listeners`.

    It checks no signatures: `over_http` does that before it, and Socket Mode has none.

    * `before_authorize`: nothing here needs what Bolt would look up about the sender.
    * `authorize` of our own, for the rest: else Bolt asks Slack (auth.test) in its first request.
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

    return AsyncApp(
        client=api.client,
        before_authorize=listeners,
        authorize=authorize,
        request_verification_enabled=False,
        process_before_response=True,
    )
