"""The port Messenger on Slack: the card, its thread, notices, and the requester's messages."""

import hashlib
import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from bot.core import events as e
from bot.core.errors import Unavailable
from bot.core.identity import Actor, Kind
from bot.core.request import Request
from bot.slack.api import SlackApi, SlackError
from bot.slack.cards import request_card, retired_card
from bot.slack.clients import alarms, named_dm
from bot.slack.direct import outcome_dm, token_dm, warning_dm
from bot.slack.directory import SlackDirectory
from bot.slack.glass_notices import glass_notices, untold_line
from bot.slack.lines import thread_line
from bot.slack.mrkdwn import Rendered
from bot.slack.notices import Notice, notices
from bot.slack.use import alarm, alarm_of
from bot.slack.ways import views
from bot.usecases.ports import Receipt, Story
from bot.usecases.shows import token_message

log = structlog.get_logger()

CARD: Final = "card"
# One receipt for the whole thread: its digest is the number of facts that have been told.
LINES: Final = "lines"
# Facts told in one message; together they stay far below 50 blocks.
LINES_AT_ONCE: Final = 10

# The message is no more, or cannot be changed any more: it is posted anew.
_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
# What is remembered of the channel is wrong.
_CHANNEL_WRONG: Final = frozenset({"channel_not_found", "not_in_channel", "is_archived"})
# There is nobody to tell.
_NOBODY: Final = frozenset({"user_disabled", "user_not_found", "users_not_found"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """A message that should stand.

    Attributes:
        blank: What is posted at first, where `shown` holds a secret.
        thread_ts: The message that it replies to, "" for none.
    """

    name: str
    shown: Rendered
    blank: Rendered | None = None
    thread_ts: str = ""


class SlackMessenger:
    """Posts and updates what differs from the receipts."""

    def __init__(self, api: SlackApi, directory: SlackDirectory) -> None:
        self._api = api
        self._directory = directory

    async def show(
        self, story: Story, receipts: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        """See `Messenger.show`.

        A channel that cannot be used must not keep the requester's messages back, nor the other
        way round: each part is tried, and what went wrong first is raised at the end.
        """
        known = dict(receipts)
        wrong: Unavailable | None = None
        for part in (self._card, self._notes, self._lines, self._alarms, self._notices):
            try:
                async for receipt in part(story, known):
                    known[receipt.name] = receipt
                    yield receipt
            except Unavailable as problem:
                wrong = wrong or problem
        if wrong is not None:
            raise wrong

    async def _card(
        self, story: Story, known: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        channel = story.request.asked.channel
        try:
            where = await self._where(known.get(CARD), channel)
            message = _Message(name=CARD, shown=request_card(story.request, story.found))
            async for receipt in self._stands(message, where, known.get(CARD)):
                yield receipt
        except SlackError as problem:
            if problem.name in _CHANNEL_WRONG:
                self._directory.forget_channel(channel)
            raise

    async def _where(self, stands: Receipt | None, channel: str) -> str:
        return stands.channel if stands else await self._directory.channel_id(channel)

    async def _notes(
        self, story: Story, known: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        where = ""
        for message in _notes_of(story, known):
            stands = known.get(message.name)
            if _is_shown(message, stands):
                continue
            where = where or (stands.channel if stands else "")
            where = where or await self._direct_channel(story.request.requester)
            if not where:
                return
            async for receipt in self._stands(message, where, stands):
                yield receipt

    async def _direct_channel(self, who: Actor) -> str:
        """Return the channel of direct messages with `who`, "" when the account is closed."""
        try:
            opened = await self._api.write("conversations.open", users=who.id)
        except SlackError as problem:
            if problem.name not in _NOBODY:
                raise
            log.warning("note.nobody_to_tell", by=str(who), why=problem.name)
            return ""
        return str(opened["channel"]["id"])

    async def _lines(
        self, story: Story, known: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        card, told = known.get(CARD), known.get(LINES)
        if card is None:
            return
        done = int(told.digest) if told is not None else 0
        told_in = views(story.history, story.request)
        while done < len(story.history):
            numbers = range(done, min(done + LINES_AT_ONCE, len(story.history)))
            done = numbers.stop
            lines = _together([(story.history[each], *told_in[each]) for each in numbers], story)
            ts = told.ts if told is not None else ""
            if lines is not None:
                ts = await self._post(card.channel, lines, thread_ts=card.ts)
            yield Receipt(LINES, card.channel, ts, str(done))

    async def _alarms(
        self, story: Story, known: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        """Tell of misuse in the thread, a message for each kind."""
        card = known.get(CARD)
        if card is None:
            return
        newest = {event.what.kind: event for event in story.history if isinstance(event, e.Misused)}
        for kind, event in newest.items():
            message = _Message(
                name=alarm_of(kind), shown=alarm(event, story.request), thread_ts=card.ts
            )
            stands = known.get(message.name)
            async for receipt in self._stands(message, card.channel, stands):
                yield receipt

    async def _notices(
        self, story: Story, known: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        card = known.get(CARD)
        address = self._directory.link_to(card.channel, card.ts) if card is not None else ""
        # An emergency is told though its card cannot be posted; other notices lead there.
        usual = notices(story, address) if card is not None else ()
        wrong: Unavailable | None = None
        for notice in (*usual, *glass_notices(story, address), *alarms(story, address)):
            stands = known.get(notice.name)
            if stands is None and notice.is_over:
                continue
            try:
                async for receipt in self._notice(notice, story.request, known):
                    yield receipt
            except Unavailable as problem:  # the others are told all the same
                if isinstance(problem, SlackError) and problem.name in _CHANNEL_WRONG:
                    self._directory.forget_channel(notice.channel)
                wrong = wrong or problem
        if wrong is not None:
            raise wrong

    async def _notice(
        self, notice: Notice, request: Request, known: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        stands = known.get(notice.name)
        if stands is None:
            # It was looked at when this was asked for, and may be shared or archived since then.
            problem = await self._directory.channel_problem(notice.channel)
            if problem:
                log.warning("notice.not_posted", name=notice.name, why=problem)
                async for receipt in self._untold(notice, problem, request, known):
                    yield receipt
                return
        message = _Message(name=notice.name, shown=notice.shown)
        where = await self._where(stands, notice.channel)
        async for receipt in self._stands(message, where, stands):
            yield receipt

    async def _untold(
        self, notice: Notice, problem: str, request: Request, known: Mapping[str, Receipt]
    ) -> AsyncGenerator[Receipt, None]:
        """Tell in the thread that an emergency could not be told elsewhere, once."""
        name, card, emergency = f"untold:{notice.name}", known.get(CARD), request.asked.emergency
        if card is None or emergency is None or name in known:
            return
        if any(each.channel == notice.channel for each in emergency.unreachable):
            return  # the card tells it
        ts = await self._post(card.channel, untold_line(problem), thread_ts=card.ts)
        yield Receipt(name, card.channel, ts, digest_of(untold_line(problem)))

    async def _stands(
        self, message: _Message, where: str, stands: Receipt | None
    ) -> AsyncGenerator[Receipt, None]:
        """Make `message` stand as it should; a secret goes only where a receipt exists."""
        if _is_shown(message, stands):
            return
        if stands is None or not await self._update(stands, message.shown):
            first, digest = message.blank or message.shown, digest_of(message.shown)
            ts = await self._post(where, first, thread_ts=message.thread_ts)
            stands = Receipt(message.name, where, ts, "" if message.blank else digest)
            yield stands
            if message.blank is None:
                return
            if not await self._update(stands, message.shown):
                raise Unavailable("a message vanished while it was being written")
        yield replace(stands, digest=digest_of(message.shown))

    async def _post(self, channel: str, shown: Rendered, *, thread_ts: str = "") -> str:
        thread: dict[str, Any] = {"thread_ts": thread_ts} if thread_ts else {}
        posted = await self._api.write(
            "chat.postMessage", channel=channel, **_body(shown), **thread, **_PLAIN
        )
        return str(posted["ts"])

    async def _update(self, stands: Receipt, shown: Rendered) -> bool:
        """Return whether the message is still there; if so it shows `shown` now."""
        try:
            await self._api.write(
                "chat.update", channel=stands.channel, ts=stands.ts, **_body(shown)
            )
        except SlackError as problem:
            if problem.name in _GONE:
                return False
            raise
        return True

    async def retire(self, request: Request, *, channel: str, ts: str) -> None:
        """Take the buttons off a second copy of the card.

        There is one where a process died between Slack's answer and its receipt.

        Raises:
            Unavailable: Slack did not do it.
        """
        twin = Receipt(CARD, channel, ts, "")
        await self._update(twin, retired_card(request))


# Nothing that people wrote becomes a mention, a link or a preview
# (https://docs.slack.dev/reference/methods/chat.postMessage).
_PLAIN: Final = {"unfurl_links": False, "unfurl_media": False, "link_names": False}


def digest_of(shown: Rendered) -> str:
    """Return a short digest of what a message shows."""
    canonical = json.dumps([shown.text, shown.blocks], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _is_shown(message: _Message, stands: Receipt | None) -> bool:
    return stands is not None and stands.digest == digest_of(message.shown)


def _body(shown: Rendered) -> Mapping[str, Any]:
    return {"text": shown.text, "blocks": shown.blocks}


def _together(facts: Iterable[tuple[e.Event, Request, bool]], story: Story) -> Rendered | None:
    """Return one message that tells `facts`, a line each; None if there is nothing to tell.

    Args:
        facts: Each with the request that it counts in, and whether it calls people; see `views`.
    """
    told = [thread_line(fact, within, story.found, calls=calls) for fact, within, calls in facts]
    lines = [line for line in told if line is not None]
    if not lines:
        return None
    text = "\n".join(line.text for line in lines)
    return Rendered(text=text, blocks=[block for line in lines for block in line.blocks])


def _notes_of(story: Story, known: Mapping[str, Receipt]) -> Iterator[_Message]:
    """Yield what the requester should have got, in the order of the facts."""
    request, tokens = story.request, 0
    if request.asked.machine is not None:
        yield from _notes_of_named(story)
        return
    for number, fact in enumerate(story.history):
        outcome = outcome_dm(fact, request)
        if outcome is not None:
            yield _Message(name=f"dm:{number}", shown=outcome)
        if isinstance(fact, e.Warned):
            yield _Message(name=f"warn:{number}", shown=warning_dm(request))
        if isinstance(fact, e.Tokened):
            tokens += 1
            name = token_message(tokens)
            if request.working_grant is not None or name in known:
                yield _token_note(story, tokens, name)


def _notes_of_named(story: Story) -> Iterator[_Message]:
    """Yield what the person should have got in whose name a client asks; never a token."""
    request = story.request
    if request.requester.kind is not Kind.PERSON:
        return
    for number, fact in enumerate(story.history):
        is_question = isinstance(fact, e.Asked)
        shown = outcome_dm(fact, request) if is_question else named_dm(fact, request)
        if shown is not None:
            yield _Message(name=f"dm:{number}", shown=shown)


def _token_note(story: Story, number: int, name: str) -> _Message:
    grant = story.request.grant
    newest = grant is not None and number == len(grant.tokens)
    token = story.token if newest else None
    blank = token_dm(story.request, number, None) if token is not None else None
    return _Message(name=name, shown=token_dm(story.request, number, token), blank=blank)
