"""The bot is killed (kill -9) before and after everything that it does to Redis and to Slack.

A run without deaths first tells what there is: each write to Redis (a script, or SET) and each call
of Slack, by name and by how often it came before. Then the story is played many times over, in
houses of their own, and in each the bot is killed at some of these points, far apart, and started
again at once. People press again what failed or came to nothing. In the end all must be as if
nothing had happened; `verdict.py` says what that is. Each house keeps a diary of what passed.
"""

import asyncio
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.keyring import make_key
from bot.sandbox.client import NotThere
from tests.drills.house import a_house
from tests.drills.play import Times, tell
from tests.drills.trap import Point, Side
from tests.drills.verdict import what_is_wrong

KILLS = 16  # in one run, more or less
FEW_KILLS = 3  # where a point was missed: other deaths had changed the story
AT_ONCE = 13  # runs at once: most of their time they wait
APART_S = 1.0  # between their starts

# Nobody dies here.
BRISK = Times(watched="10s", short="5s")
# Longer, so that a few deaths find room between the reminder and the end.
PATIENT = Times(watched="50s", short="20s")


@dataclass(frozen=True)
class Run:
    """How one run of the story went."""

    passed: Sequence[str]
    sprung: Sequence[Point]
    problems: Sequence[str]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.sprung), *(f"- {told}" for told in self.problems)])


async def _run(folder: Path, keys: Path, times: Times, points: Sequence[Point] = ()) -> Run:
    async with a_house(folder, keys, points) as house:
        try:
            await tell(house.acme, times)
            problems = await what_is_wrong(house)
        except NotThere as problem:
            problems = [
                f"the story does not go on: {problem}",
                *house.too_late.values(),
                house.bot.said()[-3000:],
            ]
        return Run(house.trap.passed, house.trap.sprung, problems)


async def _run_all(folder: Path, keys: Path, plans: Sequence[Sequence[Point]]) -> list[Run]:
    room = asyncio.Semaphore(AT_ONCE)

    async def run(number: int) -> Run:
        await asyncio.sleep(number * APART_S)
        async with room:
            return await _run(folder / str(number), keys, PATIENT, plans[number])

    async with asyncio.TaskGroup() as together:
        runs = [together.create_task(run(number)) for number in range(len(plans))]
    return [each.result() for each in runs]


def _points(passed: Sequence[str]) -> list[Point]:
    """Return where the bot is to be killed, in the order of the story."""
    counted: Counter[str] = Counter()
    points = []
    for what in passed:
        counted[what] += 1
        points += [Point(what, counted[what], side) for side in Side]
    return points


def _apart(points: Sequence[Point], kills: int) -> list[Sequence[Point]]:
    """Return plans of about `kills` points each, as far apart as can be."""
    plans = math.ceil(len(points) / kills)
    return [points[number::plans] for number in range(plans)]


@pytest.mark.drill
@pytest.mark.timeout(900)
async def test_wherever_the_bot_dies_the_story_ends_as_if_it_had_not(tmp_path):
    make_key(tmp_path / "keys", name="first")
    alive = await _run(tmp_path / "alive", tmp_path / "keys", BRISK)
    assert not alive.problems, str(alive)
    points = _points(alive.passed)

    runs, missed = list[Run](), points
    for number, kills in enumerate((KILLS, FEW_KILLS)):
        runs += await _run_all(tmp_path / str(number), tmp_path / "keys", _apart(missed, kills))
        hit = {point for run in runs for point in run.sprung}
        missed = [point for point in points if point not in hit]

    sys.stdout.write(_report(hit, points))
    wrong = [run for run in runs if run.problems]
    assert not wrong, "\n\n".join(map(str, wrong))
    assert {(each.kind, each.side) for each in hit} == {(each.kind, each.side) for each in points}
    assert len(missed) < len(points) * 0.05, list(map(str, missed))


def _report(hit: set[Point], points: Sequence[Point]) -> str:
    """Return how many of each kind of points were hit."""
    every = Counter(point.kind for point in points)
    found = Counter(point.kind for point in hit)
    lines = [f"{what}: {found[what]} of {count}" for what, count in sorted(every.items())]
    return "\n".join([f"killed at {len(hit)} of {len(points)} points", *lines, ""])
