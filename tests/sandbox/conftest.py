from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.client import Acme
from bot.sandbox.server import Sandbox
from tests.sandbox.parts import APP_TOKEN, a_bolt_app, a_client, a_sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with a_sandbox() as running:
        yield running


@pytest.fixture
async def acme(sandbox) -> AsyncIterator[Acme]:
    async with Acme(sandbox.url) as workspace:
        yield workspace


@pytest.fixture
async def slack(sandbox) -> AsyncIterator[AsyncWebClient]:
    async with a_client(sandbox) as client:
        yield client


@pytest.fixture
async def serve(sandbox) -> AsyncIterator:
    """Serve a Bolt app, or a handler of requests, where the stand-in sends its payloads."""
    runners = []

    async def start(handler):
        async def dispatch(request):
            answer = await handler.async_dispatch(await to_bolt_request(request))
            return await to_aiohttp_response(answer)

        handle = dispatch if isinstance(handler, AsyncApp) else handler
        application = web.Application()
        application.router.add_post("/slack/events", handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sandbox.events_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def http_app(sandbox, serve) -> AsyncApp:
    """A Bolt app that is told over HTTP."""
    app = a_bolt_app(sandbox)

    await serve(app)
    return app


@pytest.fixture
async def socket_app(sandbox) -> AsyncIterator[AsyncApp]:
    """A Bolt app that is told over Socket Mode."""
    app = a_bolt_app(sandbox)
    handler = AsyncSocketModeHandler(app, APP_TOKEN)
    await handler.connect_async()
    yield app
    await handler.close_async()


@pytest.fixture(params=["http", "socket"])
def app(request) -> AsyncApp:
    """A Bolt app, told either way; `heard` holds the payloads it got."""
    return request.getfixturevalue(f"{request.param}_app")
