"""Chains: who is called when, who stands in, and what nobody could complete."""

from tests.journeys.town import DEPLOY, DIRECT, answered, asked, becomes, told


async def test_approvers_are_called_reminded_and_helped_until_the_chain_is_complete(town):
    anna, ben, cleo, eva = town.people("Anna", "Ben", "Cleo", "Eva")
    card = await asked(anna, "careful", "to ship the fix", seen_by=ben)
    assert "2 approvals: 1 from `oncall`, 1 from `leads` or `oncall`" in card.plain()
    await told(ben, card, "👉 @Dan @Ben @Cleo")
    await ben.clicks("approve", card)
    card = await becomes(ben, card, "1 more approval from `oncall`")
    await cleo.clicks("approve", card)
    await answered(cleo, "enough approvals from your groups")
    await told(ben, card, "🔔 Stage `peers` still waits")
    await told(ben, card, "has waited for 2s; `security` can approve it too in place of `oncall`")
    notice = await anna.sees("Stage `peers` has waited for 2s", channel="general")
    assert "Open the card" in notice.plain()
    card = await becomes(ben, card, "1 more approval from `oncall` or `security`")
    await eva.clicks("approve", card)
    notice = await ben.sees("1 approval from `security` or `leads`", channel=DEPLOY)
    assert "Open the card" in notice.plain()
    assert "@Cleo" in notice.plain()
    await told(ben, card, "Stage `peers` is complete")
    await cleo.clicks("approve", await becomes(cleo, card, "1 approval from `security`"))
    await becomes(ben, card, "*Works* until")
    await becomes(ben, notice, "Stage `guard` is complete")


async def test_a_chain_that_nobody_could_complete_is_denied_with_the_reason(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "lonely", "to see who answers", seen_by=ben)
    await becomes(ben, card, "nobody besides you is there for 1 of them")
    await anna.sees("cannot be completed", channel=DIRECT)
