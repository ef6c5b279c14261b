"""The tree of a compiled CEL expression, read from its serialised form.

What an expression reads and calls is looked up here, not guessed from its text. The form is the
protobuf message google.protobuf.Any of a cel.expr.CheckedExpr; the few fields that matter are read
by hand. Source: github.com/google/cel-spec, proto/cel/expr/{checked,syntax}.proto;
protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

_Fields: TypeAlias = dict[int, list[int | bytes]]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Numbers of fields, by message.
_ANY_VALUE: Final = 2
_CHECKED_SOURCE, _CHECKED_EXPR = 5, 4
_SOURCE_POSITIONS: Final = 4
_EXPR_ID, _CONST, _NAME, _SELECT, _CALL, _LIST, _STRUCT, _FOLD = 2, 3, 4, 5, 6, 7, 8, 9
_CONST_BOOL, _CONST_INT, _CONST_STRING = 2, 3, 6
_SELECT_FIELD, _SELECT_TEST = 2, 3
_FOLD_VARIABLE, _FOLD_RESULT = 1, 3
# Whole numbers are the 64 bits of a two's complement.
_TOO_LARGE: Final = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part of an expression.

    Attributes:
        name: Of a variable: "user.groups".
        call: Of a function or operator: "size", "_<=_", "@in".
        text: What a literal text says; None for everything else.
        value: What a literal boolean or whole number says; None for everything else.
        field: Of a selection: "team" in `bundle.labels.team`.
        asks: Whether it asks if that field is there: `has(bundle.labels.team)`.
        loop: Of a loop the names of its variable and of its result so far. Its parts are what it
            runs over, the first result, whether it goes on, the next result, and what it returns.
        is_list: Whether it is a list that is written out.
        at: Where it stands, in characters from 0; -1 where that is not known.
        parts: What it is made of; of a call its target first, then its arguments.
    """

    name: str = ""
    call: str = ""
    text: str | None = None
    value: bool | int | None = None
    field: str = ""
    asks: bool = False
    loop: tuple[str, str] | None = None
    is_list: bool = False
    at: int = -1
    parts: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def tree_of(serialized: bytes) -> Node:
    """Return the tree of `Expression.serialize()`.

    Raises:
        ValueError: It is not what was expected.
    """
    checked = _read(_inner(_read(serialized), _ANY_VALUE))
    source = _read(_inner(checked, _CHECKED_SOURCE))
    places: dict[int, int] = {}
    for entry in source.get(_SOURCE_POSITIONS, ()):
        pair = _read(_bytes(entry))
        places[_number(pair, 1)] = _number(pair, 2)
    return _node(_inner(checked, _CHECKED_EXPR), places)


def _node(message: bytes, places: dict[int, int]) -> Node:
    fields = _read(message)
    at = places.get(_number(fields, _EXPR_ID), -1)
    if _CONST in fields:
        return _literal(_read(_inner(fields, _CONST)), at)
    if _NAME in fields:
        return Node(at=at, name=_text(_read(_inner(fields, _NAME)), 1))
    if _CALL in fields:
        call = _read(_inner(fields, _CALL))
        return Node(at=at, call=_text(call, 2), parts=_nodes(call, (1, 3), places))
    if _FOLD in fields:
        fold = _read(_inner(fields, _FOLD))
        names = (_text(fold, _FOLD_VARIABLE), _text(fold, _FOLD_RESULT))
        return Node(at=at, loop=names, parts=_nodes(fold, (2, 4, 5, 6, 7), places))
    if _SELECT in fields:
        select = _read(_inner(fields, _SELECT))
        return Node(
            at=at,
            field=_text(select, _SELECT_FIELD),
            asks=bool(_number(select, _SELECT_TEST)),
            parts=_nodes(select, (1,), places),
        )
    if _LIST in fields:
        parts = _nodes(_read(_inner(fields, _LIST)), (1,), places)
        return Node(at=at, is_list=True, parts=parts)
    if _STRUCT in fields:
        entries = [_read(_bytes(entry)) for entry in _read(_inner(fields, _STRUCT)).get(2, ())]
        return Node(
            at=at, parts=tuple(part for entry in entries for part in _nodes(entry, (3, 4), places))
        )
    raise ValueError("an expression of a kind that is not known")


def _literal(const: _Fields, at: int) -> Node:
    if _CONST_STRING in const:
        return Node(at=at, text=_text(const, _CONST_STRING))
    if _CONST_BOOL in const:
        return Node(at=at, value=bool(_number(const, _CONST_BOOL)))
    if _CONST_INT in const:
        number = _number(const, _CONST_INT)
        return Node(at=at, value=number - 2 * _TOO_LARGE if number >= _TOO_LARGE else number)
    return Node(at=at)


def _nodes(fields: _Fields, numbers: tuple[int, ...], places: dict[int, int]) -> tuple[Node, ...]:
    return tuple(
        _node(_bytes(part), places) for number in numbers for part in fields.get(number, ())
    )


def _inner(fields: _Fields, number: int) -> bytes:
    return _bytes(fields.get(number, [b""])[0])


def _text(fields: _Fields, number: int) -> str:
    return _inner(fields, number).decode()


def _number(fields: _Fields, number: int) -> int:
    value = fields.get(number, [0])[0]
    return value if isinstance(value, int) else 0


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message was expected")  # noqa: TRY004 - bad data
    return value


def _read(message: bytes) -> _Fields:
    """Return the fields of a message by number; a field may come more than once."""
    found: _Fields = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            value: int | bytes
            value, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value, at = message[at : at + size], at + size
        elif wire == _BYTES:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError("a field of a kind that is not known")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at`, seven bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:  # noqa: PLR2004 - the high bit says that more bytes follow
            return number, at
