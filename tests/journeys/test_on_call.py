"""Approvers from elsewhere: whoever is on call, and the manager of whoever asks."""

from bot.sandbox.on_call import NAME
from tests.journeys.town import DIRECT, JWT, answered, asked, becomes, told


async def test_who_is_on_call_when_it_is_decided_decides(town):
    anna, ben, dan = town.people("Anna", "Ben", "Dan")
    card = await asked(anna, "roused", "to restart the queue", seen_by=dan)
    assert "from `sre-oncall` (@Dan) or `security`" in card.plain()
    await told(dan, card, "👉 @Dan")
    await town.acme.rosters("sre", "Ben")
    await dan.clicks("approve", card)
    await answered(dan, "not an approver of this request now")
    await ben.clicks("approve", card)
    await becomes(ben, card, "*Works* until")
    await told(ben, card, "Dan tried to approve", "Ben approved")
    await anna.sees(JWT, channel=DIRECT)


async def test_a_service_that_is_down_is_named_and_missed_only_for_as_long(web_town):
    anna, dan, eva = web_town.people("Anna", "Dan", "Eva")
    await web_town.acme.fails(NAME, status=503, times=1000)
    card = await asked(anna, "roused", "to restart the queue", seen_by=dan)
    assert "on-call of `sre` cannot be read now" in card.plain()
    await dan.clicks("approve", card)
    await answered(dan, "On-call of sre cannot be read")
    await eva.clicks("question", card)
    await eva.submits({"reason": {"reason": "which queue?"}})
    assert "cannot be read now" in (await becomes(eva, card, "Waiting")).plain()
    await web_town.acme.heals()
    card = await becomes(dan, card, "from `sre-oncall` (@Dan)", timeout_s=20.0)
    assert "cannot be read" not in card.plain()
    await dan.clicks("approve", card)
    await becomes(dan, card, "*Works* until")


async def test_while_a_service_is_down_the_others_approve(web_town):
    anna, eva = web_town.people("Anna", "Eva")
    await web_town.acme.fails(NAME, drop="before", times=1000)
    card = await asked(anna, "roused", "to restart the queue", seen_by=eva)
    await eva.clicks("approve", card)
    card = await becomes(eva, card, "*Works* until")
    assert "cannot be read" not in card.plain()


async def test_the_manager_approves_and_another_lead_does_not(town):
    anna, ben, cleo = town.people("Anna", "Ben", "Cleo")
    card = await asked(anna, "managed", "to finish the report", seen_by=ben)
    assert "from `manager` (@Ben)" in card.plain()
    await cleo.clicks("approve", card)
    await answered(cleo, "not an approver of this request now")
    await ben.clicks("approve", card)
    await becomes(ben, card, "*Works* until")


async def test_a_manager_who_has_left_leaves_nobody_to_ask(town):
    anna, ben = town.people("Anna", "Ben")
    await town.acme.becomes("Ben", "deactivated")
    card = await asked(anna, "managed", "to finish the report", seen_by=ben)
    await becomes(ben, card, "nobody besides you is there for 1 of them")


async def test_before_asking_one_sees_who_is_on_call_and_who_the_manager_is(web_town):
    (anna,) = web_town.people("Anna")
    await anna.types("/jit why roused")
    await answered(anna, "1 of `sre-oncall` (@Dan) or `security`", channel="general")
    await anna.types("/jit why managed")
    await answered(anna, "1 of `manager` (@Ben)", channel="general")


async def test_details_name_who_is_on_call(web_town):
    anna, dan = web_town.people("Anna", "Dan")
    card = await asked(anna, "roused", "to restart the queue", seen_by=dan)
    await dan.clicks("details", card)
    told_ = (await dan.view()).plain()
    assert "one of `sre-oncall`" in told_
    assert "*Who can act*  @Dan @Eva" in told_
