"""The grammar of /jit away, and of what Slack makes of names."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Invalid
from bot.slack import commands as c
from bot.slack.away_commands import Absences, ComeBack, GoAway, read_user
from bot.usecases.wishes import Wish

BEN = "<@U0BEN|ben>"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("away", Absences()),
        ("AWAY list", Absences()),
        (f"away until FRIDAY --to {BEN}", GoAway("", "FRIDAY", BEN)),
        (f"away --to {BEN} until friday", GoAway("", "friday", BEN)),
        (f"away until friday \u2014to={BEN}", GoAway("", "friday", BEN)),
        (f"away until friday to {BEN}", GoAway("", "friday", BEN)),
        (f"away until friday {BEN}", GoAway("", "friday", BEN)),
        ("away until friday --to @ben", GoAway("", "friday", "@ben")),
        ("away until friday --to ben", GoAway("", "friday", "ben")),
        ("away from monday until friday 14:00", GoAway("monday", "friday 14:00", "")),
        ("away from 2026-12-24 9:00 until 3d", GoAway("2026-12-24 9:00", "3d", "")),
        ("away for 2h", GoAway("", "2h", "")),
        ("away off", ComeBack("")),
        (f"away off {BEN}", ComeBack(BEN)),
        (f"away off --to {BEN}", ComeBack(BEN)),
        ("away off @ben", ComeBack("@ben")),
        ("away off ben", ComeBack("ben")),
        ("away friday", c.Unknown("away friday", "away until FRIDAY --to @WHO")),
        (f"away {BEN}", c.Unknown("away @ben", "away until FRIDAY --to @WHO")),
        ("awy", c.Unknown("awy", "away")),
    ],
)
def test_what_each_command_means(typed, meant):
    assert c.read_command(typed) == meant


def test_who_stands_in_must_be_named_after_to():
    with pytest.raises(Invalid, match="say who stands in for you") as problem:
        c.read_command("away until friday --to")
    assert problem.value.field == "stand_in"


@pytest.mark.parametrize(
    ("text", "user"),
    [
        (BEN, "U0BEN"),
        ("<@W0BEN>", "W0BEN"),
        ("U0BEN0001", "U0BEN0001"),
        ("@ben", None),
        ("ben", None),
        ("<#C0GENERAL|general>", None),
        ("<!subteam^S0SRE>", None),
        ("<@U0BEN|ben> and more", None),
        ("", None),
    ],
)
def test_only_an_id_is_somebody(text, user):
    assert read_user(text) == user


def test_names_channels_and_links_are_read_as_they_were_typed():
    typed = "request logs see <https://x.example/a?b=1&amp;c|x> with <@U0BEN|ben> in <#C1|ops>"
    wish = Wish(bundle="logs", reason="see https://x.example/a?b=1&c with @ben in #ops")
    assert c.read_command(typed) == c.Ask(wish)
    assert c.as_typed("a &lt;b&gt; &amp;lt; c") == "a <b> &lt; c"


@given(st.text(max_size=80))
def test_whatever_follows_away_is_read_or_refused(text):
    with contextlib.suppress(Invalid):
        c.read_command(f"away {text}")
