"""Many at once, and the same thing twice: one outcome, and everybody is answered."""

import asyncio

import pytest

from bot.sandbox import payloads, workspace
from tests.journeys.town import (
    ACCESS,
    DIRECT,
    JWT,
    a_town,
    answers,
    asked,
    becomes,
    told,
    value_of,
)

MANY = 20


@pytest.fixture
async def two_replicas(redis, redis_url, folder):
    async with a_town(redis_url, folder, replicas=2) as town:
        yield town


def a_crowd(town):
    """Return people who may all approve the bundle `crowded`."""
    crowd = [town.adds(f"U0CROWD{number}", f"Crowd{number}") for number in range(MANY)]
    ids = tuple(person.id for person in crowd)
    group = workspace.UserGroup(id="S0CROWD", handle="crowd", name="Crowd", users=ids)
    town.sandbox.workspace.groups["S0CROWD"] = group
    return crowd


def a_click(town, person, card, action):
    """Return the payload of a press on a button of `card`."""
    place, found = town.sandbox.workspace, {"action_id": action, "block_id": "b", "type": "button"}
    return payloads.message_click(
        place.people[person.id],
        place.channels[card.channel],
        place.message(card.channel, card.ts),
        action={**found, "value": value_of(card, action), "action_ts": "1.1"},
        response_url=town.sandbox.response_url(person.id, card.channel),
        trigger_id=town.sandbox.workspace.next_ts(),
    )


async def test_twenty_approve_and_deny_at_once_on_two_replicas(two_replicas):
    town, (anna, ben) = two_replicas, two_replicas.people("Anna", "Ben")
    crowd = a_crowd(town)
    card = await asked(anna, "crowded", "to see who is first", seen_by=ben)
    naysayers, yeasayers = crowd[: MANY // 2], crowd[MANY // 2 :]
    await asyncio.gather(*(person.clicks("deny", card) for person in naysayers))
    why = {"reason": {"reason": "I was first"}}
    forms = [await person.view() for person in naysayers]
    said = await asyncio.gather(
        *(
            town.submits(form, why, by=person, to=number % 2)
            for number, (form, person) in enumerate(zip(forms, naysayers, strict=True))
        ),
        *(
            town.sends(a_click(town, person, card, "approve"), to=number % 2)
            for number, person in enumerate(yeasayers)
        ),
    )
    clicked = [(await answers(person, at_least=1))[0] for person in yeasayers]
    sent = [str(answer) for answer in said[: len(naysayers)]]
    won = [each for each in clicked if "was the last one needed" in each]
    won += [each for each in sent if each == "{'response_action': 'clear'}"]
    lost = [each for each in (*clicked, *sent) if "already" in each]
    assert (len(won), len(lost)) == (1, MANY - 1)
    thread = await told(ben, card, "approved (1 of 1" if "last one" in str(won) else "Denied by")
    assert thread.count("👍") + thread.count("❌") == 1
    assert "Waiting" not in (await ben.now(card)).plain()


async def test_twenty_clicks_of_one_person_on_two_replicas_are_one_vote(two_replicas):
    town, (anna, ben) = two_replicas, two_replicas.people("Anna", "Ben")
    card = await asked(anna, "pair", "to ship the fix", seen_by=ben, channel="deploy-approvals")
    clicks = [a_click(town, ben, card, "approve") for _ in range(MANY)]
    await asyncio.gather(*(town.sends(click, to=number % 2) for number, click in enumerate(clicks)))
    card = await becomes(ben, card, "1 of 2")
    assert (await told(ben, card, "👍")).count("👍") == 1


async def test_what_one_replica_granted_the_other_one_tells_and_ends(two_replicas):
    town, (anna, ben) = two_replicas, two_replicas.people("Anna", "Ben")
    card = await asked(anna, "read 4s", "to look at bill 4711", seen_by=ben)
    await town.sends(a_click(town, ben, card, "approve"), to=1)
    await anna.sees(JWT, channel=DIRECT)
    await becomes(ben, card, "*Ended*")
    thread = await told(ben, card, "has ended")
    for line in ("👍", "🔑", "📬", "⏰", "🏁"):
        assert thread.count(line) == 1


# The second copy of a click tries to open the view once more.
TWICE = "views.open: exchanged_trigger_id"


async def test_what_is_delivered_twice_is_done_once(town):
    town.forgiven.add(TWICE)
    anna, ben = town.people("Anna", "Ben")
    await town.acme.duplicates(1)
    card = await asked(anna, "pair", "to ship the fix", seen_by=ben, channel="deploy-approvals")
    await town.acme.duplicates(1)
    await ben.clicks("approve", card)
    await becomes(ben, card, "1 of 2")
    await town.acme.duplicates(1)
    await ben.clicks("deny", card)
    await town.acme.duplicates(1)
    await ben.submits({"reason": {"reason": "not today"}})
    await becomes(ben, card, "Denied")
    thread = await told(ben, card, "Denied by")
    assert [thread.count(mark) for mark in ("🙋", "👍", "❌")] == [1, 1, 1]
    cards = [each for each in await ben.messages("deploy-approvals") if "Deny" in each.plain()]
    assert cards == []
    assert not [each for each in await answers(ben, channel="deploy-approvals") if "again" in each]


async def test_a_form_that_is_delivered_twice_opens_one_request(town):
    town.forgiven.add(TWICE)
    anna, ben = town.people("Anna", "Ben")
    await town.acme.duplicates(1)
    assert (await anna.types("/jit request logs")).ok
    await town.acme.duplicates(1)
    answer = await anna.submits({"reason": {"reason": "to see why it is slow"}})
    assert answer.response_action == "clear"
    await anna.sees(JWT, channel=DIRECT)
    cards = [each for each in await ben.messages(ACCESS) if each.thread_ts is None]
    assert len(cards) == 1
    assert len([each for each in await anna.dm() if JWT in each.plain()]) == 1
