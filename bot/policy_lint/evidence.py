"""What is known besides the policy files: who is in groups, and which scopes are used."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.core.errors import Misconfigured
from bot.core.policy import Policy
from bot.policy_files.problems import quoted, suggestion

# Slack user ids by group.
Snapshot: TypeAlias = Mapping[str, frozenset[str]]


class Use(BaseModel):
    """What is known of the use of one scope of a bundle.

    Attributes:
        used: In how many grants it was used.
        grants: How many grants of the bundle held it.
        data: Whether whoever accepts the tokens reports use at all.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    used: Annotated[int, Field(ge=0)] = 0
    grants: Annotated[int, Field(ge=0)] = 0
    data: bool


# By bundle, then by scope.
Usage: TypeAlias = Mapping[str, Mapping[str, Use]]

_USAGE: Final = TypeAdapter(dict[str, dict[str, Use]])
_SNAPSHOT: Final = TypeAdapter(dict[str, frozenset[str]])


def read_usage(path: Path) -> Usage:
    """Return what `jit report usage --json` printed into `path`.

    Raises:
        Misconfigured: It cannot be read, or is something else.
    """
    found: Usage = _read(_USAGE, path, "{bundle: {scope: {used, grants, data}}}")
    return found


def read_snapshot(path: Path, policy: Policy) -> Snapshot:
    """Return who is in which group of `policy`, as `path` says in JSON.

    Raises:
        Misconfigured: It cannot be read, is something else, or names a group that there is not.
    """
    found: Snapshot = _read(_SNAPSHOT, path, "{group: [Slack user ids]}")
    for name in found:
        if name not in policy.groups:
            near = suggestion(name, sorted(policy.groups))
            raise Misconfigured(f"{path}: there is no group {quoted(name)}{near}")
    return found


def _read(kind: TypeAdapter[Any], path: Path, shape: str) -> Any:
    try:
        return kind.validate_json(path.read_bytes())
    except OSError as problem:
        raise Misconfigured(f"{path} cannot be read: {problem.strerror}") from problem
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        at = f" at {where}" if where else ""
        raise Misconfigured(f"{path} must be JSON, {shape}:{at} {first['msg']}") from problem
