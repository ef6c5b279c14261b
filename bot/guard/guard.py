"""The guard: verifies tokens without asking anybody, and yet knows of those that ended early."""

import asyncio
import base64
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import parse_qs, quote_plus

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.guard.refusals import Forbidden, Refusal, Unauthorized, Unavailable
from bot.guard.uses import Uses

log = logging.getLogger(__name__)
Claims: TypeAlias = dict[str, Any]  # RFC 9068, section 2.2

POLL_S: Final = 25.0  # as long as the feed lets anybody wait
CALL_S: Final = 5.0  # how long any other call may take
AGAIN_S: Final = 1.0
UNKNOWN_KID_EVERY_S: Final = 30.0
AHEAD_S: Final = 60.0  # how far our clock may be behind the issuer's
KEPT_PAST_END_S: Final = 3600.0
KEY_BITS: Final = 2048  # RFC 7518, section 3.3
_COMPACT: Final = re.compile(r"(?=.{5,8192}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", re.ASCII)
# What reading a token may raise that is none, and what asking the issuer may.
_BAD: Final = (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
_FAULTS: Final = (ClientError, TimeoutError, *_BAD)
_SAFE: Final = re.compile(r"https://.+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/.*)?")


@dataclass(kw_only=True, eq=False)
class Guard:
    """Lets calls through whose token is good and has the scopes; works inside `async with`."""

    issuer: str
    audience: str  # this API's own URI
    client_id: str
    client_secret: str = field(repr=False)
    url: str = ""  # where the issuer is reached, if not under its name
    resource_metadata: str = ""  # where this API is described (RFC 9728), for challenges
    when_stale: Literal["refuse", "allow"] = "refuse"  # while nobody knows what has ended
    stale_after_s: float = 60.0  # when that begins: no end goes unnoticed for longer
    report_every_s: float = 5.0
    address_header: str = ""  # in which a proxy that all calls come through tells the caller's

    def __post_init__(self) -> None:
        self.url = (self.url or self.issuer).rstrip("/") + "/"
        if not _SAFE.fullmatch(self.url):
            raise ValueError("the issuer must be reached over https: the secret goes there")
        self.uses = Uses(point=self.client_id, resource=self.audience)
        self._keys, self._ended = dict[str, Any](), dict[str, int]()
        self._cursor, self._kids = "", frozenset[str]()
        self._fresh_until_s = self._look_after_s = float("-inf")
        self._looking, self._wait_s = asyncio.Lock(), int(min(POLL_S, self.stale_after_s / 3))

    async def __aenter__(self) -> Self:
        """Begin to follow the issuer; if it is away, go on trying."""
        # RFC 6749, section 2.3.1: form-encoded inside.
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        login = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        self._session = ClientSession(self.url, headers=login, timeout=ClientTimeout(CALL_S))
        await self._tried(self._poll())
        self._tasks = [asyncio.create_task(loop) for loop in (self._follow(), self._report())]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Tell what is not told yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tried(self.uses.send(self._session))
        await self._session.close()

    async def admit(
        self, header: Callable[[str], Sequence[str]], query: str, peer: str, scopes: Sequence[str]
    ) -> Claims:
        """Return what the token of a call from `peer` says; `header` returns all of its values.

        A token in the query is refused, as queries are logged. See `verify`.
        """
        given, about = header("Authorization"), self._about(scopes)
        if len(given) > 1 or "access_token" in parse_qs(query, keep_blank_values=True):
            raise Refusal("send one token, in the header", "invalid_request", **about)
        scheme, _, token = (given[0] if given else "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("a bearer token is needed", "", **about)
        if self.address_header:
            peer = ",".join(header(self.address_header)).rpartition(",")[2].strip()[:45]
        return await self.verify(token.strip(" "), scopes=scopes, address=peer)

    async def verify(self, token: str, *, scopes: Sequence[str] = (), address: str = "") -> Claims:
        """Return what `token` says, which is good for all of `scopes`; `address` is told.

        Raises Unauthorized if it is not good (any more), Forbidden if it lacks a scope, and
        Unavailable if nobody knows at the moment.
        """
        about = self._about(scopes)
        stale = self.when_stale != "allow" and time.monotonic() > self._fresh_until_s
        if stale or not self._keys:
            raise Unavailable("nobody knows at the moment which tokens are good")
        try:
            key = await self._key(_kid_of(token))
            claims: Claims = json.loads(jwt.api_jws.decode(token, key, ["RS256"]))
            self._check(claims)
        except _BAD as problem:
            raise Unauthorized("no token for here", "invalid_token", **about) from problem
        over = time.time() >= claims["exp"] or claims["jti"] in self._ended
        missing = set() if over else set(scopes).difference(claims["scope"].split(" "))
        outcome = "ended" if over else "beyond" if missing else "allowed"
        self.uses.note(claims["jti"], sorted(missing) or scopes, outcome, address, int(time.time()))
        if over:
            raise Unauthorized("the access has ended", "invalid_token", **about)
        if missing:
            raise Forbidden("a scope is missing", "insufficient_scope", **about)
        return claims

    def _check(self, claims: Claims) -> None:
        texts = {type(claims[name]) for name in ("sub", "client_id", "jti", "scope")} == {str}
        times = type(claims["exp"]) is type(claims["iat"]) is int
        ours = claims["iss"] == self.issuer and claims["aud"] == self.audience
        if not (texts and times and ours and claims["iat"] <= time.time() + AHEAD_S):
            raise ValueError("not for us")

    def _about(self, scopes: Sequence[str]) -> dict[str, str]:
        return {"scope": " ".join(scopes), "resource_metadata": self.resource_metadata}

    async def _key(self, kid: str) -> Any:
        """Return a key; one that is unknown is looked for, but not often: anybody can name one."""
        if kid not in self._keys:
            async with self._looking:
                if kid not in self._keys and time.monotonic() > self._look_after_s:
                    self._look_after_s = time.monotonic() + UNKNOWN_KID_EVERY_S
                    await self._tried(self._fetch_keys())
        return self._keys[kid]

    async def _fetch_keys(self) -> None:
        published = await self._get(".well-known/jwks.json")
        # Caches may still have a key that was removed.
        self._keys = {
            each["kid"]: key
            for each in published["keys"]
            if each["kid"] in self._kids and (each["kty"], each.get("use")) == ("RSA", "sig")
            if "d" not in each and (key := jwt.PyJWK(each, "RS256").key).key_size >= KEY_BITS
        }

    async def _follow(self) -> None:
        while True:  # noqa: ASYNC110  # what is awaited in it is the work
            await asyncio.sleep(AGAIN_S / 10 if await self._tried(self._poll()) else AGAIN_S)

    async def _poll(self) -> None:
        found = await self._get("v1/revocations", since=self._cursor, wait_s=str(self._wait_s))
        # Only ever added: a feed that begins anew takes nothing back.
        ended = self._ended | {each["jti"]: each["exp"] for each in found["revocations"]}
        now = time.time()
        self._ended = {jti: exp for jti, exp in ended.items() if now < exp + KEPT_PAST_END_S}
        self._kids, self._cursor = frozenset(found["kids"]), found["cursor"]
        self._keys = {kid: key for kid, key in self._keys.items() if kid in self._kids}
        if not found["more"]:
            self._fresh_until_s = time.monotonic() + self.stale_after_s
        if self._keys.keys() != self._kids:
            await self._fetch_keys()

    async def _report(self) -> None:
        while True:
            await self._tried(self.uses.send(self._session))
            await asyncio.sleep(AGAIN_S if self.uses.held else self.report_every_s)

    async def _tried(self, call: Awaitable[None]) -> bool:
        try:
            await call
        except _FAULTS as problem:
            log.warning("the issuer cannot be asked: %r", problem)
            return False
        return True

    async def _get(self, path: str, **asked: str) -> Any:
        timeout = ClientTimeout(CALL_S + int(asked.get("wait_s", 0)))
        # A redirect is no answer: the secret would go along.
        call = self._session.get(path, params=asked, timeout=timeout, allow_redirects=False)
        async with call as answer:
            answer.raise_for_status()
            return await answer.json()


def _kid_of(token: str) -> str:
    """Return which key `token` says it was signed with; raise one of _BAD if it is none of ours.

    Exactly our three header members are accepted: one that brings a key, says where one is to be
    had, or is critical (RFC 7515, section 4.1) is refused, whatever it says.
    """
    if _COMPACT.fullmatch(token) is None:
        raise ValueError("not a compact JWS")
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    if header.keys() != {"alg", "kid", "typ"} or header["typ"].lower() != "at+jwt":
        raise ValueError("not a header of ours (RFC 9068, section 4)")
    return str(header["kid"])
