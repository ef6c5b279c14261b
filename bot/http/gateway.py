"""Forward-auth: a gateway asks about each call before it lets it through.

The answer is 200, 401, 403, or 503 when it is our fault, and nothing else: gateways make a fault
of their own of any other. Each answer has all headers X-JIT-*, so that a gateway that copies them
overwrites what the caller sent under these names.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from aiohttp import hdrs, web
from multidict import MultiMapping

from bot.core.enforcement import Homes, Need
from bot.http.answers import Reply, answer_to, in_json
from bot.http.challenges import NoToken, bearer_token, challenge
from bot.http.peers import Peers
from bot.http.questions import Misasked, read_need
from bot.usecases.enforcement import Enforcement, Ruling
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
NOBODY: Final[Mapping[str, str]] = {**dict.fromkeys(CLAIMS, ""), ACTOR: ""}
_SECOND: Final = timedelta(seconds=1)
_NOT_KEPT: Final[Mapping[str, str]] = {
    hdrs.CACHE_CONTROL: "no-store",
    hdrs.VARY: hdrs.AUTHORIZATION,
}

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
        seconds = cached_for // _SECOND
        kept: Mapping[str, str] = {
            hdrs.CACHE_CONTROL: f"private, max-age={seconds}",
            hdrs.VARY: hdrs.AUTHORIZATION,
        }
        self._kept_headers = kept if seconds else _NOT_KEPT

    async def answer(self, request: web.Request) -> web.Response:
        """Answer whether the call that `request` is about may pass."""
        reply = await self.decide(
            request.raw_path.partition("?")[2],
            request.headers,
            remote=request.remote,
            path=request.match_info.get("original", ""),
        )
        return reply.response()

    async def decide(
        self, query: str, headers: MultiMapping[str], *, remote: str | None, path: str = ""
    ) -> Reply:
        """Return whether a call may pass.

        Args:
            query: What the gateway asks, as it stands in its URL.
            headers: Of the gateway's request.
            remote: The gateway's address.
            path: Where the call is to if no header says it.
        """
        try:
            outcome, reply = await self._decide(query, headers, remote=remote, path=path)
        except Exception as problem:  # noqa: BLE001  whatever it is, it is our fault
            fault = Reply.of(answer_to(problem))
            told = {**fault.headers, **NOBODY}
            outcome, reply = "unavailable", Reply(status=503, headers=told, body=fault.body)
        self._metrics.count("jit_forward_auth_total", outcome=outcome)
        return reply

    async def _decide(
        self, query: str, headers: MultiMapping[str], *, remote: str | None, path: str
    ) -> tuple[str, Reply]:
        try:
            need = read_need(query)
            resource = _one_of(need.audiences(self._homes()))
        except Misasked as problem:
            log.warning("forward_auth.misasked", why=str(problem))
            return "misasked", _refused(403, "invalid_request", str(problem), NOBODY)
        try:
            token = bearer_token(headers)
        except NoToken as problem:
            self._enforcement.alive(resource)
            asked = self._challenge(problem.code, need, resource)
            return "no_token", _refused(401, problem.code, str(problem), NOBODY, asked)
        call = self._peers.call(headers, remote=remote, path=path)
        found = await self._enforcement.decide(token, need, resource=resource, address=call.address)
        whose = NOBODY if found.claims is None else identity(found.claims)
        if found.ruling is Ruling.PASSES:
            return found.ruling, Reply(headers={**self._kept(found.lives_for), **whose})
        if found.ruling is Ruling.BEYOND:
            seen = {"method": call.method, "path": call.path, "needed": " ".join(need.scopes)}
            log.info("forward_auth.beyond", grant=whose["X-JIT-Grant"], **seen)
        status, code, sentence = _REFUSALS[found.ruling]
        asked = self._challenge(code, need, resource)
        return found.ruling, _refused(status, code, sentence, whose, asked)

    def _challenge(self, code: str, need: Need, resource: str) -> str:
        return challenge(code, scopes=need.scopes, metadata=self._metadata(resource))

    def _kept(self, lives_for: timedelta) -> Mapping[str, str]:
        """Return the headers that say how long a cache may keep a yes, for this token alone.

        Caches that go by a time of their own look for no-store at the most, so in the last
        moments of a token that is what they are told.
        """
        return self._kept_headers if lives_for >= self._cached_for else _NOT_KEPT


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
    status: int, code: str, sentence: str, whose: Mapping[str, str], asked: str = ""
) -> Reply:
    asked = asked or challenge(code)
    headers = {hdrs.WWW_AUTHENTICATE: asked, **whose}
    if not code:  # RFC 6750, section 3.1: nothing is told but what is needed
        return Reply(status=status, headers=headers)
    told = {"error": code, "error_description": sentence}
    return in_json(told, status=status, headers=headers)
