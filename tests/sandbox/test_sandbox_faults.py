import asyncio

import pytest
from aiohttp import ClientError

from bot.sandbox.client import NotThere
from tests.sandbox.parts import refused


def post(slack):
    return slack.chat_postMessage(channel="C0ACCESS", text="hi")


async def posted(acme):
    return len(await acme.person("Anna").messages("access-requests"))


async def test_a_fault_hits_its_method_as_often_as_told(acme, slack):
    await acme.fails("chat.postMessage", error="fatal_error", times=2)
    assert (await slack.auth_test())["ok"]
    assert await refused(post(slack)) == "fatal_error"
    assert await refused(post(slack)) == "fatal_error"
    await post(slack)
    assert await posted(acme) == 1


async def test_a_fault_of_any_method_hits_all(acme, slack):
    await acme.fails("*", error="service_unavailable", times=2)
    assert await refused(post(slack)) == "service_unavailable"
    assert await refused(slack.auth_test()) == "service_unavailable"


async def test_a_rate_limit_is_told_with_retry_after(acme, slack):
    await acme.fails("chat.postMessage", retry_after_s=7)
    answer = await refused(post(slack), whole=True)
    assert (answer.status_code, answer["error"]) == (429, "ratelimited")
    assert answer.headers["Retry-After"] == "7"


async def test_slack_itself_may_fail(acme, slack):
    await acme.fails("chat.postMessage", status=500)
    assert (await refused(post(slack), whole=True)).status_code == 500
    assert await posted(acme) == 0


async def test_the_connection_may_be_lost_before_anything_is_done(acme, slack):
    await acme.fails("chat.postMessage", drop="before")
    with pytest.raises(ClientError):
        await post(slack)
    assert await posted(acme) == 0


async def test_the_connection_may_be_lost_after_all_is_done(acme, slack):
    await acme.fails("chat.postMessage", drop="after")
    with pytest.raises(ClientError):
        await post(slack)
    assert await posted(acme) == 1


async def test_an_answer_may_be_slow(acme, slack):
    await acme.fails("chat.postMessage", delay_s=0.2)
    call = asyncio.create_task(post(slack))
    await asyncio.sleep(0.1)
    assert await posted(acme) == 0
    assert (await call)["ok"]


async def test_faults_can_be_taken_back(acme, slack):
    await acme.fails("*", error="fatal_error", times=100)
    await acme.heals()
    assert (await post(slack))["ok"]


async def test_what_was_done_to_a_call_is_on_the_tape(acme, slack):
    await acme.fails("chat.postMessage", drop="before")
    with pytest.raises(ClientError):
        await post(slack)
    await acme.fails("chat.postMessage", error="fatal_error")
    await refused(post(slack))
    assert [call["error"] for call in await acme.calls()] == ["dropped", "fatal_error"]


async def test_a_fault_that_does_not_exist_is_told(acme):
    with pytest.raises(NotThere, match="a fault has method, error"):
        await acme.fails("*", explode=True)
