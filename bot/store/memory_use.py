"""UseBook in memory: what the port promises, in its shortest form."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.core.identity import RequestId
from bot.core.usage import Life, Seen, Tally
from bot.store.memory import MemoryStore
from bot.usecases.use import (
    BATCH_KEPT,
    LIVES_AT_MOST,
    NAMES_AT_MOST,
    POINTS_AT_MOST,
    SILENCE,
    USE_KEPT,
    Batch,
    Beat,
)


class MemoryUseBook:
    """UseBook in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._now = store.now
        self._marks, self._tallies, self._lives = store.batches, store.tallies, store.lives

    async def add(self, batch: Batch) -> None:
        """See `UseBook.add`."""
        if self._marks.get(batch.id, self._now()) > self._now():
            return
        self._marks[batch.id] = self._now() + BATCH_KEPT
        for id_, tallies in batch.tallies.items():
            for tally in tallies:
                self._count(self._tallies[id_], tally)
        for beat in batch.beats:
            self._beat(self._lives[beat.resource], beat)

    @staticmethod
    def _count(known: dict[tuple[Seen, str], Tally], new: Tally) -> None:
        key = (new.seen, new.name)
        old = known.get(key)
        if old is not None:
            first, last = min(old.first, new.first), max(old.last, new.last)
            known[key] = replace(new, count=old.count + new.count, first=first, last=last)
        elif new.seen is Seen.ALLOWED or len(known) < NAMES_AT_MOST:
            known[key] = new

    @staticmethod
    def _beat(lives: dict[tuple[str, datetime], Life], beat: Beat) -> None:
        points = {point for point, _ in lives}
        if beat.point not in points and len(points) >= POINTS_AT_MOST:
            return
        begun = max((begun for point, begun in lives if point == beat.point), default=beat.at)
        life = lives.get((beat.point, begun), Life(begun, begun))
        if beat.at - life.until > SILENCE:
            life = Life(beat.at, beat.at)
        lives[beat.point, life.begun] = Life(life.begun, max(life.until, beat.at))
        newest = sorted(lives, key=lambda key: lives[key].until)
        for key in newest[:-LIVES_AT_MOST]:
            del lives[key]

    async def of(self, requests: Sequence[RequestId]) -> Sequence[Sequence[Tally]]:
        """See `UseBook.of`."""
        return [list(self._tallies[id_].values()) for id_ in requests]

    async def lives(self, resource: str, *, since: datetime) -> Sequence[Life]:
        """See `UseBook.lives`."""
        since = max(since, self._now() - USE_KEPT)
        return [life for life in self._lives[resource].values() if life.until >= since]
