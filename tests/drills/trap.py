"""Where the bot is killed: before or after the N-th time that it does something."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Side(StrEnum):
    """BEFORE it reaches the server; AFTER the server's answer came, which the bot never sees."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, order=True)
class Point:
    """`what` passes for the `number`-th time, from 1."""

    what: str
    number: int
    side: Side

    @property
    def kind(self) -> str:
        """The script, command or method."""
        return self.what.split()[0]

    def __str__(self) -> str:
        return f"{self.side} {self.what} #{self.number}"


class Killed(Exception):
    """The bot is no more: whatever it sent or waits for is dropped."""


class Trap:
    """Counts what passes, and kills the bot at the points that are set.

    Attributes:
        passed: What passed, in order.
        diary: The same, with deaths and times, for whoever looks into a failure.
        sprung: The points that the bot was killed at, in order.
    """

    def __init__(self, points: Iterable[Point], *, kill: Callable[[], Awaitable[None]]) -> None:
        self.passed: list[str] = []
        self.diary: list[str] = []
        self.sprung: list[Point] = []
        self._set = set(points)
        self._counted: Counter[str] = Counter()
        self._kill = kill

    async def around(self, what: str, forward: Callable[[], Awaitable[T]]) -> T:
        """Return what `forward` returns.

        Raises:
            Killed: The trap was set here.
        """
        self.passed.append(what)
        self.note(what)
        self._counted[what] += 1
        number = self._counted[what]
        await self._spring(Point(what, number, Side.BEFORE))
        answer = await forward()
        await self._spring(Point(what, number, Side.AFTER))
        return answer

    def note(self, what: str) -> None:
        """Write `what` into the diary."""
        self.diary.append(f"{datetime.now(UTC):%H:%M:%S.%f} {what}")

    async def _spring(self, point: Point) -> None:
        if point in self._set:
            self._set.remove(point)
            self.sprung.append(point)
            self.note(f"killed {point}")
            await self._kill()
            raise Killed
