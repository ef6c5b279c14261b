"""Policy files that change while the bot runs."""

import asyncio
import re

import pytest

from bot.core.errors import Misconfigured
from tests.journeys.changes import are_refused, change, digest, reported, until
from tests.journeys.town import a_town, asked, becomes

ADMIN = "general"


@pytest.fixture
async def town(redis, redis_url, own):
    async with a_town(redis_url, own) as running:
        yield running


async def test_a_good_reload_changes_what_the_next_ask_gets(town, own, log_lines):
    anna, ben = town.people("Anna", "Ben")
    before = await digest(town)
    card = await asked(anna, "logs", "before the change", seen_by=ben)
    await becomes(ben, card, "*Works* until")
    waits = await asked(anna, "read", "asked before", seen_by=ben)
    change(own, "bundles: {name: [read, refund,", "bundles: {name: [logs, read, refund,")
    change(own, "name: [logs, vault,", "name: [vault,")
    await reported(town, lambda report: report["policy"] != before)
    after = await digest(town)
    card = await asked(anna, "logs", "after the change", seen_by=ben)
    assert "1 approval from `leads`" in card.plain()
    told = await ben.sees("A new policy is in force", channel=ADMIN)
    assert f"{before[:12]}" in told.plain()
    assert f"{after[:12]}" in told.plain()
    assert "2 rules" in told.plain()
    assert "Waiting" in (await ben.now(waits)).plain()
    await ben.clicks("approve", waits)
    await becomes(ben, waits, "*Works* until")
    assert '"event": "policy.reloaded"' in log_lines.getvalue().replace('":"', '": "')


async def test_a_broken_reload_is_shouted_and_the_old_policy_goes_on_until_it_is_mended(town, own):
    anna, ben = town.people("Anna", "Ben")
    before = await digest(town)
    change(own, "requesters: [engineers]", "requesters: [enginers]")
    town.reload.set()
    told = await ben.sees("The policy files are refused", channel=ADMIN)
    assert re.search(
        r"policies/rules.yaml:\d+:18: rules\[0\].requesters\[0\]: there is no group", told.plain()
    )
    assert "… and " in told.plain()
    report = await reported(town, are_refused)
    assert report["policy"] == before
    card = await asked(anna, "logs", "meanwhile as before", seen_by=ben)
    await becomes(ben, card, "*Works* until")
    # Another attempt that is wrong too is told in the same message.
    change(own, "[enginers]", "[engineer]")
    town.reload.set()
    await becomes(ben, told, "'engineer'")
    change(own, "[engineer]", "[engineers]")
    await becomes(ben, told, "The policy files are right again")
    await reported(town, lambda report: not are_refused(report))
    said = [each for each in await ben.messages(ADMIN) if "policy" in each.plain()]
    assert len(said) == 1


async def test_a_case_that_fails_refuses_the_change(town, own):
    (ben,) = town.people("Ben")
    (own / "policies" / "tests").mkdir()
    (own / "policies" / "tests" / "a.yaml").write_text(
        "as_of: 2026-11-23T10:00:00+01:00\n"
        "tests:\n"
        "  - name: anybody reads\n"
        "    given: {groups: [engineers], bundle: read}\n"
        "    expect: {outcome: deny}\n"
    )
    town.reload.set()
    told = await ben.sees("The policy files are refused", channel=ADMIN)
    assert "policies/tests/a.yaml:5:23: tests[0].expect.outcome: anybody reads: " in told.plain()


async def test_a_folder_that_became_empty_is_refused(town, own):
    (ben,) = town.people("Ben")
    for path in (own / "policies").glob("*.yaml"):
        path.unlink()
    town.reload.set()
    told = await ben.sees("The policy files are refused", channel=ADMIN)
    assert "holds no *.yaml file" in told.plain()


async def test_clients_are_read_again_too(town, own):
    async def status():
        return (await town.introspects("no-token", client="new-api"))[0]

    assert await status() == 401
    change(own, "  logs-api:", "  new-api:", file="clients.yaml")
    change(own, "https://logs.example", "https://new.example", file="clients.yaml")

    async def known():
        return (await town.introspects("x", client="new-api", secret="battery staple"))[0] == 200

    town.reload.set()
    await until(known)


async def test_two_replicas_reload_each_for_itself_and_tell_once(redis, redis_url, own):
    async with a_town(redis_url, own, replicas=2) as town:
        (ben,) = town.people("Ben")
        before = await digest(town)
        change(own, "note: Ask for less.", "note: Ask for nothing.")

        async def all_changed():
            held = {bot.ground.held.now.digest for bot in town.bots}
            return before not in held and len(held) == 1

        await until(all_changed)
        await ben.sees("A new policy is in force", channel=ADMIN)
        # Not because the first is telling it just now.
        await redis.delete(*await redis.keys("*once:admin:*"))
        await asyncio.sleep(4.0)  # the second would have told by now
        said = [each for each in await ben.messages(ADMIN) if "new policy" in each.plain()]
        assert len(said) == 1


async def test_a_start_with_broken_files_goes_on_with_the_last_good_ones(redis, redis_url, own):
    async with a_town(redis_url, own) as town:
        before = await digest(town)

        async def kept():
            return await redis.exists("{jit:0}:policy:good")

        await until(kept)
    change(own, "decision: require", "decision: requires")
    async with a_town(redis_url, own) as town:
        anna, ben = town.people("Anna", "Ben")
        _, report = await town.ready()
        assert report["policy"] == before
        assert are_refused(report)
        await ben.sees("The policy files are refused", channel=ADMIN)
        card = await asked(anna, "logs", "all the same", seen_by=ben)
        await becomes(ben, card, "*Works* until")


async def test_a_first_start_with_broken_files_is_refused_with_every_problem(redis, redis_url, own):
    change(own, "decision: require", "decision: requires")
    with pytest.raises(Misconfigured, match=r"policies/rules\.yaml:\d+:15: rules"):
        async with a_town(redis_url, own):
            pass


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("top.yaml", "#general", "#secret"),
        ("bundles.yaml", 'notify: ["#general"]', 'notify: ["#secret"]'),
    ],
)
async def test_a_channel_of_new_files_that_cannot_be_used_is_a_warning(town, own, file, old, new):
    change(own, old, new, file=file)
    town.reload.set()
    await reported(town, lambda report: "#secret" in str(report["warnings"]))


async def test_a_condition_that_fails_denies_names_itself_and_is_told_to_operators_once(
    town, own, log_lines
):
    anna, ben = town.people("Anna", "Ben")
    before = await digest(town)
    change(
        own,
        "rules:\n",
        "rules:\n  - id: broken\n    bundles: {name: [logs]}\n    requesters: [engineers]\n"
        "    decision: auto_approve\n    when: [bundle.labels.owner == 'x']\n",
    )
    await reported(town, lambda report: report["policy"] != before)
    for reason in ("the first time", "and once more"):
        card = await asked(anna, "logs", reason, seen_by=ben)
        await becomes(ben, card, "rule broken cannot be decided")
    told = await ben.sees("A condition cannot be evaluated", channel=ADMIN)
    assert re.search(r"`rule broken` \(`policies/rules.yaml:\d+`\)", told.plain())
    assert "bundle.labels.owner == 'x'" in told.plain()
    assert log_lines.getvalue().count("condition.failed") == 2
    said = [each for each in await ben.messages(ADMIN) if "cannot be evaluated" in each.plain()]
    assert len(said) == 1
