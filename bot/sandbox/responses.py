"""Response URLs.

Source: https://docs.slack.dev/interactivity/handling-user-interaction#message_responses.
"""

import json
import secrets
import time
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from bot.sandbox.errors import SlackError
from bot.sandbox.faults import Call, Tape, meet_faults
from bot.sandbox.forms import Json
from bot.sandbox.limits import check_message
from bot.sandbox.workspace import Message, Workspace

USES: Final = 5
LIFE_S: Final = 30 * 60.0
METHOD: Final = "response_url"  # its name among the calls and the faults


@dataclass(slots=True, kw_only=True)
class _Response:
    user: str
    channel: str
    original: str | None
    born: float
    uses: int = 0


class Responses:
    """Answers at /response/<id>; needs no token, no scope, no membership."""

    def __init__(self, workspace: Workspace, tape: Tape, *, life_s: float = LIFE_S) -> None:
        self._workspace = workspace
        self._tape = tape
        self._life_s = life_s
        self._given: dict[str, _Response] = {}

    def url(self, user: str, channel: str, *, original: Message | None = None) -> str:
        """Return a URL that answers `user` in `channel`, or changes the message clicked."""
        ident = secrets.token_urlsafe(16)
        self._given[ident] = _Response(
            user=user,
            channel=channel,
            original=original.ts if original else None,
            born=time.monotonic(),
        )
        return f"{self._workspace.url}/response/{ident}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one use."""
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.Response(text="invalid_payload", status=400)
        ident = request.match_info["id"]
        return await meet_faults(
            request, self._tape, METHOD, body, lambda: self._answer(ident, body)
        )

    def show(self, user: str, channel: str, body: Json, *, original: Message | None = None) -> None:
        """Do what the body of an answer says.

        Raises:
            SlackError: It breaks a limit.
        """
        if body.get("delete_original") and original:
            self._workspace.delete(original)
            return
        text, blocks = str(body.get("text") or ""), body.get("blocks") or []
        check_message(text, blocks)
        if body.get("replace_original") and original:
            self._workspace.rewrite(original, text=text, blocks=blocks)
            return
        self._workspace.post(
            channel,
            text=text,
            blocks=blocks,
            thread_ts=body.get("thread_ts"),
            ephemeral_to=None if body.get("response_type") == "in_channel" else user,
        )

    def _answer(self, ident: str, body: Json) -> web.Response:
        error = None
        try:
            self._use(ident, body)
            return web.Response(text="ok")
        except SlackError as problem:
            error = problem.name
            why = "; ".join(problem.more.get("errors", []))
            self._workspace.violations.append(f"{METHOD}: {error} {why}".rstrip())
            return web.Response(text=error, status=404 if error.endswith("_url") else 400)
        finally:
            self._tape.calls.append(Call(method=METHOD, args=body, error=error))

    def _use(self, ident: str, body: Json) -> None:
        given = self._given.get(ident)
        if given is None or time.monotonic() - given.born > self._life_s:
            raise SlackError("expired_url")
        if given.uses >= USES:
            raise SlackError("used_url")
        given.uses += 1
        original = self._workspace.message(given.channel, given.original or "")
        self.show(given.user, given.channel, body, original=original)
