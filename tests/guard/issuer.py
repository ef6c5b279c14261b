"""A stand-in for the issuer, whose every answer a test can choose."""

import asyncio
import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from bot.keyring import Keyring
from tests.http.house import key

NAME = "https://jit.example"
AUDIENCE = "https://billing.example"


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve somebody's `app` as aiohttp does it by itself, and give its URL."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


def claims(**over: Any) -> dict[str, Any]:
    """Return the claims of a good token; those that are None are left out."""
    now = int(time.time())
    plain = {
        "iss": NAME,
        "aud": AUDIENCE,
        "sub": "person:T0DEMO:UANNA",
        "client_id": "slack",
        "iat": now - 60,
        "exp": now + 1800,
        "jti": "G-AAAAAAAAAAAA.1",
        "scope": "invoices:read refunds:read",
        "grant_id": "G-AAAAAAAAAAAA",
    }
    return {name: value for name, value in {**plain, **over}.items() if value is not None}


@dataclass
class IssuerStandIn:
    """What it says, and what it was asked.

    Attributes:
        ring: Its keys, of which the last signs.
        published: What stands in its key set, if that is not what is in the ring.
        ended: What ended early, `jti` to `exp`, in that order.
        broken: Status by path, answered instead of anything else.
        slow_s: How long each answer takes.
        got: Paths that were asked for.
        batches: Use that was told.
    """

    ring: Keyring = field(default_factory=lambda: Keyring.of(key(1)))
    published: dict[str, Any] | None = None
    ended: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    slow_s: float = 0.0
    got: list[str] = field(default_factory=list)
    logins: set[tuple[str, str]] = field(default_factory=set)
    batches: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def token(self, **over: Any) -> str:
        return self.ring.sign(claims(**over), kid=self.ring.active_kid)

    def asked(self, path: str) -> int:
        return self.got.count(path)

    @property
    def uses(self) -> list[dict[str, Any]]:
        """All uses that were told, each batch once."""
        batches = {each["batch"]: each for each in self.batches}
        return [use for batch in batches.values() for use in batch["uses"]]

    @web.middleware
    async def _edge(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.got.append(request.path)
        login = request.headers.get("Authorization", " ").split()[-1]
        self.logins.add(tuple(b64decode(login).decode().split(":")))
        await asyncio.sleep(self.slow_s)
        status = self.broken.get(request.path)
        if status is None:
            return await handler(request)
        if request.path == "/v1/usage":
            self.batches.append(await request.json())
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response(self.published or self.ring.jwks())

    async def _feed(self, request: web.Request) -> web.Response:
        """Answer at once where something is new since the cursor, which counts what was told."""
        since, _, kids = request.query.get("since", "").partition("/")
        told, now_kids = int(since or 0), ",".join(sorted(self.ring.kids()))
        until = time.monotonic() + float(request.query["wait_s"]) * bool(since)
        while time.monotonic() < until and len(self.ended) == told:
            now_kids = ",".join(sorted(self.ring.kids()))
            if kids != now_kids or "/v1/revocations" in self.broken:
                break
            await asyncio.sleep(0.01)
        new = list(self.ended.items())[told:][:3]
        content = {
            "revocations": [{"jti": jti, "exp": exp, "at": exp} for jti, exp in new],
            "kids": now_kids.split(","),
            "cursor": f"{told + len(new)}/{now_kids}",
            "more": told + len(new) < len(self.ended),
        }
        return web.json_response(content)

    async def _usage(self, request: web.Request) -> web.Response:
        self.batches.append(await request.json())
        return web.Response(status=204)

    @asynccontextmanager
    async def served(self) -> AsyncIterator["IssuerStandIn"]:
        app = web.Application(middlewares=[self._edge], client_max_size=64 * 1024)
        app.router.add_get("/.well-known/jwks.json", self._keys)
        app.router.add_get("/v1/revocations", self._feed)
        app.router.add_post("/v1/usage", self._usage)
        async with listening(app) as url:
            self.url = url
            yield self

    def options(self, **over: Any) -> dict[str, Any]:
        """Return what a guard of this issuer is told."""
        plain = {
            "issuer": NAME,
            "audience": AUDIENCE,
            "client_id": "billing-api",
            "client_secret": "secret",
            "url": self.url,
        }
        return {**plain, **over}


def part(content: Any) -> str:
    """Return one part of a token."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: Any, said: Any = None, *, by: Callable[[bytes], bytes] = lambda _: b"x") -> str:
    """Return a token with this header, signed by what `by` does."""
    signed = f"{part(header)}.{part(claims() if said is None else said)}"
    return f"{signed}.{part(by(signed.encode()))}"


def by_key(which: int | RSAPrivateKey) -> Callable[[bytes], bytes]:
    """Return what signs as the issuer does, with one of a few keys or another one."""
    private = key(which) if isinstance(which, int) else which
    return lambda signed: private.sign(signed, PKCS1v15(), SHA256())
