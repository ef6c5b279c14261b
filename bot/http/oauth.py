"""What API owners ask: is this token good, end it, and which keys sign (RFC 7662, 7009, 7517)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import hdrs, web

from bot.core.client import Client
from bot.core.errors import Unavailable
from bot.core.identity import fingerprint
from bot.http.answers import InvalidRequest, Reply, answer, in_json
from bot.http.clients import Clients, HasHeaders
from bot.http.forms import read_address, read_form, read_scopes
from bot.usecases.ports import Metrics
from bot.usecases.tokens import UNTOLD, Call, Tokens, hash_of

# What an API may say of the call that it asks about.
_OF_CALLS: Final = ("required_scope", "address")
# Short enough that a new key is seen before it signs, long enough to spare us.
_KEYS_CACHED: Final[Mapping[str, str]] = {hdrs.CACHE_CONTROL: "public, max-age=300"}


class OAuth:
    """The endpoints for OAuth clients; see `HttpParts` for what they are made of."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        clients: Clients,
        jwks: Callable[[], Mapping[str, Any]],
        metrics: Metrics,
    ) -> None:
        self._tokens = tokens
        self._clients = clients
        self._jwks = jwks
        self._metrics = metrics

    async def keys(self, _: web.Request) -> web.Response:
        """Answer with the public keys (RFC 7517, section 5)."""
        return answer(self._jwks(), headers=_KEYS_CACHED)

    async def introspect(self, request: web.Request) -> web.Response:
        """Answer whether a token may be used (RFC 7662, section 2).

        The parameters `required_scope` and `address` are ours (RFC 7662, section 2.1, allows
        for more): what the call needs that the token came with, and from where it came.
        """
        return (await self.introspected(request, await read_form(request))).response()

    async def introspected(self, request: HasHeaders, form: Mapping[str, str]) -> Reply:
        """Return whether the token in `form` may be used.

        Raises:
            InvalidClient, InvalidRequest, Unavailable: See `Clients.caller`.
        """
        client, token = await self._asked(request, form)
        call = _call_in(form)
        try:
            found = await self._tokens.introspect(token, caller=client, call=call)
        except Unavailable:
            self._metrics.count("jit_introspections_total", outcome="unavailable")
            raise
        outcome = "active" if found["active"] else "inactive"
        self._metrics.count("jit_introspections_total", outcome=outcome)
        return in_json(found)

    async def revoke(self, request: web.Request) -> web.Response:
        """End the grant of a token; the answer is the same for any token (RFC 7009, section 2)."""
        client, token = await self._asked(request, await read_form(request))
        # The same revocation sent twice is one delivery.
        delivery = fingerprint("revoke", hash_of(token), client.id)
        await self._tokens.revoke(token, caller=client, delivery=delivery)
        return web.Response()

    async def _asked(self, request: HasHeaders, form: Mapping[str, str]) -> tuple[Client, str]:
        client = await self._clients.caller(request, form)
        if "token" not in form:
            raise InvalidRequest("the parameter token is missing")
        return client, form["token"]


def _call_in(form: Mapping[str, str]) -> Call:
    """Return the call that an API asks about, as far as it says.

    Raises:
        InvalidRequest: What it says is malformed.
    """
    if form.keys().isdisjoint(_OF_CALLS):
        return UNTOLD
    scopes, address = read_scopes(form, "required_scope"), read_address(form, "address")
    return Call(scopes=scopes, address=address)
