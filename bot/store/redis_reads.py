"""Reads of single keys, many at a time.

Under load the calls for single keys cost more than anything else that a look-up does. Those that
are asked for within one turn of the event loop go out as one MGET; while IN_FLIGHT of these are
not answered yet, what is asked for gathers for the next.
"""

import asyncio
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Final, TypeAlias

from bot.store.redis_server import Server

# Keys in one MGET: enough that the call's own cost vanishes, few enough not to block the server.
KEYS_AT_MOST: Final = 128
IN_FLIGHT: Final = 2

_Waiter: TypeAlias = "asyncio.Future[bytes | None]"
_Batch: TypeAlias = dict[str, list[_Waiter]]


class Reads:
    """Reads the values of keys, all of which are in one slot of a Redis Cluster.

    A key is never read before it is asked for, so no answer is older than its question.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: _Batch = {}
        self._flying: set[asyncio.Task[None]] = set()
        self._called = False

    async def get(self, key: str) -> bytes | None:
        """Return the value of `key`, None if there is none.

        Raises:
            Unavailable: The store did not answer, to this or to what was to be read before it.
        """
        loop = asyncio.get_running_loop()
        waiter: _Waiter = loop.create_future()
        self._waiting.setdefault(key, []).append(waiter)
        self._soon(loop)
        return await waiter

    def _soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting and not self._called and len(self._flying) < IN_FLIGHT:
            self._called = True
            loop.call_soon(self._send, loop)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        self._called = False
        batch = self._taken()
        if batch:
            task = loop.create_task(self._read(batch))
            self._flying.add(task)
            task.add_done_callback(self._landed)
        self._soon(loop)

    def _taken(self) -> _Batch:
        """Return the next keys to read; those that nobody waits for any more are left out."""
        keys = list(self._waiting)[:KEYS_AT_MOST]
        taken = {key: self._waiting.pop(key) for key in keys}
        return {key: waiters for key, waiters in taken.items() if any(_open(waiters))}

    async def _read(self, batch: _Batch) -> None:
        try:
            values: Sequence[bytes | None] = await self._server.read("MGET", *batch)
        except BaseException as problem:
            # Those behind waited for the same server, and would wait as long again.
            behind, self._waiting = self._waiting, {}
            for waiters in (*batch.values(), *behind.values()):
                _fail(waiters, problem)
            if not isinstance(problem, Exception):
                raise
        else:
            for waiters, value in zip(batch.values(), values, strict=True):
                for waiter in _open(waiters):
                    waiter.set_result(value)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        self._soon(task.get_loop())


def _open(waiters: Sequence[_Waiter]) -> Iterator[_Waiter]:
    return (waiter for waiter in waiters if not waiter.done())


def _fail(waiters: Sequence[_Waiter], problem: BaseException) -> None:
    for waiter in _open(waiters):
        if isinstance(problem, Exception):
            own = copy(problem)  # one that several tasks raise would gather all their tracebacks
            own.__cause__ = problem
            waiter.set_exception(own)
        else:
            waiter.cancel()
