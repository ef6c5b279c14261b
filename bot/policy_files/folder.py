"""A folder of policy files as it was at one moment: what is judged is what comes into force."""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.core.errors import Misconfigured
from bot.policy_files.positions import MAX_BYTES, Source, no_source, read_source

SUFFIXES: Final = (".yaml", ".yml")
# Where cases are, within the folder.
TESTS: Final = "tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file.

    Attributes:
        path: Seen from the folder: "rules.yaml", "tests/shipped.yaml".
        problem: Why it could not be read; "" if it was.
    """

    path: str
    raw: bytes
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The files that count, in the order of their names.

    Attributes:
        name: The folder's own name, which people know the files by.
        where: Where it was read from; never kept.
    """

    name: str
    files: tuple[File, ...]
    where: str = ""

    @property
    def stamp(self) -> str:
        """A SHA-256, in hex, over everything that was read; layout and comments count."""
        told = [[file.path, file.problem, _digest(file.raw)] for file in self.files]
        return _digest(json.dumps(told).encode())

    def sources(self, *, of_tests: bool) -> list[Source]:
        """Return the files, or the files of cases, as YAML."""
        return [self._source(file) for file in self.files if _is_test(file.path) is of_tests]

    def _source(self, file: File) -> Source:
        # With its folder's name: short, and clickable where people start us.
        name = f"{self.name}/{file.path}"
        return no_source(name, file.problem) if file.problem else read_source(name, file.raw)


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _is_test(path: str) -> bool:
    return path.startswith(f"{TESTS}/")


def read_folder(folder: Path) -> Folder:
    """Return the *.yaml and *.yml files directly in `folder`, and those of its cases.

    Raises:
        Misconfigured: The folder cannot be read.
    """
    try:
        files = tuple(_files(folder))
    except OSError as problem:
        raise Misconfigured(
            f"the policy folder {folder} cannot be read: {problem.strerror}"
        ) from problem
    return Folder(name=folder.name, files=files, where=str(folder))


def _files(folder: Path) -> Iterator[File]:
    tests = folder / TESTS
    for place in (folder, *((tests,) if tests.is_dir() else ())):
        for path in sorted(place.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                yield _read(path, str(path.relative_to(folder)))


def _read(path: Path, name: str) -> File:
    try:
        # What is no file, such as a pipe, could keep us waiting.
        if not path.is_file():
            return File(path=name, raw=b"", problem="this is not a file")
        with path.open("rb") as file:
            return File(path=name, raw=file.read(MAX_BYTES + 1))
    except OSError as problem:
        return File(path=name, raw=b"", problem=f"the file cannot be read: {problem.strerror}")


def pack(folder: Folder) -> bytes:
    """Return a folder, of which every file was read, as bytes to keep."""
    files = {file.path: base64.b64encode(file.raw).decode() for file in folder.files}
    return zlib.compress(json.dumps({"name": folder.name, "files": files}).encode())


def unpack(kept: bytes) -> Folder:
    """Return the folder that `kept` was made from.

    Raises:
        ValueError: It is damaged.
    """
    try:
        told = json.loads(zlib.decompress(kept))
        files = [File(path=path, raw=base64.b64decode(raw)) for path, raw in told["files"].items()]
        return Folder(name=told["name"], files=tuple(files))
    except (zlib.error, LookupError, TypeError, AttributeError) as problem:
        raise ValueError("the kept policies are damaged") from problem
