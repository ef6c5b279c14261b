"""Slack in memory: what the ports Directory and Messenger promise, in its shortest form."""

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo

from bot.core import events as e
from bot.core.errors import Unavailable
from bot.core.identity import Actor, Kind, fingerprint, person
from bot.core.policy import Group
from bot.core.sources import Member, ProfileField, Rota, Source, Usergroup
from bot.usecases.ports import Receipt, Standing, Story
from bot.usecases.shows import token_message


class MemoryDirectory:
    """Directory in memory.

    Args:
        home: The workspace, or enterprise, that it knows.

    Attributes:
        people: By user id; whoever is not here is unknown.
        usergroups: Members by user group id.
        emails: Addresses by user id.
        rostered: Who is on call by rota.
        profiles: Who stands in a field of somebody's profile.
        channels: What is wrong with a channel, by "#name" or id; "" if nothing is.
        zones: Time zones by user id.
        away: Whether Slack does not answer now.
    """

    def __init__(self, home: str) -> None:
        self.home = home
        self.people: dict[str, Standing] = {}
        self.usergroups: dict[str, frozenset[str]] = {}
        self.emails: dict[str, str] = {}
        self.rostered: dict[Rota, frozenset[str]] = {}
        self.profiles: dict[ProfileField, str] = {}
        self.channels: dict[str, str] = {}
        self.zones: dict[str, tzinfo] = {}
        self.away = False
        self._kept: dict[str, Standing] = {}

    async def standing(self, who: Actor, *, fresh: bool = False) -> Standing:
        """See `Directory.standing`; what was once looked up is kept for ever."""
        if who.kind is not Kind.PERSON:
            return Standing.BOT
        if who.home != self.home:
            return Standing.FOREIGN
        if fresh or who.id not in self._kept:
            self._must_answer()
            self._kept[who.id] = self.people.get(who.id, Standing.UNKNOWN)
        return self._kept[who.id]

    async def groups_of(
        self, who: Actor, groups: Sequence[Group], *, about: Actor, fresh: bool = False
    ) -> frozenset[str]:
        """See `Directory.groups_of`; nothing is kept, so every look is fresh."""
        del fresh
        if who.kind is not Kind.PERSON or who.home != self.home:
            return frozenset()
        members = [await self.members_of(group, about=about) for group in groups]
        return frozenset(
            group.name for group, users in zip(groups, members, strict=True) if who.id in users
        )

    async def members_of(self, group: Group, *, about: Actor) -> frozenset[str]:
        """See `Directory.members_of`."""
        nobody, is_person = frozenset[str](), about.kind is Kind.PERSON
        of = {
            source: self._members(source)
            if is_person or not isinstance(source, ProfileField)
            else nobody
            for source in group.sources(about.id)
        }
        return group.members(of, about=about.id)

    def _members(self, source: Source) -> frozenset[str]:
        self._must_answer()
        match source:
            case Usergroup(id_) if id_ in self.usergroups:
                return self.usergroups[id_]
            case Rota() if source in self.rostered:
                return self._who_count(self.rostered[source])
            case ProfileField():
                return self._who_count({self.profiles.get(source, "")})
            case Member(user):
                return self._who_count({user})
            case _:
                raise Unavailable(f"{source} cannot be read")

    def _who_count(self, users: Iterable[str]) -> frozenset[str]:
        return frozenset(user for user in users if self.people.get(user) is Standing.MEMBER)

    async def email(self, who: Actor) -> str:
        """See `Directory.email`."""
        if who.kind is not Kind.PERSON or who.home != self.home:
            return ""
        self._must_answer()
        return self.emails.get(who.id, "")

    async def person(self, email: str) -> Actor | None:
        """See `AddressBook.person`."""
        self._must_answer()
        found = next((user for user, known in self.emails.items() if known == email), "")
        member = self.people.get(found) is Standing.MEMBER
        return person(found, home=self.home) if member else None

    async def zone(self, who: Actor) -> tzinfo:
        """See `Zones.zone`."""
        if who.kind is not Kind.PERSON or who.home != self.home:
            return UTC
        self._must_answer()
        return self.zones.get(who.id, UTC)

    async def channel_problem(self, channel: str) -> str:
        """See `Directory.channel_problem`."""
        self._must_answer()
        return self.channels.get(channel, f"there is no channel {channel}")

    def _must_answer(self) -> None:
        if self.away:
            raise Unavailable("Slack did not answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message as it stands.

    Attributes:
        thread: The ts of the message that it is a reply to, "" for none.
    """

    channel: str
    ts: str
    text: str
    thread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A message as it should stand.

    Attributes:
        blank: What is posted at first, where `text` holds the token.
    """

    name: str
    channel: str
    text: str
    blank: str = ""
    in_thread: bool = False


async def _nothing() -> None:
    """Do nothing."""


class MemoryMessenger:
    """Messenger in memory: the card, a line for each fact, a message for each token.

    Of misuse there is one message for each kind, brought up to date.

    Attributes:
        posted: All messages by ts, in the order in which they were posted.
        calls: Each post and update, as it was made.
        before_call: Awaited before each; what it raises is what Slack did.
    """

    def __init__(self) -> None:
        self.posted: dict[str, Posted] = {}
        self.calls: list[Posted] = []
        self.before_call: Callable[[], Awaitable[None]] = _nothing

    async def show(
        self, story: Story, receipts: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        """See `Messenger.show`."""
        known = dict(receipts)
        for wanted in _wanted(story):
            stands, digest = known.get(wanted.name), fingerprint(wanted.text)[:16]
            if stands is not None and stands.digest == digest:
                continue
            if stands is None:
                thread = known["card"].ts if wanted.in_thread else ""
                first = wanted.blank or wanted.text
                ts = await self._post(wanted.channel, first, thread=thread)
                stands = Receipt(wanted.name, wanted.channel, ts, "" if wanted.blank else digest)
                known[wanted.name] = stands
                yield stands
            if stands.digest != digest:
                await self._update(stands.ts, wanted.text)
                yield replace(stands, digest=digest)

    async def _post(self, channel: str, text: str, *, thread: str) -> str:
        await self.before_call()
        ts = f"{len(self.posted) + 1}.000000"
        self._stands(Posted(channel=channel, ts=ts, text=text, thread=thread))
        return ts

    async def _update(self, ts: str, text: str) -> None:
        await self.before_call()
        self._stands(replace(self.posted[ts], text=text))

    def _stands(self, message: Posted) -> None:
        self.posted[message.ts] = message
        self.calls.append(message)


def direct(who: Actor) -> str:
    """Return the channel of direct messages with `who`."""
    return f"D-{who.id}"


def _wanted(story: Story) -> Iterator[_Wanted]:
    request = story.request
    channel, home = request.asked.channel, direct(request.requester)
    state = request.grant.state if request.grant is not None else request.state
    yield _Wanted(name="card", channel=channel, text=f"{request.asked.title}: {state}")
    tokens = 0
    for number, fact in enumerate(story.history, start=1):
        text = f"{number} {e.WIRE[type(fact)]} by {fact.by}"
        if isinstance(fact, e.Misused):
            continue
        yield _Wanted(name=f"line:{number}", channel=channel, text=text, in_thread=True)
        if isinstance(fact, e.Tokened) and request.asked.machine is None:
            tokens += 1
            yield _token(story, tokens, home)
    misused = {fact.what.kind: fact for fact in story.history if isinstance(fact, e.Misused)}
    for kind, told in misused.items():
        text = f"misuse {kind}: {told.what.count}"
        yield _Wanted(name=f"misuse:{kind}", channel=channel, text=text, in_thread=True)


def _token(story: Story, number: int, channel: str) -> _Wanted:
    """Return the message of token `number`: only the newest can be read, and only for its time."""
    grant, name = story.request.grant, token_message(number)
    is_newest = grant is not None and number == len(grant.tokens)
    blank = f"token {number} of {story.request.id}"
    if story.token is None or not is_newest:
        return _Wanted(name=name, channel=channel, text=f"{blank} is not shown")
    return _Wanted(name=name, channel=channel, text=f"{blank}: {story.token}", blank=blank)
