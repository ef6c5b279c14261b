"""What Slack refuses in blocks, messages and views, with its names for it.

Sources: https://docs.slack.dev/reference/block-kit (blocks, elements, composition objects),
https://docs.slack.dev/reference/views, https://docs.slack.dev/reference/methods/chat.update.
All lengths count characters.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from bot.sandbox.errors import SlackError
from bot.sandbox.forms import FIELDS, Json, options

MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100
POSTED_TEXT: Final = 40_000  # longer text is cut by chat.postMessage
UPDATED_TEXT: Final = 4_000  # longer text is refused by chat.update
VIEW_BYTES: Final = 250_000
VIEW_TITLE: Final = 24  # also submit and close
PRIVATE_METADATA: Final = 3000
IDENT: Final = 255  # action_id, block_id, callback_id, external_id
SECTION_TEXT: Final = 3000
SECTION_FIELDS: Final = 10
FIELD_TEXT: Final = 2000
HEADER_TEXT: Final = 150
CONTEXT_ELEMENTS: Final = 10
ACTIONS_ELEMENTS: Final = 25
MARKDOWN_TEXT: Final = 12_000
BUTTON_TEXT: Final = 75
BUTTON_VALUE: Final = 2000
URL: Final = 3000
ALT_TEXT: Final = 2000
OPTION_TEXT: Final = 75  # also its description
OPTION_VALUE: Final = 150
OPTIONS: Final[Mapping[str, int]] = {
    "static_select": 100,
    "multi_static_select": 100,
    "overflow": 5,
    "checkboxes": 10,
    "radio_buttons": 10,
}
PLACEHOLDER: Final = 150
LABEL: Final = 2000  # also hint
INPUT_TEXT: Final = 3000
SECONDS_DIGITS: Final = 10  # of a datetimepicker
CONFIRM: Final = {"title": 100, "text": 300, "confirm": 30, "deny": 30}

# A complaint: what is wrong, and the JSON pointer to it.
Complaints: TypeAlias = Iterator[tuple[str, str]]


def check_message(text: str, blocks: Any, *, longest: int | None = None) -> None:
    """Check a message.

    Args:
        longest: Characters of `text` that are not refused.

    Raises:
        SlackError: no_text, msg_too_long, invalid_blocks or invalid_blocks_format.
    """
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    if not text and not blocks:
        raise SlackError("no_text")
    if longest is not None and len(text) > longest:
        raise SlackError("msg_too_long")
    _refuse("invalid_blocks", _blocks(blocks, most=MESSAGE_BLOCKS, kinds=_IN_MESSAGES))


def check_view(view: Any, *, kind: str = "modal") -> None:
    """Check a view.

    Raises:
        SlackError: view_too_large or invalid_arguments.
    """
    if not isinstance(view, dict) or not isinstance(view.get("blocks"), list):
        raise SlackError("invalid_arguments")
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    _refuse("invalid_arguments", _view(view, kind))


def _refuse(name: str, complaints: Complaints) -> None:
    notes = [f"[ERROR] {what} [json-pointer:{where}]" for what, where in complaints]
    if notes:
        raise SlackError(name, errors=notes, response_metadata={"messages": notes})


def _view(view: Json, kind: str) -> Complaints:
    if view.get("type") != kind:
        yield f"must be {kind!r}", "/view/type"
    for key, most in (
        ("private_metadata", PRIVATE_METADATA),
        ("callback_id", IDENT),
        ("external_id", IDENT),
    ):
        yield from _string(view.get(key) or "", f"/view/{key}", most, empty=True)
    if kind == "modal":
        yield from _plain(view.get("title"), "/view/title", VIEW_TITLE)
        for key in ("submit", "close"):
            if view.get(key) is not None:
                yield from _plain(view[key], f"/view/{key}", VIEW_TITLE)
        inputs = any(block.get("type") == "input" for block in view["blocks"])
        if inputs and view.get("submit") is None:
            yield "missing required field: submit", "/view"
    yield from _blocks(view["blocks"], most=VIEW_BLOCKS, kinds=_IN_VIEWS, at="/view/blocks")


def _blocks(
    blocks: list[Json], *, most: int, kinds: frozenset[str], at: str = "/blocks"
) -> Complaints:
    if len(blocks) > most:
        yield f"no more than {most} items allowed", at
    for number, block in enumerate(blocks):
        where = f"{at}/{number}"
        if block.get("type") not in kinds:
            yield f"unsupported type: {block.get('type')}", f"{where}/type"
            continue
        yield from _string(block.get("block_id", ""), f"{where}/block_id", IDENT, empty=True)
        yield from _CHECKS[block["type"]](block, where)
        idents = [e.get("action_id") for e in block.get("elements", []) if e.get("action_id")]
        yield from _unique(idents, f"{where}/elements", "action_id")
    yield from _unique([b["block_id"] for b in blocks if b.get("block_id")], at, "block_id")


def _unique(idents: list[str], where: str, what: str) -> Complaints:
    for ident in sorted({ident for ident in idents if idents.count(ident) > 1}):
        yield f"`{what}` {ident!r} already exists", where


def _string(text: Any, where: str, most: int, *, empty: bool = False) -> Complaints:
    if not isinstance(text, str):
        yield "must be a string", where
    elif not text and not empty:
        yield "must be more than 0 characters", where
    elif len(text) > most:
        yield f"must be less than {most + 1} characters", where


def _text(told: Any, where: str, most: int, kinds: Sequence[Any]) -> Complaints:
    if not isinstance(told, dict):
        yield "missing required field", where
    elif told.get("type") not in kinds:
        yield f"unsupported type: {told.get('type')}", f"{where}/type"
    else:
        yield from _string(told.get("text"), f"{where}/text", most)


def _plain(told: Any, where: str, most: int) -> Complaints:
    yield from _text(told, where, most, ("plain_text",))


def _any_text(told: Any, where: str, most: int) -> Complaints:
    yield from _text(told, where, most, ("plain_text", "mrkdwn"))


def _section(block: Json, where: str) -> Complaints:
    fields = block.get("fields", [])
    if "text" in block or not fields:
        yield from _any_text(block.get("text"), f"{where}/text", SECTION_TEXT)
    if len(fields) > SECTION_FIELDS:
        yield f"no more than {SECTION_FIELDS} items allowed", f"{where}/fields"
    for number, field in enumerate(fields):
        yield from _any_text(field, f"{where}/fields/{number}", FIELD_TEXT)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{where}/accessory")


def _header(block: Json, where: str) -> Complaints:
    yield from _plain(block.get("text"), f"{where}/text", HEADER_TEXT)


def _context(block: Json, where: str) -> Complaints:
    yield from _size(block.get("elements", []), f"{where}/elements", CONTEXT_ELEMENTS)
    for number, element in enumerate(block.get("elements", [])):
        at = f"{where}/elements/{number}"
        check = _image if element.get("type") == "image" else _context_text
        yield from check(element, at)


def _context_text(element: Json, where: str) -> Complaints:
    yield from _any_text(element, where, SECTION_TEXT)


def _actions(block: Json, where: str) -> Complaints:
    yield from _size(block.get("elements", []), f"{where}/elements", ACTIONS_ELEMENTS)
    for number, element in enumerate(block.get("elements", [])):
        yield from _element(element, f"{where}/elements/{number}")


def _input(block: Json, where: str) -> Complaints:
    yield from _plain(block.get("label"), f"{where}/label", LABEL)
    if block.get("hint") is not None:
        yield from _plain(block["hint"], f"{where}/hint", LABEL)
    if not isinstance(block.get("element"), dict) or block["element"].get("type") == "button":
        yield "missing required field: element", where
    else:
        yield from _element(block["element"], f"{where}/element")


def _image(block: Json, where: str) -> Complaints:
    yield from _string(block.get("image_url"), f"{where}/image_url", URL)
    yield from _string(block.get("alt_text"), f"{where}/alt_text", ALT_TEXT)


def _markdown(block: Json, where: str) -> Complaints:
    yield from _string(block.get("text"), f"{where}/text", MARKDOWN_TEXT)


def _nothing(_: Json, __: str) -> Complaints:
    yield from ()


_CHECKS: Final[Mapping[str, Callable[[Json, str], Complaints]]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "image": _image,
    "markdown": _markdown,
    "divider": _nothing,
    "rich_text": _nothing,
}
_IN_MESSAGES: Final = frozenset(_CHECKS)
_IN_VIEWS: Final = frozenset(_CHECKS) - {"markdown"}


def _size(items: list[Any], where: str, most: int) -> Complaints:
    if not 1 <= len(items) <= most:
        yield f"must have between 1 and {most} items", where


def _element(element: Json, where: str) -> Complaints:
    yield from _string(element.get("action_id", ""), f"{where}/action_id", IDENT, empty=True)
    if "confirm" in element:
        for key, most in CONFIRM.items():
            yield from _any_text(element["confirm"].get(key), f"{where}/confirm/{key}", most)
    if element.get("placeholder") is not None:
        yield from _plain(element["placeholder"], f"{where}/placeholder", PLACEHOLDER)
    kind = str(element.get("type"))
    if kind == "button":
        yield from _button(element, where)
    elif kind == "image":
        yield from _image(element, where)
    elif kind in OPTIONS:
        yield from _menu(element, where, OPTIONS[kind])
    elif kind == "plain_text_input":
        most = element.get("max_length", INPUT_TEXT)
        yield from _string(
            element.get("initial_value") or "", f"{where}/initial_value", most, empty=True
        )
        if not 1 <= most <= INPUT_TEXT or not 0 <= element.get("min_length", 0) <= most:
            yield "min_length and max_length do not fit", where
    elif kind == "datetimepicker":
        yield from _seconds(element.get("initial_date_time"), f"{where}/initial_date_time")
    elif kind not in FIELDS:
        yield f"unsupported type: {kind}", f"{where}/type"


def _seconds(told: Any, where: str) -> Complaints:
    if told is not None and not (isinstance(told, int) and len(str(told)) == SECONDS_DIGITS):
        yield f"must be {SECONDS_DIGITS} digits", where


def _button(element: Json, where: str) -> Complaints:
    yield from _plain(element.get("text"), f"{where}/text", BUTTON_TEXT)
    yield from _string(element.get("value", ""), f"{where}/value", BUTTON_VALUE, empty=True)
    yield from _string(element.get("url", ""), f"{where}/url", URL, empty=True)
    if element.get("style") not in {None, "primary", "danger"}:
        yield "must be primary or danger", f"{where}/style"


def _menu(element: Json, where: str, most: int) -> Complaints:
    rich = element["type"] in {"checkboxes", "radio_buttons"}
    every = options(element)
    yield from _size(element.get("option_groups") or every, f"{where}/options", most)
    for number, option in enumerate(every):
        at = f"{where}/options/{number}"
        yield from (_any_text if rich else _plain)(option.get("text"), f"{at}/text", OPTION_TEXT)
        yield from _string(option.get("value"), f"{at}/value", OPTION_VALUE)
        if option.get("description") is not None:
            yield from _any_text(option["description"], f"{at}/description", OPTION_TEXT)
    initial = element.get("initial_options", [])
    for option in [element["initial_option"]] if "initial_option" in element else initial:
        if option not in every:
            yield "initial option must be one of the options", where
