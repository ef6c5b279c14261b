"""People at the stand-in, as objects: for end-to-end tests and for a scripted story.

async with Acme(sandbox.url) as acme:
    anna = acme.person("Anna")
    await anna.types("/jit request deploy 1h reason", channel="access-requests")
    card = await anna.sees("deploy", channel="access-requests")
    await acme.person("Cleo").clicks("approve", card)
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Self, TypeVar

from aiohttp import ClientSession, ClientTimeout

from bot.sandbox.forms import Json, Values
from bot.sandbox.seen import Answer, Message, NotThere, View

__all__ = ["Acme", "Answer", "Message", "NotThere", "Person", "View"]

T = TypeVar("T")
PATIENCE_S: Final = 10.0
_ANSWER_S: Final = 30.0
_HTTP_OK: Final = 200


class Acme:
    """The stand-in at `url`; an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: ClientSession | None = None
        self._names: dict[str, str] = {}
        self._channels: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._session = ClientSession(timeout=ClientTimeout(total=_ANSWER_S))
        for user in [each["id"] for each in (await self.get("world", user="U0ANNA"))["people"]]:
            self._learn(await self.get("world", user=user))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def names(self) -> Mapping[str, str]:
        """What ids of people, groups and channels stand for."""
        return self._names

    def person(self, named: str) -> "Person":
        """Return a person by name or id."""
        return Person(self, named if named in self._names else self._id(named))

    def channel(self, named: str) -> str:
        """Return a channel's id by name (with or without #) or id."""
        bare = named.removeprefix("#")
        return self._channels.get(bare, bare)

    async def get(self, path: str, **query: Any) -> Json:
        """Return the answer of a GET.

        Raises:
            NotThere: It was refused.
        """
        return await self._ask("GET", path, params=query)

    async def send(self, verb: str, path: str, /, **body: Any) -> Json:
        """Return the answer to what someone does; see `get`."""
        return await self._ask(verb, path, json=body)

    async def calls(self, method: str | None = None) -> list[Json]:
        """Return the Web API calls so far, all or of one method."""
        calls = (await self.get("calls"))["calls"]
        return [call for call in calls if method in {None, call["method"]}]

    async def violations(self) -> list[str]:
        """Return what the bot did that Slack would punish."""
        violations: list[str] = (await self.get("violations"))["violations"]
        return violations

    async def fails(self, method: str, **fault: Any) -> None:
        """Let the next calls of `method` ("*": any) fail: see `Fault`."""
        await self.send("POST", "faults", method=method, **fault)

    async def heals(self) -> None:
        """Take back all faults."""
        await self.send("DELETE", "faults")

    async def duplicates(self, times: int) -> None:
        """Deliver the next `times` payloads twice."""
        await self.send("POST", "duplicates", times=times)

    async def disconnects(self, reason: str = "refresh_requested") -> None:
        """Ask the bot to open new Socket Mode connections."""
        await self.send("POST", "disconnects", reason=reason)

    async def becomes(self, named: str, kind: str) -> None:
        """Make a person member, guest or deactivated."""
        await self.send("PATCH", f"people/{self.person(named).id}", kind=kind)

    async def regroups(self, group: str, *users: str) -> None:
        """Give a user group (by id) other members."""
        ids = [self.person(user).id for user in users]
        await self.send("PUT", f"usergroups/{group}", users=ids)

    async def closes_ticket(self, ticket: str) -> None:
        """Close a ticket of the small tracker."""
        await self.send("PATCH", f"tickets/{ticket}", open=False)

    async def tracker_leaves(self, *, away: bool) -> None:
        """Let the small tracker answer the bot no more, or again."""
        await self.send("PUT", "tracker", away=away)

    async def rosters(self, schedule: str, *users: str) -> None:
        """Put other people on call."""
        ids = [self.person(user).id for user in users]
        await self.send("PUT", f"on-call/{schedule}", users=ids)

    async def _ask(self, method: str, path: str, **how: Any) -> Json:
        if self._session is None:
            raise RuntimeError("enter Acme as a context manager first")
        async with self._session.request(method, f"{self._url}/sandbox/{path}", **how) as answer:
            told: Json = json.loads(await answer.text())
        if answer.status != _HTTP_OK:
            raise NotThere(f"{method} {path}: {told['error']}")
        return told

    def _learn(self, world: Json) -> None:
        self._names |= {each["id"]: each["name"] for each in world["people"]}
        self._names |= {each["id"]: each["handle"] for each in world["usergroups"]}
        open_to_name = [each for each in world["channels"] if each["kind"] != "im"]
        self._names |= {each["id"]: each["name"] for each in open_to_name}
        self._channels |= {each["name"]: each["id"] for each in open_to_name}

    def _id(self, name: str) -> str:
        for ident, known in self._names.items():
            if known == name:
                return ident
        raise NotThere(f"nobody is called {name!r}")


class Person:
    """Somebody at the screen."""

    def __init__(self, acme: Acme, ident: str) -> None:
        self.acme = acme
        self.id = ident

    @property
    def name(self) -> str:
        """The name."""
        return self.acme.names[self.id]

    async def types(self, text: str, *, channel: str = "general") -> Answer:
        """Type a slash command in a channel; "dm" is the direct message with the bot."""
        return await self._do("commands", channel=await self._place(channel), text=text)

    async def clicks(
        self, action_id: str, message: Message, *, stale: str | None = None, **more: Any
    ) -> Answer:
        """Press a button of `message` as it stands now.

        Args:
            stale: Press a button of this value that may be gone.
        """
        if stale is not None:
            more["stale"] = {"value": stale}
        place = {"channel": message.channel, "ts": message.ts}
        return await self._do("clicks", action_id=action_id, **place, **more)

    async def uses(
        self, action_id: str, value: Any = None, *, values: Values | None = None
    ) -> Answer:
        """Use a control of the view on top that dispatches an action."""
        path = f"views/{(await self.view()).id}/clicks"
        return await self._do(path, action_id=action_id, value=value, values=values or {})

    async def submits(self, values: Values | None = None) -> Answer:
        """Submit the view on top: raw values by block_id and action_id."""
        path = f"views/{(await self.view()).id}/submissions"
        return await self._do(path, values=values or {})

    async def closes(self) -> None:
        """Close the view on top."""
        await self._do(f"views/{(await self.view()).id}/closings")

    async def views(self) -> list[View]:
        """Return the open views, the one on top last."""
        told = await self.acme.get("views", user=self.id)
        return [View(**each, names=self.acme.names) for each in told["views"]]

    async def view(self) -> View:
        """Return the view on top, as soon as there is one.

        Raises:
            NotThere: None was opened in time.
        """
        return (await self.eventually(self.views, what="an open view"))[-1]

    async def messages(self, channel: str = "general") -> list[Message]:
        """Return what she sees in a channel ("dm" for the direct message), oldest first."""
        place = await self._place(channel)
        told = await self.acme.get("messages", user=self.id, channel=place)
        return [
            Message(**each | {"blocks": tuple(each["blocks"])}, names=self.acme.names)
            for each in told["messages"]
        ]

    async def dm(self) -> list[Message]:
        """Return the direct messages of the bot to her."""
        return await self.messages("dm")

    async def thread(self, parent: Message) -> list[Message]:
        """Return the replies to `parent`."""
        messages = await self.messages(parent.channel)
        return [message for message in messages if message.thread_ts == parent.ts]

    async def now(self, message: Message) -> Message:
        """Return `message` as it stands now.

        Raises:
            NotThere: It was deleted.
        """
        for found in await self.messages(message.channel):
            if found.ts == message.ts:
                return found
        raise NotThere(f"the message {message.ts} is gone")

    async def sees(
        self, text: str, *, channel: str = "general", timeout_s: float = PATIENCE_S
    ) -> Message:
        """Return the newest message in which `text` can be read, as soon as there is one.

        Raises:
            NotThere: There was none in time; tells what she sees instead.
        """

        async def found() -> Message | None:
            messages = reversed(await self.messages(channel))
            return next((each for each in messages if text in each.plain()), None)

        try:
            return await self.eventually(found, what=repr(text), timeout_s=timeout_s)
        except NotThere as problem:
            there = [each.plain() for each in await self.messages(channel)]
            raise NotThere(f"{problem}; in {channel} she sees {there}") from None

    async def eventually(
        self,
        look: Callable[[], Awaitable[T | None]],
        *,
        what: str = "it",
        timeout_s: float = PATIENCE_S,
    ) -> T:
        """Return what `look` returns once it is true, looking whenever she sees a change.

        Raises:
            NotThere: It did not become true in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    seq = (await self.acme.get("views", user=self.id))["seq"]
                    if found := await look():
                        return found
                    await self.acme.get("changes", user=self.id, after=seq)
        except TimeoutError:
            raise NotThere(f"{self.name} did not see {what} within {timeout_s} s") from None

    async def _do(self, path: str, **body: Any) -> Answer:
        return Answer(**await self.acme.send("POST", path, user=self.id, **body))

    async def _place(self, channel: str) -> str:
        if channel != "dm":
            return self.acme.channel(channel)
        world = await self.acme.get("world", user=self.id)
        dm: str = next(each["id"] for each in world["channels"] if each["kind"] == "im")
        return dm
