"""What people read when a changed policy puts a request on another way."""

from dataclasses import replace
from datetime import timedelta

from bot.core import events as e
from bot.core.identity import BOT, person
from bot.core.policy import Group, Share, Stage
from bot.core.request import replay
from bot.core.votes import Vote
from bot.slack.cards import request_card
from bot.slack.direct import outcome_dm
from bot.slack.lines import LINE_TEXT, thread_line
from bot.slack.mrkdwn import SECTION_TEXT
from bot.slack.notices import notices
from bot.slack.ways import views
from bot.usecases.ports import Story
from tests.builders import ANNA, BEN, CLEO, LEADS, REQUEST, T0, requested

GUARD = Stage(
    name="guard",
    approvers=(Group(name="security", usergroup="S0SEC"),),
    quorum=2,
    channel="#guards",
)
LEAD = Stage(name="lead", approvers=(LEADS,))
OWED = e.Owed(digest="d" * 64, rule="by-leads", stages=(LEAD,))
MINUTE = timedelta(minutes=1)


def rerouted(**over):
    plain = {
        "request": REQUEST,
        "at": T0 + MINUTE,
        "by": BOT,
        "rule": "by-guards",
        "reasons": ("rule by-guards says require",),
        "digest": "e" * 64,
        "slice": "e" * 64,
        "stages": (GUARD,),
        "deadline": T0 + timedelta(hours=1),
        "what": ("2 must approve, not 1",),
        "owed": (OWED,),
    }
    return e.Rerouted(**{**plain, **over})


def vote(by, stage=0):
    return Vote(by=by, stage=stage, groups=("security",))


VOTED = e.Voted(request=REQUEST, at=T0, by=BEN, stage=0, groups=("leads",))
PASSED = e.StagePassed(request=REQUEST, at=T0, by=BEN, stage=0)


def story(*facts):
    history = (requested(stages=(replace(LEAD, channel="#leads"),)), *facts)
    return Story(request=replay(history), history=history, token=None, now=T0 + MINUTE, found={})


def told(told_of):
    assert told_of is not None
    return "\n".join([told_of.text, *(block["text"]["text"] for block in told_of.blocks)])


def test_the_thread_says_what_is_different_what_counts_and_whom_it_waits_for():
    event = rerouted(votes=(vote(BEN),), spare=(vote(CLEO),))
    line = told(thread_line(event, story(event).request))
    for part in (
        "🔀 *Today's policy asks for more*",
        "2 must approve, not 1",
        f"Of before the approval of <@{BEN.id}> counts",
        f"Of before the approval of <@{CLEO.id}> does not count in it",
        "and what rule `by-leads` asked for before: 1 of `leads`",
        "👉 <!subteam^S0SEC>",
    ):
        assert part in line


def test_however_much_changes_the_line_keeps_to_slacks_limits():
    crowd = [person(f"U{number:09}", home="T0") for number in range(50)]
    groups = [Group(name=f"{'g' * 60}{number}") for number in range(9)]
    many = Stage(name="s" * 63, approvers=tuple(groups), quorum=9)
    shares = tuple(Share(group.name, 1) for group in groups)
    owed = replace(OWED, rule="r" * 63, stages=(replace(many, at_least=shares),) * 10)
    event = rerouted(
        what=tuple(f"{'w' * 60} {number}" for number in range(30)),
        votes=tuple(map(vote, crowd)),
        spare=tuple(map(vote, crowd)),
        stages=(many,),
        owed=(owed,) * 3,
    )
    request = story(event).request
    line = thread_line(event, request)
    assert line is not None
    assert len(line.text) <= LINE_TEXT
    assert len(line.blocks[0]["text"]["text"]) <= SECTION_TEXT
    assert outcome_dm(event, request) is not None
    assert request_card(request).blocks


def test_what_happened_on_the_way_before_is_told_in_its_own_stages_and_calls_nobody():
    before, event = VOTED, rerouted(votes=(replace(vote(BEN), stage=0),))
    found = story(before, event)
    (asked, calls), (voted, still), (now, goes_on) = views(found.history, found.request)
    assert (calls, still, goes_on) == (False, False, True)
    assert [stage.name for stage in asked.asked.stages] == ["lead"]
    assert "(1 of 1 for `lead`)" in told(thread_line(before, voted, calls=False))
    assert "👉" not in told(thread_line(found.history[0], asked, calls=False))
    assert now is found.request


def test_a_notice_of_a_way_that_was_left_says_so_and_the_new_one_calls():
    found = story(rerouted())
    first, second = notices(found, "https://card.example")
    assert (first.name, first.channel, first.is_over) == ("stage:0", "#leads", True)
    assert "this goes another way" in told(first.shown)
    assert (second.name, second.channel, second.is_over) == ("way:1:stage:0", "#guards", False)
    assert "<!subteam^S0SEC>" in told(second.shown)


def test_a_notice_of_a_chain_that_is_complete_says_that():
    done = e.StagePassed(request=REQUEST, at=T0 + MINUTE, by=BEN, stage=0)
    goes_on = e.ChainPassed(request=REQUEST, at=T0 + MINUTE, by=BEN)
    found = story(rerouted(), done, goes_on)
    _, second = notices(found, "https://card.example")
    assert "Stage `guard` is complete" in told(second.shown)
    assert "what was asked for before goes on" in told(thread_line(goes_on, found.request))
    assert [stage.name for stage in found.request.asked.stages] == ["lead"]


def test_the_requester_reads_that_they_need_not_ask_again():
    event = rerouted(votes=(vote(BEN),))
    dm = told(outcome_dm(event, story(event).request))
    assert "Today's policy asks for more" in dm
    assert "1 approval of before counts" in dm
    assert "2 approvals from `security`" in dm or "1 more approval from `security`" in dm
    assert "You need not ask again" in dm


def test_the_card_says_what_is_owed_as_well():
    text = "\n".join(
        block["text"]["text"]
        for block in request_card(story(rerouted()).request).blocks
        if block["type"] == "section"
    )
    assert "and what rule `by-leads` asked for before: 1 of `leads`" in text
    assert ANNA.id in text
