"""Stages that are skipped or asked, and guardrails that are only tried out: what people see."""

from tests.journeys.town import ACCESS, answered, asked, becomes, told

# What stands for a back-tick, which would end code style.
TICK = "\N{MODIFIER LETTER GRAVE ACCENT}"
SKIPPED = f"Stage `guard` is skipped: {TICK}request.duration > duration('30m'){TICK} is not so"
ODD = f"Stage `odd` is asked all the same: {TICK}bundle.labels.kind == 'odd'{TICK}: it cannot be"


async def test_a_stage_is_skipped_with_the_reason_and_one_that_fails_stays(town):
    anna, ben, cleo = town.people("Anna", "Ben", "Cleo")
    card = await asked(anna, "sized 20m", "to look at the logs", seen_by=ben)
    assert SKIPPED in card.plain()
    assert ODD in card.plain()
    await told(ben, card, SKIPPED, ODD)
    await ben.clicks("approve", card)
    await cleo.clicks("approve", await becomes(cleo, card, "1 approval from `leads`"))
    await becomes(ben, card, "*Works* until")


async def test_a_stage_is_asked_where_its_condition_holds(town):
    anna, ben, cleo, eva = town.people("Anna", "Ben", "Cleo", "Eva")
    card = await asked(anna, "sized 40m", "to look for longer", seen_by=ben)
    assert "Stage `guard` is asked, as its conditions hold" in card.plain()
    await ben.clicks("approve", card)
    await eva.clicks("approve", await becomes(eva, card, "1 approval from `security`"))
    await cleo.clicks("approve", await becomes(cleo, card, "1 approval from `leads`"))
    await becomes(ben, card, "*Works* until")


async def test_why_tells_both_before_anybody_asks(town):
    (anna,) = town.people("Anna")
    assert (await anna.types("/jit why sized 20m", channel=ACCESS)).ok
    said = await answered(anna, "people would decide, 1 of `leads`; then 1 of `leads`")
    assert SKIPPED in said
    assert ODD in said
    assert "guardrail `tried-out` is in audit mode: it would have denied it" in said
