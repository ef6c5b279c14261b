"""Slack's Web API: one call, its time limit, and what its failures mean.

* 429, or `ratelimited`: `Busy`, with the seconds that Slack names.
* No answer, a 5xx, or an error that says so of itself: `Unavailable`.
* Any other error: `SlackError`, with Slack's own name for it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.errors import Busy, Unavailable
from bot.usecases.ports import Metrics
from bot.usecases.secret import Secret

# Slack waits 3 s for an answer to a click, and some answers need two look-ups before they can be
# given (https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response).
READ_WITHIN_S: Final = 1.2
WRITE_WITHIN_S: Final = 10.0
# Opening a view must follow the click within 3 s, and the answer to the click waits for it
# (https://docs.slack.dev/interactivity#modals).
OPEN_WITHIN_S: Final = 1.5

# The same click came twice, and opened its view the first time.
_OPENED_ALREADY: Final = "exchanged_trigger_id"

# Slack's own faults (https://docs.slack.dev/reference/methods/chat.postMessage#errors).
_THEIR_FAULT: Final = frozenset(
    {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}
)
# The SDK's own pause is up to 1.5 s, longer than a read may take in all.
_AGAIN_AT_ONCE: Final = AsyncConnectionErrorRetryHandler(
    interval_calculator=FixedValueRetryIntervalCalculator(0.05)
)
_HTTP_BUSY: Final = 429
_HTTP_FAULT: Final = 500
_WAIT_S: Final = 1.0


class SlackError(Unavailable):
    """Slack refused a call.

    Attributes:
        name: Slack's name for it, such as channel_not_found.
    """

    code = "slack_error"

    def __init__(self, method: str, name: str) -> None:
        super().__init__(f"Slack refused {method}: {name}")
        self.name = name


class SlackApi:
    """Calls methods of the Web API over one shared session.

    Args:
        base_url: Ends with a slash.
        session: Its time limits are not used; each call has its own.
    """

    def __init__(
        self, token: Secret, *, base_url: str, session: aiohttp.ClientSession, metrics: Metrics
    ) -> None:
        plain = token.reveal()
        # Bolt's own client; without a token, as Bolt would ignore it with a warning.
        self.client = AsyncWebClient(base_url=base_url, session=session)
        # A write that is sent again could post twice: only reads are, by the SDK.
        self._writer = AsyncWebClient(plain, base_url, session=session, retry_handlers=[])
        self._reader = AsyncWebClient(
            plain, base_url, session=session, retry_handlers=[_AGAIN_AT_ONCE]
        )
        self._session = session
        self._metrics = metrics

    async def read(self, method: str, **args: Any) -> Mapping[str, Any]:
        """Return Slack's answer to a method that changes nothing.

        Raises:
            Busy, Unavailable, SlackError: See above.
        """
        return await self._call(self._reader, method, args, within_s=READ_WITHIN_S)

    async def write(
        self, method: str, *, within_s: float = WRITE_WITHIN_S, **args: Any
    ) -> Mapping[str, Any]:
        """Return Slack's answer to a method that changes something; it is sent once.

        Raises:
            Busy, Unavailable, SlackError: See above; with Unavailable it may have been done.
        """
        return await self._call(self._writer, method, args, within_s=within_s)

    async def open_view(self, trigger: str, view: Mapping[str, Any]) -> None:
        """Show `view` to whoever made the click; one that came twice opens one view.

        Raises:
            Busy, Unavailable, SlackError: See above.
        """
        try:
            await self.write("views.open", trigger_id=trigger, view=view, within_s=OPEN_WITHIN_S)
        except SlackError as problem:
            if problem.name != _OPENED_ALREADY:
                raise

    async def _call(
        self, client: AsyncWebClient, method: str, args: Mapping[str, Any], *, within_s: float
    ) -> Mapping[str, Any]:
        outcome = "ok"
        try:
            async with asyncio.timeout(within_s):
                answer = await client.api_call(method, json=dict(args))
        except SlackApiError as problem:
            meaning = _meaning(method, problem)
            outcome = meaning.code
            raise meaning from problem
        except (TimeoutError, aiohttp.ClientError, SlackClientError, OSError) as problem:
            outcome = Unavailable.code
            raise Unavailable(f"Slack did not answer {method}") from problem
        finally:
            self._metrics.count("jit_slack_calls_total", method=method, outcome=outcome)
        return dict(answer.data) if isinstance(answer.data, dict) else {}

    async def respond(self, response_url: str, body: Mapping[str, Any]) -> None:
        """Answer a click where it was made.

        Raises:
            Unavailable: Slack did not take it.

        Source: https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
        """
        limit = aiohttp.ClientTimeout(total=WRITE_WITHIN_S)
        try:
            async with self._session.post(response_url, json=dict(body), timeout=limit) as answer:
                taken = answer.ok
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            raise Unavailable("Slack did not take an answer") from problem
        if not taken:
            raise Unavailable("Slack refused an answer")


def _meaning(method: str, problem: SlackApiError) -> Busy | Unavailable:
    response: Any = problem.response
    name = str(response.get("error", "")) if hasattr(response, "get") else ""
    status = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    if status == _HTTP_BUSY or name in ("ratelimited", "rate_limited"):
        headers = getattr(response, "headers", {})
        return Busy(f"Slack asks to wait with {method}", wait_s=_seconds(headers))
    if status >= _HTTP_FAULT or name in _THEIR_FAULT or not name:
        return Unavailable(f"Slack did not answer {method}")
    return SlackError(method, name)


def _seconds(headers: Mapping[str, str]) -> float:
    told = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(told) if told.isascii() and told.isdigit() else _WAIT_S
