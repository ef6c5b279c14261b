"""Slack's limits, text that is safe to show, and the blocks that messages and forms are made of.

Text from people is tidied, escaped, and stripped of what Slack would read as format, so it can
neither mention, link, nor look like something that the bot says.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from bot.core import texts
from bot.core.identity import Actor, Kind

Block: TypeAlias = dict[str, Any]
View: TypeAlias = dict[str, Any]

# https://docs.slack.dev/reference/block-kit/blocks
MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100
SECTION_TEXT: Final = 3000
CONTEXT_ELEMENTS: Final = 10
# https://docs.slack.dev/reference/block-kit/block-elements/button-element
BUTTON_TEXT: Final = 75
ACCESSIBILITY_LABEL: Final = 75
# https://docs.slack.dev/reference/block-kit/composition-objects/option-object
OPTION_TEXT: Final = 75
OPTION_VALUE: Final = 150
OPTIONS: Final = 100
CHECKBOXES: Final = 10
# https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
CONFIRM_TITLE: Final = 100
CONFIRM_TEXT: Final = 300
CONFIRM_BUTTON: Final = 30
# https://docs.slack.dev/reference/views/modal-views
VIEW_WORDS: Final = 24
PLACEHOLDER: Final = 150
VIEW_WEIGHT: Final = 250_000
# https://docs.slack.dev/reference/methods/chat.update, error msg_too_long
MESSAGE_TEXT: Final = 4000
# All blocks of a message together, in bytes of JSON. Slack does not document it; `chat.postMessage`
# answers msg_blocks_too_long from about 13,200 on (slackapi/bolt-js issues 2509 and 2867).
MESSAGE_WEIGHT: Final = 12_000
# What a block costs besides its text.
BLOCK_WEIGHT: Final = 100

# Our own: how long a reason is kept, and how much room it gets once it is escaped.
REASON_TEXT: Final = 500
QUOTE_TEXT: Final = 1500
NAME_TEXT: Final = 150

_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
# Slack reads these as format wherever they stand; their twins look alike and mean nothing.
_LOOKALIKES: Final = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# ":tada:", but not the middle of 9:30:00.
_EMOJI: Final = re.compile(r":(?!\d\d:\d)(?=[\w+'-]+:)")
_USER: Final = re.compile(r"[UW][A-Z0-9]{1,30}", re.ASCII)
_USERGROUP: Final = re.compile(r"S[A-Z0-9]{1,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message: its blocks, and the one sentence that notifications and screen readers use."""

    text: str
    blocks: list[Block]


def tidy(text: str, limit: int) -> str:
    """Return `text` on one line, in NFC, without anything that cannot be seen.

    Args:
        limit: Characters at most; what is longer is cut between whole characters and ends in "…".
    """
    return _fitted(_on_one_line(text), limit)


def escape(text: str) -> str:
    """Return `text` with Slack's three control characters escaped.

    Source: https://docs.slack.dev/messaging/formatting-message-text, "Escaping text".
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quoted(text: str, *, limit: int = QUOTE_TEXT) -> str:
    """Return text from people as mrkdwn that says just that; "" if nothing can be seen of it.

    Args:
        limit: Characters of the result at most, escapes counted.
    """
    plain = _on_one_line(text).translate(_LOOKALIKES)
    plain = _EMOJI.sub("\u2236", _UNDERSCORE.sub("\u02cd", plain))
    if plain.startswith(">"):
        plain = "\u203a" + plain[1:]
    return _fitted(plain, limit, each=escape)


def quotation(text: str, *, limit: int = QUOTE_TEXT) -> str:
    """Return text from people as a quoted line of its own, "" if nothing can be seen of it."""
    said = quoted(text, limit=limit)
    return f"\n> {said}" if said else ""


def code(text: str, *, limit: int = NAME_TEXT) -> str:
    """Return `text` in code style, as mrkdwn; for names and scopes.

    Args:
        limit: Characters between the marks at most, escapes counted.
    """
    plain = _on_one_line(text).replace("`", "\u02cb") or "-"
    return f"`{_fitted(plain, limit, each=escape)}`"


def mention(who: Actor) -> str:
    """Return how `who` is called, as mrkdwn."""
    if who.kind is Kind.BOT:
        return "the bot"
    return mention_user(who.id) if who.kind is Kind.PERSON else code(who.id)


def mention_user(id_: str) -> str:
    """Return a mention of a person by Slack user id, as mrkdwn."""
    return f"<@{id_}>" if _USER.fullmatch(id_) else code(id_)


def mention_all(usergroup: str) -> str:
    """Return a mention of everybody in a Slack user group, as mrkdwn.

    Source: https://docs.slack.dev/messaging/formatting-message-text, "Mentioning groups".
    """
    return f"<!subteam^{usergroup}>" if _USERGROUP.fullmatch(usergroup) else code(usergroup)


def link(url: str, text: str) -> str:
    """Return a link of our own, as mrkdwn; `text` is ours too."""
    return f"<{escape(url)}|{text}>"


def moment(at: datetime) -> str:
    """Return a time that each reader sees in their own time zone, as mrkdwn.

    Source: https://docs.slack.dev/messaging/formatting-message-text, "Date formatting".
    """
    fallback = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{fallback}>"


def counted(number: int, word: str) -> str:
    """Return "1 scope", "2 scopes"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def weight(part: object) -> int:
    """Return what a part of a message counts towards MESSAGE_WEIGHT, in bytes."""
    return len(json.dumps(part, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _on_one_line(text: str) -> str:
    return " ".join(texts.tidy(text).split())


def _characters(text: str) -> list[str]:
    """Return what a reader calls characters: each with the marks that belong to it."""
    found: list[str] = []
    for point in text:
        belongs = unicodedata.category(point).startswith("M") or ord(point) in _SKIN_TONES
        if belongs and found:
            found[-1] += point
        else:
            found.append(point)
    return found


def _fitted(text: str, limit: int, *, each: Callable[[str], str] = str) -> str:
    """Return `each` of the characters of `text`, as many whole ones as fit."""
    whole = each(text)
    if len(whole) <= limit:
        return whole
    characters, left = [each(character) for character in _characters(text)], limit - 1
    for number, character in enumerate(characters):
        left -= len(character)
        if left < 0:
            return "".join(characters[:number]).rstrip() + "…"
    return "".join(characters)


def plain(text: str) -> Block:
    """Return a text object that nothing is parsed in."""
    return {"type": "plain_text", "text": text, "emoji": False}


def mrkdwn(text: str) -> Block:
    """Return a text object in which only our own marks count: nothing links by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def section(text: str) -> Block:
    """Return a block of mrkdwn; SECTION_TEXT characters at most."""
    return {"type": "section", "text": mrkdwn(text)}


def context(*texts: str) -> Block:
    """Return a block of small print; CONTEXT_ELEMENTS texts at most."""
    return {"type": "context", "elements": [mrkdwn(text) for text in texts]}


def actions(*buttons: Block) -> list[Block]:
    """Return a row of buttons, or nothing when there are none."""
    return [{"type": "actions", "elements": list(buttons)}] if buttons else []


def button(
    action: str,
    label: str,
    *,
    value: str,
    describes: str,
    style: str = "",
    asks: Mapping[str, Any] | None = None,
) -> Block:
    """Return a button.

    Args:
        value: Not secret, and never believed: it only says what was clicked.
        describes: What screen readers say.
        style: "primary", "danger" or "".
        asks: A confirmation that is asked for first.
    """
    made: Block = {
        "type": "button",
        "action_id": action,
        "text": plain(tidy(label, BUTTON_TEXT)),
        "value": value,
        "accessibility_label": tidy(describes, ACCESSIBILITY_LABEL),
    }
    if style:
        made["style"] = style
    if asks:
        made["confirm"] = dict(asks)
    return made


def confirm(title: str, text: str, *, yes: str, no: str) -> Block:
    """Return a question that is asked before a dangerous button does anything."""
    return {
        "title": plain(tidy(title, CONFIRM_TITLE)),
        "text": plain(tidy(text, CONFIRM_TEXT)),
        "confirm": plain(tidy(yes, CONFIRM_BUTTON)),
        "deny": plain(tidy(no, CONFIRM_BUTTON)),
        "style": "danger",
    }


def packed(lines: Iterable[str], *, room: int, blocks: int) -> tuple[list[Block], int]:
    """Return `lines` in sections, and how many of them found no room.

    Args:
        room: What the sections may weigh, in bytes.
        blocks: How many sections there may be.
    """
    waiting = list(lines)
    texts: list[str] = []
    for number, line in enumerate(waiting):
        joined = f"{texts[-1]}\n{line}" if texts else line
        joins = bool(texts) and len(joined) <= SECTION_TEXT
        room -= weight(line) + (0 if joins else BLOCK_WEIGHT)
        full = room < 0 or len(line) > SECTION_TEXT or (not joins and len(texts) == blocks)
        if full:
            return [section(text) for text in texts], len(waiting) - number
        texts = [*texts[:-1], joined] if joins else [*texts, line]
    return [section(text) for text in texts], 0
