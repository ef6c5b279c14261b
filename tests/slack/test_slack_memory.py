from zoneinfo import ZoneInfo

import pytest

from bot.core.errors import Unavailable
from bot.core.sources import ProfileField
from bot.slack.memory import MemoryDirectory, MemoryMessenger, direct
from bot.usecases.ports import Standing
from tests.contracts.directory_contract import (
    ROTA,
    STANDINGS,
    TEAM,
    UNUSABLE,
    USABLE,
    DirectoryContract,
    Workspace,
)
from tests.contracts.messenger_contract import ANNA, Message, MessengerContract, Room


class TestMemoryDirectory(DirectoryContract):
    @pytest.fixture
    def workspace(self) -> Workspace:
        directory = MemoryDirectory(TEAM)
        directory.people |= STANDINGS
        directory.people |= dict.fromkeys(("U0BEN", "U0CLEO", "U0DAN"), Standing.MEMBER)
        directory.usergroups |= {
            "S0BILLING": frozenset({"U0BEN", "U0CLEO"}),
            "S0SRE": frozenset({"U0CLEO", "U0DAN"}),
        }
        directory.emails["U0ANNA"] = "anna@acme.example"
        managers = {"U0ANNA": "U0BEN", "U0DAN": "U0CLEO", "U0FINN": "U0GUS"}
        directory.profiles |= {ProfileField(a, "Xf0MANAGER"): b for a, b in managers.items()}
        directory.channels |= dict.fromkeys(USABLE, "")
        directory.channels |= dict.fromkeys(UNUSABLE[:4], "the app is not in it")

        async def deactivate(user: str) -> None:
            directory.people[user] = Standing.DEACTIVATED

        async def go_away() -> None:
            directory.away = True

        def settle(user: str, zone: str) -> None:
            if zone == "Asia/Tokyo":
                directory.zones[user] = ZoneInfo(zone)

        def roster(*users: str) -> None:
            directory.rostered[ROTA] = frozenset(users)

        return Workspace(
            directory=directory,
            deactivate=deactivate,
            go_away=go_away,
            roster=roster,
            forget_rotas=directory.rostered.clear,
            zones=directory,
            settle=settle,
        )


class TestMemoryMessenger(MessengerContract):
    @pytest.fixture
    def room(self) -> Room:
        messenger = MemoryMessenger()
        fatal: list[int] = []

        async def before_call() -> None:
            for place, left in enumerate(fatal):
                fatal[place] = left - 1
            if 0 in fatal:
                fatal.clear()
                raise Unavailable("Slack did not answer")

        messenger.before_call = before_call

        async def messages() -> list[Message]:
            return [
                Message(channel=each.channel, ts=each.ts, text=each.text, thread=each.thread)
                for each in messenger.posted.values()
            ]

        async def fail_at(number: int) -> None:
            fatal[:] = [number]

        async def calls() -> int:
            return len(messenger.calls)

        return Room(
            messenger=messenger,
            channel="#access-requests",
            direct=direct(ANNA),
            messages=messages,
            fail_at=fail_at,
            calls=calls,
        )
