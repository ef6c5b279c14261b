"""Policies that change while requests wait: what whoever clicks, asks or approves sees."""

import pytest

from bot.story import token_in
from tests.journeys.changes import changes
from tests.journeys.test_approving import entered
from tests.journeys.test_machines import FOR_ANNA, asks, polls
from tests.journeys.town import (
    ACCESS,
    DEPLOY,
    DIRECT,
    JWT,
    a_town,
    answered,
    asked,
    becomes,
    told,
)

TWO = "stages: [{name: leads, approvers: [leads], quorum: 2}]"
THREE = "stages: [{name: leads, approvers: [leads], quorum: 3}]"


@pytest.fixture
async def town(redis, redis_url, own):
    async with a_town(redis_url, own) as running:
        yield running


async def test_two_become_three_and_the_first_yes_counts(town, own):
    anna, ben, cleo, dan = town.people("Anna", "Ben", "Cleo", "Dan")
    card = await asked(anna, "pair", "to ship the fix", seen_by=ben, channel=DEPLOY)
    await ben.clicks("approve", card)
    await becomes(ben, card, "1 more approval from `leads`")
    await changes(town, own, TWO, THREE)
    await cleo.clicks("approve", card)
    card = await becomes(cleo, card, "2 of 3 from `leads`: @Ben, @Cleo")
    assert "1 more approval from `leads`" in card.plain()
    thread = await told(ben, card, "Today's policy asks for more", "2 of 3 for `leads`")
    assert "3 must approve, not 2" in thread
    assert "Of before the approval of @Ben counts" in thread
    assert "👉 @Ben @Cleo @Dan" in thread.partition("Today's policy asks for more")[2]
    dm = await anna.sees("Today's policy asks for more", channel=DIRECT)
    assert "You need not ask again" in dm.plain()
    await dan.clicks("approve", card)
    await becomes(ben, card, "*Works* until")
    await anna.sees(JWT, channel=DIRECT)


async def test_three_that_become_two_stay_three(town, own):
    anna, ben, cleo, dan = town.people("Anna", "Ben", "Cleo", "Dan")
    await changes(town, own, TWO, THREE)
    card = await asked(anna, "pair", "to ship the fix", seen_by=ben, channel=DEPLOY)
    await ben.clicks("approve", card)
    await changes(town, own, THREE, TWO)
    await cleo.clicks("approve", await becomes(cleo, card, "2 more approvals"))
    card = await becomes(cleo, card, "1 more approval")
    await dan.clicks("approve", card)
    await becomes(ben, card, "*Works* until")
    await told(ben, card, "Today's policy asks for less (rule `by-two`)")


async def test_a_group_that_may_ask_no_more_closes_it_at_the_click(town, own):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at invoices", seen_by=ben)
    _, behind = (own / "policies" / "rules.yaml").read_text().split("- id: by-a-lead\n")
    whose = behind.partition("    decision:")[0]
    await changes(town, own, whose, whose.replace("engineers", "security"))
    await ben.clicks("approve", card)
    await answered(ben, "This request is closed: today's policy forbids it")
    card = await becomes(ben, card, "*Denied* by policy")
    assert "[Approve]" not in card.plain()
    await told(ben, card, "*Denied by policy*", "no rule lets you have read")
    dm = await anna.sees("Policy denied", channel=DIRECT)
    assert "today's policy forbids it" in dm.plain()


async def test_scopes_that_are_added_never_reach_who_asked_before(town, own):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "read", "to look at invoices", seen_by=ben)
    added = "customers:read: See customers\n      customers:write: Change customers"
    await changes(town, own, "customers:read: See customers", added, file="bundles.yaml")
    await ben.clicks("approve", card)
    await becomes(ben, card, "*Works* until")
    token = token_in((await anna.sees(JWT, channel=DIRECT)).plain())
    assert (await town.claims(token))["scope"] == "invoices:read refunds:read customers:read"


async def test_another_chain_is_announced_in_its_channel_and_both_must_be_complete(town, own):
    anna, ben, eva = town.people("Anna", "Ben", "Eva")
    card = await asked(anna, "read", "to look at invoices", seen_by=ben)
    lead = "one-lead:\n    expire_after: 10m\n    stages: [{name: lead, approvers: [leads]}]"
    guard = (
        "one-lead:\n    expire_after: 10m\n    stages:\n"
        '      - {name: guard, approvers: [security], channel: "#deploy-approvals"}'
    )
    await changes(town, own, lead, guard)
    await ben.clicks("approve", card)
    await answered(ben, "the policy has changed, and the request goes another way now")
    card = await becomes(ben, card, "1 approval from `security`")
    assert "and what rule `by-a-lead` asked for before: 1 of `leads`" in card.plain()
    notice = await eva.sees("1 approval from `security`", channel=DEPLOY)
    await eva.clicks("approve", card)
    card = await becomes(ben, card, "1 approval from `leads`")
    await becomes(eva, notice, "Stage `guard` is complete")
    await told(ben, card, "what was asked for before goes on")
    await ben.clicks("approve", card)
    await becomes(ben, card, "*Works* until")


async def test_an_approval_with_changes_counts_in_the_chain_of_now(town, own):
    anna, ben, dan = town.people("Anna", "Ben", "Dan")
    card = await asked(anna, "read 30m", "to look at invoices", seen_by=ben)
    one = "stages: [{name: lead, approvers: [leads]}]\n  anybody"
    await changes(town, own, one, f"{TWO}\n  anybody")
    await ben.clicks("narrow", card)
    await told(ben, card, "2 must approve, not 1")
    assert (await ben.submits(await entered(ben, duration="5m"))).response_action == "update"
    card = await becomes(dan, card, "for *5m*")
    assert "1 more approval from `leads`" in card.plain()
    await dan.clicks("approve", card)
    await becomes(ben, card, "*Works* until")


async def test_a_script_that_waits_goes_the_other_way_too_and_is_told_of_the_end(town, own):
    ben, dan = town.people("Ben", "Dan")
    handle = await asks(town, FOR_ANNA)
    card = await ben.sees("pipeline asks by itself", channel=ACCESS)
    one = "stages: [{name: lead, approvers: [leads]}]\n  anybody"
    await changes(town, own, one, f"{TWO}\n  anybody")
    held = polls(town, handle)
    await ben.clicks("approve", card)
    card = await becomes(ben, card, "1 more approval from `leads`")
    await dan.clicks("approve", card)
    status, said = await held
    assert status == 200, said
    assert await town.works(said["access_token"])


async def test_a_script_reads_that_its_request_was_closed(town, own):
    (ben,) = town.people("Ben")
    held = polls(town, await asks(town, FOR_ANNA))
    card = await ben.sees("pipeline asks by itself", channel=ACCESS)
    read = "{name: [read]}\n    clients: [ci]"
    await changes(town, own, read, read.replace("[read]", "[logs]"))
    await ben.clicks("approve", card)
    status, said = await held
    assert (status, said["error"]) == (400, "access_denied")
    await becomes(ben, card, "*Denied* by policy")
