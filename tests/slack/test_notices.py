"""Notices and calls: what other channels read, and who is called when."""

from datetime import timedelta

from hypothesis import given, settings

from bot.core import events as e
from bot.core.identity import BOT
from bot.core.policy import Escalation, Group, Share, Stage
from bot.slack.cards import request_card
from bot.slack.lines import thread_line
from bot.slack.notices import notices
from bot.usecases.ports import Story
from tests.builders import BEN, CLEO, LEADS, REQUEST, T0, a_request
from tests.core.test_lifecycle import play
from tests.slack.looks import CARD, asks, must_fit, parts, steps

TEAM = Group(name="team", usergroup="S0TEAM")
AFTER = timedelta(minutes=5)
PEERS = Stage(
    name="peers",
    approvers=(LEADS, TEAM),
    quorum=2,
    at_least=(Share("team", 1),),
    channel="#peers",
    escalate=(Escalation(after=AFTER, notify=("#alarm", "C0ALARM")),),
)
LAST = Stage(name="last", approvers=(TEAM,), channel="#last")
VOTED = e.Voted(request=REQUEST, at=T0, by=BEN, stage=0, groups=("leads",))
SECOND = e.Voted(request=REQUEST, at=T0, by=CLEO, stage=0, groups=("team",))
PASSED = e.StagePassed(request=REQUEST, at=T0, by=CLEO, stage=0)
REMINDED = e.Reminded(request=REQUEST, at=T0, by=BOT, stage=0, number=0, people=(CLEO.id,))
ESCALATED = e.Escalated(request=REQUEST, at=T0, by=BOT, stage=0, number=0)


def told(*events, stages=(PEERS, LAST)):
    request = a_request(*events, stages=stages)
    story = Story(request=request, history=(request.asked, *events), token=None, now=T0)
    return list(notices(story, CARD))


def text(shown):
    return "\n".join(parts(shown.blocks, "mrkdwn"))


@settings(max_examples=50, deadline=None)
@given(asks, steps)
def test_every_notice_fits_and_says_only_what_we_say(first, script):
    played = play(first, script)
    story = Story(request=played.request, history=played.events, token=None, now=T0)
    for notice in notices(story, CARD):
        must_fit(notice.shown)


def test_a_stage_is_announced_in_its_channel_when_it_begins_and_calls_its_people():
    [notice] = told()
    assert notice.channel == "#peers"
    assert "👉 <!subteam^S0TEAM> <@UBEN> <@UCLEO>" in text(notice.shown)
    assert f"<{CARD}|Open the card>" in text(notice.shown)
    assert not notice.is_over
    peers, last = told(VOTED, SECOND, PASSED)
    assert peers.is_over
    assert "Stage `peers` is complete" in text(peers.shown)
    assert "👉 <!subteam^S0TEAM>" in text(last.shown)


def test_the_channel_of_the_card_gets_no_notice_besides():
    assert told(stages=(Stage(name="x", approvers=(LEADS,), channel="#access"),)) == []


def test_an_escalation_is_told_in_all_of_its_channels():
    _, *alarms = told(ESCALATED)
    assert [alarm.channel for alarm in alarms] == ["#alarm", "C0ALARM"]
    assert all("Stage `peers` has waited for 5m" in text(alarm.shown) for alarm in alarms)


def test_the_thread_calls_whose_yes_is_waited_for_as_long_as_it_is():
    asked = a_request(stages=(PEERS, LAST))
    assert "👉 <!subteam^S0TEAM> <@UBEN> <@UCLEO>" in text(thread_line(asked.asked, asked))
    later = a_request(VOTED, stages=(PEERS, LAST))
    assert text(thread_line(later.asked, later)).endswith("👉 <!subteam^S0TEAM>")
    assert text(thread_line(REMINDED, later)).endswith("👉 <@UCLEO>")
    passed = a_request(VOTED, SECOND, PASSED, stages=(PEERS, LAST))
    assert "👉" not in text(thread_line(REMINDED, passed))
    assert text(thread_line(PASSED, passed)).endswith("👉 <!subteam^S0TEAM>")


def test_the_requester_is_not_called():
    lone = Stage(name="x", approvers=(Group(name="g", users=frozenset({"UANNA", "UBEN"})),))
    asked = a_request(stages=(lone,))
    assert text(thread_line(asked.asked, asked)).endswith("👉 <@UBEN>")


def test_a_crowd_is_called_as_far_as_there_is_room():
    crowd = Group(name="crowd", users=frozenset(f"U{number:08}" for number in range(500)))
    asked = a_request(stages=(Stage(name="x", approvers=(crowd,)),))
    line = thread_line(asked.asked, asked)
    assert len(text(line)) < 800
    assert " more" in text(line)


def test_the_card_says_what_is_still_missing():
    shown = text(request_card(a_request(stages=(PEERS, LAST))))
    assert "2 approvals: 1 from `team`, 1 from `leads` or `team`" in shown
    assert "0 of 2 from `leads` or `team`, 1 of `team` at least" in shown
    shown = text(request_card(a_request(VOTED, stages=(PEERS, LAST))))
    assert "1 more approval from `team`" in shown
