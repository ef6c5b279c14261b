"""What stands in the controls of blocks: initial values, and what a person gave.

A raw value is what the page sends: a text, the value of an option, a list of these, a number of
seconds, or null.
Source: https://docs.slack.dev/reference/views, "state.values".
"""

import contextlib
import copy
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from bot.sandbox.errors import Wrong

Json: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """Under which keys an element tells its value and is given the first one."""

    value: str
    initial: str
    many: bool = False


_TEXT: Final = Field("value", "initial_value")
_OPTION: Final = Field("selected_option", "initial_option")
_MOMENT: Final = Field("selected_date_time", "initial_date_time")  # seconds since 1970
_OPTIONS: Final = Field("selected_options", "initial_options", many=True)
FIELDS: Final[Mapping[str, Field]] = {
    "plain_text_input": _TEXT,
    "email_text_input": _TEXT,
    "url_text_input": _TEXT,
    "number_input": _TEXT,
    "static_select": _OPTION,
    "radio_buttons": _OPTION,
    "overflow": _OPTION,
    "multi_static_select": _OPTIONS,
    "checkboxes": _OPTIONS,
    "datepicker": Field("selected_date", "initial_date"),
    "timepicker": Field("selected_time", "initial_time"),
    "datetimepicker": _MOMENT,
    "users_select": Field("selected_user", "initial_user"),
    "channels_select": Field("selected_channel", "initial_channel"),
    "multi_users_select": Field("selected_users", "initial_users", many=True),
}

# What Slack's own client says below an input.
REQUIRED: Final = "Please complete this required field."


def elements(block: Json) -> list[Json]:
    """Return the interactive elements of a block."""
    inside = [block.get("element"), block.get("accessory"), *block.get("elements", [])]
    return [found for found in inside if isinstance(found, dict) and "action_id" in found]


def with_ids(blocks: Iterable[Json]) -> tuple[Json, ...]:
    """Return a copy of `blocks` in which those without a block_id or action_id have one."""
    copies = copy.deepcopy(list(blocks))
    for block in copies:
        block.setdefault("block_id", secrets.token_urlsafe(4))
        for element in (block.get("element"), block.get("accessory"), *block.get("elements", [])):
            if isinstance(element, dict) and element.get("type") in {"button", *FIELDS}:
                element.setdefault("action_id", secrets.token_urlsafe(4))
    return tuple(copies)


def find(blocks: Iterable[Json], action_id: str, block_id: str | None) -> tuple[Json, Json]:
    """Return the block and the element called `action_id`.

    Raises:
        Wrong: It is not there (any more).
    """
    for block in blocks:
        for element in elements(block):
            if element["action_id"] == action_id and block_id in {None, block["block_id"]}:
                return block, element
    raise Wrong(f"there is no control {action_id!r} to click", status=404)


def options(element: Json) -> list[Json]:
    """Return the options of a menu, those of its groups included."""
    groups = element.get("option_groups", [])
    return [*element.get("options", []), *(o for group in groups for o in group["options"])]


def check(blocks: Iterable[Json], given: Values) -> None:
    """Check that a person could give these raw values.

    Raises:
        Wrong: There is no such input, or no such option in it.
    """
    there = {(block_id, element["action_id"]): element for block_id, element in _controls(blocks)}
    for block_id, actions in given.items():
        if not isinstance(actions, Mapping):
            raise Wrong("values are told by block_id and action_id")
        for action_id, raw in actions.items():
            if (block_id, action_id) not in there:
                raise Wrong(f"there is no input {block_id!r} / {action_id!r} in this view")
            filled(there[block_id, action_id], raw)


def state(blocks: Iterable[Json], entered: Values) -> dict[str, dict[str, Json]]:
    """Return `state.values`: what was entered, else the initial value."""
    values: dict[str, dict[str, Json]] = {}
    for block_id, element in _controls(blocks):
        field = FIELDS[element["type"]]
        given = entered.get(block_id, {})
        value = element.get(field.initial, [] if field.many else None)
        if element["action_id"] in given:
            with contextlib.suppress(Wrong):  # an update took the option away
                value = filled(element, given[element["action_id"]])
        told = {"type": element["type"], field.value: value}
        values.setdefault(block_id, {})[element["action_id"]] = told
    return values


def filled(element: Json, raw: Any) -> Any:
    """Return `raw` as `element` tells it.

    Raises:
        Wrong: A person could not give this.
    """
    field = FIELDS[element["type"]]
    if field.many:
        if not isinstance(raw, list | None):
            raise Wrong(f"{element['action_id']!r} takes a list")
        return [_one(element, each) for each in raw or []]
    return _one(element, raw) if raw not in (None, "") else None


def _one(element: Json, raw: Any) -> Any:
    if FIELDS[element["type"]] is _MOMENT:
        if not isinstance(raw, int):
            raise Wrong(f"{element['action_id']!r} takes a number of seconds since 1970")
        return raw
    if not isinstance(raw, str):
        raise Wrong(f"{element['action_id']!r} takes a text")
    if FIELDS[element["type"]] not in {_OPTION, _OPTIONS}:
        return raw
    for option in options(element):
        if option["value"] == raw:
            return option
    raise Wrong(f"{element['action_id']!r} has no option {raw!r}")


def unfinished(blocks: Iterable[Json], entered: Values) -> dict[str, str]:
    """Return what Slack's client says itself, by block_id, before a form is sent."""
    errors = {}
    values = state(blocks, entered)
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        told = values.get(block["block_id"], {}).get(element["action_id"], {})
        value = told.get(FIELDS[element["type"]].value) if told else None
        if not value and not block.get("optional", False):
            errors[block["block_id"]] = REQUIRED
        elif isinstance(value, str) and len(value) < element.get("min_length", 0):
            errors[block["block_id"]] = f"Enter at least {element['min_length']} characters."
        elif isinstance(value, str) and len(value) > element.get("max_length", 3000):
            errors[block["block_id"]] = f"Enter at most {element['max_length']} characters."
    return errors


def action(block: Json, element: Json, value: Any, *, ts: str) -> Json:
    """Return the entry of `actions` for a click; `value` is raw, and ignored for a button."""
    told: Json = {
        key: element[key] for key in ("type", "action_id", "text", "style") if key in element
    }
    told |= {"block_id": block["block_id"], "action_ts": ts}
    if element["type"] == "button":
        return told | {key: element[key] for key in ("value",) if key in element}
    return told | {FIELDS[element["type"]].value: filled(element, value)}


def _controls(blocks: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    for block in blocks:
        for element in elements(block):
            if element["type"] in FIELDS and element["type"] != "overflow":
                yield block["block_id"], element
