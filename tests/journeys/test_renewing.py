"""APIs that want short tokens: the access goes on, and a further token is one press away."""

from tests.journeys.town import DIRECT, JWT, answered, becomes, died, token_in


async def test_a_short_token_is_followed_by_another_until_the_access_ends(town):
    [anna] = town.people("Anna")
    await anna.types("/jit request brief to look at the pieces")
    note = await anna.sees(JWT, channel=DIRECT)
    first = token_in(note.plain())
    assert "your access until" in note.plain()
    assert note.buttons()["renew"] == "New token"
    value = next(e["value"] for e in note.blocks[-1]["elements"] if e["action_id"] == "renew")
    await died(town, first)
    assert (await anna.clicks("renew", note)).ok
    await answered(anna, "A further token is on its way", channel=DIRECT)
    note = await becomes(anna, note, "A newer token")
    newer = await anna.sees(JWT, channel=DIRECT)
    second = token_in(newer.plain())
    assert second != first
    assert await town.works(second)
    assert not await town.works(first)
    await anna.clicks("renew", note, stale=value)
    await answered(anna, "A further token is on its way", channel=DIRECT)
    await anna.clicks("end_now", newer)
    await becomes(anna, newer, "is dead: the access has ended")
    assert not await town.works(second)
