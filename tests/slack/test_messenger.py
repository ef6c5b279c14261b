from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.core import events as e
from bot.core.emergency import Unreachable
from bot.core.errors import Busy, Unavailable
from bot.core.identity import BOT
from bot.core.lifecycle import opened
from bot.core.permission import Circumstances
from bot.core.policy import Escalation, Stage
from bot.core.request import replay
from bot.on_call.memory import MemoryOnCall
from bot.sandbox.client import Acme
from bot.slack.api import SlackApi
from bot.slack.directory import SlackDirectory, find_home
from bot.slack.messenger import CARD, LINES, LINES_AT_ONCE, SlackMessenger
from bot.telemetry import MemoryMetrics
from bot.usecases.secret import Secret
from tests.builders import LEADS, REQUEST, SIGNING, T0, requested
from tests.contracts.messenger_contract import (
    ANNA,
    ASKED,
    GRANTED,
    REVOKED,
    TOKEN,
    Message,
    MessengerContract,
    Room,
    a_story,
    show,
)
from tests.core.test_review import EMERGENCY
from tests.sandbox.parts import BOT_TOKEN, a_sandbox

WRITES = ("chat.postMessage", "chat.update")


class FragileApi(SlackApi):
    """Tells Slack to fail when it comes to the call number `fatal`, from 1."""

    acme = None
    fatal = 0

    async def write(self, method, **args):
        if method in WRITES:
            self.fatal -= 1
            if self.fatal == 0:
                await self.acme.fails(method, status=500)
        return await super().write(method, **args)


@pytest.fixture
async def slack():
    """The stand-in, its people, and a messenger."""
    async with (
        a_sandbox() as sandbox,
        Acme(sandbox.url) as acme,
        aiohttp.ClientSession() as session,
    ):
        api = FragileApi(
            Secret(BOT_TOKEN), base_url=sandbox.api_url, session=session, metrics=MemoryMetrics()
        )
        api.acme = acme
        directory = SlackDirectory(
            api, await find_home(api), MemoryOnCall(), now=lambda: datetime.now(UTC)
        )
        yield sandbox, acme, SlackMessenger(api, directory)
        assert await acme.violations() == []


def without_ids(blocks):
    return [{key: block[key] for key in block if key != "block_id"} for block in blocks]


@pytest.fixture
def room(slack):
    sandbox, acme, messenger = slack

    async def messages():
        return [
            Message(
                channel=each.channel,
                ts=each.ts,
                text=f"{each.text} {without_ids(each.blocks)}",
                thread=each.thread_ts or "",
            )
            for channel in ("C0ACCESS", "D0ANNA")
            for each in sandbox.workspace.visible_messages("U0ANNA", channel)
        ]

    async def fail_at(number):
        messenger._api.fatal = number

    async def calls():
        return sum([len(await acme.calls(method)) for method in WRITES])

    return Room(
        messenger=messenger,
        channel="C0ACCESS",
        direct="D0ANNA",
        messages=messages,
        fail_at=fail_at,
        calls=calls,
    )


class TestSlackMessenger(MessengerContract): ...


def a_refusal(number):
    return e.Refused(request=REQUEST, at=T0, by=ANNA, move="approve", why=f"no, {number} times no")


async def test_what_must_wait_raises_how_long(slack):
    _, acme, messenger = slack
    await acme.fails("chat.postMessage", retry_after_s=7)
    with pytest.raises(Busy) as caught:
        async for _ in messenger.show(a_story(), {}):
            pass
    assert caught.value.wait_s == 7


async def test_a_channel_that_is_gone_does_not_keep_the_requesters_messages_back(room):
    receipts = {}
    asked = requested(by=ANNA, channel="#no-such-channel")
    with pytest.raises(Unavailable, match="#no-such-channel"):
        await show(room, a_story(asked), receipts)
    assert list(receipts) == ["dm:0"]


async def test_a_closed_account_does_not_keep_the_thread_back(room, slack):
    _, acme, _ = slack
    await acme.becomes("Anna", "deactivated")
    receipts = {}
    await show(room, a_story(), receipts)
    assert set(receipts) == {CARD, LINES}


async def test_a_message_that_was_deleted_is_posted_anew(room, slack):
    sandbox, _, _ = slack
    receipts = {}
    await show(room, a_story(), receipts)
    old = receipts[CARD]
    sandbox.workspace.delete(sandbox.workspace.message(old.channel, old.ts))
    await show(room, a_story(*GRANTED, REVOKED), receipts)
    assert receipts[CARD].ts != old.ts
    assert sandbox.workspace.message(receipts[CARD].channel, receipts[CARD].ts) is not None


async def test_many_lines_go_out_in_few_messages_and_each_is_told_once(room):
    history = (ASKED, *(a_refusal(number) for number in range(3 * LINES_AT_ONCE)))
    receipts = {}
    await show(room, a_story(*history), receipts)
    assert receipts[LINES].digest == str(len(history))
    replies = [each.text for each in await room.messages() if each.thread]
    assert len(replies) == 4
    for number in range(3 * LINES_AT_ONCE):
        assert sum(f"no, {number} times no" in text for text in replies) == 1


async def test_a_lost_answer_in_the_thread_doubles_one_message_at_most(room, slack):
    _, acme, _ = slack
    receipts = {}
    await show(room, a_story(), receipts)
    await acme.fails("chat.postMessage", drop="after")
    story = a_story(ASKED, a_refusal(1))
    with pytest.raises(Unavailable):
        await show(room, story, receipts)
    await show(room, story, receipts)
    await show(room, story, receipts)
    told = [each for each in await room.messages() if "no, 1 times no" in each.text]
    assert len(told) == 2


async def test_a_copy_of_a_card_loses_its_buttons(slack):
    sandbox, _, messenger = slack
    twin = sandbox.workspace.post("C0ACCESS", text="a card", blocks=[])
    await messenger.retire(replay((ASKED,)), channel="C0ACCESS", ts=twin.ts)
    retired = sandbox.workspace.message("C0ACCESS", twin.ts)
    assert REQUEST in retired.text
    assert "actions" not in {block["type"] for block in retired.blocks}


async def test_a_message_with_a_token_does_not_tell_it_in_its_notification(room, slack):
    receipts = {}
    await show(room, a_story(*GRANTED, token=TOKEN), receipts)
    sandbox, _, _ = slack
    stands = receipts["token:1"]
    message = sandbox.workspace.message(stands.channel, stands.ts)
    assert TOKEN in str(message.blocks)
    assert TOKEN not in message.text


def announcing(*channels):
    """Return a story whose first stage is escalated to `channels`."""
    step = Escalation(after=timedelta(minutes=5), notify=channels)
    stages = (Stage(name="lead", approvers=(LEADS,), escalate=(step,)),)
    asked = requested(by=ANNA, channel="#access-requests", stages=stages)
    escalated = e.Escalated(request=REQUEST, at=T0, by=BOT, stage=0, number=0)
    return a_story(asked, escalated)


async def shown(messenger, story):
    """Show `story` as if for the first time."""
    async for _ in messenger.show(story, {}):
        pass


async def test_a_notice_goes_to_no_channel_that_is_shared_with_another_company(slack):
    _, acme, messenger = slack
    await shown(messenger, announcing("#partners", "#general"))
    posted = {call["args"]["channel"] for call in await acme.calls("chat.postMessage")}
    assert "C0PARTNERS" not in posted
    assert "C0GENERAL" in posted


async def test_a_channel_that_fails_keeps_no_other_notice_back(slack):
    _, acme, messenger = slack
    await acme.fails("conversations.info", status=500, times=2)
    with pytest.raises(Unavailable):
        await shown(messenger, announcing("C0DEPLOY", "#general"))
    posted = {call["args"]["channel"] for call in await acme.calls("chat.postMessage")}
    assert "C0GENERAL" in posted


def an_emergency(*notify, channel="#access-requests"):
    asked = requested(
        by=ANNA,
        channel=channel,
        stages=(),
        emergency=replace(EMERGENCY, notify=notify),
    )
    case = Circumstances(now=T0, signing=SIGNING)
    return a_story(*opened(asked, settled=e.GlassBroken, case=case))


async def test_an_emergency_is_told_though_its_card_cannot_be_posted(room, slack):
    _, acme, _ = slack
    receipts = {}
    with pytest.raises(Unavailable):
        await show(room, an_emergency("#general", channel="#no-such-channel"), receipts)
    assert {"glass:0", "token:1"} <= set(receipts)
    assert CARD not in receipts
    posted = [call["args"]["channel"] for call in await acme.calls("chat.postMessage")]
    assert "C0GENERAL" in posted


async def test_a_channel_that_could_not_be_told_of_an_emergency_is_named_in_the_thread_once(room):
    receipts = {}
    for _ in range(2):
        await show(room, an_emergency("#partners", "#general"), receipts)
    told = [each for each in await room.messages() if "Cannot be told" in each.text]
    [line] = told
    assert "shared with another company" in line.text
    assert line.thread == receipts[CARD].ts
    assert "glass:1" in receipts


async def test_what_was_known_when_the_glass_was_broken_is_not_told_twice(room):
    story = an_emergency("#partners")
    asked = story.request.asked
    known = replace(
        asked.emergency,
        unreachable=(Unreachable("#partners", "the channel #partners is shared"),),
    )
    case = Circumstances(now=T0, signing=SIGNING)
    told = opened(replace(asked, emergency=known), settled=e.GlassBroken, case=case)
    receipts = {}
    await show(room, a_story(*told), receipts)
    assert not [name for name in receipts if name.startswith("untold")]


async def test_a_channel_that_breaks_afterwards_is_looked_at_anew_and_named(room, slack):
    sandbox, _, messenger = slack
    receipts, places = {}, sandbox.workspace.channels
    assert await messenger._directory.channel_problem("#general") == ""
    places["C0GENERAL"] = replace(places["C0GENERAL"], archived=True)
    with pytest.raises(Unavailable):
        await show(room, an_emergency("#general"), receipts)
    await show(room, an_emergency("#general"), receipts)
    assert {"untold:glass:0", CARD, "token:1"} <= set(receipts)
