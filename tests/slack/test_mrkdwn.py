"""Text from people is shown as they typed it, and does nothing."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.identity import BOT, Actor, Kind, person
from bot.slack.mrkdwn import (
    SECTION_TEXT,
    code,
    mention,
    moment,
    packed,
    quotation,
    quoted,
    tidy,
    weight,
)
from tests.slack.looks import ATTACKS, must_be_safe, texts


@given(texts, st.integers(1, 50))
def test_tidied_text_is_one_visible_line_in_nfc_within_its_limit(text, limit):
    shown = tidy(text, limit)
    assert len(shown) <= limit
    assert shown == unicodedata.normalize("NFC", shown)
    assert shown.isprintable()
    assert shown == " ".join(shown.split())


@given(texts)
def test_tidying_twice_is_tidying_once(text):
    once = tidy(text, 10_000)
    assert tidy(once, 10_000) == once


@given(texts, st.integers(1, 200))
def test_quoted_text_keeps_to_its_limit_once_it_is_escaped(text, limit):
    shown = quoted(text, limit=limit)
    assert len(shown) <= limit
    must_be_safe(shown)


@given(texts)
def test_text_that_was_not_cut_can_be_read_back_but_for_format(text):
    shown = quoted(text, limit=100_000)
    read = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    twins = str.maketrans({"∗": "*", "∼": "~", "ˋ": "`", "ˍ": "_", "∶": ":", "›": ">"})  # noqa: RUF001 - the twins
    assert read.translate(twins) == tidy(text, 100_000).translate(twins)


def test_text_is_cut_between_whole_characters_and_says_so():
    assert tidy("abcdef", 4) == "abc…"
    assert quoted("&&&", limit=11) == "&amp;&amp;…"
    assert quoted("&&&", limit=10) == "&amp;…"
    assert tidy("ab👍🏽cd", 4) == "ab…"
    assert tidy("xe\u0323\u0302\u0315yz", 3) == "x…"


def test_a_flood_of_combining_marks_is_stemmed():
    assert len(tidy("e" + "\u0316" * 300, 500)) == 5


@pytest.mark.parametrize(
    "text", ["*bold*", "_it_", "~no~", "`code`", ":tada:", "> said", "```x```"]
)
def test_slacks_format_is_not_format_in_quoted_text(text):
    shown = quoted(text)
    assert not set("*~`") & set(shown)
    assert not shown.startswith(("&gt;", "_", ":"))
    assert not shown.endswith("_")


@pytest.mark.parametrize("text", ["deploy_prod_eu", "since 9:30:00", "a&b", "INC-12: it's"])
def test_ordinary_text_is_shown_as_it_is(text):
    assert quoted(text) == text.replace("&", "&amp;")


@pytest.mark.parametrize("text", ATTACKS)
def test_a_quotation_stays_on_its_quoted_line(text):
    said = quotation(text)
    assert said.count("\n") == (1 if said else 0)
    assert not said or said.startswith("\n> ")


def test_code_cannot_be_left():
    assert code("a`b") == "`a\u02cbb`"
    assert code("\u200b") == "`-`"


def test_only_people_are_mentioned():
    assert mention(person("U0ANNA", home="T0DEMO")) == "<@U0ANNA>"
    assert mention(Actor(Kind.MACHINE, "billing-api")) == "`billing-api`"
    assert mention(BOT) == "the bot"
    assert "<@" not in mention(person("U1> <!channel", home="T0DEMO"))


def test_a_moment_is_shown_in_the_readers_time_with_a_fallback():
    at = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    told = f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|2026-03-01 09:05 UTC>"
    assert moment(at) == told


@given(st.lists(st.text(min_size=1, max_size=900), max_size=60), st.integers(0, 20_000))
def test_packed_lines_keep_their_order_room_and_count(lines, room):
    blocks, hidden = packed(lines, room=room, blocks=10)
    shown = lines[: len(lines) - hidden]
    assert "\n".join(shown) == "\n".join(block["text"]["text"] for block in blocks)
    assert all(len(block["text"]["text"]) <= SECTION_TEXT for block in blocks)
    assert len(blocks) <= 10
    assert not blocks or weight(blocks) <= room + 2
