"""Where a character of a text stands in a file, however the text is written."""

from textwrap import dedent

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.policy_files.inside import place_inside


@pytest.mark.parametrize(
    "text",
    [
        "key: a b @c d",
        "key:   'it''s @here'",
        r'key: "say \"é\u00e9\t\x41 \" @now"',
        "key: |\n    first\n\n      @second\n",
        "key: >-  # folded\n  first\n  second\n\n  @third\n",
        "key: plain and\n  folded @here\n  and on",
        "key: 'quoted and\n\n  folded''s @here'",
        'key: "with a \\\n   break @here"',
        "key: |2\n    two more @here\n",
    ],
)
def test_a_mark_is_found(text):
    value = yaml.safe_load(text)["key"]
    row = next(number for number, line in enumerate(value.split("\n")) if "@" in line)
    place = (row + 1, value.split("\n")[row].index("@") + 1)
    lines = text.split("\n")
    there = next(number for number, line in enumerate(lines) if "@" in line)
    begin = (1, len(lines[0]) - len(lines[0][5:].lstrip()) + 1)
    assert place_inside(lines, begin, value, place) == (there + 1, lines[there].index("@") + 1)


def test_what_is_missing_at_the_end_stands_behind_the_last_character():
    assert place_inside(["k: 'a b'"], (1, 4), "a b", (1, 4)) == (1, 8)


def test_what_is_missing_in_a_block_stands_behind_its_last_character():
    lines = dedent("""\
        k: |
          a &&

        x: 1""").split("\n")
    assert place_inside(lines, (1, 4), "a &&\n", (2, 1)) == (2, 7)


@given(st.text("ab'\"\\ \t\né:#|>-", min_size=1, max_size=30), st.sampled_from("'\"|>"))
def test_every_character_that_is_seen_is_found_in_what_yaml_writes(text, style):
    written = yaml.dump({"k": text}, default_style=style, allow_unicode=True, width=12)
    mark = next(
        event.start_mark
        for event in yaml.parse(written)
        if isinstance(event, yaml.ScalarEvent) and event.value == text and event.start_mark.column
    )
    lines = written.split("\n")
    rows = text.split("\n")
    for row, line in enumerate(rows):
        for column, character in enumerate(line):
            if character.isspace():
                continue
            at = place_inside(lines, (mark.line + 1, mark.column + 1), text, (row + 1, column + 1))
            assert lines[at[0] - 1][at[1] - 1] in (character, "\\")
