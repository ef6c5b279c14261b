"""Approving less, asking back, and what is behind a request."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.errors import NotAllowed, NotFound
from bot.core.identity import RequestId
from bot.core.moves import Answer, Approve, Cancel, Narrow, Question
from bot.core.policy import Guardrail, Selector, Verdict
from bot.core.states import RequestState
from tests.usecases.bots import (
    ANNA,
    BEN,
    CLEO,
    DAN,
    EVA,
    LEAD,
    TWO_LEADS,
    Bot,
    a_bundle,
    a_policy,
    a_rule,
)

SHORT = timedelta(minutes=10)
LESS = Narrow("", ("invoices:read",), SHORT)


async def test_a_yes_to_less_grants_just_that(bot: Bot) -> None:
    request = await bot.ask("read")
    granted = (await bot.move(request, LESS, by=BEN)).request
    assert granted.grant is not None
    assert granted.grant.token.scopes == ("invoices:read",)
    assert await bot.kinds(request) == [
        *(e.Requested, e.Narrowed, e.Voted, e.StagePassed, e.Approved, e.Granted, e.Started)
    ]


async def test_later_votes_are_on_what_was_narrowed(bot: Bot) -> None:
    request = await bot.ask("two")
    await bot.move(request, LESS, by=BEN)
    further = Narrow("", ("invoices:read",), timedelta(minutes=5))
    granted = (await bot.move(request, further, by=CLEO)).request
    assert granted.grant is not None
    assert granted.asked.duration == timedelta(minutes=5)


async def test_what_is_narrowed_is_decided_again_at_once(bot: Bot) -> None:
    request = await bot.ask("two")
    bot.policy = a_policy(rails=(Guardrail(id="freeze", bundles=Selector(), deny=True),))
    with pytest.raises(NotAllowed, match="guardrail freeze forbids it"):
        await bot.move(request, LESS, by=BEN)
    assert (await bot.now(request)).votes == ()


async def test_less_may_be_granted_where_all_of_it_no_longer_would_be(bot: Bot) -> None:
    request = await bot.ask("read")
    bot.policy = a_policy(rails=(Guardrail(id="cap", bundles=Selector(), max_duration=SHORT),))
    with pytest.raises(NotAllowed, match="guardrail cap allows 10m"):
        await bot.move(request, Approve(), by=BEN)
    assert (await bot.move(request, LESS, by=BEN)).request.state is RequestState.APPROVED


async def test_less_that_others_must_approve_is_not_approved_here(bot: Bot) -> None:
    short = a_rule(Verdict.REQUIRE, TWO_LEADS, max_duration=SHORT)
    rules = (replace(short, id="short"), a_rule(Verdict.REQUIRE, LEAD))
    bot.policy = a_policy({"x": (a_bundle("x"), rules)})
    request = await bot.ask("x")
    with pytest.raises(NotAllowed, match="others must approve it now"):
        await bot.move(request, LESS, by=BEN)


async def test_more_time_that_is_shortened_prolongs_by_just_that(bot: Bot) -> None:
    first = await bot.granted("read")
    assert first.grant is not None
    outcome = await bot.requests.extend(first.id, by=ANNA, delivery=bot.delivery())
    everything = tuple(text.scope for text in first.asked.scopes)
    await bot.move(outcome.request, Narrow("", everything, timedelta(minutes=5)), by=BEN)
    prolonged = (await bot.now(first)).grant
    assert prolonged is not None
    assert prolonged.ends_at - first.grant.ends_at == timedelta(minutes=5)


async def test_a_question_and_its_answer_are_on_record(bot: Bot) -> None:
    request = await bot.ask("read")
    await bot.move(request, Question("which bill?"), by=BEN)
    answered = (await bot.move(request, Answer(0, "4711"), by=ANNA)).request
    assert [(each.by, each.answered) for each in answered.questions] == [(BEN, True)]
    assert await bot.kinds(request) == [e.Requested, e.Asked, e.Answered]


async def test_a_question_is_asked_once_however_often_it_is_delivered(bot: Bot) -> None:
    request = await bot.ask("read")
    for delivery in ("one", "one", "two"):
        await bot.move(request, Question("which bill?"), by=BEN, delivery=delivery)
    assert await bot.kinds(request) == [e.Requested, e.Asked]


async def test_what_is_behind_a_request_is_told_to_who_has_a_say(bot: Bot) -> None:
    before = await bot.granted("read")
    await bot.granted("auto")
    taken_back = await bot.ask("read")
    await bot.move(taken_back, Cancel(), by=ANNA)
    request = await bot.ask("read")
    behind = await bot.backgrounds.of(request.id, by=DAN)
    assert behind.groups == ("leads", "owners")
    assert behind.people == (BEN.id, CLEO.id, DAN.id)
    assert [each.id for each in behind.earlier] == [before.id]
    with pytest.raises(NotAllowed):
        await bot.backgrounds.of(request.id, by=ANNA)
    with pytest.raises(NotFound):
        await bot.backgrounds.of(request.id, by=EVA)
    with pytest.raises(NotFound):
        await bot.backgrounds.of(RequestId("R-000000000000"), by=BEN)
