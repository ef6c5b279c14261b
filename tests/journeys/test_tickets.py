"""Tickets: looked up when somebody asks, seen on the card, and the end of what they were for."""

import json
from dataclasses import replace

import pytest

from bot.config import TrackerSettings
from bot.core.errors import Misconfigured
from bot.service import Role, running
from bot.story import token_in
from tests.journeys.test_asking import filled, raw
from tests.journeys.town import ACCESS, DIRECT, JWT, answered, asked, becomes, died, told


async def test_a_grant_ends_when_its_ticket_is_closed_and_everybody_is_told(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "mend --ticket BILL-7", "to refund the order", seen_by=ben)
    assert "·  Refund the late order of Miller Ltd.  ·  In progress" in card.plain()
    assert f"<{town.sandbox.url}/tickets/BILL-7|BILL-7>" in json.dumps(card.blocks)
    token = token_in((await anna.sees(JWT, channel=DIRECT)).plain())
    assert await town.works(token)
    await town.acme.closes_ticket("BILL-7")
    await died(town, token)
    await becomes(ben, card, "*Ended early* by policy")
    await becomes(ben, card, "BILL-7 is closed (Done)")
    await told(ben, card, "The access has ended* before its time", "BILL-7 is closed (Done)")
    note = await anna.sees("BILL-7 is closed (Done)", channel=DIRECT)
    assert "Your access to *Mend an order* has ended early" in note.plain()


async def test_a_ticket_that_will_not_do_is_told_in_the_form_and_nothing_typed_is_lost(town):
    anna, ben = town.people("Anna", "Ben")
    why = "to mend an order of May"
    values = await filled(anna, "mend", reason=why, ticket="BILL-9")
    for ticket, said in (
        ("BILL-9", "there is no ticket BILL-9"),
        ("BILL-1200", "BILL-1200 is closed (Done)"),
        ("OPS-1234", "OPS-1234 is not in BILL"),
        ("nonsense", "one looks like BILL-7"),
    ):
        answer = await anna.submits({**values, **(await raw(anna, ticket=ticket))})
        assert said in answer.errors["ticket"]
    assert why in json.dumps((await anna.view()).view["state"])
    assert (await anna.submits(await raw(anna, ticket="BILL-7"))).response_action == "clear"
    assert "BILL-7" in (await ben.sees(why, channel=ACCESS)).plain()


async def test_a_typed_line_with_a_ticket_that_will_not_do_becomes_a_form_that_says_why(town):
    ben, cleo = town.people("Ben", "Cleo")
    assert (await ben.types("/jit request mend 20m --ticket BILL-7 to mend an order")).ok
    form = (await ben.view()).plain()
    assert "BILL-7 is assigned to somebody else" in form
    assert "e-mail address of their Slack profile" in form
    assert "to mend an order" in form
    assert (await ben.submits(await raw(ben, ticket="BILL-1200"))).errors["ticket"]
    await ben.closes()
    assert not [each for each in await cleo.messages(ACCESS) if "to mend an order" in each.plain()]


async def test_a_ticket_that_is_closed_meanwhile_grants_nothing(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "mend 1h --ticket BILL-7", "to mend for an hour", seen_by=ben)
    await town.acme.closes_ticket("BILL-7")
    await ben.clicks("approve", card)
    await answered(ben, "BILL-7 is closed (Done)")
    await told(ben, card, "tried to approve this and may not", "BILL-7 is closed (Done)")
    assert "*Waiting*" in (await ben.now(card)).plain()


async def test_while_the_tracker_does_not_answer_people_decide_and_read_so_on_the_card(town):
    anna, ben = town.people("Anna", "Ben")
    await town.acme.tracker_leaves(away=True)
    card = await asked(anna, "mend --ticket BILL-7", "to mend without a look", seen_by=ben)
    assert "it could not be checked: 127.0.0.1 has a fault (503)" in card.plain()
    await ben.clicks("approve", card)
    token = token_in((await anna.sees(JWT, channel=DIRECT)).plain())
    assert await town.works(token)
    await town.acme.tracker_leaves(away=False)
    await town.acme.closes_ticket("BILL-7")
    await died(town, token)


async def test_a_policy_that_names_a_tracker_without_settings_stops_the_start(web_town):
    settings = replace(web_town.settings, trackers=TrackerSettings())
    with pytest.raises(Misconfigured) as problem:
        async with running(settings, Role.ALL):
            pass
    assert problem.value.problems == (
        "the bundle mend looks its tickets up in url: set JIT_TICKET_URL",
    )
