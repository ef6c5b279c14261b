"""Slack or Redis away, slow or limiting; the bot stopped and started: nothing half done."""

import asyncio
import os
import signal
import time
from collections import Counter

import pytest

from bot.core.identity import person as who
from bot.sandbox.delivery import sign
from bot.sandbox.rates import Rates
from bot.store.embedded import EmbeddedServer
from bot.store.redis import RedisStore
from tests.journeys.town import (
    ACCESS,
    DIRECT,
    JWT,
    SIGNING_SECRET,
    a_town,
    answered,
    asked,
    becomes,
    granted,
    id_of,
    told,
)
from tests.sandbox.parts import quickly

TOLD = ("🙋", "👍", "☑️", "✅", "🔑", "📬")  # what the thread of a granted request tells


async def all_told_once(person, card):
    """Return when every line stands in the thread, and none twice."""
    thread = await told(person, card, *TOLD, timeout_s=20.0)
    assert Counter({mark: thread.count(mark) for mark in TOLD}) == Counter(TOLD)


async def cards(person):
    """Return what stands in the channel for everybody."""
    messages = await person.messages(ACCESS)
    return [each for each in messages if each.thread_ts is None and not each.ephemeral]


async def test_while_slack_takes_no_messages_the_state_is_right_and_they_follow(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await told(ben, card, "asked for")
    for method in ("chat.postMessage", "chat.update", "conversations.open"):
        await web_town.acme.fails(method, status=503, times=1000)
    assert (await ben.clicks("approve", card)).ok
    await answered(ben, "Your approval is recorded")
    await ben.types(f"/jit status {id_of(card)}")
    await answered(ben, "*Works* until", channel="general")
    assert "Waiting" in (await ben.now(card)).plain()
    await web_town.acme.heals()
    await becomes(ben, card, "*Works* until")
    await anna.sees(JWT, channel=DIRECT)
    await all_told_once(ben, card)
    assert len(await cards(ben)) == 1


async def test_when_slack_asks_to_wait_everything_follows_once(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    await web_town.acme.fails("chat.postMessage", retry_after_s=1, times=2)
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await web_town.acme.fails("chat.update", retry_after_s=1, times=1)
    await ben.clicks("approve", card)
    await all_told_once(ben, card)
    await anna.sees(JWT, channel=DIRECT)
    assert len(await cards(ben)) == 1
    assert len([note for note in await anna.dm() if "Recorded" in note.plain()]) == 1


async def test_slacks_own_limits_delay_messages_and_lose_none(redis, redis_url, folder):
    limits = Rates(messages_per_s=1.0, burst=2)
    async with a_town(redis_url, folder, rates=limits) as town:
        anna, ben = town.people("Anna", "Ben")
        card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
        assert await town.works(token)
        await all_told_once(ben, card)
        town.forgiven.add("chat.postMessage: ratelimited")


async def test_that_the_token_was_delivered_is_recorded_before_the_thread_is_told(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await told(ben, card, "asked for")
    await web_town.acme.fails("chat.postMessage", times=2)  # the outcome and the token arrive
    await web_town.acme.fails("chat.postMessage", retry_after_s=5, times=1000)
    await ben.clicks("approve", card)
    await anna.sees(JWT, channel=DIRECT)
    ledger = web_town.bots[0].ground.store.ledger
    async with asyncio.timeout(2):
        while (await ledger.load(id_of(card))).grant.delivered_at is None:  # noqa: ASYNC110  # unseen
            await asyncio.sleep(0.05)
    assert "has got the token" not in await told(ben, card, "asked for")
    await web_town.acme.heals()
    await all_told_once(ben, card)


async def test_a_card_whose_answer_was_lost_is_doubled_and_heals_when_clicked(town):
    anna, ben = town.people("Anna", "Ben")
    await town.acme.fails("chat.postMessage", drop="after")
    await anna.types("/jit request read to look at bill 4711")
    await ben.eventually(lambda: two_cards(ben), what="two cards")
    orphan, card = await cards(ben)
    await told(ben, card, "asked for")
    assert await ben.thread(orphan) == []
    await ben.clicks("approve", orphan)
    await answered(ben, "Your approval is recorded")
    orphan = await becomes(ben, orphan, "This is a copy of the card")
    assert orphan.buttons() == {}
    await becomes(ben, card, "*Works* until")
    await all_told_once(ben, card)


async def two_cards(person):
    return len(await cards(person)) == 2


async def test_a_call_that_never_arrived_is_made_again(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    await web_town.acme.fails("chat.postMessage", drop="before", times=2)
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await web_town.acme.fails("chat.update", drop="before", times=2)
    await ben.clicks("approve", card)
    await all_told_once(ben, card)
    assert len(await cards(ben)) == 1


async def test_a_token_stands_in_one_message_even_when_an_answer_was_lost(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
    await anna.sees("Recorded", channel=DIRECT)
    await told(ben, card, "asked for")
    await web_town.acme.fails("chat.postMessage", times=1)  # the outcome; then comes the token
    await web_town.acme.fails("chat.postMessage", drop="after")
    await ben.clicks("approve", card)
    await all_told_once(ben, card)
    notes = [note.plain() for note in await anna.dm()]
    assert len([note for note in notes if JWT in note]) == 1
    assert len([note for note in notes if "It will be here in a moment" in note]) == 1


async def test_a_view_that_slack_does_not_open_is_told(web_town):
    (anna,) = web_town.people("Anna")
    await web_town.acme.fails("views.open", status=500)
    await anna.types("/jit request")
    await answered(anna, "Slack did not answer views.open", channel="general")
    await anna.types("/jit request")
    await anna.view()


async def test_socket_mode_goes_on_when_slack_asks_for_new_connections(redis, redis_url, folder):
    async with a_town(redis_url, folder, transport="socket") as town:
        anna, ben = town.people("Anna", "Ben")
        card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
        await town.acme.disconnects()
        await quickly(town.sandbox.connections)
        await ben.clicks("approve", card)
        await all_told_once(ben, card)


@pytest.fixture
async def own_redis(tmp_path):
    server = EmbeddedServer(tmp_path / "redis")
    await server.start()
    yield server
    await server.stop()


async def test_without_redis_nothing_is_recorded_and_everybody_is_told_so(own_redis, folder):
    async with a_town(own_redis.url, folder) as town:
        anna, ben = town.people("Anna", "Ben")
        card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
        _, token = await granted(anna, "refund --ticket BILL-7", "to refund an old order", by=ben)
        await own_redis.stop()
        await anna.types("/jit request logs to see why it is slow")
        await answered(anna, "Nothing was recorded", channel="general")
        await ben.clicks("approve", card)
        await answered(ben, "Nothing was recorded")
        await anna.types("/jit list")
        await answered(anna, "The store cannot be used. Nothing was recorded", channel="general")
        assert (await town.introspects(token))[0] == 503
        status, problems = await town.ready()
        assert (status, "Redis does not answer" in problems["problems"]) == (503, True)
        await own_redis.start()
        assert await town.works(token)
        await ben.clicks("approve", card)
        await all_told_once(ben, card)
        assert "see why it is slow" not in str(await ben.messages(ACCESS))


async def test_when_redis_does_not_answer_in_time_it_is_not_known(own_redis, folder):
    async with a_town(own_redis.url, folder) as town:
        (anna,) = town.people("Anna")
        await anna.types("/jit list")
        os.kill(own_redis.pid, signal.SIGSTOP)
        await anna.types("/jit request logs to look at bill 4711")
        os.kill(own_redis.pid, signal.SIGCONT)
        said = await answered(anna, "It is not known whether this was recorded", channel="general")
        [id_] = [word.strip(".") for word in said.split() if word.startswith("R-")]
        await anna.types(f"/jit status {id_}")
        await anna.eventually(lambda: _said(anna, id_), what="how it stands")


async def _said(person, id_):
    messages = [each.plain() for each in await person.messages("general")]
    return "bill 4711" in messages[-1] or f"There is no request '{id_}'" in messages[-1]


BODY = b"command=%2Fjit&text=sesame&trigger_id=1&user_id=U0ANNA&team_id=T0DEMO"
NOW, OLD = str(int(time.time())), str(int(time.time()) - 301)
UNSIGNED = {
    "another secret": (NOW, sign("another secret", NOW, BODY.decode()), BODY),
    "too old": (OLD, sign(SIGNING_SECRET, OLD, BODY.decode()), BODY),
    "of another body": (NOW, sign(SIGNING_SECRET, NOW, "command=%2Fjit"), BODY),
    "nothing": (None, None, BODY),
    "no time": (None, sign(SIGNING_SECRET, "", BODY.decode()), BODY),
    "an empty time": ("", sign(SIGNING_SECRET, "", BODY.decode()), BODY),
    "a long time": ("9" * 5000, "v0=0", BODY),
    "no signature": (NOW, None, BODY),
    "odd letters": (NOW, "v0=ö", BODY),
    "no text": (NOW, "v0=0", b"sesame \xff"),
    "a broken payload": (NOW, "v0=0", b"payload=sesame"),
    "a check of the certificate": (NOW, "v0=0", b"ssl_check=1&token=sesame"),
}


@pytest.mark.parametrize("what", UNSIGNED)
async def test_what_slack_did_not_sign_is_refused_and_not_logged(what, log_lines, web_town):
    stamp, signature, body = UNSIGNED[what]
    assert await web_town.posts(body, stamp=stamp, signature=signature) == 401
    assert "sesame" not in log_lines.getvalue()
    assert "http.request" in log_lines.getvalue()
    assert "error" not in log_lines.getvalue()


async def test_readiness_names_the_channels_that_will_not_do(web_town):
    status, told_ = await web_town.ready()
    assert (status, told_["problems"]) == (200, [])
    assert any("#hidden" in each for each in told_["warnings"])
    assert any("#partners" in each for each in told_["warnings"])
    assert len(told_["warnings"]) == 2


@pytest.mark.parametrize("transport", ["http", "socket"])
async def test_what_was_accepted_is_finished_before_the_bot_stops(
    transport, redis, redis_url, folder
):
    async with a_town(redis_url, folder, transport=transport, replicas=0) as town:
        (anna,) = town.people("Anna")
        async with town.bot():
            asking = [
                asyncio.create_task(anna.types(f"/jit request logs number {number} of many"))
                for number in range(20)
            ]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        answers = await asyncio.gather(*asking)
        accepted = {f"number {at} of many" for at, answer in enumerate(answers) if answer.ok}
        listings = RedisStore.on(redis).listings
        recorded = await listings.of_person(who("U0ANNA", home="T0DEMO"), limit=20)
        assert accepted == {request.asked.reason for request in recorded} != set()
        cards = str([each.plain() for each in await anna.messages(ACCESS)])
        assert [reason for reason in accepted if reason not in cards] == []
        town.forgiven.add("/jit: not acknowledged within 3 s")  # what was never read


async def test_an_embedded_store_keeps_requests_and_grants_from_start_to_start(tmp_path, folder):
    async with a_town("", folder, replicas=0) as town:
        anna, ben = town.people("Anna", "Ben")
        async with town.bot(embedded=tmp_path):
            card = await asked(anna, "read", "to look at bill 4711", seen_by=ben)
            _, token = await granted(
                anna, "refund --ticket BILL-7", "to refund an old order", by=ben
            )
        async with town.bot(embedded=tmp_path):
            assert await town.works(token)
            await ben.clicks("approve", card)
            await all_told_once(ben, card)
