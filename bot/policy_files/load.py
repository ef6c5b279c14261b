"""A folder of policy files to the policy and the clients, or to a list of all that is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.core.client import Client
from bot.core.errors import Misconfigured
from bot.core.policy import Policy
from bot.policy_files.assemble import clients_of, policy_of
from bot.policy_files.declared import Declared, declare
from bot.policy_files.positions import MAX_BYTES, Source, no_source, read_source
from bot.policy_files.problems import Problem
from bot.policy_files.references import (
    circles,
    doubles,
    longer_than_allowed,
    reviewed_by_nobody_else,
    too_few_people,
    unknown_names,
)

SUFFIXES: Final = (".yaml", ".yml")


class WrongFiles(Misconfigured):
    """What is wrong with files, each problem with its place.

    Attributes:
        found: In the order of files and lines.
    """

    def __init__(self, *found: Problem) -> None:
        super().__init__(*map(str, found))
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the files of a folder say."""

    policy: Policy
    clients: Mapping[str, Client]


def load_policies(folder: Path, *, default_resource: str) -> Loaded:
    """Return what the *.yaml and *.yml files directly in `folder` say.

    Args:
        default_resource: The audience of bundles that name no resource, a URI (RFC 8707).

    Raises:
        WrongFiles: With everything that is wrong in any of the files, each as
            "file:line:column: path: what is wrong".
        Misconfigured: There are no files, or nothing is declared in them.
    """
    sources = [read_file(path, folder) for path in _paths(folder)]
    readable = [source for source in sources if not source.problems]
    declared, wrong = declare(readable)
    problems = [problem for source in sources for problem in source.problems]
    problems += [*wrong, *doubles(declared), *longer_than_allowed(declared)]
    problems += [*too_few_people(declared), *circles(declared)]
    problems += reviewed_by_nobody_else(declared)
    if len(readable) == len(sources):  # else what seems unknown may be in the others
        problems += unknown_names(declared)
    if problems:
        raise WrongFiles(*sorted(problems))
    missing = [*_missing(declared, folder)]
    if missing:
        raise Misconfigured(*missing)
    policy = policy_of(declared, default_resource=default_resource)
    return Loaded(policy=policy, clients=clients_of(declared))


def _paths(folder: Path) -> list[Path]:
    try:
        found = yaml_files(folder)
    except OSError as problem:
        raise Misconfigured(
            f"the policy folder {folder} cannot be read: {problem.strerror}"
        ) from problem
    if not found:
        raise Misconfigured(
            f"the policy folder {folder} holds no *.yaml file; begin with a copy of the shipped"
            " policies/"
        )
    return found


def yaml_files(folder: Path) -> list[Path]:
    """Return the *.yaml and *.yml files directly in `folder`, in the order of their names.

    Raises:
        OSError: The folder cannot be read.
    """
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def read_file(path: Path, folder: Path) -> Source:
    """Return the file at `path`, under its name as people see it who know `folder`."""
    # With its folder's name: short, and clickable where people start us.
    name = str(path.relative_to(folder.parent))
    try:
        # What is no file, such as a pipe, could keep us waiting.
        if not path.is_file():
            return no_source(name, "this is not a file")
        with path.open("rb") as file:
            return read_source(name, file.read(MAX_BYTES + 1))
    except OSError as problem:
        return no_source(name, f"the file cannot be read: {problem.strerror}")


def _missing(declared: Declared, folder: Path) -> Iterator[str]:
    if not declared.bundles:
        yield f"{folder} declares no bundle, so there is nothing to ask for; add `bundles:`"
    if not declared.rules:
        yield f"{folder} declares no rule, so everything is denied; add `rules:`"
