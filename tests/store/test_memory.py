from datetime import timedelta

import pytest

from bot.store.memory import (
    MemoryChanges,
    MemoryEndedTokens,
    MemoryJobs,
    MemoryLedger,
    MemoryListings,
    MemoryOnce,
    MemoryReceipts,
    MemoryStore,
    MemoryTokenIndex,
)
from bot.store.memory_use import MemoryUseBook
from tests.builders import T0
from tests.contracts.changes_contract import ChangesContract
from tests.contracts.ended_contract import EndedContract
from tests.contracts.jobs_contract import JobsContract
from tests.contracts.ledger_contract import LedgerContract
from tests.contracts.listings_contract import ListingsContract
from tests.contracts.once_contract import OnceContract
from tests.contracts.receipts_contract import ReceiptsContract
from tests.contracts.tokens_contract import TokensContract
from tests.contracts.use_contract import UseContract
from tests.contracts.world import World


class SetClock:
    def __init__(self) -> None:
        self.at = T0

    def now(self):
        return self.at

    async def wait(self, length: timedelta) -> None:
        self.at += length


@pytest.fixture
def world() -> World:
    clock = SetClock()
    store = MemoryStore(clock.now)
    return World(
        ledger=MemoryLedger(store),
        changes=MemoryChanges(store),
        listings=MemoryListings(store),
        jobs=MemoryJobs(store),
        receipts=MemoryReceipts(store),
        tokens=MemoryTokenIndex(store),
        ended=MemoryEndedTokens(store),
        once=MemoryOnce(store),
        use=MemoryUseBook(store),
        now=clock.now,
        wait=clock.wait,
    )


class TestMemoryLedger(LedgerContract): ...


class TestMemoryChanges(ChangesContract): ...


class TestMemoryListings(ListingsContract): ...


class TestMemoryJobs(JobsContract): ...


class TestMemoryReceipts(ReceiptsContract): ...


class TestMemoryTokens(TokensContract): ...


class TestMemoryOnce(OnceContract): ...


class TestMemoryUse(UseContract): ...


class TestMemoryEnded(EndedContract): ...
