"""Where in a file a character of a text stands: plain, in quotes, or in a block.

However YAML folds lines and cuts blanks, every character that is not blank comes in its order. So
the place of one is found by counting those before it, in the value and in the file alike.
Source: YAML 1.2.2, sections 7.3 and 8.1.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

# YAML 1.2.2, section 5.7: escapes in double quotes with a code, and how long that is.
_CODES: Final = {"x": 2, "u": 4, "U": 8}
# Escapes that stand for blanks; a backslash before the end of a line stands for nothing.
_BLANK_ESCAPES: Final = frozenset("abtnvfre \tNLP_0")
_BLOCK: Final = re.compile(r"[|>][0-9+-]*\s*(?:#.*)?")


def place_inside(
    lines: Sequence[str], begin: tuple[int, int], value: str, place: tuple[int, int]
) -> tuple[int, int]:
    """Return line and column in the file of a place in a text; all count from 1.

    Args:
        lines: The file.
        begin: Where the text begins in it: at its quote, or at the sign of its block.
        value: What the text says.
        place: Line and column in `value`; what is blank, or its end, is taken for what follows
            the character before.
    """
    rows = value.split("\n")
    before = "".join(rows[: place[0] - 1]) + rows[place[0] - 1][: place[1] - 1]
    rest = rows[place[0] - 1][place[1] - 1 :]
    nth = sum(not character.isspace() for character in before)
    follows = not rest or rest[0].isspace()
    last = begin
    for number, found in enumerate(_characters(lines, *begin)):
        if number == nth and not follows:
            return found
        if number == nth - 1 and follows:
            return found[0], found[1] + 1
        last = found
    return last


def _characters(lines: Sequence[str], line: int, column: int) -> Iterator[tuple[int, int]]:
    """Yield line and column of each character of the text that is not blank."""
    first = lines[line - 1][column - 1 :]
    style = first[:1]
    if style in ("|", ">") and _BLOCK.fullmatch(first):
        line, column = line + 1, 1
    elif style in ("'", '"'):
        column += 1
    for row in range(line, len(lines) + 1):
        text = lines[row - 1]
        at = column - 1 if row == line else 0
        while at < len(text):
            length, is_seen = _next(text, at, style)
            if is_seen:
                yield row, at + 1
            at += length


def _next(text: str, at: int, style: str) -> tuple[int, bool]:
    """Return how long the character at `at` is in the file, and whether it is not blank."""
    if style == "'" and text.startswith("''", at):
        return 2, True
    if style == '"' and text[at] == "\\":
        kind = text[at + 1 : at + 2]
        code = text[at + 2 : at + 2 + _CODES[kind]] if kind in _CODES else ""
        character = chr(int(code, 16)) if code else kind
        blank = kind in _BLANK_ESCAPES or not kind or character.isspace()
        return 2 + len(code), not blank
    return 1, not text[at].isspace()
