"""Use and misuse of tokens: told in the thread, ended from there, and reported on."""

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime

from click.testing import CliRunner

from bot.cli import main
from bot.core.identity import grant_id
from bot.store.redis import RedisStore
from bot.story import token_in
from tests.journeys.town import (
    BILLING,
    DIRECT,
    JWT,
    a_town,
    answered,
    asked,
    becomes,
    died,
    granted,
    id_of,
    told,
)

GENERAL = "general"
SUMMED_S = 20.0  # it waits for enforcement points that report late
UNUSED = {"refunds:write", "customers:read", "customers:export"}


async def in_thread(person, card, text):
    """Return the message with `text` in the thread of `card`."""

    async def found():
        lines = [line for line in await person.thread(card) if text in line.plain()]
        return lines[0] if lines else None

    return await person.eventually(found, what=f"{text!r} in the thread")


async def test_what_was_used_and_what_never_is_told_at_the_end(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    for _ in range(3):
        assert await town.uses(token, "invoices:read")
    assert await town.uses(token, "refunds:read invoices:read")
    assert (await anna.clicks("end_now", await anna.sees(token, channel=DIRECT))).ok
    lines = await told(
        ben,
        card,
        "*Used*: `invoices:read` 4 times, `refunds:read` 1 time; *never used*: `customers:read`",
        "• `customers:read`  never",
        timeout_s=SUMMED_S,
    )
    assert lines.count("*Used*") == 1
    assert "was tried" not in lines


async def test_where_nothing_that_checks_tokens_was_seen_there_is_no_data(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await anna.clicks("end_now", await anna.sees(token, channel=DIRECT))
    lines = await told(
        ben,
        card,
        "*No data* on what it was used for",
        "Nothing that checks tokens at `https://billing.example` was seen meanwhile.",
        timeout_s=SUMMED_S,
    )
    assert "never" not in lines


async def test_an_attempt_beyond_the_scopes_is_told_at_once_and_ended_from_there(town):
    anna, ben, cleo = town.people("Anna", "Ben", "Cleo")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    assert not await town.uses(token, "refunds:write")
    alarm = await in_thread(ben, card, "tried for `refunds:write`*, which it does not allow")
    assert "*1 time*" in alarm.plain()
    assert "from `10.0.0.1`  ·  seen by `billing-api`" in alarm.plain()
    assert "👉 @Anna @Ben" in alarm.plain()
    assert (await cleo.clicks("end_now", alarm)).ok
    await becomes(ben, card, "*Ended early* by @Cleo")
    await died(town, token)
    alarm = await becomes(ben, alarm, "The access is over, and the token is dead.")
    assert alarm.buttons() == {}


async def test_who_has_no_say_cannot_end_it_and_the_requester_can(town):
    anna, ben, dan, finn = town.people("Anna", "Ben", "Dan", "Finn")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await town.uses(token, "refunds:write")
    alarm = await in_thread(ben, card, "tried for `refunds:write`")
    assert (await finn.clicks("end_now", alarm)).ok
    await told(ben, card, "Finn tried to end this access and may not")
    assert await town.works(token)
    assert (await anna.clicks("end_now", alarm)).ok
    await becomes(dan, card, "*Ended early* by @Anna")


async def test_a_second_address_is_told_with_both(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    assert await town.uses(token, "invoices:read", address="10.0.0.1")
    assert await town.uses(token, "invoices:read", address="10.0.0.1")
    assert await town.uses(token, "invoices:read", address="2001:db8::7")
    alarm = await in_thread(ben, card, "The token was used from *2 addresses*")
    assert "from `10.0.0.1`, `2001:db8::7`" in alarm.plain()
    assert "end_now" in alarm.buttons()
    assert await town.works(token)


async def test_a_token_that_is_used_after_its_end_is_told_and_there_is_nothing_to_end(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await anna.clicks("end_now", await anna.sees(token, channel=DIRECT))
    await becomes(ben, card, "*Ended early*")
    assert not await town.uses(token, "invoices:read", address="10.0.0.66")
    assert not await town.uses(token[:-6] + "AAAAAA", "invoices:read", address="10.0.0.67")
    alarm = await in_thread(ben, card, "tried after its end* for `invoices:read`, *1 time*")
    assert "from `10.0.0.66`" in alarm.plain()
    assert alarm.buttons() == {}


async def test_ten_thousand_attempts_are_one_line_with_their_count(web_town):
    town = web_town
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    use = {
        "jti": f"{grant_id(id_of(card))}.1",
        "scope": "refunds:write",
        "outcome": "beyond",
        "at": datetime.now(UTC).timestamp(),
    }
    for number in range(20):
        batch = {"batch": f"batch-{number:04}", "point": "pod-1", "uses": [use] * 499}
        assert await town.reports(batch) == (200, {"recorded": 499, "unknown": 0})
    for _ in range(20):
        await town.uses(token, "refunds:write")

    async def whole():
        lines = [line.plain() for line in await ben.thread(card)]
        alarms = [line for line in lines if "tried for" in line]
        return alarms if len(alarms) == 1 and "*10000 times*" in alarms[0] else None

    await ben.eventually(whole, what="10000 times", timeout_s=30.0)
    history = await town.bots[0].ground.store.ledger.history(id_of(card))
    assert len([1 for fact in history if type(fact).__name__ == "Misused"]) <= 3


async def test_a_grant_that_is_not_used_ends_by_itself_where_somebody_could_see_it(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "idle", "to read for a moment", seen_by=ben)
    token = token_in((await anna.sees(JWT, channel=DIRECT)).plain())

    async def alive():
        for number in range(100):
            point = {"point": "pod-1", "alive": [BILLING]}
            await town.reports({"batch": f"alive-{number:04}", **point})
            await asyncio.sleep(0.3)

    beating = asyncio.create_task(alive())
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 4:
        assert await town.uses(token, "invoices:read")
        await asyncio.sleep(0.5)
    await becomes(ben, card, "*Ended early* by policy", timeout_s=15)
    beating.cancel()
    await told(ben, card, "before its time", "it was not used for 3s")
    await anna.sees("it was not used for 3s", channel=DIRECT)
    assert not await town.works(token)


async def test_without_somebody_who_could_see_it_nothing_ends_early(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    await asked(anna, "idle", "to read for a moment", seen_by=ben)
    token = token_in((await anna.sees(JWT, channel=DIRECT)).plain())
    await asyncio.sleep(5)
    assert await web_town.works(token)


async def test_an_approver_reads_what_earlier_grants_were_used_for(town):
    anna, ben = town.people("Anna", "Ben")
    _, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await town.uses(token, "invoices:read")
    await anna.clicks("end_now", await anna.sees(token, channel=DIRECT))
    card = await asked(anna, "read", "to look at bill 4712", seen_by=ben)

    async def known():
        await ben.clicks("details", card)
        shown = (await ben.view()).plain()
        await ben.closes()
        return shown if "*Used*: `invoices:read` 1 time" in shown else None

    shown = await ben.eventually(known, what="what was used before")
    assert "*never used*: `refunds:read`, `customers:read`" in shown


async def ten_grants(town, use):
    """Let Anna have `five` ten times, and `use` each token; return when all is summed up."""
    anna, ben = town.people("Anna", "Ben")
    for number in range(10):
        why = f"to do five things, {number}"
        card = await asked(anna, "five", why, seen_by=ben)
        note = await anna.sees(JWT, channel=DIRECT)
        await use(token_in(note.plain()))
        assert (await anna.clicks("end_now", note)).ok
        await becomes(anna, note, "is dead")
    await told(ben, card, "📊", timeout_s=SUMMED_S)


async def reported(town, redis_url, *words):
    env = {"REDIS_URL": redis_url}
    words = ["report", "usage", "--policies", str(town.settings.policies), *words]
    found = await asyncio.to_thread(CliRunner().invoke, main, words, env=env)
    assert found.exit_code == 0, found.output
    return found


async def test_five_scopes_of_which_two_are_used_lead_to_a_proposal_that_names_the_three(
    web_town, redis_url, tmp_path, monkeypatch
):
    town = web_town

    async def use(token):
        assert await town.uses(token, "invoices:read")
        assert await town.uses(token, "refunds:read")

    await ten_grants(town, use)
    [anna] = town.people("Anna")
    shown = await anna.types("/jit usage five")
    assert shown.ok
    answer = await answered(anna, "over its last 10 grants", channel=GENERAL)
    assert "`refunds:write`  never used, in none of 10 grants" in answer
    assert "`invoices:read`  used in 10 of 10 grants, last" in answer
    proposal = answer[answer.index("*Proposal*") :]
    assert {scope for scope in UNUSED if f"`{scope}`" in proposal} == UNUSED
    assert "`invoices:read`" not in proposal

    human = await reported(town, redis_url)
    assert "could do without refunds:write, customers:read, customers:export" in human.output
    # The files lie in a repository, and the patch fits it from its root.
    root = tmp_path / "repository"
    shutil.copytree(town.settings.policies, root / "policies")
    monkeypatch.chdir(root)
    words = ["report", "usage", "--propose", "--bundle", "five"]
    found = await asyncio.to_thread(CliRunner().invoke, main, words, env={"REDIS_URL": redis_url})
    assert found.exit_code == 0, found.output
    before = (root / "policies" / "bundles.yaml").read_text("utf-8")
    for tool in (["git", "apply"], ["patch", "-p0"]):
        (root / "policies" / "bundles.yaml").write_text(before, "utf-8")
        await asyncio.to_thread(
            subprocess.run, tool, input=found.stdout.encode(), cwd=root, check=True, timeout=20
        )
        after = (root / "policies" / "bundles.yaml").read_text("utf-8")
        lines = ("refunds:write # why was that?", "customers:read", "customers:export")
        assert after == before.replace("".join(f"      - {line}\n" for line in lines), "")
        checked = await asyncio.to_thread(CliRunner().invoke, main, ["policy", "check"])
        assert checked.exit_code == 0, checked.output


async def test_the_same_without_anything_that_checks_scopes_is_no_data(web_town, redis_url):
    town = web_town

    async def use(token):
        assert await town.works(token)  # the token is looked at, nobody says for which scope

    await ten_grants(town, use)
    [anna] = town.people("Anna")
    await anna.types("/jit usage five")
    answer = await answered(anna, "over its last 10 grants", channel=GENERAL)
    assert answer.count("no data") == 5
    assert "Proposal" not in answer
    human = await reported(town, redis_url)
    assert human.output.count("no data") == 5
    assert "could do without" not in human.output
    proposal = await reported(town, redis_url, "--propose")
    assert proposal.stdout == ""
    assert "there is nothing to propose" in proposal.stderr


async def test_usage_of_a_bundle_that_there_is_not_is_answered(town):
    [anna] = town.people("Anna")
    await anna.types("/jit usage fiv")
    await answered(anna, "five", channel=GENERAL)
    await anna.types("/jit usage")
    await answered(anna, "usage BUNDLE", channel=GENERAL)
    await anna.types("/jit usage five")
    await answered(anna, "none has ended yet, or is kept", channel=GENERAL)


async def test_what_was_seen_is_written_when_the_bot_stops(redis, redis_url, folder):
    async with a_town(redis_url, folder) as town:
        anna, ben = town.people("Anna", "Ben")
        card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
        assert await town.uses(token, "invoices:read")
    [seen] = await RedisStore.on(redis).use.of([id_of(card)])
    assert {each.name for each in seen} == {"invoices:read", "billing-api", "10.0.0.1"}
