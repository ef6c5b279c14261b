"""Work that goes on after its caller has been answered, and that a shutdown waits for."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any


class Tasks:
    """Tasks that somebody holds on to; asyncio itself keeps weak references only."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin `work`, which handles its own errors, and outlives what its caller is doing."""
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drained(self) -> None:
        """Return when nothing that was begun is unfinished."""
        while self._tasks:
            await asyncio.wait(self._tasks)
