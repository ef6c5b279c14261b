import asyncio

import pytest

from bot.sandbox.rates import Rates
from tests.sandbox.parts import a_client, a_sandbox, refused


@pytest.fixture
async def strict():
    """The Web API at Slack's own rates."""
    async with a_sandbox(rates=Rates()) as sandbox, a_client(sandbox) as client:
        yield client


async def test_after_a_burst_of_four_a_channel_takes_one_message_a_second(strict):
    for _ in range(4):
        await strict.chat_postMessage(channel="C0ACCESS", text="hi")
    answer = await refused(strict.chat_postMessage(channel="C0ACCESS", text="hi"), whole=True)
    assert (answer.status_code, answer["error"]) == (429, "ratelimited")
    assert answer.headers["Retry-After"] == "1"
    await asyncio.sleep(1)
    await strict.chat_postMessage(channel="C0ACCESS", text="hi")
    call = strict.chat_postMessage(channel="C0ACCESS", text="hi")
    assert await refused(call) == "ratelimited"


async def test_channels_do_not_share_their_rate(strict):
    for channel in ("C0ACCESS", "C0DEPLOY", "D0ANNA"):
        for _ in range(4):
            await strict.chat_postMessage(channel=channel, text="hi")


async def test_a_message_that_is_refused_otherwise_counts_for_nothing(strict):
    for _ in range(6):
        await refused(
            strict.chat_postMessage(channel="C0ACCESS", text="hi", blocks=[{"type": "x"}])
        )
    await strict.chat_postMessage(channel="C0ACCESS", text="hi")


async def test_updates_are_limited_to_fifty_a_minute(strict):
    ts = (await strict.chat_postMessage(channel="C0ACCESS", text="0"))["ts"]
    for number in range(50):
        await strict.chat_update(channel="C0ACCESS", ts=ts, text=str(number))
    answer = await refused(strict.chat_update(channel="C0ACCESS", ts=ts, text="x"), whole=True)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")


async def test_the_rates_may_be_set():
    rates = Rates(messages_per_s=100, burst=1)
    async with a_sandbox(rates=rates) as sandbox, a_client(sandbox) as slack:
        await slack.chat_postMessage(channel="C0ACCESS", text="hi")
        await asyncio.sleep(0.02)
        await slack.chat_postMessage(channel="C0ACCESS", text="hi")
