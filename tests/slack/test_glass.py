"""What Slack shows of break-glass: loud, safe, and with buttons only while they work."""

from dataclasses import replace
from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core import events as e
from bot.core.emergency import Unreachable
from bot.core.errors import Invalid, NotFound
from bot.core.identity import BOT
from bot.core.lifecycle import decide, opened
from bot.core.moves import RaiseConcern, SignOff
from bot.core.policy import Stage
from bot.core.request import Request, evolve
from bot.slack.answers import list_text, status_text
from bot.slack.buttons import Action, button_value
from bot.slack.cards import request_card
from bot.slack.direct import outcome_dm, warning_dm
from bot.slack.glass import in_short
from bot.slack.glass_forms import (
    concern_form,
    glass_form,
    read_concern_form,
    read_glass_form,
    read_sign_off_form,
    sign_off_form,
)
from bot.slack.glass_notices import glass_notices, untold_line
from bot.slack.lines import LINE_TEXT, thread_line
from bot.usecases.emergencies import Prospect
from bot.usecases.ports import Story
from bot.usecases.wishes import Wish
from tests.core.test_lifecycle import T0, case
from tests.core.test_review import BROKEN, CLEO, EMERGENCY
from tests.slack.looks import (
    CARD,
    asks,
    buttons,
    must_fit,
    parts,
    texts,
    view_must_fit,
)
from tests.slack.policies import a_bundle, a_policy
from tests.usecases.bots import GLASS

thorough = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
channels = st.lists(st.sampled_from(["#incidents", "C0ALARM", "#" + "x" * 80]), min_size=1)
emergencies = st.builds(
    lambda notify, problems, groups: replace(
        EMERGENCY,
        notify=tuple(notify),
        unreachable=tuple(Unreachable("#incidents", each) for each in problems),
        skipped=EMERGENCY.skipped * groups,
    ),
    channels.map(lambda found: found * 5),
    st.lists(texts, max_size=9),
    st.integers(0, 3),
)
comments = texts.filter(lambda text: text.strip()).map(lambda text: text[:500])


def facts_of(first: e.Requested, said: list[str], *, signed: bool):
    """Return the facts of a broken glass, its timers, these concerns, and perhaps a sign-off."""
    common = {"request": first.request, "at": first.at}
    yield from opened(first, settled=e.GlassBroken, case=case(0))
    yield e.ReviewReminded(**common, by=BOT)
    for text in said:
        yield e.Concerned(**common, by=CLEO, comment=text)
    yield e.ReviewOverdue(**common, by=BOT)
    if signed:
        yield e.Reviewed(**common, by=CLEO, comment=said[0] if said else "fine")


def story_of(facts):
    facts = tuple(facts)
    request = reduce(evolve, facts[1:], Request(asked=facts[0]))
    return Story(request=request, history=facts, token=None, now=T0)


@thorough
@given(asks, emergencies, st.lists(comments, max_size=5), st.booleans())
def test_slack_takes_all_that_is_shown_and_nothing_in_it_is_what_people_made(
    first, emergency, said, signed
):
    asked = replace(first, emergency=emergency, stages=())
    story = story_of(facts_of(asked, said, signed=signed))
    request = story.request
    for fact in story.history:
        for shown in (thread_line(fact, request), outcome_dm(fact, request)):
            if shown is not None:
                must_fit(shown)
        line = thread_line(fact, request)
        assert line is None or len(line.text) <= LINE_TEXT
    for shown in (request_card(request), status_text(request), list_text([request] * 20)):
        must_fit(shown)
    must_fit(warning_dm(request))
    for card in (CARD, ""):
        for notice in glass_notices(story, card):
            must_fit(notice.shown)
    for problem in emergency.unreachable:
        must_fit(untold_line(problem.why))
    view_must_fit(sign_off_form(request))
    view_must_fit(concern_form(request))


@thorough
@given(asks, emergencies)
def test_a_denied_one_is_shown_safely_too(first, emergency):
    asked = replace(first, emergency=emergency, stages=())
    story = story_of(opened(asked, settled=e.Denied, case=case(0)))
    must_fit(request_card(story.request))
    assert not list(glass_notices(story, CARD))
    assert buttons(request_card(story.request)) == []


@given(texts, texts, emergencies)
def test_the_form_fits_whatever_was_typed(reason, title, emergency):
    bundle = a_bundle("logs", title=title[:75], glass=GLASS)
    wish = Wish(bundle="logs", reason=reason, ticket=reason)
    view_must_fit(glass_form(Prospect(bundle=bundle, emergency=emergency), wish))


def story(*more):
    return story_of((*opened(BROKEN.asked, settled=e.GlassBroken, case=case(0)), *more))


HOUR = timedelta(hours=1)
LEAD = Stage(name="lead", approvers=EMERGENCY.skipped)
COMMON = {"request": BROKEN.id, "at": T0}
DONE = e.Reviewed(**COMMON, by=CLEO, comment="fine")
OVERDUE = e.ReviewOverdue(**COMMON, by=BOT)


def read(shown):
    return "\n".join(parts(shown.blocks, "mrkdwn"))


def test_card_and_alarm_have_the_buttons_of_the_review_until_it_is_done():
    for more, has in (((), True), ((OVERDUE,), True), ((DONE,), False)):
        told = story(*more)
        [alarm] = [each for each in glass_notices(told, CARD) if each.name == "glass:0"]
        for shown in (request_card(told.request), alarm.shown):
            found = {Action.SIGN_OFF, Action.CONCERN} & set(buttons(shown))
            assert bool(found) == has
            assert "BREAK-GLASS" in shown.text
            assert "BREAK-GLASS" in read(shown)


def test_the_alarm_goes_to_each_channel_but_the_cards_own():
    asked = replace(
        BROKEN.asked, emergency=replace(EMERGENCY, notify=("#access", "#incidents", "#general"))
    )
    told = story_of(opened(asked, settled=e.GlassBroken, case=case(0)))
    assert asked.channel == "#access"
    assert [each.channel for each in glass_notices(told, CARD)] == ["#incidents", "#general"]


def test_a_reminder_is_not_posted_any_more_once_it_is_signed_off():
    told = story(e.ReviewReminded(**COMMON, by=BOT), OVERDUE)
    assert [each.is_over for each in glass_notices(told, CARD)] == [False, False, False]
    told = story(e.ReviewReminded(**COMMON, by=BOT), DONE)
    assert [each.is_over for each in glass_notices(told, CARD)] == [False, True]


def test_the_thread_calls_those_who_were_skipped_and_those_who_review():
    told = story()
    broken = thread_line(told.history[1], told.request)
    for user in ("U_BEN", "U_CLEO", "U_DAVE"):
        assert f"<@{user}>" in read(broken) or f"`{user}`" in read(broken)
    assert "U_ANNA" not in read(broken).rpartition("👉")[2]
    told = story(DONE)
    assert "👉" not in read(thread_line(told.history[1], told.request))


def test_its_reminder_offers_to_ask_again_and_no_more_time():
    request = story().request
    for fact in (e.Warned(**COMMON, by=BOT),):
        request = evolve(request, fact)
    assert buttons(warning_dm(request)) == [Action.ASK_AGAIN, Action.END_NOW]


def test_only_who_has_a_glass_is_told_of_one():
    assert in_short(a_bundle("logs")) == ""
    assert "/jit break-glass logs" in in_short(a_bundle("logs", glass=GLASS))


def test_a_pending_request_offers_break_glass_only_where_there_is_one():
    for has_glass in (True, False):
        asked = replace(
            BROKEN.asked, emergency=None, has_glass=has_glass, stages=(LEAD,), deadline=T0 + HOUR
        )
        shown = outcome_dm(asked, Request(asked=asked))
        assert (Action.BREAK_GLASS in buttons(shown)) == has_glass


def entered(view, **values):
    """Return `view` as Slack sends it, with `values` (by block) in its state."""
    state = {block: {"x": value} for block, value in values.items()}
    return {**view, "state": {"values": state}}


def test_what_the_forms_say_is_what_is_read():
    request = BROKEN
    said = {"value": "looks right"}
    assert read_sign_off_form(entered(sign_off_form(request), reason=said)) == (
        request.id,
        SignOff("looks right"),
    )
    ends = {"selected_options": [{"value": "ends"}]}
    assert read_concern_form(entered(concern_form(request), reason=said, ends=ends)) == (
        request.id,
        RaiseConcern("looks right", ends=True),
    )
    none = {"selected_options": []}
    for view in (
        entered(concern_form(request), reason=said, ends=none),
        entered(concern_form(request), reason=said),
    ):
        assert read_concern_form(view)[1] == RaiseConcern("looks right")
    with pytest.raises(Invalid):
        read_sign_off_form(entered(sign_off_form(request), reason={"value": " "}))
    with pytest.raises(NotFound):
        read_sign_off_form(entered({"private_metadata": "x"}, reason=said))
    assert button_value(request) == sign_off_form(request)["private_metadata"]


def test_the_concern_can_end_only_what_works():
    ended = reduce(
        evolve, decide(BROKEN, RaiseConcern("x", ends=True), by=CLEO, case=case(1, CLEO)), BROKEN
    )
    for request, can_end in ((BROKEN, True), (ended, False)):
        blocks = [block.get("block_id") for block in concern_form(request)["blocks"]]
        assert ("ends" in blocks) == can_end


def test_a_form_for_a_bundle_that_is_gone_is_read_all_the_same():
    view = {"private_metadata": "gone", "state": {"values": {"reason": {"r": {"value": "why"}}}}}
    assert read_glass_form(view, a_policy()) == Wish(bundle="gone", reason="why")
