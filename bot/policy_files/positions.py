"""YAML to plain values, and the place of each of them in the file.

Scalars are those of the YAML 1.2 core schema, without its octal and hexadecimal numbers: `no`,
`on`, `010` and `18:00` are text. What could hide something from a reader is refused: aliases and
anchors, tags, keys that are given twice or are not text, deep nesting.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from bot.policy_files.inside import place_inside
from bot.policy_files.problems import Path, Problem, dotted, quoted

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 40

# YAML 1.2.2, section 10.3.2. Longer numbers stay text, as nothing here is counted that high.
_CORE: Final[tuple[tuple[re.Pattern[str], Callable[[str], object]], ...]] = (
    (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,17})"), int),
    (re.compile(r"[-+]?[0-9]{1,17}\.[0-9]{1,17}"), float),
)

# What PyYAML counts as the end of a line. YAML 1.1, section 5.4.
_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file as it was read.

    Attributes:
        file: Its name as people know it: "policies/rules.yaml".
        content: Mappings, lists, text, numbers, booleans, None. Means nothing when there are
            `problems`.
        places, keys: Line and column, both from 1, of the value at each path, and of its key.
        text: The file itself.
    """

    file: str
    content: Any
    places: Mapping[Path, tuple[int, int]]
    keys: Mapping[Path, tuple[int, int]]
    problems: tuple[Problem, ...] = ()
    text: str = ""

    def place(self, path: Path, *, at_key: bool = False) -> tuple[int, int]:
        """Return line and column of the value at `path`, or of its key if it has one."""
        places = self.keys if at_key and path in self.keys else self.places
        return places[path]

    def problem(self, path: Path, what: str, *, at_key: bool = False) -> Problem:
        """Return the problem `what` with the value at `path`, or with its key."""
        line, column = self.place(path, at_key=at_key)
        return Problem(self.file, line, column, dotted(path), what)

    def problem_inside(self, path: Path, place: tuple[int, int], what: str) -> Problem:
        """Return the problem `what` at line and column `place` of the text at `path`."""
        line, column = self.places[path]
        inside = place_inside(_BREAK.split(self.text), (line, column), self._value(path), place)
        return Problem(self.file, *inside, dotted(path), what)

    def _value(self, path: Path) -> str:
        value = self.content
        for part in path:
            value = value[part]
        return str(value)


def read_source(file: str, raw: bytes) -> Source:
    """Return what `raw` says; what is wrong with it is in the source's `problems`."""
    reader = _Reader(file)
    content = reader.read(raw)
    return Source(
        file=file,
        content=content,
        places=reader.places,
        keys=reader.keys,
        problems=tuple(reader.problems),
        text=reader.text,
    )


def no_source(file: str, why: str) -> Source:
    """Return the source of a file of which nothing could be read."""
    problem = Problem(file, 0, 0, "", why)
    return Source(file=file, content=None, places={}, keys={}, problems=(problem,))


class _Unreadable(Exception):
    """Nothing more can be made of the file."""

    def __init__(self, sentence: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(sentence)
        self.line = line
        self.column = column


class _Reader:
    """Builds the values of one file from the parser's events, which come one by one.

    The events, not PyYAML's nodes, because in them aliases, anchors and tags are still what they
    are in the file, and nothing was built from a deep nesting yet.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._events: Iterator[Any] = iter(())
        self.places: dict[Path, tuple[int, int]] = {}
        self.keys: dict[Path, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.text = ""

    def read(self, raw: bytes) -> object:
        """Return the value of the file's one document."""
        try:
            self.text = _text(raw)
            self._events = _events(self.text)
            return self._document()
        except _Unreadable as problem:
            place = Problem(self._file, problem.line, problem.column, "", str(problem))
            self.problems.append(place)
            return None

    def _document(self) -> object:
        next(self._events)  # the stream starts
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise _Unreadable("the file is empty; begin with `version: 1`, or delete it")
        content = self._value(next(self._events), ())
        next(self._events)  # the document ends
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, (), "a second document begins here; a file holds one")
        return content

    def _refuse(self, event: Any, path: Path, what: str) -> None:
        line, column = _begin(event)
        self.problems.append(Problem(self._file, line, column, dotted(path), what))

    def _value(self, event: Any, path: Path) -> object:
        self.places[path] = _begin(event)
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, path, f"the alias *{event.anchor} is refused; write it out")
            return None
        if event.anchor is not None:
            self._refuse(event, path, f"the anchor &{event.anchor} is refused; take it out")
        if event.tag is not None:
            self._refuse(event, path, f"the tag {quoted(event.tag)} is refused; take it out")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if len(path) >= MAX_DEPTH:
            line, column = _begin(event)
            raise _Unreadable(f"nested deeper than {MAX_DEPTH}", line=line, column=column)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        return self._list(path) if is_list else self._mapping(path)

    def _list(self, path: Path) -> list[object]:
        found: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event, (*path, len(found))))
        return found

    def _mapping(self, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            here = (*path, key)
            if key in found:
                first = self.keys[here][0]
                self._refuse(event, here, f"the key {quoted(key)} is given on line {first} already")
            self.keys.setdefault(here, _begin(event))
            found[key] = self._value(next(self._events), here)
        return found

    def _key(self, event: Any, path: Path) -> str:
        key = self._value(event, (*path, "?"))
        if isinstance(key, str):
            return key
        self._refuse(event, path, "a key must be text")
        return f"?{len(self.problems)}"  # unlike any other, so that it is not called a double


def _text(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise _Unreadable(f"the file is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line, column = _place(raw, problem.start)
        raise _Unreadable("the file is not UTF-8 text", line=line, column=column) from problem


def _place(raw: bytes, offset: int) -> tuple[int, int]:
    """Return line and column of the byte at `offset`."""
    before = raw[:offset].decode("utf-8-sig", errors="ignore")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _begin(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _events(text: str) -> Iterator[Any]:
    """Return the parser's events.

    Raises:
        _Unreadable: It is no YAML.
    """
    try:
        yield from yaml.parse(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as problem:
        raise _not_yaml(problem, text) from problem
    except yaml.reader.ReaderError as problem:
        line, column = _place(text.encode(), problem.position)
        what = f"this is not YAML: {problem.reason}"
        raise _Unreadable(what, line=line, column=column) from problem


def _not_yaml(problem: yaml.MarkedYAMLError, text: str) -> _Unreadable:
    what, mark = f"this is not YAML: {problem.problem}", problem.problem_mark
    if mark is None:
        return _Unreadable(what)
    begun = problem.context_mark
    if begun is not None and begun.line != mark.line:
        what += f" ({problem.context}, which begins on line {begun.line + 1})"
    if text[mark.index : mark.index + 1] == "\t":
        what += "; indent with spaces, not with tabs"
    return _Unreadable(what, line=mark.line + 1, column=mark.column + 1)


def _scalar(event: Any) -> object:
    """Return the value; only what stands there plain, without quotes, can be other than text."""
    is_plain = event.implicit[0]
    if is_plain:
        for shape, value_of in _CORE:
            if shape.fullmatch(event.value):
                return value_of(event.value)
    return event.value
