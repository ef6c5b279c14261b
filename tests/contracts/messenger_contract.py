"""What every Messenger promises. Fixture `room`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import Unavailable
from bot.core.identity import BOT, RequestId, person
from bot.core.machine import Machine
from bot.core.request import replay
from bot.core.scopes import Delivery
from bot.usecases.ports import Messenger, Receipt, Story
from bot.usecases.shows import token_message
from tests.builders import REQUEST, T0, granted, requested

ANNA = person("U0ANNA", home="T0DEMO")
TOKEN = "eyJhbGciOiJub25lIn0.eyJqdGkiOiIxIn0.c2lnbmF0dXJl"
SECOND = "eyJhbGciOiJub25lIn0.eyJqdGkiOiIyIn0.c2lnbmF0dXJl"


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as it stands.

    Attributes:
        text: All of its text, blocks included.
        thread: The ts of the message that it replies to, "" for none.
    """

    channel: str
    ts: str
    text: str
    thread: str


@dataclass(frozen=True, kw_only=True)
class Room:
    """A Slack that a messenger writes to.

    Attributes:
        channel: The id under which cards' channel #access-requests shows in messages.
        direct: The id of Anna's direct messages.
        fail_at: Makes the call number n from now (from 1; posts and updates alike) fail, once.
        calls: How many posts and updates there were.
    """

    messenger: Messenger
    channel: str
    direct: str
    messages: Callable[[], Awaitable[Sequence[Message]]]
    fail_at: Callable[[int], Awaitable[None]]
    calls: Callable[[], Awaitable[int]]


ASKED = requested(by=ANNA, channel="#access-requests")
GRANTED = (ASKED, *granted(ASKED, at=T0))
JTI = GRANTED[-1].token.jti  # type: ignore[union-attr]  # Started
DELIVERED = e.Delivered(request=REQUEST, at=T0, by=BOT, jti=JTI)
SCRUBBED = e.Scrubbed(request=REQUEST, at=T0, by=ANNA, jti=JTI)
REVOKED = e.Revoked(request=REQUEST, at=T0, by=ANNA, reason="done")
WARNED = e.Warned(request=REQUEST, at=T0 + timedelta(minutes=24), by=BOT)


def a_story(*history: e.Event, token: str | None = None) -> Story:
    facts = history or (ASKED,)
    return Story(request=replay(facts), history=facts, token=token, now=T0)


def extended() -> e.Extended:
    [*_, started] = GRANTED
    assert isinstance(started, e.Started)
    spec = started.token
    token = type(spec)(
        kid=spec.kid,
        issuer=spec.issuer,
        jti=spec.jti.replace(".1", ".2"),
        audience=spec.audience,
        subject=spec.subject,
        client=spec.client,
        scopes=spec.scopes,
        issued_at=spec.issued_at + timedelta(minutes=25),
        expires_at=spec.expires_at + timedelta(minutes=30),
    )
    at = T0 + timedelta(minutes=25)
    return e.Extended(
        request=REQUEST, at=at, by=BOT, token=token, extension=RequestId("R-BBBBBBBBBBBB")
    )


async def show(
    room: Room, story: Story, receipts: dict[str, Receipt], *, stop_after: int = 10**6
) -> int:
    """Show `story`, keeping receipts as the caller must; return how many there were."""
    kept = 0
    async with aclosing(room.messenger.show(story, receipts)) as shown:
        async for receipt in shown:
            receipts[receipt.name] = receipt
            kept += 1
            if kept == stop_after:
                break
    return kept


async def with_token(room: Room, token: str = TOKEN) -> list[Message]:
    return [message for message in await room.messages() if token in message.text]


def places(receipts: Mapping[str, Receipt]) -> set[tuple[str, str]]:
    return {(receipt.channel, receipt.ts) for receipt in receipts.values()}


class MessengerContract:
    async def test_a_request_has_a_card_with_a_thread(self, room: Room) -> None:
        receipts: dict[str, Receipt] = {}
        await show(room, a_story(), receipts)
        card = receipts["card"]
        assert card.channel == room.channel
        [root] = [each for each in await room.messages() if each.ts == card.ts]
        assert root.thread == ""
        replies = [each for each in await room.messages() if each.thread]
        assert replies
        assert {(each.channel, each.thread) for each in replies} == {(card.channel, card.ts)}

    async def test_what_is_as_it_should_be_is_not_sent_again(self, room: Room) -> None:
        receipts: dict[str, Receipt] = {}
        for story in (a_story(), a_story(*GRANTED, token=TOKEN), a_story(*GRANTED, REVOKED)):
            assert await show(room, story, receipts) > 0
            calls = await room.calls()
            assert await show(room, story, receipts) == 0
            assert await room.calls() == calls

    async def test_a_change_updates_the_card_and_goes_on_in_the_thread(self, room: Room) -> None:
        receipts: dict[str, Receipt] = {}
        await show(room, a_story(), receipts)
        card, before = receipts["card"], await room.messages()
        denied = e.Denied(request=REQUEST, at=T0, by=BOT, reason="no")
        await show(room, a_story(ASKED, denied), receipts)
        assert (receipts["card"].ts, receipts["card"].channel) == (card.ts, card.channel)
        assert receipts["card"].digest != card.digest
        after = {message.ts: message for message in await room.messages()}
        assert after[card.ts].text != {each.ts: each for each in before}[card.ts].text
        for old in before:
            if old.thread:
                assert after[old.ts] == old
        assert sum(bool(each.thread) for each in after.values()) > sum(
            bool(each.thread) for each in before
        )

    async def test_the_token_is_in_one_direct_message_and_nowhere_else(self, room: Room) -> None:
        receipts: dict[str, Receipt] = {}
        await show(room, a_story(*GRANTED, token=TOKEN), receipts)
        [message] = await with_token(room)
        stands = receipts[token_message(1)]
        assert (message.channel, message.ts) == (stands.channel, stands.ts)
        assert message.channel == room.direct
        assert stands.digest

    async def test_a_token_of_a_program_is_in_no_message(self, room: Room) -> None:
        machine = Machine(client="ci", owner="owners")
        for by in (ANNA, machine.actor):
            asked = requested(by=by, channel="#access-requests", machine=machine)
            history = (asked, *granted(asked, at=T0))
            await show(room, a_story(*history, token=TOKEN), {})
        assert await with_token(room) == []
        assert any("ci" in each.text for each in await room.messages())

    async def test_a_token_only_enters_a_message_whose_receipt_was_kept(self, room: Room) -> None:
        story, receipts = a_story(*GRANTED, token=TOKEN), dict[str, Receipt]()
        kept_before: set[tuple[str, str]] = set()
        async with aclosing(room.messenger.show(story, receipts)) as shown:
            async for receipt in shown:
                for message in await with_token(room):
                    assert (message.channel, message.ts) in kept_before
                receipts[receipt.name] = receipt
                kept_before = places(receipts)
        assert len(await with_token(room)) == 1

    async def test_a_message_that_waits_for_its_token_says_so(self, room: Room) -> None:
        story, name = a_story(*GRANTED, token=TOKEN), token_message(1)
        receipts: dict[str, Receipt] = {}
        async with aclosing(room.messenger.show(story, receipts)) as shown:
            async for receipt in shown:
                receipts[receipt.name] = receipt
                if receipt.name == name:
                    break
        assert receipts[name].digest == ""
        assert await with_token(room) == []

    @pytest.mark.parametrize("last", [SCRUBBED, REVOKED])
    async def test_the_token_leaves_its_message(self, room: Room, last: e.Event) -> None:
        receipts: dict[str, Receipt] = {}
        await show(room, a_story(*GRANTED, DELIVERED, token=TOKEN), receipts)
        stood = receipts[token_message(1)]
        await show(room, a_story(*GRANTED, DELIVERED, last), receipts)
        assert await with_token(room) == []
        assert receipts[token_message(1)].ts == stood.ts

    async def test_of_two_tokens_only_the_newest_can_be_read(self, room: Room) -> None:
        receipts: dict[str, Receipt] = {}
        await show(room, a_story(*GRANTED, DELIVERED, token=TOKEN), receipts)
        longer = (*GRANTED, DELIVERED, WARNED, extended())
        await show(room, a_story(*longer, token=SECOND), receipts)
        assert await with_token(room) == []
        [message] = await with_token(room, SECOND)
        assert message.ts == receipts[token_message(2)].ts != receipts[token_message(1)].ts

    async def test_a_token_behind_a_button_has_a_message_without_it(self, room: Room) -> None:
        asked = requested(by=ANNA, channel="#access-requests", delivery=Delivery.REVEAL)
        receipts: dict[str, Receipt] = {}
        await show(room, a_story(asked, *granted(asked, at=T0)), receipts)
        assert receipts[token_message(1)].digest
        assert await with_token(room) == []

    async def test_who_died_after_any_receipt_goes_on_without_doubling(self, room: Room) -> None:
        story = a_story(*GRANTED, token=TOKEN)
        receipts: dict[str, Receipt] = {}
        turns = 0
        while await show(room, story, receipts, stop_after=1):
            turns += 1
        assert turns > 3
        messages = await room.messages()
        assert len(messages) == len({(each.channel, each.ts) for each in messages})
        kept = {place for place in places(receipts) if place[1]}
        cards = [each for each in messages if not each.thread]
        assert {(each.channel, each.ts) for each in cards} <= kept
        undisturbed = dict[str, Receipt]()
        calls = await room.calls()
        await show(room, story, undisturbed)
        assert await room.calls() - calls == calls

    async def test_what_slack_refused_is_made_up_for_later(self, room: Room) -> None:
        story, undisturbed = a_story(*GRANTED, token=TOKEN), dict[str, Receipt]()
        await show(room, story, undisturbed)
        first, calls = await room.messages(), await room.calls()
        for number in range(1, calls + 1):
            old = {(each.channel, each.ts) for each in await room.messages()}
            receipts: dict[str, Receipt] = {}
            await room.fail_at(number)
            with pytest.raises(Unavailable):
                await show(room, story, receipts)
            await show(room, story, receipts)
            new = [each for each in await room.messages() if (each.channel, each.ts) not in old]
            assert len(new) == len(first)
            assert sorted(each.text for each in new) == sorted(each.text for each in first)
