"""GET /v1/revocations: what ended before its time, told at once to those whom it concerns."""

import asyncio
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from aiohttp import ClientSession, web

from bot.core.identity import RequestId
from bot.core.moves import Revoke
from bot.http.server import make_app, make_runner
from bot.store.embedded import EmbeddedServer
from bot.store.redis import connect
from bot.usecases.ports import BEGINNING
from bot.usecases.revocations import KEPT_PAST_END, PAGE
from tests.builders import ANNA, REQUEST
from tests.http.house import House, basic, house_on, key, served
from tests.http.test_oauth import revoke

OWNER = "billing-api"
MINUTE = timedelta(minutes=1)
AT_ONCE = timedelta(0)


async def feed(api: ClientSession, *, client: str = OWNER, **asked):
    """Return status and answer."""
    async with api.get("/v1/revocations", params=asked, headers=basic(client)) as reply:
        assert reply.headers["Cache-Control"] == "no-store"
        return reply.status, await reply.json()


async def told(api: ClientSession, **asked):
    """Return the answer, once the server follows its store."""
    for _ in range(100):
        status, answer = await feed(api, **asked)
        if status != 503:
            assert status == 200, answer
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("the store is not followed")


def jtis(answer):
    return [each["jti"] for each in answer["revocations"]]


def a_name(number: int) -> RequestId:
    return RequestId(f"R-{number:012d}")


async def end(house: House, request: RequestId = REQUEST) -> None:
    case = house.desk().circumstances()
    await house.desk().carry_out(request, Revoke(), by=ANNA, case=case, commit_id=f"end {request}")


async def test_a_grant_that_was_ended_is_told_with_its_end_and_when(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    claims = jwt.decode(token, options={"verify_signature": False})
    first = await told(each_api)
    assert first == {
        "revocations": [],
        "kids": sorted(each_house.ring.kids()),
        "cursor": first["cursor"],
        "more": False,
        "reset": True,
    }
    await end(each_house)
    then = await told(each_api, since=first["cursor"], wait_s=5)
    [told_of] = then["revocations"]
    assert (told_of["jti"], told_of["exp"]) == (claims["jti"], claims["exp"])
    assert claims["iat"] <= told_of["at"] <= claims["exp"]
    assert "reset" not in then
    assert jtis(await told(each_api, since=then["cursor"])) == []
    assert jtis(await told(each_api)) == [claims["jti"]]


async def test_who_waits_is_told_within_moments(each_house: House, each_api: ClientSession) -> None:
    await each_house.grant()
    cursor = (await told(each_api))["cursor"]
    waiting = [asyncio.create_task(feed(each_api, since=cursor, wait_s=20)) for _ in range(20)]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting)
    await end(each_house)
    async with asyncio.timeout(2):
        answers = await asyncio.gather(*waiting)
    assert {status for status, _ in answers} == {200}
    assert {tuple(jtis(answer)) for _, answer in answers} == {("G-AAAAAAAAAAAA.1",)}


async def test_the_owner_of_another_resource_hears_nothing_and_waits_on(
    house: House, api: ClientSession
) -> None:
    await house.grant()
    cursor = (await told(api, client="deploy-api"))["cursor"]
    waiting = asyncio.create_task(feed(api, client="deploy-api", since=cursor, wait_s=1))
    await asyncio.sleep(0.1)
    await end(house)
    await asyncio.sleep(0.1)
    assert not waiting.done()
    _, answer = await waiting
    assert jtis(answer) == []
    assert answer["cursor"] != cursor
    assert jtis(await told(api, client="deploy-api")) == []
    assert jtis(await told(api, client="odd id+")) == ["G-AAAAAAAAAAAA.1"]


async def test_the_api_hears_of_what_it_revoked_itself(house: House, api: ClientSession) -> None:
    cursor = (await told(api))["cursor"]
    await revoke(api, await house.grant())
    assert jtis(await told(api, since=cursor, wait_s=5)) == ["G-AAAAAAAAAAAA.1"]


@pytest.mark.parametrize(
    "cursor",
    ["x", "0", "1-2", "1-2-zzzzzzzz", "1-2-00000000-3", "999999999999999-0-00000000", "٣-0-0"],
)
async def test_a_cursor_that_is_none_of_ours_begins_anew(
    house: House, api: ClientSession, cursor: str
) -> None:
    await house.grant()
    await end(house)
    first = (await told(api))["cursor"]
    answer = await told(api, since=cursor, wait_s=20)
    assert answer["reset"] is True
    assert jtis(answer) == ["G-AAAAAAAAAAAA.1"]
    assert "reset" not in await told(api, since=first)


async def test_many_come_in_pages_without_gap_or_repetition(
    house: House, api: ClientSession
) -> None:
    await told(api)
    count = 2 * PAGE + 3
    for number in range(count):
        await house.grant(request=a_name(number))
        await end(house, a_name(number))
    await asyncio.sleep(0.05)
    seen, answer = [], {"cursor": "", "more": True}
    while answer["more"]:
        answer = await told(api, since=answer["cursor"])
        assert len(answer["revocations"]) <= PAGE
        seen += jtis(answer)
    assert seen == [f"G-{number:012d}.1" for number in range(count)]


async def test_a_token_is_told_past_its_end_as_verifiers_may_be_lenient_and_then_forgotten(
    house: House,
) -> None:
    await house.grant()
    await end(house)
    lived = 30 * MINUTE
    for waited, heard in ((lived + KEPT_PAST_END, True), (2 * MINUTE, False)):
        house.clock.at += waited
        async with served(make_app(house.parts())) as api:
            await told(api)
            await asyncio.sleep(0.05)
            assert (jtis(await told(api)) == ["G-AAAAAAAAAAAA.1"]) is heard
    assert await house.ended.after(BEGINNING, limit=9, wait=AT_ONCE) == []


async def test_a_clock_that_is_not_trusted_makes_nothing_forgotten(house: House) -> None:
    await house.grant()
    await end(house)
    house.clock.at += 30 * MINUTE + KEPT_PAST_END + MINUTE
    house.clock.agreeing = False
    async with served(make_app(house.parts())) as api:
        assert jtis(await told(api)) == ["G-AAAAAAAAAAAA.1"]


async def test_a_key_that_left_is_told_at_once_also_between_two_polls(
    house: House, api: ClientSession
) -> None:
    cursor = (await told(api))["cursor"]
    waiting = asyncio.create_task(feed(api, since=cursor, wait_s=20))
    await asyncio.sleep(0.1)
    house.ring.hold([key(2)])
    async with asyncio.timeout(4):
        _, answer = await waiting
    assert answer["kids"] == sorted(house.ring.kids())
    async with asyncio.timeout(2):
        between = await told(api, since=cursor, wait_s=20)
    assert between["kids"] == answer["kids"]
    assert "reset" not in between


async def test_two_servers_give_cursors_that_the_other_knows(redis) -> None:
    house = house_on(redis)
    async with (
        served(make_app(house.parts())) as one,
        served(make_app(house.parts())) as other,
    ):
        await house.grant()
        await told(other)
        cursor = (await told(one))["cursor"]
        await end(house)
        answer = await told(other, since=cursor, wait_s=5)
        assert jtis(answer) == ["G-AAAAAAAAAAAA.1"]
        again = await told(one, since=answer["cursor"])
        assert (jtis(again), "reset" in again) == ([], False)


async def test_what_ended_before_the_start_is_known_after_it(each_house: House) -> None:
    await each_house.grant()
    await end(each_house)
    async with served(make_app(each_house.parts())) as api:
        assert jtis(await told(api)) == ["G-AAAAAAAAAAAA.1"]


async def test_those_who_wait_cost_the_store_nothing(redis) -> None:
    house = house_on(redis)

    async def commands(lasting: float) -> int:
        before = (await redis.info("stats"))["total_commands_processed"]
        await asyncio.sleep(lasting)
        return (await redis.info("stats"))["total_commands_processed"] - before

    async with served(make_app(house.parts())) as api:
        cursor = (await told(api))["cursor"]
        waiting = [asyncio.create_task(feed(api, since=cursor, wait_s=20)) for _ in range(90)]
        await asyncio.sleep(0.5)
        asked = await commands(2.5)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert asked < 10  # the one follower's, a second each, whoever waits


async def test_stopping_does_not_wait_for_those_who_wait(house: House) -> None:
    runner = make_runner(make_app(house.parts()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(f"http://{host}:{port}") as api:
        cursor = (await told(api))["cursor"]
        waiting = asyncio.create_task(feed(api, since=cursor, wait_s=25))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await runner.cleanup()
        status, answer = await waiting
    assert (status, answer["cursor"]) == (200, cursor)


async def test_without_the_store_nobody_is_told_that_nothing_ended(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as server:
        client = connect(server.url)
        house = house_on(client)
        async with served(make_app(house.parts())) as api:
            cursor = (await told(api))["cursor"]
            await server.stop()
            for _ in range(100):
                status, said = await feed(api, since=cursor)
                if status == 503:
                    break
                await asyncio.sleep(0.1)
            assert (status, said["error"]) == (503, "temporarily_unavailable")
            await server.start()
            await house.grant()
            await end(house)
            assert jtis(await told(api, since=cursor, wait_s=5)) == ["G-AAAAAAAAAAAA.1"]
        await client.aclose()


async def test_of_a_store_that_was_wiped_nobody_knows_what_had_ended(
    house: House, api: ClientSession
) -> None:
    await told(api)
    house.whole = False
    assert (await feed(api))[0] == 503


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("wait_s=26", "wait_s"),
        ("wait_s=-1", "wait_s"),
        ("wait_s=1.5", "wait_s"),
        ("wait_s=%D9%A3", "wait_s"),
        ("wait_s=", "wait_s"),
        ("wait_s=" + "9" * 5000, "wait_s"),
        ("since=1&since=2", "repeated"),
    ],
)
async def test_a_question_that_cannot_be_read_is_refused(
    api: ClientSession, query: str, says: str
) -> None:
    async with api.get(f"/v1/revocations?{query}", headers=basic(OWNER)) as reply:
        said = await reply.json()
        assert (reply.status, said["error"]) == (400, "invalid_request")
        assert says in said["error_description"]


@pytest.mark.parametrize(
    "headers", [{}, basic(OWNER, "wrong"), basic(OWNER, ""), {"Authorization": "Bearer x"}]
)
async def test_only_clients_are_told(api: ClientSession, headers) -> None:
    path = f"/v1/revocations?client_id={OWNER}&client_secret=correct+horse"
    async with api.get(path, headers=headers) as reply:
        assert (reply.status, (await reply.json())["error"]) == (401, "invalid_client")
        assert reply.headers["WWW-Authenticate"] == 'Basic realm="jit"'


async def test_nothing_but_get_is_answered(api: ClientSession) -> None:
    async with api.post("/v1/revocations", headers=basic(OWNER)) as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "GET,HEAD")
