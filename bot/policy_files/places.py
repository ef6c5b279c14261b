"""Where in the files something is declared, for whoever has the policy only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.policy_files.declared import Entry, declare
from bot.policy_files.folder import Folder


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Places:
    """The places of what a folder declares.

    Args:
        folder: One that `load_folder` takes.
    """

    def __init__(self, folder: Folder) -> None:
        declared, _ = declare(folder.sources(of_tests=False))
        sections: Mapping[str, Sequence[Entry[Any]]] = {
            "bundles": declared.bundles,
            "groups": declared.groups,
            "chains": declared.chains,
            "rules": declared.rules,
            "guardrails": declared.guardrails,
        }
        self._entries = {
            (section, entry.name): entry
            for section, entries in sections.items()
            for entry in entries
        }

    def of(self, section: str, name: str, *part: str | int) -> Place:
        """Return where an entry is, or the innermost of its parts on the way to `part`."""
        entry = self._entries[section, name]
        source, path = entry.source, entry.path
        place = source.place(path, at_key=True)
        for step in part:
            path = (*path, step)
            if path not in source.places:
                break
            place = source.place(path)
        return Place(source.file, *place)

    def names(self, section: str) -> Sequence[str]:
        """Return what a section declares, in the order of the files."""
        return [name for of, name in self._entries if of == section]
