"""The port Directory on Slack: people, user groups and channels, kept for a minute."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.core.errors import Unavailable
from bot.core.identity import Actor, Kind, person
from bot.core.policy import Group
from bot.core.sources import Source
from bot.slack.api import SlackApi, SlackError
from bot.slack.cache import Kept
from bot.slack.sources import Sources, is_of_somebody, unreadable
from bot.usecases.ports import OnCall, Standing

# Events tell of changes at once, but each reaches one replica only: the others learn in a minute.
KEEP: Final = timedelta(minutes=1)
# Channels hardly change, and finding one by its name takes a page of 1,000 a call.
KEEP_CHANNELS: Final = timedelta(minutes=5)
PAGE: Final = 1000
PAGES_AT_MOST: Final = 50

_ALL: Final = ""
SLACKBOT: Final = "USLACKBOT"

NOT_THERE: Final = (
    "the channel {channel} does not exist, or it is private and this app is not in it; "
    "invite the app there with /invite"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The workspace that the app is installed in (auth.test).

    Attributes:
        enterprise: The Enterprise Grid organisation, "" without one.
        bot_user, bot: The app's own ids.
        url: Where the workspace is in a browser, with a slash at its end.
    """

    team: str
    enterprise: str
    bot_user: str
    bot: str
    url: str

    @property
    def id(self) -> str:
        """What people's ids are unique in."""
        return self.enterprise or self.team


async def find_home(api: SlackApi) -> Home:
    """Return where the app is installed.

    Raises:
        Busy, Unavailable, SlackError: See `SlackApi`; invalid_auth is a SlackError.
    """
    answer = await api.read("auth.test")
    return Home(
        team=answer["team_id"],
        enterprise=answer.get("enterprise_id") or "",
        bot_user=answer["user_id"],
        bot=answer.get("bot_id") or "",
        url=answer.get("url") or "https://slack.com/",
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a person; `email` and `zone` are "" where Slack does not say."""

    standing: Standing
    email: str = ""
    zone: str = ""


class SlackDirectory:
    """Looks people, user groups and channels up."""

    def __init__(
        self, api: SlackApi, home: Home, on_call: OnCall, *, now: Callable[[], datetime]
    ) -> None:
        self._api = api
        self._home = home
        self._people = Kept(self._find_person, keep=KEEP, now=now)
        self._sources = Sources(api, on_call, self._is_member, keep=KEEP, now=now)
        self._channels = Kept(self._find_channel, keep=KEEP_CHANNELS, now=now)
        self._all_channels = Kept(self._find_channels, keep=KEEP, now=now)

    async def standing(self, who: Actor, *, fresh: bool = False) -> Standing:
        """See `Directory.standing`."""
        if who.kind is not Kind.PERSON:
            return Standing.BOT
        if who.home != self._home.id:
            return Standing.FOREIGN
        return (await self._people.get(who.id, fresh=fresh)).standing

    async def email(self, who: Actor) -> str:
        """See `Directory.email`; Slack says it to apps with the scope users:read.email."""
        if who.kind is not Kind.PERSON or who.home != self._home.id:
            return ""
        return (await self._people.get(who.id)).email

    async def person(self, email: str) -> Actor | None:
        """See `AddressBook.person`.

        Source: https://docs.slack.dev/reference/methods/users.lookupByEmail
        """
        try:
            answer = await self._api.read("users.lookupByEmail", email=email)
        except SlackError as problem:
            if problem.name in ("users_not_found", "invalid_arguments"):
                return None
            raise
        found = person(str(answer["user"]["id"]), home=self._home.id)
        return found if await self.standing(found, fresh=True) is Standing.MEMBER else None

    async def zone(self, who: Actor) -> tzinfo:
        """See `Zones.zone`.

        Source: https://docs.slack.dev/reference/objects/user-object, "tz".
        """
        if who.kind is not Kind.PERSON or who.home != self._home.id:
            return UTC
        try:
            return ZoneInfo((await self._people.get(who.id)).zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return UTC

    async def _find_person(self, user: str) -> _Known:
        try:
            answer = await self._api.read("users.info", user=user)
        except SlackError as problem:
            if problem.name in ("user_not_found", "user_not_visible", "users_not_found"):
                return _Known(Standing.UNKNOWN)
            raise
        profile = answer["user"].get("profile") or {}
        return _Known(
            _standing(answer["user"], self._home),
            email=profile.get("email") or "",
            zone=answer["user"].get("tz") or "",
        )

    async def _is_member(self, user: str) -> bool:
        return (await self._people.get(user)).standing is Standing.MEMBER

    async def groups_of(
        self, who: Actor, groups: Sequence[Group], *, about: Actor, fresh: bool = False
    ) -> frozenset[str]:
        """See `Directory.groups_of`."""
        if who.kind is not Kind.PERSON or who.home != self._home.id:
            return frozenset()
        known = await self._told(groups, about, fresh=fresh)
        return frozenset(
            group.name for group in groups if who.id in group.members(known, about=about.id)
        )

    async def members_of(self, group: Group, *, about: Actor) -> frozenset[str]:
        """See `Directory.members_of`."""
        return group.members(await self._told([group], about, fresh=False), about=about.id)

    async def _told(
        self, groups: Sequence[Group], about: Actor, *, fresh: bool
    ) -> Mapping[Source, frozenset[str]]:
        """Return what all sources of `groups` say.

        Raises:
            Unavailable: One of them could not be read; the sentence names the group.
        """
        sources = {each for group in groups for each in group.sources(about.id)}
        told = {each: self._sources.kept(each, fresh=fresh) for each in sources}
        if about.kind is not Kind.PERSON:  # a client has no profile, and so no manager
            told |= dict.fromkeys(filter(is_of_somebody, sources), frozenset())
        unknown = [each for each, users in told.items() if users is None]
        if unknown:  # all at once, as Slack waits for our answer
            asked = await asyncio.gather(
                *(self._ask(each, groups, about, fresh=fresh) for each in unknown)
            )
            told |= dict(zip(unknown, asked, strict=True))
        return {each: users for each, users in told.items() if users is not None}

    async def _ask(
        self, source: Source, groups: Sequence[Group], about: Actor, *, fresh: bool
    ) -> frozenset[str]:
        try:
            return await self._sources.ask(source, fresh=fresh)
        except Unavailable as problem:
            named = next(group.name for group in groups if source in group.sources(about.id))
            raise Unavailable(unreadable(source, named)) from problem

    async def channel_problem(self, channel: str) -> str:
        """See `Directory.channel_problem`."""
        found = await self._channels.get(channel)
        problem = NOT_THERE.format(channel=channel) if found is None else _problem(found, channel)
        if problem:
            self.forget_channel(channel)  # whoever mends it should not have to wait
        return problem

    async def channel_id(self, channel: str) -> str:
        """Return the id of `channel` ("#name" or id).

        Raises:
            Unavailable: Slack did not answer, or has no such channel that the app may see.
        """
        found = await self._channels.get(channel)
        if found is None:
            self.forget_channel(channel)
            raise Unavailable(NOT_THERE.format(channel=channel))
        return str(found["id"])

    async def _find_channel(self, channel: str) -> Mapping[str, Any] | None:
        if channel.startswith("#"):
            # What is missing may have been made, or the app invited, since the last look.
            return (await self._all_channels.get(_ALL)).get(channel.removeprefix("#"))
        try:
            answer = await self._api.read("conversations.info", channel=channel)
        except SlackError as problem:
            if problem.name == "channel_not_found":
                return None
            raise
        found: Mapping[str, Any] = answer["channel"]
        return found

    async def _find_channels(self, _: str) -> Mapping[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        cursor = ""
        for _page in range(PAGES_AT_MOST):
            answer = await self._api.read(
                "conversations.list",
                types="public_channel,private_channel",
                exclude_archived=True,
                limit=PAGE,
                **({"cursor": cursor} if cursor else {}),
            )
            found |= {channel["name"]: channel for channel in answer["channels"]}
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return found
        raise Unavailable("there are too many channels to find one by its name; use its id")

    def link_to(self, channel: str, ts: str) -> str:
        """Return the address of a message, as chat.getPermalink makes it."""
        return f"{self._home.url}archives/{channel}/p{ts.replace('.', '')}"

    def forget_person(self, user: str) -> None:
        """Slack says that `user` has changed."""
        self._people.forget(user)
        self._sources.forget_person(user)

    def forget_members(self, usergroup: str) -> None:
        """Slack says that the members of `usergroup` have changed."""
        self._sources.forget_members(usergroup)

    def forget_channel(self, channel: str) -> None:
        """Something about `channel` was found out to be different."""
        self._channels.forget(channel)
        self._all_channels.forget(_ALL)

    def forget_groups_and_channels(self) -> None:
        """The policy names others now: nothing that was looked up for the old one is kept."""
        self._sources.forget_all()
        self._channels.forget_all()
        self._all_channels.forget_all()


def _standing(user: Mapping[str, Any], home: Home) -> Standing:
    """Return what a users.info object says; anything that is not clearly a member is none."""
    if user.get("deleted"):
        return Standing.DEACTIVATED
    if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == SLACKBOT:
        return Standing.BOT
    if user.get("is_stranger") or not _is_ours(user, home):
        return Standing.FOREIGN
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Standing.GUEST
    return Standing.MEMBER


def _is_ours(user: Mapping[str, Any], home: Home) -> bool:
    if user.get("team_id") == home.team:
        return True
    organisation = (user.get("enterprise_user") or {}).get("enterprise_id")
    return bool(home.enterprise) and organisation == home.enterprise


def _problem(channel: Mapping[str, Any], named: str) -> str:
    if channel.get("is_archived"):
        return f"the channel {named} is archived"
    if channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"):
        return f"the channel {named} is shared with another company"
    if channel.get("is_private") and not channel.get("is_member"):
        return NOT_THERE.format(channel=named)
    return ""
