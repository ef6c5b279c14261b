"""Tickets at the ask, at the click and while a grant lives."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import Invalid, NotAllowed, Unavailable
from bot.core.identity import BOT
from bot.core.moves import Approve, Narrow, Revoke
from bot.core.policy import Verdict
from bot.core.scopes import TicketRule, Tracker
from bot.core.states import GrantState, RequestState
from bot.core.tickets import Ticket
from bot.trackers.memory import MemoryTickets
from bot.usecases.ports import Queue
from bot.usecases.tickets import ASK_WITHIN_S, WATCH_EVERY, TicketDesk
from bot.usecases.wishes import Wish
from tests.usecases.bots import (
    ANNA,
    BEN,
    CLEO,
    LEAD,
    TWO_LEADS,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)

RULE = TicketRule(
    pattern="OPS-[0-9]+",
    example="OPS-7",
    tracker=Tracker.JIRA,
    projects=("OPS",),
    assigned=True,
    ends_grant=True,
)
LENIENT = replace(RULE, people_if_down=True)
AT_ONCE = replace(a_rule(Verdict.AUTO_APPROVE), id="at-once")
BY_LEAD = replace(a_rule(Verdict.REQUIRE, LEAD), id="by-lead")


def policy(*rules, ticket=RULE):
    return a_policy({"ops": (a_bundle("ops", ticket=ticket), rules or (AT_ONCE,))})


@pytest.fixture
def bot(bot: Bot) -> Bot:
    bot.policy = policy()
    bot.directory.emails |= {ANNA.id: "Anna@acme.example", BEN.id: "ben@acme.example"}
    for number, who in ((7, "anna"), (8, "ben")):
        bot.tracker.tickets[f"OPS-{number}"] = Ticket(
            id=f"OPS-{number}",
            title="Refunds *hang*\nand fail",
            status="In Progress",
            open=True,
            project="OPS",
            assignees=(f"{who}@acme.example",),
        )
    return bot


async def refused(bot: Bot, ticket: str = "OPS-7", kind=Invalid):
    with pytest.raises(kind) as problem:
        await bot.open("ops", ticket=ticket)
    assert await bot.listings.of_person(ANNA) == []
    return problem.value


async def test_what_the_tracker_says_is_kept_with_the_request(bot: Bot) -> None:
    request = await bot.ask("ops", ticket="OPS-7")
    assert request.state is RequestState.APPROVED
    seen = request.asked.seen
    assert seen is not None
    assert (seen.tracker, seen.title, seen.status, seen.unknown, seen.link, seen.watched) == (
        Tracker.JIRA,
        "Refunds *hang* and fail",
        "In Progress",
        "",
        "https://tickets.example/OPS-7",
        WATCH_EVERY,
    )


async def test_a_bundle_without_a_tracker_asks_none(bot: Bot) -> None:
    bot.policy = policy(ticket=replace(RULE, tracker=None))
    assert (await bot.ask("ops", ticket="OPS-99")).asked.seen is None
    assert bot.tracker.asked == []


async def test_a_ticket_that_will_not_do_is_an_error_of_that_field_and_nothing_is_recorded(
    bot: Bot,
) -> None:
    for ticket, said in (
        ("OPS-99", "there is no ticket OPS-99"),
        ("OPS-8", "OPS-8 is assigned to somebody else"),
    ):
        problem = await refused(bot, ticket)
        assert (str(problem), problem.field) == (said, "ticket")
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    assert str(await refused(bot)) == "OPS-7 is closed (Done)"
    bot.policy = policy(ticket=replace(RULE, projects=("PAY",)))
    bot.tracker.change("OPS-7", is_open=True, status="To do")
    assert str(await refused(bot)) == "OPS-7 is not in PAY"


@pytest.mark.parametrize("ticket", ["", "INC-7", "OPS-7/../OPS-8", "OPS-7?", "OPS-7 x", "xOPS-7"])
async def test_nothing_goes_out_that_does_not_match_in_full(bot: Bot, ticket: str) -> None:
    assert (await refused(bot, ticket)).field == "ticket"
    with pytest.raises(Invalid):
        await bot.tickets.seen(bot.policy.bundles["ops"], ticket, by=ANNA)
    assert bot.tracker.asked == []


async def test_a_pattern_that_needs_nothing_still_needs_a_ticket_for_a_tracker(bot: Bot) -> None:
    bot.policy = policy(ticket=replace(RULE, pattern=".*"))
    assert str(await refused(bot, "")) == "a ticket is needed; one looks like OPS-7"


async def test_a_tracker_that_is_away_refuses_and_records_nothing(bot: Bot) -> None:
    bot.tracker.away = True
    problem = await refused(bot, kind=Unavailable)
    assert str(problem) == "OPS-7 cannot be checked: the tracker did not answer"


async def test_a_tracker_that_is_slow_is_away(bot: Bot) -> None:
    class Slow(MemoryTickets):
        async def find(self, ticket, *, people):
            await asyncio.Event().wait()

    desk = TicketDesk(trackers={Tracker.JIRA: Slow()}, directory=bot.directory)
    seen = await desk.seen(policy(ticket=LENIENT).bundles["ops"], "OPS-7", by=ANNA)
    assert seen is not None
    assert seen.unknown == f"the tracker did not answer within {ASK_WITHIN_S:g} s"


async def test_a_tracker_that_is_not_configured_is_away(bot: Bot) -> None:
    bot.policy = policy(ticket=replace(RULE, tracker=Tracker.GITHUB))
    problem = await refused(bot, kind=Unavailable)
    assert str(problem) == "OPS-7 cannot be checked: no tracker github is configured"


async def test_slack_that_does_not_say_who_somebody_is_refuses(bot: Bot) -> None:
    bot.directory.emails.clear()
    assert "Slack does not say" in str(await refused(bot))


async def test_while_the_tracker_is_away_people_decide_where_the_bundle_says_so(bot: Bot) -> None:
    bot.policy = policy(AT_ONCE, BY_LEAD, ticket=LENIENT)
    assert (await bot.ask("ops", ticket="OPS-7")).asked.rule == "at-once"
    bot.tracker.away = True
    request = await bot.ask("ops", ticket="OPS-7")
    assert (request.state, request.asked.rule) == (RequestState.PENDING, "by-lead")
    assert request.asked.seen is not None
    assert request.asked.seen.unknown == "the tracker did not answer"
    assert request.asked.seen.link
    await bot.move(request, Approve(), by=BEN)
    assert (await bot.now(request)).state is RequestState.APPROVED


async def test_where_no_people_could_decide_policy_denies_and_says_why(bot: Bot) -> None:
    bot.policy = policy(AT_ONCE, ticket=LENIENT)
    bot.tracker.away = True
    request = await bot.ask("ops", ticket="OPS-7")
    assert request.state is RequestState.DENIED
    assert request.asked.reasons[1:] == (
        "at-once: it asks nobody, and the ticket cannot be checked now",
    )


async def test_the_granting_click_looks_at_the_ticket_again(bot: Bot) -> None:
    bot.policy = policy(a_rule(Verdict.REQUIRE, TWO_LEADS))
    request = await bot.ask("ops", ticket="OPS-7")
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    await bot.move(request, Approve(), by=BEN)  # grants nothing yet
    with pytest.raises(NotAllowed) as problem:
        await bot.move(request, Approve(), by=CLEO)
    assert str(problem.value) == "this cannot be granted any more: OPS-7 is closed (Done)"
    assert (await bot.kinds(request))[-1] is e.Refused
    bot.tracker.change("OPS-7", is_open=True, status="Reopened")
    await bot.move(request, Approve(), by=CLEO)
    assert (await bot.now(request)).state is RequestState.APPROVED


async def test_a_ticket_that_is_another_persons_by_now_grants_nothing(bot: Bot) -> None:
    bot.policy = policy(BY_LEAD)
    request = await bot.ask("ops", ticket="OPS-7")
    ticket = bot.tracker.tickets["OPS-7"]
    bot.tracker.tickets["OPS-7"] = replace(ticket, assignees=("ben@acme.example",))
    scopes = tuple(text.scope for text in request.asked.scopes)
    for move in (Approve(), Narrow("", scopes, timedelta(minutes=1))):
        with pytest.raises(NotAllowed, match="OPS-7 is assigned to somebody else"):
            await bot.move(request, move, by=BEN)


@pytest.mark.parametrize(("ticket", "granted"), [(RULE, False), (LENIENT, True)])
async def test_a_tracker_away_at_the_click_counts_as_at_the_ask(bot: Bot, ticket, granted) -> None:
    bot.policy = policy(BY_LEAD, ticket=ticket)
    request = await bot.ask("ops", ticket="OPS-7")
    bot.tracker.away = True
    if granted:
        await bot.move(request, Approve(), by=BEN)
    else:
        with pytest.raises(Unavailable, match="cannot be checked"):
            await bot.move(request, Approve(), by=BEN)
    state = RequestState.APPROVED if granted else RequestState.PENDING
    assert (await bot.now(request)).state is state


async def test_more_time_needs_an_open_ticket_too(bot: Bot) -> None:
    request = await bot.ask("ops", ticket="OPS-7")
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    with pytest.raises(Invalid, match="OPS-7 is closed"):
        await bot.requests.extend(request.id, by=ANNA, delivery="d")


async def test_why_looks_at_a_ticket_that_is_named_and_does_without(bot: Bot) -> None:
    wish = Wish(bundle="ops")
    await bot.requests.why(wish, by=ANNA)
    assert bot.tracker.asked == []
    with pytest.raises(Invalid, match="there is no ticket OPS-99"):
        await bot.requests.why(replace(wish, ticket="OPS-99"), by=ANNA)


async def test_a_grant_ends_when_its_ticket_is_closed_and_everybody_is_told(bot: Bot) -> None:
    request = await bot.ask("ops", ticket="OPS-7")
    [token] = (await bot.now(request)).grant.tokens
    await bot.pass_(minutes=3)
    assert (await bot.now(request)).grant.state is GrantState.LIVE
    assert bot.tracker.asked.count("OPS-7") == 4  # when it was asked for, and three times since
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    await bot.pass_(minutes=1)
    grant = (await bot.now(request)).grant
    assert grant.state is GrantState.REVOKED
    assert (grant.close.by, grant.close.reason) == (BOT, "OPS-7 is closed (Done)")
    assert not await bot.works(token)
    assert any("grant.revoked" in text for text in bot.texts())
    asked = len(bot.tracker.asked)
    await bot.pass_(hours=1)
    assert len(bot.tracker.asked) == asked


async def test_a_ticket_that_is_gone_ends_its_grant(bot: Bot) -> None:
    request = await bot.ask("ops", ticket="OPS-7")
    del bot.tracker.tickets["OPS-7"]
    await bot.pass_(minutes=1)
    assert (await bot.now(request)).grant.close.reason == "there is no ticket OPS-7 any more"


async def test_a_tracker_away_at_a_look_is_looked_at_again_and_nobody_is_told(bot: Bot) -> None:
    request = await bot.ask("ops", ticket="OPS-7")
    await bot.pass_(seconds=1)
    told = len(bot.messenger.calls)
    bot.tracker.away = True
    await bot.pass_(minutes=5)
    assert (await bot.now(request)).grant.state is GrantState.LIVE
    assert len(bot.messenger.calls) == told
    bot.tracker.away = False
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    await bot.pass_(minutes=1)
    assert (await bot.now(request)).grant.state is GrantState.REVOKED


async def test_a_grant_that_goes_on_is_still_watched(bot: Bot) -> None:
    request = await bot.ask("ops", ticket="OPS-7")
    await bot.pass_(minutes=5)
    await bot.requests.extend(request.id, by=ANNA, delivery="d")
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    await bot.pass_(minutes=1)
    assert (await bot.now(request)).grant.state is GrantState.REVOKED


async def test_a_grant_that_has_ended_otherwise_is_looked_after_no_more(bot: Bot) -> None:
    request = await bot.ask("ops", ticket="OPS-7")
    await bot.move(request, Revoke(), by=ANNA)
    asked = len(bot.tracker.asked)
    await bot.pass_(hours=2)
    assert len(bot.tracker.asked) == asked


async def test_only_grants_of_bundles_that_say_so_end_with_their_ticket(bot: Bot) -> None:
    bot.policy = policy(ticket=replace(RULE, ends_grant=False))
    request = await bot.ask("ops", ticket="OPS-7")
    bot.tracker.change("OPS-7", is_open=False, status="Done")
    await bot.pass_(minutes=10)
    assert (await bot.now(request)).grant.state is GrantState.LIVE
    assert await bot.jobs.next_due(Queue.WATCHES) is None
