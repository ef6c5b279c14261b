"""Terms: what expressions come to when the request is not known yet.

A term is a value of Python where it is known, and one of z3 where it is not; known ones are
computed at once, so that the solver is asked about what is open only. Times are microseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import z3

# A value of Python, or a term of z3, which has no types.
Term: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Free:
    """What is not modelled: it may come to anything, but the same thing always to the same."""

    key: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list.

    Attributes:
        each: What may be in it, and whether it is.
    """

    each: tuple[tuple[Term, Term], ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression comes to.

    Attributes:
        term: A truth, a number, a text, `Items`, a mapping of known texts, or `Free`.
        fails: Whether it cannot be evaluated; then `term` means nothing.
    """

    term: Term
    fails: Term = False

    @property
    def holds(self) -> Term:
        """Whether it is true."""
        return both(truth(self.term), negation(self.fails))

    @property
    def denies(self) -> Term:
        """Whether it is false."""
        return both(negation(truth(self.term)), negation(self.fails))


FAILURE: Final = Value(term=False, fails=True)


def truth(term: Term) -> Term:
    """Return `term` as a truth; what is no truth is none."""
    if isinstance(term, Free):
        return z3.Bool(term.key)
    return term if isinstance(term, bool) or z3.is_bool(term) else False


def number(term: Term) -> Term:
    """Return `term` as a number."""
    return z3.Int(term.key) if isinstance(term, Free) else term


def text(term: Term) -> Term:
    """Return `term` as a text."""
    return z3.String(term.key) if isinstance(term, Free) else term


def alike(term: Term, other: Term) -> Term:
    """Return `term`, if it is free, as one of the kind of `other`."""
    if not isinstance(term, Free):
        return term
    if isinstance(other, bool) or z3.is_bool(other):
        return truth(term)
    if isinstance(other, int) or z3.is_int(other):
        return number(term)
    return text(term) if isinstance(other, str) or z3.is_string(other) else term


def key_of(term: Term) -> str:
    """Return a text that is the same for the same term only."""
    if isinstance(term, Items):
        return f"[{', '.join(f'{key_of(item)} if {key_of(there)}' for item, there in term.each)}]"
    if isinstance(term, Free):
        return term.key
    return term.sexpr() if isinstance(term, z3.ExprRef) else repr(term)


def negation(term: Term) -> Term:
    """Return not `term`."""
    return not term if isinstance(term, bool) else z3.Not(term)


def both(*terms: Term) -> Term:
    """Return whether all of `terms` hold."""
    if any(term is False for term in terms):
        return False
    open_ones = [term for term in terms if term is not True]
    if len(open_ones) < 2:  # noqa: PLR2004 - one needs no operator
        return open_ones[0] if open_ones else True
    return z3.And(open_ones)


def either(*terms: Term) -> Term:
    """Return whether one of `terms` holds."""
    if any(term is True for term in terms):
        return True
    open_ones = [term for term in terms if term is not False]
    if len(open_ones) < 2:  # noqa: PLR2004 - as above
        return open_ones[0] if open_ones else False
    return z3.Or(open_ones)


def chosen(condition: Term, then: Term, otherwise: Term) -> Term:
    """Return one of two terms of the same kind."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    if isinstance(then, Items) and isinstance(otherwise, Items):
        return _merged(condition, then, otherwise)
    then, otherwise = alike(then, otherwise), alike(otherwise, then)
    if then is otherwise:
        return then
    if isinstance(then, Free | Items) or isinstance(otherwise, Free | Items):
        return Free(f"{key_of(condition)} ? {key_of(then)} : {key_of(otherwise)}")
    return z3.If(condition, lifted(then), lifted(otherwise))


def _merged(condition: Term, then: Items, otherwise: Items) -> Items:
    """Return the one list or the other; what both begin with is there either way."""
    same = 0
    for left, right in zip(then.each, otherwise.each, strict=False):
        if left is not right:
            break
        same += 1
    return Items(
        (
            *then.each[:same],
            *((item, both(condition, there)) for item, there in then.each[same:]),
            *((item, both(negation(condition), there)) for item, there in otherwise.each[same:]),
        )
    )


def lifted(term: Term) -> Term:
    """Return `term` as one of z3."""
    match term:
        case bool():
            return z3.BoolVal(term)
        case int():
            return z3.IntVal(term)
        case str():
            return z3.StringVal(term)
        case _:
            return term


def conjunction(left: Value, right: Value) -> Value:
    """Return `left && right`: what fails does not matter where the other is false.

    Source: cel-spec, langdef.md, "Logical Operators".
    """
    holds = both(left.holds, right.holds)
    denies = either(left.denies, right.denies)
    return Value(holds, both(negation(holds), negation(denies)))


def disjunction(left: Value, right: Value) -> Value:
    """Return `left || right`: what fails does not matter where the other is true."""
    holds = either(left.holds, right.holds)
    denies = both(left.denies, right.denies)
    return Value(holds, both(negation(holds), negation(denies)))


def alternative(condition: Value, then: Value, otherwise: Value) -> Value:
    """Return `condition ? then : otherwise`."""
    test = truth(condition.term)
    return Value(
        chosen(test, then.term, otherwise.term),
        either(condition.fails, chosen(test, then.fails, otherwise.fails)),
    )


def counted(terms: Iterable[Term]) -> Term:
    """Return how many of `terms` hold."""
    terms = list(terms)
    known = sum(term is True for term in terms)
    unsure = [z3.If(term, 1, 0) for term in terms if not isinstance(term, bool)]
    return z3.Sum([z3.IntVal(known), *unsure]) if unsure else known
