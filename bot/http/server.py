"""The HTTP server: its routes, and the one middleware that every request goes through.

No answer depends on the Host header: who we are is said by the settings alone.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

from bot.core.client import Resource
from bot.core.enforcement import Homes
from bot.http.answers import Reply
from bot.http.backchannel import Backchannel
from bot.http.clients import Clients
from bot.http.edge import Edge
from bot.http.forms import form_in, read_body
from bot.http.gateway import ForwardAuth
from bot.http.health import Health, Report
from bot.http.lane import Asked, LaneHandler, LaneServer
from bot.http.metadata import Metadata
from bot.http.oauth import OAuth
from bot.http.peers import Peers
from bot.http.resources import WELL_KNOWN, ProtectedResources
from bot.http.revocations import RevocationFeed
from bot.http.token import TokenEndpoint
from bot.http.usage import Usage
from bot.usecases.enforcement import Enforcement
from bot.usecases.intake import Intake
from bot.usecases.machines import Machines
from bot.usecases.ports import Clock, Metrics
from bot.usecases.revocations import Revocations
from bot.usecases.tokens import Tokens
from bot.usecases.waiting import WaitingRoom

log = structlog.get_logger()

SlackHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Slack's payloads quote the message or the view that was acted on, and a view may have 250 kB:
# https://docs.slack.dev/reference/methods/views.open
SLACK_BODY_AT_MOST: Final = 1024 * 1024
# Longer than load balancers keep an idle connection (60 s is usual), so that it is they who end
# it. It also bounds how long the head of a request may take to arrive.
KEEP_ALIVE_S: Final = 75.0
# How long what was accepted may take to end when the server stops; Slack waits 3 s.
SHUTDOWN_S: Final = 10.0
# The longest request line and header. Gateways pass on what callers send, and make a fault of
# their own of what we answer before we know what is asked; so that is for the longest ones only.
HEAD_AT_MOST: Final = 64 * 1024

# Gateways ask at the first, or put the path of the call after it.
FORWARD_AUTH: Final = ("/forward-auth", "/forward-auth/{original:(?s:.*)}")

# What goes the short way, by method and path; see `Lane`.
_LANES: Final = web.AppKey("lanes", dict[tuple[str, str], LaneHandler])


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpParts:
    """What the server is made of.

    Attributes:
        machines: What OAuth clients can ask for.
        room: Where their polls wait.
        revocations: Told to APIs that verify by themselves; followed while the server runs.
        clients: Finds out which OAuth client calls.
        jwks: Returns the public keys (RFC 7517, section 5).
        issuer: The tokens' `iss`.
        resources: Returns the APIs that are declared, by URI.
        scopes: Returns every scope that can be asked for.
        homes: Returns which API has which scopes.
        peers: Knows which peers are gateways of ours.
        cached_for: How long a gateway may keep that a call may pass.
        slack: Answers Slack's payloads; None when they come over Socket Mode only.
        ready: Returns what is wrong.
        render_metrics: Measures what must be measured first; returns page and content type.
        intake: Takes down what enforcement points report.
    """

    tokens: Tokens
    machines: Machines
    room: WaitingRoom
    revocations: Revocations
    clients: Clients
    jwks: Callable[[], Mapping[str, Any]]
    issuer: str
    resources: Callable[[], Mapping[str, Resource]]
    scopes: Callable[[], frozenset[str]]
    homes: Callable[[], Homes]
    enforcement: Enforcement
    peers: Peers
    cached_for: timedelta
    slack: SlackHandler | None
    ready: Callable[[], Awaitable[Report]]
    render_metrics: Callable[[], Awaitable[tuple[bytes, str]]]
    metrics: Metrics
    intake: Intake
    clock: Clock


def make_app(parts: HttpParts) -> web.Application:
    """Return the application."""
    oauth = OAuth(parts.tokens, clients=parts.clients, jwks=parts.jwks, metrics=parts.metrics)
    usage = Usage(parts.intake, clients=parts.clients, clock=parts.clock)
    token = TokenEndpoint(parts.machines, parts.room, clients=parts.clients)
    backchannel = Backchannel(parts.machines, clients=parts.clients)
    metadata = Metadata(
        parts.issuer, resources=parts.resources, scopes=parts.scopes, grants=token.grant_types
    )
    described = ProtectedResources(parts.issuer, resources=parts.resources)
    gateways = ForwardAuth(
        parts.enforcement,
        homes=parts.homes,
        metadata=described.url,
        peers=parts.peers,
        cached_for=parts.cached_for,
        metrics=parts.metrics,
    )
    feed = RevocationFeed(parts.revocations, clients=parts.clients)
    health = Health(ready=parts.ready, render_metrics=parts.render_metrics)
    edge = Edge(parts.metrics)
    app = web.Application(middlewares=[edge.middleware()], client_max_size=SLACK_BODY_AT_MOST)
    app.add_routes(
        [
            *(web.get(path, metadata.answer) for path in metadata.paths),
            web.get("/.well-known/jwks.json", oauth.keys),
            web.post("/oauth/token", token.answer),
            web.post("/oauth/backchannel", backchannel.answer),
            web.get(WELL_KNOWN, described.answer),
            web.get(WELL_KNOWN + "/{place:.*}", described.answer),
            *(
                web.route("*", path, gateways.answer, expect_handler=_whatever_is_expected)
                for path in FORWARD_AUTH
            ),
            web.post("/oauth/introspect", oauth.introspect),
            web.post("/oauth/revoke", oauth.revoke),
            web.post("/v1/usage", usage.report),
            web.get("/v1/revocations", feed.answer),
            web.post("/slack/events", _payloads_to(parts.slack)),
            web.get("/healthz", health.alive),
            web.get("/readyz", health.ready),
            web.get("/metrics", health.metrics),
        ]
    )
    app[_LANES] = _lanes(edge, oauth, gateways)
    for followed in (parts.revocations, parts.room):
        app.cleanup_ctx.append(_following(followed))
        app.on_shutdown.append(_nobody_waits(followed))
    return app


def _lanes(edge: Edge, oauth: OAuth, gateways: ForwardAuth) -> dict[tuple[str, str], LaneHandler]:
    """Return what is asked for every call to an API."""

    async def introspected(asked: Asked) -> Reply:
        return await oauth.introspected(asked, form_in(asked))

    async def decided(asked: Asked) -> Reply:
        query = asked.target.partition("?")[2]
        return await gateways.decide(query, asked.headers, remote=asked.remote)

    return {
        ("POST", "/oauth/introspect"): edge.lane("/oauth/introspect", introspected),
        ("GET", "/forward-auth"): edge.lane("/forward-auth", decided),
    }


def _nobody_waits(
    followed: Revocations | WaitingRoom,
) -> Callable[[web.Application], Awaitable[None]]:
    """Return what ends the long polls, so that stopping need not wait for them."""

    async def stop(_: web.Application) -> None:
        followed.stop()

    return stop


def _following(
    followed: Revocations | WaitingRoom,
) -> Callable[[web.Application], AsyncGenerator[None, None]]:
    """Return what follows the store while the application runs."""

    async def following(_: web.Application) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(followed.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return following


def make_runner(app: web.Application) -> web.AppRunner:
    """Return what runs `app`; its `cleanup` lets what was accepted end, for SHUTDOWN_S seconds."""
    return _Runner(
        app,
        access_log=None,  # the middleware writes the one line of a request
        logger=_WithoutContent(server_logger),
        keepalive_timeout=KEEP_ALIVE_S,
        max_line_size=HEAD_AT_MOST,
        max_field_size=HEAD_AT_MOST,
        shutdown_timeout=SHUTDOWN_S,
    )


class _Runner(web.AppRunner):
    """Runs an application whose connections begin in a lane."""

    async def _make_server(self) -> web.Server:
        library = await super()._make_server()
        routes = self.app.get(_LANES, {})
        return LaneServer(library, routes, idle_s=KEEP_ALIVE_S)


class _WithoutContent(logging.LoggerAdapter[logging.Logger]):
    """The HTTP library's log; of a malformed request it would quote what is in it."""

    def process(
        self, msg: str, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        problem = kwargs.get("exc_info")
        if isinstance(problem, HttpProcessingError):
            return f"{msg}: {type(problem).__name__}", {**kwargs, "exc_info": None}
        return msg, kwargs


def _payloads_to(slack: SlackHandler | None) -> SlackHandler:
    async def payload(request: web.Request) -> web.StreamResponse:
        if slack is None:
            raise web.HTTPNotFound(text="payloads from Slack come over Socket Mode here")
        await read_body(request)  # in time, or not at all
        return await slack(request)

    return payload


async def _whatever_is_expected(_: web.Request) -> None:
    """Do nothing about the header Expect: it is about a body, which nobody reads here."""
