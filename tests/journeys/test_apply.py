"""`jit policy apply --revoke-denied`, beside a bot that runs."""

import asyncio
import json
import shutil

import pytest
from click.testing import CliRunner

from bot.cli import main
from tests.journeys.test_break_glass import FINE, breaks
from tests.journeys.town import ISSUER, a_town, asked, becomes, died, granted, told
from tests.sandbox.parts import BOT_TOKEN, SECRET


@pytest.fixture
def own(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
async def town(redis, redis_url, own):
    async with a_town(redis_url, own) as running:
        yield running


async def jit(town, *words, **changed):
    env = {
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": town.sandbox.api_url,
        "REDIS_URL": town.settings.redis_url.reveal(),
        "JIT_KEYS": str(town.settings.keys),
        "JIT_ISSUER": ISSUER,
        "JIT_RESOURCE": town.settings.resource,
        "JIT_POLICIES": str(town.settings.policies),
        "JIT_TICKET_URL": town.settings.trackers.ticket_url,
        "JIT_ON_CALL_URL": town.settings.on_call.url,
        "JIT_ALLOW_PRIVATE": "127.0.0.1",
        **changed,
    }
    words = ["policy", "apply", *words]
    return await asyncio.to_thread(CliRunner().invoke, main, words, env=env)


async def test_a_grant_that_the_policy_forbids_by_now_is_ended_and_told(town, own):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "vault", "to look at one thing", seen_by=ben)
    await becomes(ben, card, "*Works* until")
    other, token = await granted(anna, "read", "to look at another", by=ben)
    found = await jit(town, "--revoke-denied")
    assert found.output.startswith("2 live, 0 forbidden, 0 unknown"), found
    rules = own / "policies" / "rules.yaml"
    rules.write_text(rules.read_text().replace("name: [read, refund,", "name: [refund,"))
    rules.write_text(rules.read_text().replace("name: [never]", "name: [never, read]"))
    tried = await jit(town, "--revoke-denied", "--dry-run")
    assert tried.exit_code == 1
    assert tried.output.splitlines()[0].startswith("WOULD END R-")
    assert tried.output.splitlines()[0].endswith(
        "U0ANNA read: rule no-way says deny: Ask for less."
    )
    assert await town.works(token)
    done = await jit(town, "--revoke-denied", "--json")
    assert done.exit_code == 0, done.output
    [grant] = json.loads(done.output)["grants"]
    assert (grant["bundle"], grant["ended"]) == ("read", True)
    await died(town, token)
    await told(ben, other, "has ended* before its time", "today's policy forbids it: rule no-way")
    await becomes(ben, card, "*Works* until")
    assert (await jit(town, "--revoke-denied")).exit_code == 0


async def test_break_glass_is_judged_by_the_glass_and_its_review_stays_owed(town, own):
    dan, eva = town.people("Dan", "Eva")
    card = await breaks(dan)
    policies = own / "policies"
    rules, bundles = policies / "rules.yaml", policies / "bundles.yaml"
    rules.write_text(rules.read_text().replace("name: [never]", "name: [never, alarm]"))
    rules.write_text(rules.read_text().replace("refund, alarm,", "refund,"))
    found = await jit(town, "--revoke-denied")
    assert found.output.startswith("1 live, 0 forbidden, 0 unknown"), found
    bundles.write_text(bundles.read_text().replace("who: [leads]", "who: [security]"))
    found = await jit(town, "--revoke-denied")
    assert found.output.startswith("ENDED     R-"), found
    assert "no rule lets you have alarm" in found.output
    await told(eva, card, "has ended* before its time", "today's policy forbids it")
    card = await becomes(eva, card, "*Ended early*")
    assert (await eva.clicks("sign_off", card)).ok
    await eva.submits(FINE)
    await becomes(eva, card, "*Signed off* by @Eva")


async def test_what_slack_does_not_tell_is_left_alone_and_listed(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "logs", "to look at another", seen_by=ben)
    await becomes(ben, card, "*Works* until")
    await town.acme.fails("users.info", status=500, times=10)
    found = await jit(town, "--revoke-denied")
    assert found.exit_code == 1
    assert found.output.startswith("UNKNOWN   R-")
    assert "left alone, as Slack did not answer" in found.output
    await becomes(ben, card, "*Works* until")


async def test_files_that_are_wrong_end_nothing_though_the_last_good_are_kept(town, own):
    rules = own / "policies" / "rules.yaml"
    rules.write_text(rules.read_text().replace("decision: deny", "decision: no"))
    found = await jit(town, "--revoke-denied")
    assert found.exit_code == 2
    assert "'no' is not allowed" in found.output


async def test_what_is_missing_is_told(town):
    assert (await jit(town)).exit_code == 2
    found = await jit(town, "--revoke-denied", JIT_KEYS="")
    assert (found.exit_code, "JIT_KEYS is not set" in found.output) == (2, True)
    found = await jit(town, "--revoke-denied", SLACK_BOT_TOKEN="xoxb-other")
    assert (found.exit_code, "SLACK_BOT_TOKEN is not accepted" in found.output) == (2, True)
