import pytest

from bot.core.tickets import Ticket
from bot.trackers.memory import MemoryTickets
from tests.contracts.tickets_contract import Shelf, TicketsContract


class TestMemoryTickets(TicketsContract):
    @pytest.fixture
    def shelf(self) -> Shelf:
        whose = {"project": "OPS", "assignees": ("anna@acme.example", "")}
        tickets = MemoryTickets(
            Ticket(id="OPS-7", title="Refunds <hang> & fail", status="doing", open=True, **whose),
            Ticket(id="OPS-8", title="", status="done", open=False, **whose),
        )

        def go_away() -> None:
            tickets.away = True

        return Shelf(
            tickets=tickets,
            open="OPS-7",
            closed="OPS-8",
            project="OPS",
            nothing="OPS-99",
            asked=list,
            go_away=go_away,
        )
