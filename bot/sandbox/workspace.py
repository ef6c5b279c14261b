"""The workspace: people, channels, user groups, messages, and who can see what."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from bot.sandbox.errors import Wrong
from bot.sandbox.forms import Json, with_ids
from bot.sandbox.manifest import Manifest

TEAM: Final = "T0DEMO"
TEAM_NAME: Final = "Acme"
DOMAIN: Final = "acme"
BOT_USER: Final = "U0JITBOT"
BOT_NAME: Final = "jit"
BOT_ID: Final = "B0JIT"
APP_ID: Final = "A0JIT"
SLACKBOT: Final = "USLACKBOT"
MANAGER_FIELD: Final = "Xf0MANAGER"

PersonKind: TypeAlias = Literal["member", "guest", "deactivated", "external"]
ChannelKind: TypeAlias = Literal["channel", "private", "im"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a screen; one of another team is there through Slack Connect.

    Attributes:
        manager: The user id in the profile field MANAGER_FIELD.
        zone: Where they are, as their Slack says it.
    """

    id: str
    name: str
    title: str
    kind: PersonKind = "member"
    team: str = TEAM
    manager: str = ""
    zone: str = "Etc/UTC"

    @property
    def email(self) -> str:
        """Their address, by which services outside know them."""
        return f"{self.name.lower()}@{DOMAIN}.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel, private channel or direct message with the bot.

    Attributes:
        members: User ids, the bot's among them if it is in.
        shared: With another workspace, through Slack Connect.
    """

    id: str
    name: str
    kind: ChannelKind = "channel"
    members: frozenset[str]
    shared: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    """A user group, called a subteam by the API."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the bot or of Slackbot.

    Attributes:
        ephemeral_to: The only person who sees it.
        updated: How often it was updated.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: tuple[Json, ...] = ()
    thread_ts: str | None = None
    ephemeral_to: str | None = None
    updated: int = 0


class Changes:
    """Numbers every change and lets people wait for the next one that they can see."""

    def __init__(self) -> None:
        self.seq = 0
        self._latest: dict[str, int] = {}
        self._happened = asyncio.Event()
        self._closed = False

    def tell(self, people: Iterable[str]) -> None:
        """Record that something changed for `people`."""
        self.seq += 1
        self._latest.update(dict.fromkeys(people, self.seq))
        self._wake()

    async def after(self, seq: int, *, user: str, timeout_s: float) -> int:
        """Return the number of the latest change once `user` can see one after `seq`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._latest.get(user, 0) <= seq and not self._closed:
                    await self._happened.wait()
        except TimeoutError:
            pass
        return self.seq

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._happened.set()
        self._happened = asyncio.Event()


class Workspace:
    """What Slack would keep on its servers.

    Attributes:
        url: Where the stand-in is reached, known once it runs.
        violations: What the bot did that Slack would punish, a sentence each.
        on_call: Who is on call, user ids by schedule.
    """

    def __init__(
        self,
        *,
        manifest: Manifest,
        people: Iterable[Person],
        channels: Iterable[Channel],
        groups: Iterable[UserGroup],
    ) -> None:
        self.url = ""
        self.manifest = manifest
        self.people = {person.id: person for person in people}
        dms = map(_dm, self.people)
        self.channels = {channel.id: channel for channel in (*channels, *dms)}
        self.groups = {group.id: group for group in groups}
        self.changes = Changes()
        self.violations: list[str] = []
        self.on_call: dict[str, tuple[str, ...]] = {}
        self._messages: dict[str, dict[str, Message]] = {}
        self._last_us = 0

    def next_ts(self) -> str:
        """Return a message id that no other message has: Unix seconds with six decimals."""
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06}"

    def person(self, user: str) -> Person:
        """Return who `user` is.

        Raises:
            Wrong: Nobody.
        """
        if user not in self.people:
            raise Wrong(f"there is nobody with the id {user!r}", status=404)
        return self.people[user]

    def dm(self, user: str) -> Channel:
        """Return the direct message of `user` with the bot."""
        return self.channels[_dm_id(user)]

    def archive(self, channel: str) -> None:
        """Let nobody write in `channel` any more."""
        self.channels[channel] = replace(self.channels[channel], archived=True)

    def sees(self, user: str, channel: Channel) -> bool:
        """Say whether `user` may read `channel`; full members may read every public one."""
        full = self.people[user].kind not in {"guest", "external"}
        return user in channel.members or (channel.kind == "channel" and full)

    def visible_channels(self, user: str) -> list[Channel]:
        """Return what stands in the sidebar of `user`, the direct message with the bot last."""
        return [channel for channel in self.channels.values() if self.sees(user, channel)]

    def visible_channel(self, user: str, channel: str) -> Channel:
        """Return `channel`.

        Raises:
            Wrong: It is not there for `user`.
        """
        for found in self.visible_channels(self.person(user).id):
            if found.id == channel:
                return found
        raise Wrong(f"{self.people[user].name} sees no channel {channel!r}", status=404)

    def visible_messages(self, user: str, channel: str) -> list[Message]:
        """Return what `user` sees in `channel`, oldest first."""
        messages = self._messages.get(channel, {}).values()
        return [message for message in messages if message.ephemeral_to in {None, user}]

    def message(self, channel: str, ts: str) -> Message | None:
        """Return the message `ts`, if it is (still) there."""
        return self._messages.get(channel, {}).get(ts)

    def has_thread(self, channel: str, ts: str) -> bool:
        """Say whether `ts` is the parent of a thread or may become one."""
        parent = self.message(channel, ts)
        replies = self._messages.get(channel, {}).values()
        return (
            parent.thread_ts is None and parent.ephemeral_to is None
            if parent
            else any(reply.thread_ts == ts for reply in replies)
        )

    def post(
        self,
        channel: str,
        *,
        text: str,
        blocks: Iterable[Json] = (),
        user: str = BOT_USER,
        thread_ts: str | None = None,
        ephemeral_to: str | None = None,
    ) -> Message:
        """Return the message that now stands in `channel`; limits were checked before."""
        message = Message(
            channel=channel,
            ts=self.next_ts(),
            user=user,
            text=text,
            blocks=with_ids(blocks),
            thread_ts=thread_ts,
            ephemeral_to=ephemeral_to,
        )
        self._keep(message)
        return message

    def rewrite(self, message: Message, *, text: str, blocks: Iterable[Json]) -> Message:
        """Return `message` with another content."""
        changed = replace(message, text=text, blocks=with_ids(blocks), updated=message.updated + 1)
        self._keep(changed)
        return changed

    def delete(self, message: Message) -> None:
        """Remove `message`; replies to it stay."""
        self._messages[message.channel].pop(message.ts, None)
        self._tell(message)

    def _keep(self, message: Message) -> None:
        self._messages.setdefault(message.channel, {})[message.ts] = message
        self._tell(message)

    def _tell(self, message: Message) -> None:
        channel = self.channels[message.channel]
        only = message.ephemeral_to
        self.changes.tell([only] if only else [u for u in self.people if self.sees(u, channel)])


def _dm_id(user: str) -> str:
    return f"D0{user.removeprefix('U0')}"


def _dm(user: str) -> Channel:
    both = frozenset((user, BOT_USER))
    return Channel(id=_dm_id(user), name=BOT_NAME, kind="im", members=both)
