"""Texts that people wrote, made fit to be kept and shown; the only way into an event."""

import unicodedata
from collections.abc import Iterator
from typing import Final

from bot.core.errors import Invalid

LONGEST_REASON: Final = 500  # characters
LONGEST_TICKET: Final = 100  # characters

# Control, format (bidi overrides, zero width), surrogate, private and unassigned characters: they
# cannot be seen, and change how the text around them is read. Source: Unicode Standard Annex 44,
# table 12.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# They show nothing, though their category does not say so (Unicode: Default_Ignorable_Code_Point).
_INVISIBLE: Final = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
    | {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)
# No script needs more marks on one letter; a flood of them covers the lines above and below.
_MARKS_AT_MOST: Final = 4


def tidy(text: str) -> str:
    """Return `text` in Unicode NFC, without characters that are not seen; line breaks stay."""
    if text.isascii() and text.isprintable():
        return text.strip()  # most texts
    lines = ("".join(_seen(line)) for line in text.splitlines())
    return "\n".join("".join(_marked(line)) for line in lines).strip()


def _seen(line: str) -> Iterator[str]:
    for character in line:
        if character.isspace():
            yield " "
        elif unicodedata.category(character) not in _UNSEEN and ord(character) not in _INVISIBLE:
            yield character


def _marked(line: str) -> Iterator[str]:
    marks = 0
    for character in unicodedata.normalize("NFC", line):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MARKS_AT_MOST:
            yield character


def reason_of(text: str, *, least: int = 0) -> str:
    """Return the reason that somebody wrote.

    Args:
        least: Characters that it must have.

    Raises:
        Invalid: It is shorter than that, or longer than LONGEST_REASON.
    """
    reason = tidy(text)
    if len(reason) < least:
        characters = "character" if least == 1 else "characters"
        raise Invalid(f"say why in at least {least} {characters}", field="reason")
    if len(reason) > LONGEST_REASON:
        raise Invalid(
            f"the reason has {len(reason)} characters, and {LONGEST_REASON} is the most",
            field="reason",
        )
    return reason


def ticket_of(text: str) -> str:
    """Return the ticket that somebody wrote, on one line.

    Raises:
        Invalid: It is longer than LONGEST_TICKET.
    """
    ticket = " ".join(tidy(text).split())
    if len(ticket) > LONGEST_TICKET:
        raise Invalid(f"a ticket has {LONGEST_TICKET} characters at most", field="ticket")
    return ticket
