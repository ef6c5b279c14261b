import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.core.errors import Busy, Unavailable
from bot.sandbox.client import Acme
from bot.slack import api as slack_api
from bot.slack.api import SlackApi, SlackError
from bot.telemetry import MemoryMetrics
from bot.usecases.secret import Secret
from tests.sandbox.parts import BOT_TOKEN, modal
from tests.slack.stand_in import a_slack


@pytest.fixture
async def slack():
    """The stand-in's people, and an API on it."""
    async with a_slack() as (sandbox, api), Acme(sandbox.url) as acme:
        yield acme, api


async def caught(call):
    with pytest.raises(Unavailable) as problem:
        await call
    return problem.value


async def test_an_answer_is_returned_whole(slack):
    _, api = slack
    assert (await api.read("auth.test"))["team_id"] == "T0DEMO"
    posted = await api.write("chat.postMessage", channel="C0ACCESS", text="hello")
    assert posted["channel"] == "C0ACCESS"


async def test_what_slack_refuses_has_slacks_name(slack):
    _, api = slack
    problem = await caught(api.read("users.info", user="U0NOBODY"))
    assert isinstance(problem, SlackError)
    assert problem.name == "user_not_found"


@pytest.mark.parametrize("verb", ["read", "write"])
async def test_being_asked_to_wait_says_for_how_long(slack, verb):
    acme, api = slack
    await acme.fails("auth.test", retry_after_s=3)
    problem = await caught(getattr(api, verb)("auth.test"))
    assert isinstance(problem, Busy)
    assert problem.wait_s == 3


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 503}, {"error": "fatal_error"}, {"error": "ratelimited"}]
)
async def test_slacks_own_faults_are_no_refusals(slack, fault):
    acme, api = slack
    await acme.fails("auth.test", **fault, times=5)
    assert not isinstance(await caught(api.read("auth.test")), SlackError)


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_a_write_is_sent_once_however_it_went(slack, drop):
    acme, api = slack
    await acme.fails("chat.postMessage", drop=drop)
    problem = await caught(api.write("chat.postMessage", channel="C0ACCESS", text="hello"))
    assert not isinstance(problem, SlackError)
    assert len(await acme.calls("chat.postMessage")) == 1


async def test_a_read_whose_connection_broke_is_made_again(slack):
    acme, api = slack
    await acme.fails("auth.test", drop="before")
    assert (await api.read("auth.test"))["team_id"] == "T0DEMO"


async def test_a_slow_answer_is_not_waited_for(slack):
    acme, api = slack
    await acme.fails("auth.test", delay_s=5.0)
    before = asyncio.get_running_loop().time()
    await caught(api.read("auth.test"))
    assert asyncio.get_running_loop().time() - before < slack_api.READ_WITHIN_S + 1
    await acme.fails("chat.update", delay_s=5.0)
    await caught(api.write("chat.update", within_s=0.1))


async def test_nobody_there_is_unavailable(unused_tcp_port):
    async with aiohttp.ClientSession() as session:
        api = SlackApi(
            Secret(BOT_TOKEN),
            base_url=f"http://127.0.0.1:{unused_tcp_port}/api/",
            session=session,
            metrics=MemoryMetrics(),
        )
        await caught(api.write("auth.test"))
        await caught(api.read("auth.test"))
        await caught(api.respond(f"http://127.0.0.1:{unused_tcp_port}/response", {}))


async def test_every_call_is_counted_by_how_it_went(slack):
    acme, api = slack
    await api.read("auth.test")
    await acme.fails("auth.test", status=500)
    await acme.fails("auth.test", retry_after_s=1)
    for _ in range(2):
        await caught(api.write("auth.test"))
    await caught(api.write("users.info", user="U0NOBODY"))
    counted = [
        api._metrics.value("jit_slack_calls_total", method=method, outcome=outcome)
        for method, outcome in [
            ("auth.test", "ok"),
            ("auth.test", "unavailable"),
            ("auth.test", "busy"),
            ("users.info", "slack_error"),
        ]
    ]
    assert counted == [1, 1, 1, 1]


async def test_a_click_that_came_twice_opens_one_view():
    triggers = []

    async def hear(request):
        triggers.append((await request.post())["trigger_id"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hear)
    async with (
        TestServer(app) as bot,
        a_slack(events_url=str(bot.make_url("/"))) as (sandbox, api),
        Acme(sandbox.url) as acme,
    ):
        anna = acme.person("Anna")
        await anna.types("/jit request")
        for _ in range(2):
            await api.open_view(triggers[0], modal())
        assert len(await anna.views()) == 1
        assert isinstance(await caught(api.open_view("none", modal())), SlackError)
