"""What is shown of who is away, and that it fits whatever Slack says."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import events as e
from bot.core.absence import Absence
from bot.core.identity import Actor, absence_id, person
from bot.sandbox.limits import check_message, check_view
from bot.slack import words
from bot.slack.away import missing_lines, missing_on
from bot.slack.away_commands import GoAway
from bot.slack.away_forms import away_form, declared_text, overview_text, withdrawn_text
from bot.slack.cards import request_card
from bot.slack.lines import thread_line
from bot.usecases.absences import Overview
from bot.usecases.ports import Missing
from tests.builders import ANNA, BEN, CLEO, REQUEST, T0, TEAM, a_request

DAN = person("UDAN", home=TEAM)


def away(who: Actor, stand_in: Actor | None = None) -> Absence:
    until = T0 + timedelta(days=1)
    id_ = absence_id(f"{who.id} {stand_in}")
    return Absence(id=id_, who=who, stand_in=stand_in, since=T0, until=until)


def said(*absences: Absence, lends: bool = True, **options) -> list[str]:
    lines = missing_lines(Missing(away=absences, lends=lends), requester=ANNA, **options)
    return [line.rpartition("; ")[2] for line in lines]


@pytest.mark.parametrize(
    ("stand_in", "options", "instead"),
    [
        (None, {}, "nobody stands in"),
        (CLEO, {}, "<@UCLEO> stands in"),
        (CLEO, {"lends": False}, "nobody can stand in here"),
        (ANNA, {}, "<@UANNA> cannot stand in here, as it is their own request"),
        (CLEO, {"counted": frozenset({"UCLEO"})}, "<@UCLEO> would stand in, and cannot"),
    ],
)
def test_a_line_says_who_can_act_instead(stand_in, options, instead):
    assert said(away(BEN, stand_in), **options) == [instead]


def test_who_stands_in_and_is_away_too_cannot():
    assert said(away(BEN, CLEO), away(CLEO)) == [
        "<@UCLEO> would stand in, and cannot",
        "nobody stands in",
    ]


def test_of_many_some_are_told_and_the_others_counted():
    many = [away(person(f"U{number}", home=TEAM)) for number in range(7)]
    lines = list(missing_on(a_request(), Missing(away=tuple(many))))
    assert len(lines) == 5
    assert lines[-1] == "🌴 3 more are away"


def test_whoever_is_away_is_not_called_and_who_stands_in_is():
    request = a_request()
    assert words.called(request) == "<@UBEN> <@UCLEO>"
    lent = Missing(away=(away(BEN, DAN),))
    assert words.called(request, missing=lent) == "<@UCLEO> <@UDAN>"
    assert words.called(request, missing=replace(lent, lends=False)) == "<@UCLEO>"
    assert words.called(request, missing=Missing(away=(away(BEN, ANNA),))) == "<@UCLEO>"


def test_a_vote_for_somebody_names_both():
    voted = e.Voted(request=REQUEST, at=T0, by=DAN, stage=0, groups=("leads",), on_behalf_of=BEN)
    request = a_request(voted)
    assert words.approved_by(request, 0) == "<@UDAN> for <@UBEN>"
    line = thread_line(voted, request)
    assert line is not None
    assert line.text.startswith("👍 <@UDAN> for <@UBEN> approved")


def test_an_absence_is_no_line_of_a_request():
    times = {"since": T0, "until": T0 + timedelta(days=1)}
    declared = e.AbsenceDeclared(request=absence_id("x"), at=T0, by=BEN, stand_in=None, **times)
    assert thread_line(declared, a_request()) is None


def test_whatever_is_shown_fits():
    many = tuple(away(person(f"U{number:030}", home=TEAM), CLEO) for number in range(300))
    for shown in (
        overview_text(Overview(mine=many[:10], lent=many)),
        overview_text(Overview(mine=(), lent=())),
        declared_text(many[0], many),
        request_card(a_request(), missing=Missing(away=many)),
    ):
        check_message(shown.text, shown.blocks, longest=4000)
    assert len(withdrawn_text(many)) < 3000
    check_view(away_form(GoAway("x" * 500, "y" * 500, "<@U0BEN>"), note="z" * 500))
    check_view(away_form(GoAway("", "", "")))
