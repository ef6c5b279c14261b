"""Messages and views as plain text, for a terminal.

Source: https://docs.slack.dev/messaging/formatting-message-text.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bot.sandbox.forms import FIELDS, Json, options

_BRACKETS: Final = re.compile(r"<([^<>]+)>")


def plain(blocks: Iterable[Json], text: str = "", *, names: Mapping[str, str] | None = None) -> str:
    """Return what a person reads, line by line; `text` counts only without blocks.

    Args:
        names: What ids of people, groups and channels stand for.
    """
    lines = [line for block in blocks for line in _block(block, names or {})]
    return "\n".join(lines) if lines else mrkdwn(text, names or {})


def plain_view(view: Json, *, names: Mapping[str, str] | None = None) -> str:
    """Return what a person reads of a view: title, blocks, and its buttons."""
    buttons = [f"[{view[key]['text']}]" for key in ("submit", "close") if view.get(key)]
    parts = [f"# {view['title']['text']}"] if "title" in view else []
    return "\n".join([*parts, plain(view["blocks"], names=names), " ".join(buttons)]).strip()


def mrkdwn(text: str, names: Mapping[str, str]) -> str:
    """Return `text` with mentions by name, dates by their fallback, links, and no entities."""
    return html.unescape(_BRACKETS.sub(lambda found: _bracket(found[1], names), text))


def _bracket(inside: str, names: Mapping[str, str]) -> str:
    target, _, label = inside.partition("|")
    if target.startswith(("!date^",)):
        return label or target
    if target.startswith(("@", "#")):
        return target[0] + names.get(target[1:], label or target[1:])
    if target.startswith("!subteam^"):
        ident = target.removeprefix("!subteam^")
        return "@" + names.get(ident, label.removeprefix("@") or ident)
    if target.startswith("!"):
        return f"@{target[1:]}"
    return f"{label} ({target})" if label and label != target else target


def _block(block: Json, names: Mapping[str, str]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "divider":
        yield "-" * 20
    elif kind == "input":
        optional = " (optional)" if block.get("optional") else ""
        yield f"{_text(block['label'], names)}{optional}: {_control(block['element'], names)}"
        if block.get("hint"):
            yield f"  {_text(block['hint'], names)}"
    elif kind == "image":
        yield f"[{block['alt_text']}]"
    elif kind in {"context", "actions"}:
        yield " ".join(_control(element, names) for element in block["elements"])
    else:
        yield from (_text(told, names) for told in _texts(block))
        if "accessory" in block:
            yield _control(block["accessory"], names)


def _texts(block: Json) -> list[Any]:
    told = [block["text"]] if "text" in block else []
    return [*told, *block.get("fields", [])]


def _text(told: Any, names: Mapping[str, str]) -> str:
    if isinstance(told, str) or told.get("type") == "mrkdwn":
        return mrkdwn(told if isinstance(told, str) else told["text"], names)
    return str(told["text"])


def _control(element: Json, names: Mapping[str, str]) -> str:
    kind = element.get("type", "")
    if kind in {"mrkdwn", "plain_text"}:
        return _text(element, names)
    if kind == "image":
        return f"[{element['alt_text']}]"
    if kind == "button":
        return f"[{_text(element['text'], names)}]"
    choices = [_text(option["text"], names) for option in options(element)]
    if choices:
        return f"<{' | '.join(choices)}>"
    if kind == "datetimepicker" and "initial_date_time" in element:
        return f"<{datetime.fromtimestamp(element['initial_date_time'], UTC):%Y-%m-%d %H:%M} UTC>"
    return f"<{element.get(FIELDS[kind].initial) or ''}>" if kind in FIELDS else f"<{kind}>"
