"""Forward-auth: a gateway asks about each call before it lets it through.

The answer is 200, 401, 403, or 503 when it is our fault, and nothing else: gateways make a fault
of their own of any other. Each answer has all headers X-JIT-*, so that a gateway that copies them
overwrites what the caller sent under these names.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from aiohttp import hdrs, web

from bot.core.enforcement import Homes, Need
from bot.http.answers import answer, answer_to
from bot.http.challenges import NoToken, bearer_token, challenge
from bot.http.peers import Call, Peers
from bot.http.questions import Misasked, read_need
from bot.usecases.enforcement import Decision, Enforcement, Ruling
from bot.usecases.ports import Metrics

log = structlog.get_logger()

# The claim that each header tells; of an actor (RFC 8693, section 4.1) its `sub`.
CLAIMS: Final[Mapping[str, str]] = {
    "X-JIT-Subject": "sub",
    "X-JIT-Client": "client_id",
    "X-JIT-Scope": "scope",
    "X-JIT-Grant": "grant_id",
    "X-JIT-Jti": "jti",
}
ACTOR: Final = "X-JIT-Actor"
_SECOND: Final = timedelta(seconds=1)

# Status, error code (RFC 6750, section 3.1), and why.
_REFUSALS: Final = {
    Ruling.INVALID: (401, "invalid_token", "the token is unknown, over, or for another API"),
    Ruling.BEYOND: (403, "insufficient_scope", "the token lacks a scope that is needed"),
}


class ForwardAuth:
    """The endpoint for gateways.

    Args:
        homes: Returns which API has which scopes.
        metadata: Returns where an API is described (RFC 9728), "" if it is nowhere.
        cached_for: How long a gateway may keep that a call may pass, in whole seconds.
    """

    def __init__(
        self,
        enforcement: Enforcement,
        *,
        homes: Callable[[], Homes],
        metadata: Callable[[str], str],
        peers: Peers,
        cached_for: timedelta,
        metrics: Metrics,
    ) -> None:
        self._enforcement = enforcement
        self._homes = homes
        self._metadata = metadata
        self._peers = peers
        self._cached_for = cached_for
        self._metrics = metrics

    async def answer(self, request: web.Request) -> web.Response:
        """Answer whether the call that `request` is about may pass."""
        try:
            outcome, response = await self._answer(request)
        except Exception as problem:  # noqa: BLE001  whatever it is, it is our fault
            outcome, response = "unavailable", answer_to(problem)
            response.set_status(503)
        for name in (*CLAIMS, ACTOR):
            response.headers.setdefault(name, "")
        self._metrics.count("jit_forward_auth_total", outcome=outcome)
        return response

    async def _answer(self, request: web.Request) -> tuple[str, web.Response]:
        try:
            need = read_need(request.raw_path.partition("?")[2])
            resource = _one_of(need.audiences(self._homes()))
        except Misasked as problem:
            log.warning("forward_auth.misasked", why=str(problem))
            return "misasked", _refused(403, "invalid_request", str(problem))
        metadata = self._metadata(resource)
        try:
            token = bearer_token(request)
        except NoToken as problem:
            self._enforcement.alive(resource)
            code, why = problem.code, str(problem)
            return "no_token", _refused(401, code, why, scopes=need.scopes, metadata=metadata)
        call = self._peers.call(request, path=request.match_info.get("original", ""))
        found = await self._enforcement.decide(token, need, resource=resource, address=call.address)
        return found.ruling, self._told(found, need, metadata, call)

    def _told(self, found: Decision, need: Need, metadata: str, call: Call) -> web.Response:
        if found.ruling is Ruling.PASSES:
            response = web.Response(headers=_kept_for(min(self._cached_for, found.lives_for)))
        else:
            status, code, sentence = _REFUSALS[found.ruling]
            response = _refused(status, code, sentence, scopes=need.scopes, metadata=metadata)
        if found.claims is not None:
            response.headers.update(identity(found.claims))
            if found.ruling is Ruling.BEYOND:
                seen = {"method": call.method, "path": call.path, "needed": " ".join(need.scopes)}
                log.info("forward_auth.beyond", grant=found.claims["grant_id"], **seen)
        return response


def identity(claims: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the headers that tell a gateway whose call it is; those without a claim are empty."""
    told = {header: str(claims.get(claim, "")) for header, claim in CLAIMS.items()}
    return {**told, ACTOR: claims.get("act", {}).get("sub", "")}


def _one_of(audiences: frozenset[str]) -> str:
    """Return the API that is asked about, "" if there is none such.

    Raises:
        Misasked: It may be several, and a token for one must not do for another.
    """
    if len(audiences) > 1:
        raise Misasked("several APIs have these scopes: say which one, &resource=URI")
    return next(iter(audiences), "")


def _refused(
    status: int, code: str, sentence: str, *, scopes: Sequence[str] = (), metadata: str = ""
) -> web.Response:
    asked: Mapping[str, str] = {
        hdrs.WWW_AUTHENTICATE: challenge(code, scopes=scopes, metadata=metadata)
    }
    if not code:  # RFC 6750, section 3.1: nothing is told but what is needed
        return web.Response(status=status, headers=asked)
    return answer({"error": code, "error_description": sentence}, status=status, headers=asked)


def _kept_for(length: timedelta) -> Mapping[str, str]:
    """Return the headers that say how long a cache may keep an answer, for this token alone."""
    seconds = length // _SECOND
    kept = f"private, max-age={seconds}" if seconds > 0 else "no-store"
    return {hdrs.CACHE_CONTROL: kept, hdrs.VARY: hdrs.AUTHORIZATION}
