"""The story of the drill, played by people who press again when nothing comes of it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from bot.sandbox.client import Acme, Message, NotThere, Person
from bot.story import ACCESS, DIRECT, JWT

T = TypeVar("T")

# Somebody who sees nothing happen presses again after about a second.
AGAIN_S = 1.2
PATIENCE_S = 60.0
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Times:
    """How long the grants last, as typed.

    Attributes:
        watched: Of the one that is prolonged; a fifth of it must do for that.
        short: Of the one that ends by itself.
    """

    watched: str
    short: str


async def tell(acme: Acme, times: Times) -> None:
    """Play the story.

    Raises:
        NotThere: Something did not happen, however often it was tried.
    """
    dan = acme.person("Dan")
    await _at_once(dan, f"/jit request logs {times.short} to see why the build is slow")
    for attempt in range(TRIES):
        if await _the_main_job(acme, times, reason=f"to look into invoice {4711 + attempt}"):
            break
    else:
        raise NotThere(f"{TRIES} grants ended before they could be prolonged")
    await dan.eventually(_seen(dan, "is over", DIRECT), what="the end", timeout_s=PATIENCE_S)
    # Slack is slow once, so that a lease must be renewed, and then asks to wait.
    await acme.fails("chat.postMessage", delay_s=1.3)
    await acme.fails("chat.postMessage", retry_after_s=1)
    await _at_once(acme.person("Cleo"), "/jit request logs 30m to see why the tests are slow")


async def _at_once(who: Person, typed: str) -> None:
    """Policy approves; the token comes in a message of its own."""
    await _insists(who, lambda: who.types(typed), _seen(who, "Policy approved", DIRECT))


async def _the_main_job(acme: Acme, times: Times, *, reason: str) -> bool:
    """Return whether the grant could be prolonged; it ends while the bot dies too often."""
    anna, ben = acme.person("Anna"), acme.person("Ben")
    typed = f"/jit request billing {times.watched} {reason}"
    card = await _insists(
        ben, lambda: anna.types(typed), _seen(ben, reason, ACCESS, button="approve")
    )
    id_ = re.search(r"R-[0-9A-Z]{12}", card.plain())[0]
    readable = _seen(anna, JWT, DIRECT)
    note = await _insists(anna, lambda: ben.clicks("approve", card), readable)
    token = re.search(r"eyJ[\w.-]+", note.plain())[0]

    async def hidden() -> Message | None:
        stands = await anna.now(note)
        return stands if JWT not in stands.plain() and "reveal" in stands.buttons() else None

    await _insists(anna, lambda: anna.clicks("got_it", note), hidden)

    async def shown() -> bool:
        return any(token in view.plain() for view in await anna.views())

    await _insists(anna, lambda: anna.clicks("reveal", note), shown)
    while await anna.views():
        await anna.closes()
    try:
        note = await _prolonged(anna, ben, id_, readable)
    except NotThere:
        if await _seen(anna, "is over", DIRECT)() is None:
            raise
        return False

    # The thread tells it last; by then nothing else of hers is under way.
    ended = _seen(ben, f"{anna.name} ended the access", ACCESS)
    await _insists(ben, lambda: anna.clicks("end_now", note), ended)
    return True


async def _prolonged(
    anna: Person, ben: Person, id_: str, readable: Callable[[], Awaitable[Message | None]]
) -> Message:
    """Return the message with the new token."""
    warned = _seen(anna, f"({id_})", DIRECT, button="extend")
    warning = await anna.eventually(warned, what="a reminder", timeout_s=60 + PATIENCE_S)
    more = await _insists(
        ben,
        lambda: anna.clicks("extend", warning),
        _seen(ben, f"prolongs {id_}", ACCESS, button="approve"),
        within_s=PATIENCE_S / 2,
    )
    return await _insists(
        anna, lambda: ben.clicks("approve", more), readable, within_s=PATIENCE_S / 2
    )


async def _insists(
    witness: Person,
    act: Callable[[], Awaitable[object]],
    look: Callable[[], Awaitable[T | None]],
    *,
    within_s: float = PATIENCE_S,
) -> T:
    """Act, again and again, until `witness` sees that something came of it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while True:
        with suppress(NotThere):  # the button has gone, which may be what was wanted
            await act()
        try:
            return await witness.eventually(look, what="what was wanted", timeout_s=AGAIN_S)
        except NotThere:
            if loop.time() > until:
                raise


def _seen(
    who: Person, text: str, channel: str, *, button: str = ""
) -> Callable[[], Awaitable[Message | None]]:
    """Return what finds the newest message with `text` and `button`."""

    async def look() -> Message | None:
        for message in reversed(await who.messages(channel)):
            if text in message.plain() and (not button or button in message.buttons()):
                return message
        return None

    return look
