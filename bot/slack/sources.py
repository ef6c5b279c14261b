"""What groups are made of, as Slack and on-call services tell it; each answer kept for a while.

Who is on call, and who somebody's manager is, counts only as a member: not as a guest, and not
with an account that is closed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog

from bot.core.errors import Unavailable
from bot.core.sources import Member, ProfileField, Rota, Source, Usergroup
from bot.slack.api import SlackApi, SlackError
from bot.slack.cache import Kept
from bot.usecases.ports import OnCall

log = structlog.get_logger()

# An on-call service that hangs must not keep others from answering a click in time.
ASK_WITHIN_S: Final = 1.5


class Sources:
    """Asks sources who is in them.

    Args:
        is_member: Returns whether a user id is of somebody who may use the bot.
        keep: How long an answer is good.
    """

    def __init__(
        self,
        api: SlackApi,
        on_call: OnCall,
        is_member: Callable[[str], Awaitable[bool]],
        *,
        keep: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._on_call = on_call
        self._is_member = is_member
        self._known = Kept(self._find, keep=keep, now=now)
        self._accounts = Kept(self._find_account, keep=keep, now=now)

    def kept(self, source: Source, *, fresh: bool) -> frozenset[str] | None:
        """Return what `source` said, if that is good enough; it is not asked."""
        return None if fresh and _must_be_asked(source) else self._known.kept(source)

    async def ask(self, source: Source, *, fresh: bool) -> frozenset[str]:
        """Return what `source` says; what it said before is forgotten where it does not answer.

        Args:
            fresh: Ask it now, unless Slack tells of its changes anyway.

        Raises:
            Unavailable: It did not answer, or not in time.
        """
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                return await self._known.get(source, fresh=fresh and _must_be_asked(source))
        except TimeoutError:
            self._known.forget(source)
            raise Unavailable(f"no answer within {ASK_WITHIN_S:g} s") from None
        except Unavailable:
            self._known.forget(source)
            raise

    def forget_person(self, user: str) -> None:
        """Slack says that `user` has changed: they may have another manager."""
        self._known.forget_where(
            lambda source: isinstance(source, ProfileField | Member) and source.user == user
        )

    def forget_members(self, usergroup: str) -> None:
        """Slack says that the members of `usergroup` have changed."""
        self._known.forget(Usergroup(usergroup))

    def forget_all(self) -> None:
        """Ask everything again next time."""
        self._known.forget_all()

    async def _find(self, source: Source) -> frozenset[str]:
        match source:
            case Usergroup(id_):
                answer = await self._api.read("usergroups.users.list", usergroup=id_)
                return frozenset(answer["users"])
            case ProfileField(user, field):
                return await self._members(await self._in_profile(user, field))
            case Member(user):
                return await self._members([user])
            case Rota():
                return await self._members(await self._rostered(source))
            case _:
                assert_never(source)

    async def _members(self, users: Iterable[str]) -> frozenset[str]:
        """Return those of `users` who may use the bot."""
        named = list(dict.fromkeys(users))
        counts = await asyncio.gather(*map(self._is_member, named))
        return frozenset(user for user, is_one in zip(named, counts, strict=True) if is_one)

    async def _in_profile(self, user: str, field: str) -> list[str]:
        """Return the one whom a profile field names, if it names anybody.

        Source: https://docs.slack.dev/reference/methods/users.profile.get
        """
        answer = await self._api.read("users.profile.get", user=user)
        fields = answer["profile"].get("fields") or {}  # a list where there are none
        named = fields[field].get("value") if field in fields else ""
        return [named] if named else []

    async def _rostered(self, rota: Rota) -> list[str]:
        told = await self._on_call.who(rota)
        found = await asyncio.gather(*(self._account(name) for name in sorted(told)))
        return [user for user in found if user]

    async def _account(self, name: str) -> str:
        return await self._accounts.get(name) if "@" in name else name

    async def _find_account(self, email: str) -> str:
        """Return whose e-mail address this is, "" if nobody's.

        Source: https://docs.slack.dev/reference/methods/users.lookupByEmail
        """
        try:
            answer = await self._api.read("users.lookupByEmail", email=email)
        except SlackError as problem:
            if problem.name != "users_not_found":
                raise
            log.warning("on_call.no_account", hint="Slack knows another e-mail address of theirs")
            return ""
        return str(answer["user"]["id"])


def _must_be_asked(source: Source) -> bool:
    """Return whether no event of Slack tells, to one replica at least, that it has changed."""
    return isinstance(source, Rota | ProfileField)


def is_of_somebody(source: Source) -> bool:
    """Return whether `source` is the Slack profile of whoever asks."""
    return isinstance(source, ProfileField)


def unreadable(source: Source, group: str) -> str:
    """Return the sentence that `source`, of which `group` is made, could not be read."""
    match source:
        case Usergroup():
            return f"Slack did not say who is in the user group of {group}"
        case Rota():
            return f"on-call of {source.named} cannot be read, so nobody knows who is in {group}"
        case ProfileField() | Member():
            return f"Slack did not say who the manager of whoever asks is ({group})"
        case _:
            assert_never(source)
