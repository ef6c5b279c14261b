"""Keys that are put into the folder, or taken out of it, while the bot runs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from bot.core.errors import Misconfigured
from bot.keyring.folder import refill
from bot.keyring.ring import Keyring

log = structlog.get_logger()

LOOK_EVERY_S: Final = 2.0


class KeyWatch:
    """Has a ring hold what stands in its folder.

    Attributes:
        problems: Why it does not at the moment; the keys of before are used on.
    """

    def __init__(self, folder: Path, ring: Keyring) -> None:
        self._folder = folder
        self._ring = ring
        self._seen = _seen(folder)
        self.problems: Sequence[str] = ()

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Take over what has changed since the last look."""
        seen = _seen(self._folder)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            refill(self._ring, self._folder)
        except Misconfigured as problem:
            self.problems = problem.problems
            log.error("keys.not_taken", problems=self.problems)  # noqa: TRY400  no fault of ours
            return
        self.problems = ()
        log.info("keys.changed", active=self._ring.active_kid)


def _seen(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Return what differs when a file was put there, changed or taken away."""
    try:
        stats = [(path.name, path.stat()) for path in folder.iterdir()]
    except OSError:  # a file went away meanwhile: it will differ at the next look, too
        return frozenset()
    return frozenset((name, stat.st_mtime_ns, stat.st_mode) for name, stat in stats)
