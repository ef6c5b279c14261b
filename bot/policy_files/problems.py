"""What is wrong with a policy file, and where; and the words that such sentences are made of."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_QUOTE: Final = 60
_FEW: Final = 8  # so many names are listed when none is near


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        line, column: Both count from 1, columns in characters; 0 when it is about the whole file.
        path: Where that is in the file's structure, such as "bundles.deploy.channel".
    """

    file: str
    line: int
    column: int
    path: str
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return _printable(": ".join(part for part in (place, self.path, self.what) if part))


def _printable(text: str) -> str:
    """Return `text` with what cannot be printed escaped: libraries repeat what a file holds."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def dotted(path: Path) -> str:
    """Return `path` as people write it: bundles.deploy.scopes[2]."""
    return "".join(
        f"[{part}]" if isinstance(part, int) else f"{'.' if at else ''}{_key(part)}"
        for at, part in enumerate(path)
    )


def _key(text: str) -> str:
    # A key from a file must not be able to forge a line of the log or steer a terminal.
    return text if _PLAIN_KEY.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """Return `text` in quotes, on one line, printable and clipped."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "...")


def shown(value: object) -> str:
    """Return what a file says at some place, in the words of YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return str(value)


def suggestion(word: object, known: Collection[str]) -> str:
    """Return " (did you mean 'x'?)", or what there is if that is little, or nothing."""
    near = get_close_matches(str(word)[:_LONGEST_QUOTE], known, n=1)
    if near:
        return f" (did you mean {quoted(near[0])}?)"
    return f" (there is {', '.join(map(_key, known))})" if 0 < len(known) <= _FEW else ""
