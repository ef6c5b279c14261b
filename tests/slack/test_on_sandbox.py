"""The real Directory and Messenger keep the contracts, over HTTP with the stand-in for Slack."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest

from bot.core.errors import Unavailable
from bot.on_call.memory import MemoryOnCall
from bot.sandbox.rates import QUICK
from bot.sandbox.server import Sandbox
from bot.slack.api import SlackApi
from bot.slack.directory import SlackDirectory, find_home
from bot.slack.messenger import SlackMessenger
from bot.usecases.secret import Secret
from tests.contracts.directory_contract import ROTA, DirectoryContract, Workspace
from tests.contracts.messenger_contract import Message, MessengerContract, Room
from tests.sandbox.parts import APP_TOKEN, BOT_TOKEN, MANIFEST, SECRET
from tests.usecases.bots import CountingMetrics

# Slack names the blocks that have no name, each time anew.
_BLOCK_ID = re.compile(r'"block_id": "[^"]*"')


class FailingApi(SlackApi):
    """Slack, of which one post or update fails when a test says so."""

    calls = 0
    fatal = 0

    async def write(self, method: str, **args):
        if method in ("chat.postMessage", "chat.update"):
            self.calls += 1
            if self.calls == self.fatal:
                raise Unavailable("Slack did not answer")
        return await super().write(method, **args)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        manifest=MANIFEST,
        signing_secret=SECRET,
        bot_token=BOT_TOKEN,
        app_token=APP_TOKEN,
        rates=QUICK,
    ) as running:
        yield running


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[FailingApi]:
    async with aiohttp.ClientSession() as session:
        yield FailingApi(
            Secret(BOT_TOKEN), base_url=sandbox.api_url, session=session, metrics=CountingMetrics()
        )


@pytest.fixture
def on_call() -> MemoryOnCall:
    return MemoryOnCall()


@pytest.fixture
async def directory(api: FailingApi, on_call: MemoryOnCall) -> SlackDirectory:
    home = await find_home(api)
    return SlackDirectory(api, home, on_call, now=lambda: datetime.now(UTC))


class TestSlackDirectory(DirectoryContract):
    @pytest.fixture
    def workspace(
        self, sandbox: Sandbox, directory: SlackDirectory, on_call: MemoryOnCall
    ) -> Workspace:
        async def deactivate(user: str) -> None:
            people = sandbox.workspace.people
            people[user] = replace(people[user], kind="deactivated")

        def settle(user: str, zone: str) -> None:
            people = sandbox.workspace.people
            people[user] = replace(people[user], zone=zone)

        def roster(*users: str) -> None:
            on_call.rotas[ROTA] = frozenset(users)

        return Workspace(
            directory=directory,
            deactivate=deactivate,
            go_away=sandbox.stop,
            roster=roster,
            forget_rotas=on_call.rotas.clear,
            zones=directory,
            settle=settle,
        )


class TestSlackMessenger(MessengerContract):
    @pytest.fixture
    def room(self, sandbox: Sandbox, api: FailingApi, directory: SlackDirectory) -> Room:
        async def messages() -> list[Message]:
            return [
                Message(
                    channel=each.channel,
                    ts=each.ts,
                    text=_BLOCK_ID.sub("", json.dumps([each.text, each.blocks])),
                    thread=each.thread_ts or "",
                )
                for channel in ("C0ACCESS", "D0ANNA")
                for each in sandbox.workspace.visible_messages("U0ANNA", channel)
            ]

        async def fail_at(number: int) -> None:
            api.fatal = api.calls + number

        async def calls() -> int:
            return api.calls

        return Room(
            messenger=SlackMessenger(api, directory),
            channel="C0ACCESS",
            direct="D0ANNA",
            messages=messages,
            fail_at=fail_at,
            calls=calls,
        )
