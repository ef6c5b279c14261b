"""The admin channel: what operators are told of the policy files, once for all replicas.

A message has a receipt in the store, as those of requests have; the first replica that gets to it
tells, the others find the receipt. What could not be told is tried again by whoever owes it.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from bot.core.differences import Differences
from bot.core.errors import BotError, Busy
from bot.core.known import Failure
from bot.slack.api import SlackApi, SlackError
from bot.slack.directory import SlackDirectory
from bot.slack.mrkdwn import Rendered
from bot.slack.policy_notes import changed_note, failed_note, mended_note, refused_note
from bot.store.redis_policies import RedisPolicies
from bot.usecases.ports import Once, Receipt

log = structlog.get_logger()

REFUSED: Final = "refused"
CHANGED: Final = "changed"
FAILED: Final = "failed"
# The digest of a receipt whose trouble is over.
_OVER: Final = ""
# A replica that dies while it tells is followed by another this soon.
TELLING: Final = timedelta(seconds=15)
AGAIN_S: Final = 2.0
# A condition that fails may fail with every request; one message of each rule in that time.
FAILED_EVERY: Final = timedelta(hours=1)


class AdminChannel:
    """Tells operators."""

    def __init__(
        self, api: SlackApi, directory: SlackDirectory, *, shelf: RedisPolicies, once: Once
    ) -> None:
        self._api = api
        self._directory = directory
        self._shelf = shelf
        self._once = once

    async def refused(
        self, channel: str, problems: tuple[str, ...], *, stamp: str, in_force: str
    ) -> None:
        """Tell that the files with this `stamp` are refused; one message until they are mended.

        Raises:
            Unavailable, Busy: It was not told yet.
        """
        stands = (await self._shelf.told()).get(REFUSED)
        if stands is not None and stands.digest == stamp:
            return
        await self._turn(REFUSED, stamp)
        shown = refused_note(problems, in_force=in_force)
        is_open = stands is not None and stands.digest != _OVER
        if stands is None or not is_open or not await self._updated(stands, shown):
            stands = await self._posted(REFUSED, channel, shown)
        if stands is not None:
            await self._shelf.keep_told(Receipt(REFUSED, stands.channel, stands.ts, stamp))

    async def mended(self, *, in_force: str) -> None:
        """Tell, where it stands that files are refused, that they are no more.

        Raises:
            Unavailable, Busy: It was not told yet.
        """
        stands = (await self._shelf.told()).get(REFUSED)
        if stands is None or stands.digest == _OVER:
            return
        await self._updated(stands, mended_note(in_force=in_force))
        await self._shelf.keep_told(Receipt(REFUSED, stands.channel, stands.ts, _OVER))

    async def changed(
        self, channel: str, found: Differences, *, old: str, new: str, change: str
    ) -> None:
        """Tell that a new policy is in force.

        Args:
            old, new: Digests of the policies.
            change: The same on every replica that goes from the same files to the same.

        Raises:
            Unavailable, Busy: It was not told yet.
        """
        stands = (await self._shelf.told()).get(CHANGED)
        if stands is not None and stands.digest == change:
            return
        await self._turn(CHANGED, change)
        posted = await self._posted(CHANGED, channel, changed_note(found, old=old, new=new))
        if posted is not None:
            await self._shelf.keep_told(Receipt(CHANGED, posted.channel, posted.ts, change))

    async def failed(self, channel: str, failures: Sequence[Failure]) -> None:
        """Tell of conditions that could not be evaluated, of each rule once in FAILED_EVERY.

        Best effort: what cannot be told now is told the next time, and stands in the log anyway.
        """
        for each in failures:
            try:
                if await self._once.first(f"admin:failed:{each.one}", within=FAILED_EVERY):
                    await self._posted(FAILED, channel, failed_note(each))
            except BotError as problem:
                log.warning("condition.not_told", one=each.one, code=problem.code)

    async def _turn(self, name: str, digest: str) -> None:
        """Return if it is ours to tell.

        Raises:
            Busy: Another replica is at it.
        """
        if not await self._once.first(f"admin:{name}:{digest}", within=TELLING):
            raise Busy("another replica tells this", wait_s=AGAIN_S)

    async def _posted(self, name: str, channel: str, shown: Rendered) -> Receipt | None:
        """Return what was posted; None where the channel cannot be used, which /readyz tells."""
        why_not = await self._directory.channel_problem(channel)
        if why_not:
            log.error("admin_channel.cannot_be_used", why=why_not)
            return None
        where = await self._directory.channel_id(channel)
        try:
            posted = await self._api.write(
                "chat.postMessage", channel=where, **_body(shown), **_PLAIN
            )
        except SlackError as problem:
            log.warning("admin_channel.cannot_be_used", why=problem.name)
            return None
        return Receipt(name, where, str(posted["ts"]), "")

    async def _updated(self, stands: Receipt, shown: Rendered) -> bool:
        """Return whether the message is still there; if so it shows `shown` now."""
        try:
            await self._api.write(
                "chat.update", channel=stands.channel, ts=stands.ts, **_body(shown)
            )
        except SlackError as problem:
            log.warning("admin_channel.message_gone", why=problem.name)
            return False
        return True


# https://docs.slack.dev/reference/methods/chat.postMessage
_PLAIN: Final = {"unfurl_links": False, "unfurl_media": False, "link_names": False}


def _body(shown: Rendered) -> Mapping[str, Any]:
    return {"text": shown.text, "blocks": shown.blocks}
