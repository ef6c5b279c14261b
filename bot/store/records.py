"""Objects to bytes and back.

The bytes are canonical JSON in UTF-8: members in the order of their declaration, those of mappings
sorted, no spaces, times in UTC, sets sorted. Equal objects are equal bytes, and different objects
are different bytes.
"""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from bot.core.account import Account
from bot.core.errors import Unavailable
from bot.core.events import WIRE, Event
from bot.core.identity import RequestId
from bot.core.request import Request
from bot.core.states import RequestState
from bot.usecases.ports import EndedToken, Receipt, TokenRecord

T = TypeVar("T")

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME

_EVENT_OF: Final[Mapping[str, type[Event]]] = {name: kind for kind, name in WIRE.items()}


def write_record(record: Request | Account | TokenRecord | EndedToken | Receipt) -> bytes:
    """Return the canonical bytes of a record.

    Raises:
        ValueError: A text in it is no Unicode text, a time in it has no zone, or a number in it
            needs more than 64 bits.
    """
    return _canonical(record)


def read_record(kind: type[T], stored: bytes) -> T:
    """Return the record of type `kind` that `stored` was made from.

    Raises:
        Unavailable: It cannot be read: it is damaged, or of a newer version of the bot.
    """
    try:
        record: T = _adapter(cast("Hashable", kind)).validate_json(stored, strict=True)
    except ValidationError as problem:
        raise Unavailable(f"a stored {kind.__name__} cannot be read") from problem
    return record


def write_event(event: Event) -> bytes:
    """Return an event's line in the log; its `type` is the wire name.

    Raises:
        ValueError: See `write_record`.
    """
    return _canonical({"type": WIRE[type(event)], **_parts(event)})


def read_event(line: bytes) -> Event:
    """Return the event that `line` tells.

    Raises:
        Unavailable: It cannot be read: it is damaged, or of a newer version of the bot.
    """
    try:
        name = json.loads(line)["type"]
        kind = _EVENT_OF[name]
    except (ValueError, TypeError, KeyError) as problem:
        raise Unavailable("a stored event is of no kind that this version knows") from problem
    return read_record(kind, line)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _canonical(value: object) -> bytes:
    try:
        return orjson.dumps(value, _plain, _OPTIONS)
    except orjson.JSONEncodeError as problem:
        raise problem.__cause__ or ValueError(str(problem)) from None


def _parts(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _plain(value: object) -> object:
    """Return `value`, which JSON has no word for, in JSON's words."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return f"P{value.days}DT{value.seconds}.{value.microseconds:06d}S"
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Where a request stands in the indexes.

    Attributes:
        asked_at: Its place among its requester's requests.
        decide_by: When it is pending: until when.
        ends_at: When its grant works: until when.
    """

    request: RequestId
    by: str
    bundle: str
    asked_at: datetime
    decide_by: datetime | None
    ends_at: datetime | None


def listing_of(request: Request) -> Listing:
    """Return where `request` is listed."""
    grant = request.working_grant
    return Listing(
        request=request.id,
        by=str(request.requester),
        bundle=request.asked.bundle,
        asked_at=request.asked.at,
        decide_by=request.asked.deadline if request.state is RequestState.PENDING else None,
        ends_at=grant.ends_at if grant is not None else None,
    )
