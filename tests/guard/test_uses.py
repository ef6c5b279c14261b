"""What an API tells of the use of tokens."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from bot.guard import Guard
from bot.guard import uses as module
from bot.guard.uses import BATCH, HELD_AT_MOST, Uses
from tests.guard.issuer import AUDIENCE, IssuerStandIn, claims
from tests.guard.test_guard import GOOD, becomes, outcome

USAGE = "/v1/usage"
JTI = "G-AAAAAAAAAAAA.1"


@asynccontextmanager
async def a_guard(issuer: IssuerStandIn, **over):
    async with Guard(**issuer.options(report_every_s=0.1, **over)) as guard:
        yield guard


async def told(issuer: IssuerStandIn, count: int = 1, *, within_s: float = 8.0):
    """Return the uses, once there are `count`."""
    async with asyncio.timeout(within_s):
        while len(issuer.uses) < count:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.02)
    return issuer.uses


async def test_every_outcome_is_told_with_what_was_needed_and_from_where(issuer) -> None:
    began = int(time.time())
    async with a_guard(issuer) as guard:
        for _ in range(3):
            await guard.verify(issuer.token(), scopes=["invoices:read"], address="192.0.2.1")
        assert await outcome(guard, issuer.token(), "invoices:write", "invoices:read") == 403
        assert await outcome(guard, issuer.token(exp=began - 1)) == 401
    seen = {(use["outcome"], use["scope"], use["count"], use["address"]) for use in issuer.uses}
    assert seen == {
        ("allowed", "invoices:read", 3, "192.0.2.1"),
        ("beyond", "invoices:write", 1, ""),
        ("ended", "", 1, ""),
    }
    assert {use["jti"] for use in issuer.uses} == {JTI}
    assert all(began <= use["at"] <= time.time() for use in issuer.uses)
    assert {each["point"] for each in issuer.batches} == {"billing-api"}
    assert all(each["alive"] == [AUDIENCE] for each in issuer.batches)


async def test_an_api_that_nobody_calls_tells_that_it_is_alive(issuer) -> None:
    async with a_guard(issuer):
        async with asyncio.timeout(9):
            while len(issuer.batches) < 2:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.05)
    assert issuer.uses == []
    assert len({each["batch"] for each in issuer.batches}) == len(issuer.batches)


@pytest.mark.parametrize("status", [500, 503])
async def test_a_batch_that_may_be_lost_is_sent_again_under_its_name(issuer, status) -> None:
    async with a_guard(issuer) as guard:
        await told_alive(issuer)
        issuer.broken[USAGE] = status
        issuer.batches.clear()
        await guard.verify(issuer.token())
        await told(issuer)
        await guard.verify(issuer.token())  # is of the next batch
        while len(issuer.batches) < 2:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.02)
        assert issuer.batches[0] == issuer.batches[1]
        issuer.broken.clear()
        await told(issuer, 2)
    assert [use["count"] for use in issuer.uses] == [1, 1]


async def told_alive(issuer: IssuerStandIn) -> None:
    async with asyncio.timeout(2):
        while not issuer.batches:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.02)


async def test_a_batch_that_is_refused_holds_up_no_other(issuer) -> None:
    async with a_guard(issuer) as guard:
        await told_alive(issuer)
        issuer.broken[USAGE] = 400
        issuer.batches.clear()
        await guard.verify(issuer.token(jti="G-POISON.1"))
        await told(issuer)
        issuer.broken.clear()
        await guard.verify(issuer.token())
        await told(issuer, 2)
    assert [use["jti"] for use in issuer.uses] == ["G-POISON.1", JTI]


async def test_no_call_waits_for_the_telling(issuer) -> None:
    async with a_guard(issuer) as guard:
        issuer.slow_s = 3
        began = time.monotonic()
        for _ in range(100):
            await guard.verify(GOOD)
        assert time.monotonic() - began < 1
        issuer.slow_s = 0


async def test_many_are_told_in_batches_that_fit_a_body(issuer) -> None:
    async with a_guard(issuer) as guard:
        for number in range(2 * BATCH + 1):
            address = f"2001:db8:0:0:0:0:0:{number:x}"
            guard.uses.note(f"G-{number:012d}.1", ["scope:" + "x" * 50], "allowed", address, 1)
        await told(issuer, 2 * BATCH + 1)
    assert max(len(each["uses"]) for each in issuer.batches) == BATCH


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("testclient", ""),
        ("1.2.3.4:5", ""),
        ("::1", "::1"),
        ("2001:DB8::0", "2001:db8::"),
        ("", ""),
    ],
)
async def test_what_is_no_address_is_not_told_as_one(issuer, said, address) -> None:
    async with a_guard(issuer) as guard:
        await guard.verify(issuer.token(), address=said)
    assert [use["address"] for use in issuer.uses] == [address]


def test_what_is_held_is_bounded_and_what_was_dropped_counted() -> None:
    uses = Uses(point="a", resource="b")
    for number in range(HELD_AT_MOST + 5):
        uses.note(f"G-{number}.1", [], "allowed", "", 1)
    uses.note("G-0.1", [], "allowed", "", 2)
    assert (len(uses.held), uses.dropped) == (HELD_AT_MOST, 5)
    assert uses.held["G-0.1", "", "allowed", ""] == (2, 2)
    uses.held["G-0.1", "", "allowed", ""] = (10**6, 2)  # as much as is taken down at once
    uses.note("G-0.1", [], "allowed", "", 3)
    assert uses.held["G-0.1", "", "allowed", ""] == (10**6, 3)


async def test_an_end_that_was_early_is_told_too(issuer, guard) -> None:
    issuer.ended[JTI] = claims()["exp"]
    await becomes(guard, issuer.token(), 401)
    uses = await told(issuer)
    assert "ended" in {use["outcome"] for use in uses}


async def test_where_telling_fails_the_log_says_so(issuer, caplog) -> None:
    issuer.broken[USAGE] = 403
    async with a_guard(issuer) as guard:
        await guard.verify(issuer.token())
    assert "use is not wanted" in caplog.text
    assert "secret" not in caplog.text
    assert module.log.name == "bot.guard.uses"
