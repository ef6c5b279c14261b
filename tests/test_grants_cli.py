"""`jit grants`: what is live, and ending it without the keys that signed it."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.core import events as e
from bot.core.states import GrantState
from bot.store.redis import RedisStore
from bot.usecases.tokens import hash_of
from tests.usecases.bots import ANNA, CLEO, on_redis

RESOURCE = "https://billing.example"


async def jit(*words, url, typed=None):
    run, env = CliRunner().invoke, {"REDIS_URL": url}
    return await asyncio.to_thread(run, main, ["grants", *words], env=env, input=typed)


@pytest.fixture
async def bot(redis):
    return on_redis(redis)


async def live(bot, by=ANNA):
    """Return a request whose grant works."""
    return await bot.ask("auto", by=by)


def token_of(bot, request):
    return bot.desk.mint.token(request.grant.token)


async def works(bot, redis, request):
    found = await RedisStore.on(redis).tokens.find(hash_of(token_of(bot, request)))
    return found is not None


async def test_the_list_tells_of_each_live_grant(bot, redis_url):
    request = await live(bot)
    found = await jit("list", "--json", url=redis_url)
    assert found.exit_code == 0, found.output
    [told] = json.loads(found.output)["grants"]
    assert told == {
        "grant": request.grant.id,
        "request": request.id,
        "subject": str(ANNA),
        "client": "slack",
        "bundle": "auto",
        "resource": RESOURCE,
        "scopes": ["invoices:read", "refunds:read"],
        "started_at": request.grant.started_at.isoformat(),
        "ends_at": request.grant.ends_at.isoformat(),
    }
    lines = (await jit("list", url=redis_url)).output.splitlines()
    assert lines[0].split()[:3] == [request.grant.id, str(ANNA), "auto"]
    assert lines[1] == "1 live"


async def test_what_is_meant_is_said_by_person_client_bundle_and_resource(bot, redis_url):
    annas, cleos = await live(bot), await live(bot, CLEO)
    for words, wanted in (
        ((), {annas.id, cleos.id}),
        (("--person", ANNA.id), {annas.id}),
        (("--person", str(CLEO)), {cleos.id}),
        (("--person", "UNOBODY"), set()),
        (("--client", "slack"), {annas.id, cleos.id}),
        (("--client", "deploy-bot"), set()),
        (("--bundle", "auto"), {annas.id, cleos.id}),
        (("--bundle", "auto", "--person", CLEO.id), {cleos.id}),
        (("--bundle", "au"), set()),
        (("--resource", RESOURCE), {annas.id, cleos.id}),
        (("--resource", RESOURCE + "/"), set()),
    ):
        found = await jit("list", *words, "--json", url=redis_url)
        assert {each["request"] for each in json.loads(found.output)["grants"]} == wanted, words


async def test_revoked_grants_are_dead_at_once_and_say_by_whom_and_why(bot, redis, redis_url):
    annas, cleos = await live(bot), await live(bot, CLEO)
    words = ("revoke", "--person", ANNA.id, "--yes", "--reason", "laptop stolen")
    found = await jit(*words, url=redis_url)
    assert (found.exit_code, found.output) == (0, "1 grant found, 1 ended\n")
    assert not await works(bot, redis, annas)
    assert await works(bot, redis, cleos)
    request = await bot.now(annas)
    assert request.grant.state is GrantState.REVOKED
    assert request.grant.close.reason == "by an operator: laptop stolen"
    assert (await bot.kinds(annas)).count(e.Revoked) == 1
    again = await jit(*words, url=redis_url)
    assert (again.exit_code, again.output) == (0, "0 grants found, 0 ended\n")


async def test_it_asks_before_it_ends_anything(bot, redis, redis_url):
    request = await live(bot)
    for typed in ("n\n", "", "\n"):
        found = await jit("revoke", "--bundle", "auto", url=redis_url, typed=typed)
        assert found.exit_code == 1
        assert request.grant.id in found.output
        assert "End 1 grant now?" in found.output
        assert await works(bot, redis, request)
    found = await jit("revoke", "--bundle", "auto", url=redis_url, typed="y\n")
    assert found.exit_code == 0
    assert not await works(bot, redis, request)
    assert (await bot.now(request)).grant.close.reason == "by an operator"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("revoke", "--yes"), "say which: --person, --client, --bundle or --resource"),
        (("revoke", "--bundle", "auto", "--json"), "--json asks nothing, so it needs --yes"),
    ],
)
async def test_what_is_not_said_is_not_guessed(bot, redis, redis_url, words, told):
    request = await live(bot)
    found = await jit(*words, url=redis_url)
    assert found.exit_code == 2
    assert told in found.output
    assert await works(bot, redis, request)


async def test_programs_are_told_what_was_ended(bot, redis_url):
    request = await live(bot)
    found = await jit("revoke", "--client", "slack", "--yes", "--json", url=redis_url)
    [told] = json.loads(found.output)["grants"]
    assert (told["request"], told["left"]) == (request.id, "")


@pytest.mark.parametrize("words", [("list",), ("revoke", "--bundle", "auto", "--yes")])
@pytest.mark.parametrize("url", ["", "nonsense", "redis://127.0.0.1:1"])
async def test_without_a_store_it_says_so(words, url):
    found = await jit(*words, url=url)
    assert found.exit_code == 2
    assert found.stderr.startswith("jit: ")
