"""Taking scopes out of a bundle in the file itself: comments and layout stay as they are."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from bot.core.errors import Misconfigured
from bot.policy_files.folder import File, Folder
from bot.policy_files.positions import Source, read_source

_BOM: Final = "\ufeff"
# What may follow an entry that stands alone on its line.
_REST: Final = re.compile(r"[ \t]*,?[ \t]*(#.*)?\r?$")


def without_scopes(folder: Folder, bundle: str, scopes: Collection[str]) -> Folder:
    """Return `folder` as it is without these scopes of `bundle`; nothing else in it is changed.

    Args:
        folder: Files that are right.

    Raises:
        Misconfigured: There is no such bundle, nothing would be left of it, or the file is written
            in a way that only people can change.
    """
    file, source = _declaring(folder, bundle)
    known = list(source.content["bundles"][bundle]["scopes"])
    if not set(known) - set(scopes):
        raise Misconfigured(f"nothing would be left of {bundle}; take the bundle out by hand")
    text = file.raw.decode("utf-8")
    mark, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    for scope in known:
        if scope in scopes:
            text = _without(text, bundle, scope)
    raw = (mark + text).encode()
    wanted = _expected(source, bundle, scopes)
    changed = read_source(source.file, raw)
    if changed.problems or changed.content != wanted:
        raise Misconfigured(
            f"{source.file} is written in a way that cannot be changed by itself; take"
            f" {', '.join(scopes)} out of {bundle} by hand"
        )
    files = tuple(replace(each, raw=raw) if each == file else each for each in folder.files)
    return replace(folder, files=files)


def _declaring(folder: Folder, bundle: str) -> tuple[File, Source]:
    for file in folder.files:
        source = read_source(f"{folder.name}/{file.path}", file.raw)
        bundles = source.content.get("bundles") if isinstance(source.content, dict) else None
        if isinstance(bundles, dict) and bundle in bundles:
            return file, source
    raise Misconfigured(f"no file in {folder.name} declares the bundle {bundle}")


def _expected(source: Source, bundle: str, scopes: Collection[str]) -> Any:
    declared = source.content["bundles"][bundle]
    old = declared["scopes"]
    kept = (
        {scope: words for scope, words in old.items() if scope not in scopes}
        if isinstance(old, dict)
        else [scope for scope in old if scope not in scopes]
    )
    bundles = {**source.content["bundles"], bundle: {**declared, "scopes": kept}}
    return {**source.content, "bundles": bundles}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One scope in the text, from `begin` up to `end`, with its words if it has any."""

    scope: str
    begin: int
    end: int


def _without(text: str, bundle: str, scope: str) -> str:
    node: Any = yaml.compose(text, yaml.CSafeLoader)
    for key in ("bundles", bundle, "scopes"):
        node = next(value for name, value in node.value if name.value == key)
    entries = _entries(text, node)
    place = next(n for n, entry in enumerate(entries) if entry.scope == scope)
    begin, end = _cut(text, entries, place)
    return text[:begin] + text[end:]


def _entries(text: str, node: Any) -> list[_Entry]:
    if isinstance(node, yaml.MappingNode):
        return [
            _Entry(key.value, key.start_mark.index, _end(text, key.start_mark, value))
            for key, value in node.value
        ]
    dash = not node.flow_style
    return [
        _Entry(
            each.value,
            text.rindex("-", 0, each.start_mark.index) if dash else each.start_mark.index,
            _end(text, each.start_mark, each),
        )
        for each in node.value
    ]


def _end(text: str, begin: Any, value: Any) -> int:
    """Return where `value` ends; that of a block scalar is put after what follows it."""
    end: int = value.end_mark.index
    if value.style not in ("|", ">"):
        return end
    lines = text[value.start_mark.index : end].splitlines(keepends=True)
    while len(lines) > 1 and len(lines[-1]) - len(lines[-1].lstrip()) <= begin.column:
        end -= len(lines.pop())
    return end - len(lines[-1]) + len(lines[-1].rstrip("\r\n"))


def _cut(text: str, entries: Sequence[_Entry], place: int) -> tuple[int, int]:
    """Return what to take out: whole lines where the entry has them for itself."""
    entry = entries[place]
    line = text.rfind("\n", 0, entry.begin) + 1
    after = text.find("\n", entry.end)
    line_end = len(text) if after < 0 else after
    alone = not text[line : entry.begin].strip() and _REST.match(text[entry.end : line_end])
    if alone:
        return line, min(line_end + 1, len(text))
    if place and entries[place - 1].end >= line:
        return entries[place - 1].end, entry.end
    if place + 1 < len(entries) and entries[place + 1].begin < line_end:
        return entry.begin, entries[place + 1].begin
    rest = re.compile(r"[ \t]*,?[ \t]*").match(text, entry.end)
    return entry.begin, rest.end() if rest is not None else entry.end
