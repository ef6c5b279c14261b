"""How payloads reach the app, and what its acknowledgement says.

Sources: https://docs.slack.dev/authentication/verifying-requests-from-slack,
https://docs.slack.dev/interactivity/handling-user-interaction,
https://docs.slack.dev/apis/events-api (retries).
"""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, TCPConnector

from bot.sandbox.forms import Json
from bot.sandbox.socket_mode import Sockets

ACK_S: Final = 3.0
RETRY_PAUSES_S: Final = (0.0, 60.0, 300.0)

Kind: TypeAlias = Literal["events_api", "interactive", "slash_commands"]
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_HTTP_OK: Final = 200
_HTTP_MULTIPLE: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What the app answered.

    Attributes:
        status: HTTP status; over Socket Mode 200 for any acknowledgement; None for no answer.
        error: What Slack calls it if there was none, late or not a 2xx.
        reason: The same for x-slack-retry-reason.
        body: A dict from JSON, a text, or None for an empty one.
        no_retry: The app asked not to be told again.
    """

    took_ms: int
    status: int | None = None
    error: Literal["operation_timeout", "dispatch_failed"] | None = None
    reason: str = ""
    body: Any = None
    no_retry: bool = False


def sign(secret: str, stamp: str, body: str) -> str:
    """Return the value of X-Slack-Signature."""
    base = f"v0:{stamp}:{body}".encode()
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class Delivery:
    """Sends payloads over Socket Mode if a connection is open, else to `events_url`.

    Attributes:
        duplicates: So many of the next payloads are sent twice.
    """

    def __init__(
        self,
        *,
        sockets: Sockets,
        events_url: str | None,
        signing_secret: str,
        violations: list[str],
        retry_pauses_s: Sequence[float] = RETRY_PAUSES_S,
    ) -> None:
        self.events_url = events_url
        self.duplicates = 0
        self._sockets = sockets
        self._secret = signing_secret
        self._violations = violations
        self._retry_pauses_s = retry_pauses_s
        self._session: ClientSession | None = None
        self._events: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Become able to send."""
        # No kept connection: after a restart of the app it would fail a payload for nothing.
        self._session = ClientSession(connector=TCPConnector(force_close=True))

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self._events:
            task.cancel()
        await asyncio.gather(*self._events, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def send(self, kind: Kind, payload: Json, *, retry: tuple[int, str] = (0, "")) -> Ack:
        """Return the app's answer to `payload`.

        Args:
            retry: How often it was sent before, and what went wrong last.
        """
        copies = 2 if self.duplicates > 0 else 1
        self.duplicates = max(self.duplicates - 1, 0)
        if self._sockets:
            envelope = _envelope(kind, payload, retry)
            sending = [self._over_socket(envelope) for _ in range(copies)]
        else:
            body, headers = self._request(kind, payload, retry)
            sending = [self._over_http(body, headers) for _ in range(copies)]
        acks = await asyncio.gather(*sending)
        for ack in acks:
            self._judge(kind, payload, ack)
        return acks[0]

    def tell(self, event: Json) -> None:
        """Send an event in the background, again as often as Slack does if it is not accepted."""
        task = asyncio.create_task(self._tell(event))
        self._events.add(task)
        task.add_done_callback(self._events.discard)

    async def verify_url(self) -> bool:
        """Say whether `events_url` answers the challenge, as Slack asks when it is set."""
        challenge = secrets.token_urlsafe(32)
        payload = {"token": "", "challenge": challenge, "type": "url_verification"}
        body, headers = self._request("events_api", payload, (0, ""))
        ack = await self._over_http(body, headers)
        return ack.body in (challenge, {"challenge": challenge})

    async def _tell(self, event: Json) -> None:
        ack = await self.send("events_api", event)
        for number, pause_s in enumerate(self._retry_pauses_s, start=1):
            if ack.error is None or ack.no_retry:
                return
            await asyncio.sleep(pause_s)
            ack = await self.send("events_api", event, retry=(number, ack.reason))

    def _request(
        self, kind: Kind, payload: Json, retry: tuple[int, str]
    ) -> tuple[str, dict[str, str]]:
        if kind == "events_api":
            body, content_type = json.dumps(payload), _JSON
        elif kind == "interactive":
            body, content_type = urlencode({"payload": json.dumps(payload)}), _FORM
        else:
            body, content_type = urlencode(payload), _FORM
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": sign(self._secret, stamp, body),
        }
        number, reason = retry
        if number:
            headers |= {"x-slack-retry-num": str(number), "x-slack-retry-reason": reason}
        return body, headers

    async def _over_http(self, body: str, headers: dict[str, str]) -> Ack:
        started = time.monotonic()
        if self.events_url is None or self._session is None:
            return Ack(took_ms=0, error="dispatch_failed", reason="connection_failed")
        try:
            async with (
                asyncio.timeout(ACK_S),
                self._session.post(self.events_url, data=body.encode(), headers=headers) as answer,
            ):
                text = await answer.text()
        except TimeoutError:
            return Ack(took_ms=_ms(started), error="operation_timeout", reason="http_timeout")
        except (ClientError, ConnectionError):
            return Ack(took_ms=_ms(started), error="dispatch_failed", reason="connection_failed")
        accepted = _HTTP_OK <= answer.status < _HTTP_MULTIPLE
        return Ack(
            took_ms=_ms(started),
            status=answer.status,
            error=None if accepted else "dispatch_failed",
            reason="" if accepted else "http_error",
            body=_body(text, answer.content_type) if accepted else None,
            no_retry=answer.headers.get("X-Slack-No-Retry") == "1",
        )

    async def _over_socket(self, envelope: Json) -> Ack:
        started = time.monotonic()
        try:
            payload = await self._sockets.send(envelope, timeout_s=ACK_S)
        except TimeoutError:
            return Ack(took_ms=_ms(started), error="operation_timeout", reason="timeout")
        except ConnectionError:
            return Ack(took_ms=_ms(started), error="dispatch_failed", reason="connection_failed")
        return Ack(took_ms=_ms(started), status=_HTTP_OK, body=payload or None)

    def _judge(self, kind: Kind, payload: Json, ack: Ack) -> None:
        event = payload.get("event", {}).get("type")
        what = event or payload.get("type") or payload.get("command") or kind
        if ack.error == "operation_timeout":
            self._violations.append(f"{what}: not acknowledged within {ACK_S:.0f} s")
        elif ack.status is not None and ack.error:
            self._violations.append(f"{what}: answered with HTTP status {ack.status}")


def _envelope(kind: Kind, payload: Json, retry: tuple[int, str]) -> Json:
    envelope = {
        "envelope_id": str(uuid.uuid4()),
        "type": kind,
        "payload": payload,
        "accepts_response_payload": kind != "events_api",
    }
    number, reason = retry
    if kind == "events_api":
        envelope |= {"retry_attempt": number, "retry_reason": reason}
    return envelope


def _body(text: str, content_type: str) -> Any:
    if content_type == _JSON and text:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text or None


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
