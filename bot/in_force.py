"""The policy in force: what was read from which files, and why those of today may not be it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from bot.core.errors import Misconfigured, Unavailable
from bot.core.policy import Policy
from bot.policy_files import Folder, Loaded, examine, read_folder, unpack
from bot.store.redis_policies import RedisPolicies

log = structlog.get_logger()

# Problems in one line of the log; `jit policy check` tells them all.
LOGGED_AT_MOST: Final = 20


Unmet: TypeAlias = Callable[[Policy], Sequence[str]]


def nothing_unmet(_: Policy) -> Sequence[str]:
    """Return no problem, whatever the policy needs."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why files are not in force.

    Attributes:
        stamp: Of the files.
    """

    stamp: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What is in force.

    Attributes:
        folder: The files that it was read from.
        refusal: Why the files are not in force as they stand now; None if they are.
    """

    folder: Folder
    loaded: Loaded
    refusal: Refusal | None = None

    @property
    def digest(self) -> str:
        """The policy's digest."""
        return self.loaded.policy.digest

    @property
    def warnings(self) -> tuple[str, ...]:
        """What operators must know, a sentence each."""
        if self.refusal is None:
            return ()
        first, *more = self.refusal.problems
        others = f" (and {len(more)} more)" if more else ""
        return (
            f"the policy files are refused, and policy {self.digest[:12]} goes on: {first}{others}",
        )


class Held:
    """The one reference to what is in force."""

    def __init__(self, first: InForce) -> None:
        self.now = first


def first_look(
    path: Path, *, default_resource: str, unmet: Unmet = nothing_unmet
) -> InForce | Refusal:
    """Return what the files at `path` say, or why they cannot come into force."""
    folder = read_files(path)
    if isinstance(folder, Refusal):
        return folder
    found = judged(folder, default_resource=default_resource, unmet=unmet)
    return found if isinstance(found, Refusal) else InForce(folder=folder, loaded=found)


def read_files(path: Path) -> Folder | Refusal:
    """Return the files at `path`, or why they cannot be read."""
    try:
        return read_folder(path)
    except Misconfigured as problem:
        return Refusal(stamp=str(problem), problems=problem.problems)


def judged(
    folder: Folder, *, default_resource: str, unmet: Unmet = nothing_unmet
) -> Loaded | Refusal:
    """Return what `folder` says, or why it cannot come into force.

    Args:
        unmet: Tells which settings a policy needs and does not find.
    """
    try:
        loaded = examine(folder, default_resource=default_resource)
        problems = unmet(loaded.policy)
        return Refusal(stamp=folder.stamp, problems=tuple(problems)) if problems else loaded
    except Misconfigured as problem:
        return Refusal(stamp=folder.stamp, problems=problem.problems)


async def last_good(
    shelf: RedisPolicies,
    refusal: Refusal,
    *,
    default_resource: str,
    unmet: Unmet = nothing_unmet,
) -> InForce:
    """Return the files that were in force last, as those of today are refused.

    Raises:
        Misconfigured: There are none, or they will not do any more; with why today's will not.
    """
    try:
        kept = await shelf.good()
        folder = unpack(kept) if kept is not None else None
    except (Unavailable, ValueError) as problem:
        log.warning("policy.last_good_unreadable", why=str(problem))
        folder = None
    if folder is None:
        raise Misconfigured(*refusal.problems)
    loaded = judged(folder, default_resource=default_resource, unmet=unmet)
    if isinstance(loaded, Refusal):
        log.warning("policy.last_good_refused", **logged(loaded))
        raise Misconfigured(*refusal.problems)
    log.critical("policy.last_good_in_force", **logged(refusal), digest=loaded.policy.digest)
    return InForce(folder=folder, loaded=loaded, refusal=refusal)


def logged(refusal: Refusal) -> dict[str, object]:
    """Return what a line of the log says of it."""
    problems = refusal.problems
    return {"problems": list(problems[:LOGGED_AT_MOST]), "count": len(problems)}
