"""Payloads over HTTP: who sent them is looked at before anything of them is read."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from bot.usecases.secret import Secret

JSON: Final = "application/json"


def is_signed(headers: Mapping[str, str], body: bytes, verifier: SignatureVerifier) -> bool:
    """Return whether Slack signed `body`, in the last five minutes.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    stamp = headers.get("X-Slack-Request-Timestamp")
    try:
        return verifier.is_valid(body, stamp, headers.get("X-Slack-Signature"))
    except (ValueError, TypeError):
        return False  # its time is no number, or there are no letters where letters must be


def _kind(answer: BoltResponse) -> str:
    return JSON if answer.body.startswith("{") else "text/plain"


def over_http(bolt: AsyncApp, secret: Secret) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return what answers Slack; Bolt itself would parse a body before it looks who sent it."""
    verifier = SignatureVerifier(secret.reveal())

    async def handle(request: web.Request) -> web.Response:
        if not is_signed(request.headers, await request.read(), verifier):
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        answer = await bolt.async_dispatch(await to_bolt_request(request))
        return web.Response(status=answer.status, text=answer.body, content_type=_kind(answer))

    return handle
