"""A folder of policy files to the policy and the clients, or to a list of all that is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.core.client import Client, Resource
from bot.core.enforcement import Homes, homes_of
from bot.core.errors import Misconfigured
from bot.core.policy import Policy
from bot.policy_files.assemble import clients_of, policy_of, resources_of
from bot.policy_files.declared import Declared, declare
from bot.policy_files.folder import Folder, read_folder
from bot.policy_files.problems import Problem
from bot.policy_files.references import (
    circles,
    doubles,
    longer_than_allowed,
    own_managers,
    reviewed_by_nobody_else,
    too_few_people,
    unknown_names,
    unknown_scopes,
)


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
    """What the files of a folder say.

    Attributes:
        homes: Which API has which scopes.
        admin_channel: Where operators are told of reloads, "#name" or id; "" for nowhere.
    """

    policy: Policy
    clients: Mapping[str, Client]
    resources: Mapping[str, Resource]
    homes: Homes
    admin_channel: str = ""


def load_policies(folder: Path, *, default_resource: str) -> Loaded:
    """Return what the *.yaml and *.yml files directly in `folder` say.

    Args:
        default_resource: The audience of bundles that name no resource, a URI (RFC 8707).

    Raises:
        WrongFiles: With everything that is wrong in any of the files, each as
            "file:line:column: path: what is wrong".
        Misconfigured: There are no files, or nothing is declared in them.
    """
    return load_folder(read_folder(folder), default_resource=default_resource)


def load_folder(folder: Folder, *, default_resource: str) -> Loaded:
    """Return what a folder that was read says; see `load_policies`."""
    sources = folder.sources(of_tests=False)
    if not sources:
        raise Misconfigured(
            f"the policy folder {folder.where} holds no *.yaml file; begin with a copy of the"
            " shipped policies/"
        )
    readable = [source for source in sources if not source.problems]
    declared, wrong = declare(readable)
    problems = [problem for source in sources for problem in source.problems]
    problems += [*wrong, *doubles(declared), *longer_than_allowed(declared)]
    problems += [*too_few_people(declared), *circles(declared), *own_managers(declared)]
    problems += reviewed_by_nobody_else(declared)
    if len(readable) == len(sources):  # else what seems unknown may be in the others
        problems += [*unknown_names(declared), *unknown_scopes(declared)]
    if problems:
        raise WrongFiles(*sorted(problems))
    missing = [*_missing(declared, folder.where)]
    if missing:
        raise Misconfigured(*missing)
    policy = policy_of(declared, default_resource=default_resource)
    resources = resources_of(declared)
    return Loaded(
        policy=policy,
        clients=clients_of(declared),
        resources=resources,
        homes=homes_of(resources.values(), policy.bundles.values()),
        admin_channel=declared.admin_channel,
    )


def _missing(declared: Declared, folder: str) -> Iterator[str]:
    if not declared.bundles:
        yield f"{folder} declares no bundle, so there is nothing to ask for; add `bundles:`"
    if not declared.rules:
        yield f"{folder} declares no rule, so everything is denied; add `rules:`"
