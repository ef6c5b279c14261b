"""Conditions as terms: what a CEL expression comes to for a request that is not known.

What is not modelled becomes free: it may come to anything. So no request is overlooked, but one may
be found that there is not; each is therefore tried by the real engine.
Source: cel-spec, langdef.md, for what the operators do and what makes them fail.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import re2
import z3

from bot.core.cel_tree import Node
from bot.core.conditions import Condition, literal_of
from bot.core.policy import Policy
from bot.core.scopes import Bundle
from bot.policy_lint.asked import Asked, instant, microseconds
from bot.policy_lint.terms import (
    FAILURE,
    Free,
    Items,
    Term,
    Value,
    alike,
    alternative,
    both,
    conjunction,
    counted,
    disjunction,
    either,
    key_of,
    lifted,
    negation,
    truth,
)

# Beyond that sums could pass 64 bits, and then they fail.
_LARGEST: Final = 1 << 62

_ORDER: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "_<_": lambda left, right: left < right,
    "_<=_": lambda left, right: left <= right,
    "_>_": lambda left, right: left > right,
    "_>=_": lambda left, right: left >= right,
}
_SUMS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "_+_": lambda left, right: left + right,
    "_-_": lambda left, right: left - right,
}
# Of texts: how Python finds it, and how z3 does.
_PARTS: Final[Mapping[str, tuple[Callable[[str, str], bool], Callable[[Any, Any], Any]]]] = {
    "startsWith": (str.startswith, lambda whole, part: z3.PrefixOf(part, whole)),
    "endsWith": (str.endswith, lambda whole, part: z3.SuffixOf(part, whole)),
    "contains": (str.__contains__, z3.Contains),
}
# They have an answer to whatever they are given.
_NEVER_FAIL: Final = frozenset({*_ORDER, *_PARTS, "_==_", "_!=_", "@in", "size", "matches"})
_LAZY: Final = ("_&&_", "_||_", "_?_:_", "@not_strictly_false")


class Reading:
    """Reads the conditions of one bundle under one policy."""

    def __init__(self, asked: Asked, policy: Policy, bundle: Bundle) -> None:
        self._asked = asked
        self._policy = policy
        self._bundle = bundle
        self._read: dict[str, Value] = {}

    def condition(self, condition: Condition) -> Value:
        """Return what `condition` comes to."""
        if condition.text not in self._read:
            self._read[condition.text] = self._value(condition.tree, {})
        return self._read[condition.text]

    def _value(self, node: Node, local: Mapping[str, Value]) -> Value:
        if node.text is not None:
            return Value(node.text)
        if node.value is not None:
            return Value(node.value)
        if node.name:
            return self._named(node, local)
        if node.call:
            return self._call(node, local)
        if node.loop is not None:
            return self._loop(node, node.loop, local)
        parts = [self._value(part, local) for part in node.parts]
        if node.is_list:
            each = tuple((part.term, True) for part in parts)
            return Value(Items(each), either(*(part.fails for part in parts)))
        if node.field:
            return self._field(node, parts[0])
        return self._free("a literal", parts)

    def _named(self, node: Node, local: Mapping[str, Value]) -> Value:
        if node.name in local:
            return local[node.name]
        found = self._asked.variable(node.name, self._policy, self._bundle)
        return found if found is not None else self._free(node.name, [])

    def _field(self, node: Node, of: Value) -> Value:
        if not isinstance(of.term, dict):
            return self._free(f"field {node.field}", [of])
        if node.asks:
            return Value(node.field in of.term)
        return Value(of.term[node.field]) if node.field in of.term else FAILURE

    def _loop(self, node: Node, names: tuple[str, str], local: Mapping[str, Value]) -> Value:
        over, first, _, step, result = node.parts
        items, value = self._value(over, local), self._value(first, local)
        if not isinstance(items.term, Items):
            return self._free("a loop", [items])
        variable, so_far = names
        for item, there in items.term.each:
            around = {**local, variable: Value(item), so_far: value}
            value = alternative(Value(there), self._value(step, around), value)
        found = self._value(result, {**local, so_far: value})
        return Value(found.term, either(items.fails, found.fails))

    def _call(self, node: Node, local: Mapping[str, Value]) -> Value:
        if node.call in ("duration", "timestamp"):
            return Value(_time(literal_of(node.call, node.parts[-1].text or "")))
        parts = [self._value(part, local) for part in node.parts]
        if node.call in _LAZY:
            return _lazy(node.call, parts)
        terms = [part.term for part in parts]
        if any(isinstance(term, Free) for term in terms):
            terms = [alike(term, other) for term, other in _beside(terms)]
        found = _known(node.call, terms)
        if found is None:
            return self._free(node.call, parts)
        return Value(found.term, either(found.fails, *(part.fails for part in parts)))

    def _free(self, what: str, parts: Sequence[Value]) -> Value:
        """Return that anything may be."""
        self._asked.approximated.add(what.strip("_@"))
        key = f"{what}({', '.join(key_of(part.term) for part in parts)})"
        fails = False if what in _NEVER_FAIL else z3.Bool(f"{key} fails")
        return Value(Free(key), either(fails, *(part.fails for part in parts)))


def _beside(terms: Sequence[Term]) -> Sequence[tuple[Term, Term]]:
    """Return each term with the next one; the kind of what is free shows in the others."""
    return [(term, terms[(at + 1) % len(terms)]) for at, term in enumerate(terms)]


def _time(found: Any) -> int:
    return instant(found) if isinstance(found, datetime) else microseconds(found)


def _lazy(call: str, parts: Sequence[Value]) -> Value:
    match call:
        case "_&&_":
            return conjunction(*parts)
        case "_||_":
            return disjunction(*parts)
        case "_?_:_":
            return alternative(*parts)
        case _:  # whether a loop goes on, which changes no result
            return parts[0]


def _known(call: str, terms: Sequence[Term]) -> Value | None:
    """Return what a call comes to; None for one that is not modelled."""
    if call == "!_":
        return Value(negation(truth(terms[0])))
    if call == "size":
        return _size(terms[0])
    if call == "@in":
        return _contained(*terms)
    if call == "_[_]":
        return _indexed(*terms)
    if len(terms) != 2 or isinstance(terms[0], Free) or isinstance(terms[1], Free):  # noqa: PLR2004
        return None
    left, right = terms
    if call in ("_==_", "_!=_"):
        same = equal(left, right)
        return None if same is None else Value(same if call == "_==_" else negation(same))
    if call in _ORDER and _is_number(left) and _is_number(right):
        return Value(_ORDER[call](left, right))
    if call in _SUMS:
        return _sum(call, left, right)
    return _of_texts(call, left, right)


def _of_texts(call: str, left: Term, right: Term) -> Value | None:
    if not (_is_text(left) and _is_text(right)):
        return None
    known = isinstance(left, str) and isinstance(right, str)
    if call == "matches" and known:
        return Value(re2.search(right, left) is not None)
    if call not in _PARTS:
        return None
    in_python, in_z3 = _PARTS[call]
    return Value(in_python(left, right) if known else in_z3(lifted(left), lifted(right)))


def _sum(call: str, left: Term, right: Term) -> Value | None:
    if _is_number(left) and _is_number(right):
        if any(isinstance(term, int) and abs(term) > _LARGEST for term in (left, right)):
            return None
        return Value(_SUMS[call](left, right))
    if call != "_+_":
        return None
    if isinstance(left, Items) and isinstance(right, Items):
        return Value(Items((*left.each, *right.each)))
    if _is_text(left) and _is_text(right):
        known = isinstance(left, str) and isinstance(right, str)
        return Value(left + right if known else z3.Concat(lifted(left), lifted(right)))
    return None


def _size(term: Term) -> Value | None:
    if isinstance(term, Items):
        return Value(counted(there for _, there in term.each))
    if isinstance(term, str | dict):
        return Value(len(term))
    return Value(z3.Length(term)) if z3.is_string(term) else None


def _contained(item: Term, of: Term) -> Value | None:
    if isinstance(of, dict):
        return Value(item in of) if isinstance(item, str) else None
    if not isinstance(of, Items):
        return None
    same = [(equal(item, other), there) for other, there in of.each]
    if any(each is None for each, _ in same):
        return None
    return Value(either(*(both(each, there) for each, there in same)))


def _indexed(of: Term, key: Term) -> Value | None:
    if not isinstance(of, dict) or not isinstance(key, str):
        return None
    return Value(of[key]) if key in of else FAILURE


def equal(left: Term, right: Term) -> Term | None:
    """Return whether two terms are the same; None where that is not modelled."""
    if isinstance(left, Free | Items | dict) or isinstance(right, Free | Items | dict):
        return None
    if isinstance(left, z3.ExprRef) or isinstance(right, z3.ExprRef):
        return lifted(left) == lifted(right)
    return bool(left == right)


def _is_number(term: Term) -> bool:
    return (isinstance(term, int) and not isinstance(term, bool)) or z3.is_int(term)


def _is_text(term: Term) -> bool:
    return isinstance(term, str) or z3.is_string(term)
