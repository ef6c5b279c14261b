"""The policy in force, and how changed files take its place: judged first, swapped at once.

Whoever reads the policy follows one reference, so nobody waits and nobody sees half of a change.
Files are looked at, not watched for events: that works on every kind of mount.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from bot.admin_channel import AdminChannel
from bot.core.differences import differences
from bot.core.errors import BotError
from bot.in_force import Held, InForce, Refusal, Unmet, judged, logged, nothing_unmet, read_files
from bot.policy_files import Folder, pack
from bot.store.redis_policies import RedisPolicies
from bot.telemetry import PrometheusMetrics

log = structlog.get_logger()

LOOK_EVERY_S: Final = 3.0
# Files that change are left alone until they stay the same for so long: a checkout takes a while.
SETTLE_S: Final = 1.0
# Owed to the admin channel at once; while Slack is away only the newest matter.
OWED_AT_MOST: Final = 10


Note = Callable[[], Awaitable[None]]


class Reloader:
    """Looks at the files, and puts them in force when they changed and are right.

    Args:
        path: The folder of policy files.
        default_resource: See `load_policies`.
        swapped: Called after each swap: what was derived from the policy is to be derived again.
        unmet: See `judged`.
    """

    def __init__(
        self,
        held: Held,
        path: Path,
        *,
        default_resource: str,
        shelf: RedisPolicies,
        admins: AdminChannel,
        metrics: PrometheusMetrics,
        swapped: Callable[[], None],
        unmet: Unmet = nothing_unmet,
    ) -> None:
        self._held = held
        self._path = path
        self._default_resource = default_resource
        self._shelf = shelf
        self._admins = admins
        self._metrics = metrics
        self._swapped = swapped
        self._unmet = unmet
        self._owed: list[Note] = []
        self._good_to_keep = False

    async def run(self, woken: asyncio.Event) -> None:
        """Look until cancelled; at once whenever `woken` is set."""
        self._begin()
        while True:
            try:
                await self._pay()
            except Exception:  # whatever it was, files must be looked at again
                log.exception("policy.reload_failed")
            try:
                await asyncio.wait_for(woken.wait(), LOOK_EVERY_S)
            except TimeoutError:
                asked = False
            else:
                asked = True
                woken.clear()
            try:
                await self.look(asked=asked)
            except Exception:  # as above
                log.exception("policy.reload_failed")

    def _begin(self) -> None:
        """Owe what the start already knows."""
        refusal = self._held.now.refusal
        if refusal is None:
            self._good_to_keep = True
            self._owe_mended()
        else:
            self._owe_refused(refusal)
        self._measure()

    async def look(self, *, asked: bool = False) -> None:
        """Put the files in force if they changed and are right; else the old policy goes on.

        Args:
            asked: Somebody wants to know: what was judged before is judged again.
        """
        folder = await self._settled(asked=asked)
        if folder is None:
            return
        if isinstance(folder, Refusal):
            self._refuse(folder)
            return
        now = self._held.now
        if folder.stamp == now.folder.stamp:
            self._unchanged(now)
            return
        found = await asyncio.to_thread(
            judged, folder, default_resource=self._default_resource, unmet=self._unmet
        )
        if isinstance(found, Refusal):
            self._refuse(found)
        else:
            self._swap(InForce(folder=folder, loaded=found))

    async def _settled(self, *, asked: bool) -> Folder | Refusal | None:
        """Return the files once they stand still; None if they were judged before."""
        found = await asyncio.to_thread(read_files, self._path)
        while asked or found.stamp != self._judged():
            asked = False
            await asyncio.sleep(SETTLE_S)
            again = await asyncio.to_thread(read_files, self._path)
            if again.stamp == found.stamp:
                return again
            found = again
        return None

    def _judged(self) -> str:
        """Return the stamp of the files that were judged last."""
        now = self._held.now
        return now.refusal.stamp if now.refusal is not None else now.folder.stamp

    def _refuse(self, refusal: Refusal) -> None:
        self._held.now = replace(self._held.now, refusal=refusal)
        self._metrics.count("jit_policy_reloads_total", outcome="refused")
        log.error("policy.refused", **logged(refusal), in_force=self._held.now.digest)
        self._owe_refused(refusal)
        self._measure()

    def _unchanged(self, now: InForce) -> None:
        """The files are those in force, perhaps again after others were refused."""
        self._metrics.count("jit_policy_reloads_total", outcome="unchanged")
        log.info("policy.unchanged", digest=now.digest)
        self._held.now = replace(now, refusal=None)
        self._owe_mended()
        self._measure()

    def _swap(self, new: InForce) -> None:
        old, self._held.now = self._held.now, new
        self._swapped()
        self._good_to_keep = True
        found = differences(old.loaded.policy, new.loaded.policy)
        self._metrics.count("jit_policy_reloads_total", outcome="loaded")
        log.info(
            "policy.reloaded",
            old=old.digest,
            new=new.digest,
            bundles=len(found.bundles),
            rules=len(found.rules),
            groups=len(found.groups),
        )
        self._owe_mended()
        channel = new.loaded.admin_channel
        if channel:
            change = f"{old.folder.stamp}>{new.folder.stamp}"
            self._owe(
                lambda: self._admins.changed(
                    channel, found, old=old.digest, new=new.digest, change=change
                )
            )
        self._measure()

    def _owe_refused(self, refusal: Refusal) -> None:
        now = self._held.now
        channel = now.loaded.admin_channel
        if channel:
            self._owe(
                lambda: self._admins.refused(
                    channel, refusal.problems, stamp=refusal.stamp, in_force=now.digest
                )
            )

    def _owe_mended(self) -> None:
        now = self._held.now
        self._owe(lambda: self._admins.mended(in_force=now.digest))

    def _owe(self, note: Note) -> None:
        self._owed = [*self._owed, note][-OWED_AT_MOST:]

    async def _pay(self) -> None:
        """Keep and tell what is owed; what cannot be done now stays owed."""
        try:
            if self._good_to_keep:
                await self._shelf.keep_good(pack(self._held.now.folder))
                self._good_to_keep = False
            while self._owed:
                note = self._owed.pop(0)
                try:
                    await note()
                except BotError:
                    self._owed.insert(0, note)
                    raise
        except BotError as problem:
            log.info("policy.not_told_yet", code=problem.code, owed=len(self._owed))

    def _measure(self) -> None:
        refusal = self._held.now.refusal
        count = len(refusal.problems) if refusal is not None else 0
        self._metrics.measure("jit_policy_problems", count)
