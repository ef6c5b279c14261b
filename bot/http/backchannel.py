"""Where clients ask for what people decide: OpenID Connect CIBA Core 1.0, poll mode.

https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from aiohttp import web

from bot.core.client import Client
from bot.http.answers import InvalidRequest, OAuthError, answer
from bot.http.clients import Clients
from bot.http.machine_forms import read_wanted
from bot.http.token import caller, refusals
from bot.usecases.machines import Machines, UnknownUser
from bot.usecases.pacing import INTERVAL_S

_HINTS: Final = ("login_hint", "login_hint_token", "id_token_hint")
# A client that asks for nobody but itself says so (ours; the specification has no word for it).
_ITSELF: Final = "client:"
# As short as what people compare on two screens.
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/!?#-]{0,19}", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")
_EXPIRY: Final = re.compile(r"[1-9][0-9]{0,6}", re.ASCII)


class Backchannel:
    """Answers backchannel authentication requests (section 7)."""

    def __init__(self, machines: Machines, *, clients: Clients) -> None:
        self._machines = machines
        self._clients = clients

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with what the client can poll with."""
        form, client = await caller(request, self._clients)
        email = _subject(form, client)
        wanted = replace(read_wanted(form), code=_code(form), patience=_patience(form))
        try:
            async with refusals(otherwise="access_denied", status=403):
                recorded = await self._machines.ask(
                    client, wanted, email=email, address=request.remote or "an unknown address"
                )
        except OAuthError as problem:
            if isinstance(problem.__cause__, UnknownUser):
                raise OAuthError("unknown_user_id", str(problem)) from problem
            raise
        return answer(
            {
                "auth_req_id": recorded.handle,
                "expires_in": max(int(recorded.lasts.total_seconds()), 1),
                "interval": INTERVAL_S,
            }
        )


def _subject(form: Mapping[str, str], client: Client) -> str:
    """Return the e-mail address of the person named, "" where the client asks for itself.

    Raises:
        InvalidRequest: Not exactly one hint is given, or of a kind that is not understood.
        OAuthError: It can be nobody's.
    """
    given = [name for name in _HINTS if name in form]
    if given != ["login_hint"]:
        raise InvalidRequest(
            "give a login_hint, and no other hint: an e-mail address, "
            f"or {_ITSELF}{client.id} for the client itself"
        )
    hint = form["login_hint"]
    if hint.startswith(_ITSELF):
        if hint != f"{_ITSELF}{client.id}":
            raise OAuthError("unknown_user_id", "a client can ask for no other client")
        return ""
    if not _EMAIL.fullmatch(hint):
        raise OAuthError("unknown_user_id", "the login_hint is no e-mail address")
    return hint


def _code(form: Mapping[str, str]) -> str:
    code = form.get("binding_message", "")
    if code and not _CODE.fullmatch(code):
        raise OAuthError(
            "invalid_binding_message",
            "the binding_message is a code of 20 characters at most: letters, digits and . _ + / ! "
            "? # -; a reason belongs in the parameter reason",
        )
    return code


def _patience(form: Mapping[str, str]) -> timedelta | None:
    text = form.get("requested_expiry")
    if text is None:
        return None
    if not _EXPIRY.fullmatch(text):
        raise InvalidRequest("requested_expiry is a number of seconds")
    return timedelta(seconds=int(text))
