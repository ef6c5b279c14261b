"""Answers of Slack that are kept for a while; one look-up at a time for each of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by name, each looked up again after `keep`; failures are not kept.

    Args:
        at_most: Names kept at once; the oldest is forgotten first.
    """

    def __init__(
        self,
        find: Callable[[K], Awaitable[V]],
        *,
        keep: timedelta,
        now: Callable[[], datetime],
        at_most: int = 10_000,
    ) -> None:
        self._find = find
        self._keep = keep
        self._now = now
        self._at_most = at_most
        self._known: dict[K, tuple[datetime, V]] = {}
        self._asking: dict[K, asyncio.Task[V]] = {}

    def kept(self, name: K) -> V | None:
        """Return the value of `name` if it is known well enough, without asking."""
        known = self._known.get(name)
        return known[1] if known is not None and self._now() < known[0] + self._keep else None

    async def get(self, name: K, *, fresh: bool = False) -> V:
        """Return the value of `name`; whatever the look-up raises passes through.

        Args:
            fresh: Look it up now, whatever is kept; not even a look-up under way will do, since
                it may have been answered before the caller came.
        """
        known = None if fresh else self.kept(name)
        if known is not None:
            return known
        asking = None if fresh else self._asking.get(name)
        if asking is None:
            asking = asyncio.ensure_future(self._find(name))
            self._asking[name] = asking
            asking.add_done_callback(lambda done: self._answered(name, done))
        # A caller that is cancelled must not take the others' answer along.
        return await asyncio.shield(asking)

    def _answered(self, name: K, done: "asyncio.Task[V]") -> None:
        current = self._asking.get(name) is done
        if current:
            del self._asking[name]
        if done.cancelled() or done.exception() is not None or not current:
            return
        self._known.pop(name, None)
        if len(self._known) >= self._at_most:
            del self._known[next(iter(self._known))]
        self._known[name] = (self._now(), done.result())

    def forget(self, name: K) -> None:
        """Look `name` up again next time; a look-up under way is not kept either."""
        self._known.pop(name, None)
        self._asking.pop(name, None)

    def forget_where(self, concerns: Callable[[K], bool]) -> None:
        """Forget every name that it `concerns`."""
        for name in [*self._known, *self._asking]:
            if concerns(name):
                self.forget(name)

    def forget_all(self) -> None:
        """Look everything up again next time."""
        for name in {*self._known, *self._asking}:
            self.forget(name)
