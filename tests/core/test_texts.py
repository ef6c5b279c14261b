import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Invalid
from bot.core.texts import LONGEST_REASON, LONGEST_TICKET, reason_of, ticket_of, tidy

anything = st.text(st.characters(), max_size=60)  # lone surrogates too


@given(anything)
def test_a_tidy_text_can_be_stored_and_holds_nothing_unseen(text: str) -> None:
    tidied = tidy(text)
    tidied.encode("utf-8")
    assert unicodedata.is_normalized("NFC", tidied)
    kinds = {unicodedata.category(each) for each in tidied.replace("\n", "")}
    assert not kinds & {"Cc", "Cf", "Cs"}
    assert tidied == tidied.strip()


@given(anything)
def test_tidying_twice_changes_nothing(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@given(st.text(st.characters(categories=["Ll", "Lu", "Nd", "Po"]), min_size=1, max_size=60))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert tidy(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ("a\u202eb\u2066c", "abc"),
        ("a\u200bb\u200db\ufeffc\u00ad", "abbc"),
        ("a\x00b\x1bc\x7f", "abc"),
        ("\ud800a\udfff", "a"),
        ("one\r\ntwo\u2028three\x0bfour", "one\ntwo\nthree\nfour"),
        ("a\tb", "a b"),
        ("e\u0301", "\u00e9"),
        ("z" + "\u0336" * 50, "z" + "\u0336" * 4),
        ("\u200b \n\u202e", ""),
        ("日本語 😀 ünïcödé", "日本語 😀 ünïcödé"),
    ],
)
def test_what_becomes_of_a_text(written: str, tidied: str) -> None:
    assert tidy(written) == tidied


def test_a_reason_has_its_limits() -> None:
    assert reason_of("") == ""
    assert reason_of("x" * LONGEST_REASON + "\u200b") == "x" * LONGEST_REASON
    for text, least in (("x" * (LONGEST_REASON + 1), 0), ("", 1), ("\u200b", 1), ("abc", 4)):
        with pytest.raises(Invalid) as caught:
            reason_of(text, least=least)
        assert caught.value.field == "reason"


def test_a_ticket_is_one_line() -> None:
    assert ticket_of(" INC-1 \n x ") == "INC-1 x"
    with pytest.raises(Invalid) as caught:
        ticket_of("x" * (LONGEST_TICKET + 1))
    assert caught.value.field == "ticket"
