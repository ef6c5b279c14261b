"""The token: who reads it, where, for how long; and what APIs are told about it."""

import jwt
import pytest

from tests.journeys.policies import OTHER_SECRET
from tests.journeys.town import (
    DIRECT,
    JWT,
    answered,
    asked,
    becomes,
    granted,
    token_in,
    told,
)


async def test_a_token_is_read_in_the_message_until_got_it_and_again_in_a_window(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    note = await anna.sees(token, channel=DIRECT)
    assert token not in note.text
    await anna.clicks("got_it", note)
    note = await becomes(anna, note, "taken out of this message")
    assert token not in str(note.blocks)
    await anna.clicks("reveal", note)
    assert token in (await anna.view()).plain()
    await told(ben, card, "taken out of the direct message by @Anna", "Anna looked at the token")
    assert await town.works(token)


async def test_a_token_of_high_risk_is_shown_in_a_window_only_and_only_to_who_asked(town):
    anna, ben = town.people("Anna", "Ben")
    card = await asked(anna, "vault", "to look into the vault", seen_by=ben)
    note = await anna.sees("shown to you alone", channel=DIRECT)
    value = note.blocks[-1]["elements"][0]["value"]
    assert (await ben.clicks("reveal", card, stale=value)).ok
    await answered(ben, "Only the person who asked")
    assert await ben.views() == []
    assert (await anna.clicks("reveal", note)).ok
    token = token_in((await anna.view()).plain())
    assert await town.works(token)
    await told(ben, card, "can open the token", "Ben tried to see the token", "Anna looked")
    assert token not in str(await anna.dm())
    await anna.types("/jit list")
    await anna.clicks("end_now", note, stale=value)
    await becomes(anna, note, "is dead")
    await anna.clicks("reveal", note, stale=value)
    await answered(anna, "revoked already", channel=DIRECT)


async def test_the_token_goes_from_the_message_when_the_access_ends(town):
    anna, ben = town.people("Anna", "Ben")
    _, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    note = await anna.sees(token, channel=DIRECT)
    await anna.clicks("end_now", note)
    note = await becomes(anna, note, "is dead: the access has ended")
    assert note.buttons() == {}
    assert token not in str(await anna.dm())


async def test_the_token_verifies_against_the_published_keys(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    _, token = await granted(anna, "read 20m", "to look at bill 4711", by=ben)
    claims = await web_town.claims(token)
    assert claims["scope"] == "invoices:read refunds:read customers:read"
    assert claims["exp"] - claims["iat"] == 20 * 60
    assert "U0ANNA" in claims["sub"]
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    with pytest.raises(jwt.InvalidAudienceError):
        await web_town.claims(token, audience="https://logs.example")


async def test_only_the_api_that_a_token_is_for_is_told_of_it(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    _, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    status, found = await web_town.introspects(token)
    assert (status, found["active"]) == (200, True)
    assert found["sub"] == (await web_town.claims(token))["sub"]
    other = {"client": "logs-api", "secret": OTHER_SECRET}
    assert await web_town.introspects(token, **other) == (200, {"active": False})
    assert await web_town.introspects(token[:-4] + "AAAA") == (200, {"active": False})
    assert (await web_town.introspects(token, secret="wrong"))[0] == 401


async def test_the_api_itself_can_end_a_grant_and_the_thread_tells_it(town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    await town.revokes(token, client="logs-api", secret=OTHER_SECRET)
    assert await town.works(token)
    assert await town.revokes(token) == 200
    assert not await town.works(token)
    await told(ben, card, "billing-api", "ended the access")
    await anna.sees("The token is dead", channel=DIRECT)


async def test_no_token_goes_anywhere_but_to_who_asked_for_it(log_lines, town):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    note = await anna.sees(token, channel=DIRECT)
    await anna.clicks("got_it", note)
    note = await becomes(anna, note, "taken out")
    await anna.clicks("reveal", note)
    await anna.view()
    await town.introspects(token)
    await ben.clicks("revoke", await becomes(ben, card, "*Works* until"))
    await becomes(ben, card, "*Ended early*")
    await told(ben, card, "ended the access")
    carrying = [call for call in await town.acme.calls() if JWT in str(call)]
    assert [call["method"] for call in carrying] == ["chat.update", "views.open"]
    assert carrying[0]["args"]["channel"] == note.channel
    assert "grant.started" in log_lines.getvalue()
    assert JWT not in log_lines.getvalue()
    assert "xoxb-" not in log_lines.getvalue()
