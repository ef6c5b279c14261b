"""What all files together declare: every entry with its model and its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

from bot.policy_files.chain_documents import Chain
from bot.policy_files.client_documents import Client, Resource
from bot.policy_files.documents import (
    Bundle,
    Defaults,
    Document,
    Guardrail,
    Model,
    Rule,
    Window,
)
from bot.policy_files.explain import problems_of
from bot.policy_files.group_documents import Group
from bot.policy_files.positions import Source
from bot.policy_files.problems import Path, Problem

M = TypeVar("M", bound=Model)
M_co = TypeVar("M_co", bound=Model, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """A place where a name is given to something, right or wrong as that may be.

    Attributes:
        path: Where the entry is.
        name_path: Where its name is: the entry itself if its key is the name.
    """

    section: str
    name: str
    source: Source
    path: Path
    name_path: Path

    @property
    def where(self) -> str:
        """Return "file:line"."""
        return f"{self.source.file}:{self.source.place(self.name_path, at_key=self._is_key)[0]}"

    @property
    def _is_key(self) -> bool:
        return self.name_path == self.path

    def problem(self, what: str) -> Problem:
        """Return the problem `what` with this name."""
        return self.source.problem(self.name_path, what, at_key=self._is_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[M_co]):
    """An entry that is right in itself."""

    name: str
    model: M_co
    source: Source
    path: Path

    @property
    def where(self) -> str:
        """Return "file:line"."""
        return f"{self.source.file}:{self.source.place(self.path)[0]}"

    def problem(self, *part: str | int, what: str) -> Problem:
        """Return the problem `what` with a part of the entry, or all of it."""
        return self.source.problem((*self.path, *part), what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """All entries, in the order of file names, then of places.

    Attributes:
        names: Every name, also of entries that are not right.
        admin_channel: "" where no file names one.
    """

    defaults: tuple[Entry[Defaults], ...]
    groups: tuple[Entry[Group], ...]
    windows: tuple[Entry[Window], ...]
    chains: tuple[Entry[Chain], ...]
    bundles: tuple[Entry[Bundle], ...]
    rules: tuple[Entry[Rule], ...]
    guardrails: tuple[Entry[Guardrail], ...]
    clients: tuple[Entry[Client], ...]
    resources: tuple[Entry[Resource], ...]
    namings: tuple[Naming, ...]
    admin_channel: str = ""

    def names(self, section: str) -> frozenset[str]:
        """Return every name in `section`, also of entries that are not right."""
        return frozenset(naming.name for naming in self.namings if naming.section == section)


# What stands for itself, once over all files.
_ALONE: Final = ("defaults", "admin_channel")
_LISTS: Final = ("rules", "guardrails")  # the order of these counts, so they are no mappings
_MAPPINGS: Final = ("groups", "windows", "chains", "bundles", "clients", "resources")


def declare(sources: Sequence[Source]) -> tuple[Declared, tuple[Problem, ...]]:
    """Return what `sources` declare, and what is wrong with the single entries."""
    read = _Reader(sources)
    declared = Declared(
        defaults=read.entries("defaults", Defaults),
        groups=read.entries("groups", Group),
        windows=read.entries("windows", Window),
        chains=read.entries("chains", Chain),
        bundles=read.entries("bundles", Bundle),
        rules=read.entries("rules", Rule),
        guardrails=read.entries("guardrails", Guardrail),
        clients=read.entries("clients", Client),
        resources=read.entries("resources", Resource),
        namings=tuple(naming for source in sources for naming in _namings(source)),
        admin_channel=read.admin_channel,
    )
    return declared, tuple(read.problems)


class _Reader:
    """Validates entries one by one, so that one that is wrong does not hide the others."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self.problems: list[Problem] = []
        documents = [self._validated(Document, each.content, each, ()) for each in sources]
        named = [each.admin_channel for each in documents if each is not None]
        self.admin_channel = next((channel for channel in named if channel), "")

    def entries(self, section: str, model: type[M]) -> tuple[Entry[M], ...]:
        found = []
        for source in self._sources:
            for name, path, content in _items(source, section):
                valid = self._validated(model, content, source, path)
                if valid is not None:
                    found.append(Entry(name=name, model=valid, source=source, path=path))
        return tuple(found)

    def _validated(self, model: type[M], content: object, source: Source, path: Path) -> M | None:
        try:
            return model.model_validate(content)
        except ValidationError as error:
            self.problems.extend(problems_of(error, source, path, model))
            return None


def _items(source: Source, section: str) -> Iterator[tuple[str, Path, object]]:
    """Yield name, path and content of what is in a section, if that has the right shape."""
    content = source.content.get(section) if isinstance(source.content, dict) else None
    if section in _LISTS and isinstance(content, list):
        for place, item in enumerate(content):
            name = item.get("id") if isinstance(item, dict) else None
            yield (name if isinstance(name, str) else ""), (section, place), item
    elif section in _MAPPINGS and isinstance(content, dict):
        for name, item in content.items():
            yield name, (section, name), item
    elif content is not None and section not in _LISTS + _MAPPINGS:
        yield section, (section,), content


def _namings(source: Source) -> Iterator[Naming]:
    for section in (*_ALONE, *_MAPPINGS, *_LISTS):
        for name, path, _ in _items(source, section):
            name_path = (*path, "id") if section in _LISTS else path
            if name:
                yield Naming(
                    section=section, name=name, source=source, path=path, name_path=name_path
                )
