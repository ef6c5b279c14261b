"""Conditions: what a policy asks of a request in `when:`, written in CEL.

An evaluation that fails is a *value* of the library, and a text that is not empty: so nothing but
the boolean true counts as true, and everything else that is not false is a failure with words.
Source: cel-expr-python, and cel.dev/spec for the language.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, Final

from cel_expr_python import cel

from bot.core.cel_tree import Node, tree_of

_TEXT, _NUMBER, _TEXTS = cel.Type.STRING, cel.Type.INT, cel.Type.List(cel.Type.STRING)

# What a condition may read. The names are declared with their dots: with maps in their place a
# misspelt one would be found only when somebody asks.
VARIABLES: Final[Mapping[str, Any]] = {
    "user.id": _TEXT,
    "user.groups": _TEXTS,
    "user.active_grants": _NUMBER,
    "user.requests_today": _NUMBER,
    "request.duration": cel.Type.DURATION,
    "request.reason": _TEXT,
    "request.ticket": _TEXT,
    "bundle.name": _TEXT,
    "bundle.environment": _TEXT,
    "bundle.access": _TEXT,
    "bundle.risk_level": _NUMBER,
    "bundle.labels": cel.Type.Map(_TEXT, _TEXT),
    "bundle.scopes": _TEXTS,
    "now.time": cel.Type.TIMESTAMP,
    "now.windows": _TEXTS,
}
GROUPS_VARIABLE: Final = "user.groups"
WINDOWS_VARIABLE: Final = "now.windows"

# Functions that take a literal only: what is wrong in it is found at once, not by who asks.
_OF_LITERALS: Final = {
    "duration": "duration(text)",
    "timestamp": "timestamp(text)",
    "matches": "''.matches(text)",
}
_FUNCTIONS: Final = ("size", "startsWith", "endsWith", "contains", *_OF_LITERALS)
# These become loops and tests before anything is checked.
_MACROS: Final = ("exists", "all", "exists_one", "filter", "map", "has")
# Operators have names without letters at their ends: _&&_, !_, _[_]; and @in, which is `in`.
_OPERATOR: Final = re.compile(r"[-_!@].*")

# A request on which every condition is tried once when it is compiled.
_SAMPLE: Final[Mapping[str, Any]] = {
    "user.id": "U0SAMPLE",
    "user.groups": ["sample"],
    "user.active_grants": 1,
    "user.requests_today": 1,
    "request.duration": timedelta(hours=1),
    "request.reason": "a sample of a reason",
    "request.ticket": "SAMPLE-1",
    "bundle.name": "sample",
    "bundle.environment": "production",
    "bundle.access": "read",
    "bundle.risk_level": 2,
    "bundle.labels": {},
    "bundle.scopes": ["sample:read"],
    "now.time": datetime(2026, 1, 1, tzinfo=UTC),
    "now.windows": ["sample"],
}
# Which labels there are is known only when a bundle is asked for.
_NO_SUCH_LABEL: Final = "NOT_FOUND: Key not found in map"

_FAULT: Final = re.compile(r"<input>:(\d+):(\d+): ([^\n]*)")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']+)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']+)' applied to '\(([^']*)\)'")
_TYPES: Final = re.compile(r"google\.protobuf\.([A-Z])")
_EXPECTED: Final = re.compile(r" expecting (?:\{.*\}|<EOF>)")
_EARLY: Final = re.compile(r"(?:mismatched|extraneous) input '<EOF>'|missing .* at '<EOF>'")
_STATUS: Final = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a condition.

    Attributes:
        line, column: Where in its text, both from 1, columns in characters.
    """

    line: int
    column: int
    what: str


class NoCondition(ValueError):
    """The text is no condition; never leaves the loading of policies."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.what for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A literal name of a group or window in a condition.

    Attributes:
        variable: What it is looked for in: user.groups or now.windows.
        place: Line and column in the condition's text, both from 1.
    """

    variable: str
    name: str
    place: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A compiled condition.

    Attributes:
        reads: The variables that it reads.
        mentions: The groups and windows that it names.
        all_groups: Whether its answer can depend on groups that it does not name.
    """

    text: str
    reads: frozenset[str]
    mentions: tuple[Mention, ...]
    all_groups: bool
    program: Any = field(compare=False, repr=False)

    @property
    def tree(self) -> Node:
        """What it is made of."""
        return tree_of(self.program.serialize())

    def value(self, activation: Any) -> bool | str:
        """Return whether it holds, or in words why that cannot be said."""
        try:
            found = self.program.eval(activation)
        except RuntimeError as problem:  # a text that the library cannot take
            return f"it cannot be evaluated: {_plain(str(problem))}"
        plain = found.plain_value()
        if plain is True or plain is False:  # a failure is a text here, and never one of the two
            return plain
        return f"it cannot be evaluated: {_plain(str(plain))}"


def activation_of(values: Mapping[str, Any]) -> Any:
    """Return `values`, of VARIABLES, as conditions take them; what is left out is unknown.

    Lists must be lists: the library takes no tuples and no sets.
    """
    return _env().Activation(values)


@lru_cache(maxsize=100_000)
def compile_condition(text: str) -> Condition:
    """Return the condition that `text` says.

    Raises:
        NoCondition: With all that is wrong with it.
    """
    try:
        program = _env().compile(text)
    except RuntimeError as problem:
        raise NoCondition(*_faults(str(problem), text)) from None
    if program.return_type() != cel.Type.BOOL:
        what = f"a condition is true or false, and this is {_article(program.return_type())}"
        raise NoCondition(Fault(1, 1, what))
    nodes = tuple(tree_of(program.serialize()).walk())
    faults = [fault for node in nodes for fault in _misuse(node, text)]
    if faults:
        raise NoCondition(*faults)
    mentions = tuple(mention for node in nodes for mention in _mentions(node, text))
    names = [node.name for node in nodes if node.name in VARIABLES]
    named = sum(mention.variable == GROUPS_VARIABLE for mention in mentions)
    condition = Condition(
        text=text,
        reads=frozenset(names),
        mentions=mentions,
        all_groups=names.count(GROUPS_VARIABLE) > named,
        program=program,
    )
    tried = condition.value(activation_of(_SAMPLE))
    if isinstance(tried, str) and _plain(_NO_SUCH_LABEL) not in tried:
        raise NoCondition(Fault(1, 1, f"tried on a sample request: {tried}"))
    return condition


@cache
def _env() -> Any:
    return cel.NewEnv(variables=VARIABLES)


@cache
def _literal(function: str) -> Any:
    return cel.NewEnv(variables={"text": _TEXT}).compile(_OF_LITERALS[function])


def literal_of(function: str, text: str) -> timedelta | datetime:
    """Return what `duration` or `timestamp` makes of a literal in a condition that compiled."""
    found: timedelta | datetime = _literal(function).eval(data={"text": text}).plain_value()
    return found


def _misuse(node: Node, text: str) -> list[Fault]:
    """Return what is wrong with one call."""
    call = node.call
    if not call or _OPERATOR.fullmatch(call):
        return []
    if call not in _FUNCTIONS:
        known = ", ".join((*_FUNCTIONS, *_MACROS))
        return [Fault(*_place(text, node.at, call), f"{call!r} cannot be used; there is {known}")]
    if call not in _OF_LITERALS:
        return []
    literal = node.parts[-1]
    if literal.text is None:
        place = _place(text, literal.at)
        return [Fault(*place, f"what {call} takes must be written out, in quotes")]
    found = _literal(call).eval(data={"text": literal.text})
    if found.type() != cel.Type.ERROR:
        return []
    what = f"{literal.text!r} does not fit {call}: {_plain(str(found.plain_value()))}"
    return [Fault(*_place(text, literal.at), what)]


def _mentions(node: Node, text: str) -> list[Mention]:
    if node.call != "@in" or node.parts[1].name not in (GROUPS_VARIABLE, WINDOWS_VARIABLE):
        return []
    literal, variable = node.parts[0], node.parts[1].name
    if literal.text is None:
        return []
    return [Mention(variable=variable, name=literal.text, place=_place(text, literal.at))]


def _place(text: str, at: int, word: str = "") -> tuple[int, int]:
    """Return line and column of the character `at`, or of the `word` that ends there."""
    begin = text.rfind(word, 0, at + 1) if word else at
    before = text[: max(begin, 0)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _faults(message: str, text: str) -> list[Fault]:
    """Return what the compiler said, in words of ours."""
    lines = text.split("\n")
    found = []
    for line, column, what in _FAULT.findall(message):
        unknown = _UNDECLARED.search(what)
        place = (int(line), int(column))
        if unknown:
            place = _begin(lines[int(line) - 1], place, unknown[1])
            what = f"there is no {unknown[1]!r}{_near(unknown[1])}"  # noqa: PLW2901 - said anew
        found.append(Fault(*place, _said(what)))
    return found or [Fault(1, 1, _plain(message.partition("\n")[0]))]


def _begin(line: str, place: tuple[int, int], word: str) -> tuple[int, int]:
    """Return where `word` begins: the compiler points at its last dot, or at what follows it."""
    begin = line.rfind(word, 0, place[1] + len(word))
    return (place[0], begin + 1) if begin >= 0 else place


def _near(word: str) -> str:
    known = (*VARIABLES, *_FUNCTIONS, *_MACROS)
    within = [name for name in VARIABLES if name.startswith(f"{word}.")]
    near = get_close_matches(word, known, n=1)
    if within:
        return f" (there is {', '.join(within)})"
    if word in known:
        return " with what it is given here"
    return f" (did you mean {near[0]!r}?)" if near else ""


def _said(what: str) -> str:
    wrong = _OVERLOAD.search(what)
    if wrong is None:
        return _plain(what)
    operator = wrong[1].replace("@", "").strip("_").replace("_", " ")
    kinds = _TYPES.sub(lambda found: found[1].lower(), wrong[2])
    hint = "; write a duration as duration('2h')" if "duration" in kinds else ""
    return f"{operator!r} does not fit ({kinds}){hint}"


def _plain(message: str) -> str:
    """Return what the library says, without what only its authors need."""
    said = _EXPECTED.sub("", _STATUS.sub("", message)).removeprefix("Syntax error: ")
    return _EARLY.sub("it ends too early", said).replace(" (in container '')", "")


def _article(kind: Any) -> str:
    name = str(kind.name()).lower()
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
