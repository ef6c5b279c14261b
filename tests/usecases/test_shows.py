"""Slack is made to match a request, whatever dies on the way."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from bot.core import events as e
from bot.core.errors import Busy, NotAllowed, NotFound, Unavailable
from bot.core.moves import Approve, Deny, Revoke
from bot.core.request import Request
from bot.slack.memory import MemoryMessenger
from bot.store.memory import MemoryStore
from bot.usecases.ports import SHOW, Job, JobId, Queue
from bot.usecases.shows import LEASE
from tests.builders import T0
from tests.clocks import ManualClock
from tests.usecases.bots import ANNA, BEN, DAN, Bot, in_memory

HOME = "D-U0ANNA"


async def shown(bot: Bot, request: Request) -> None:
    """Show `request` once, as a worker that claimed the job does."""
    id_ = JobId(SHOW, request.id)
    [job] = await bot.jobs.claim(Queue.MESSAGES, limit=1, lease=LEASE, only=id_)
    await bot.shows(job)
    await bot.jobs.finish(job)


async def test_card_thread_and_token_appear(either: Bot) -> None:
    request = await either.granted("auto")
    await shown(either, request)
    assert either.texts()[0] == "Use auto: live"
    assert [text.split()[1] for text in either.texts()[1:]] == [
        *("request.requested", "request.approved", "grant.granted", "grant.started"),
    ]
    assert request.grant is not None
    assert either.readable(request.grant.token) == [HOME]
    assert (await either.kinds(request))[-1] is e.Delivered


async def test_what_is_as_it_should_be_is_not_sent_again(either: Bot) -> None:
    request = await either.granted("auto")
    await either.work()
    calls = len(either.messenger.calls)
    await either.desk.note_refusal(request.id, "x", by=DAN, why=NotAllowed("no"), delivery="x")
    await either.work()
    assert len(either.messenger.calls) == calls + 1
    assert (await either.kinds(request)).count(e.Delivered) == 1


async def test_a_token_behind_a_button_is_never_in_a_message(bot: Bot) -> None:
    request = await bot.granted("secret")
    await bot.pass_(minutes=31)
    assert request.grant is not None
    text = bot.desk.mint.token(request.grant.token)
    assert not any(text in call.text for call in bot.messenger.calls)
    assert e.Delivered in await bot.kinds(request)


async def test_the_token_leaves_its_message_with_the_end_of_the_grant(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.work()
    assert request.grant is not None
    assert bot.readable(request.grant.token) == [HOME]
    await bot.move(request, Revoke(), by=ANNA)
    await bot.work()
    assert bot.readable(request.grant.token) == []
    assert bot.texts()[0] == "Use auto: revoked"


async def test_a_grant_that_ended_before_it_was_shown_shows_no_token(bot: Bot) -> None:
    request = await bot.granted("auto")
    await bot.move(request, Revoke(), by=ANNA)
    await bot.work()
    assert request.grant is not None
    text = bot.desk.mint.token(request.grant.token)
    assert not any(text in call.text for call in bot.messenger.calls)
    assert e.Delivered not in await bot.kinds(request)


async def test_a_job_of_nothing_says_so(bot: Bot) -> None:
    id_ = JobId(SHOW, "R-AAAAAAAAAAAA")  # type: ignore[arg-type]  # as stored
    with pytest.raises(NotFound):
        await bot.shows(Job(id=id_, fence=1, payload="", attempt=1, now=T0, due=T0))


@pytest.mark.parametrize("trouble", [Busy("wait", wait_s=2.0), Unavailable("away")])
async def test_messages_follow_when_slack_is_back_and_none_is_doubled(
    bot: Bot, trouble: Exception
) -> None:
    down = True

    async def before_call() -> None:
        if down and len(bot.messenger.posted) == 3:
            raise trouble

    bot.messenger.before_call = before_call
    request = await bot.granted("auto")
    await bot.pass_(seconds=30)
    assert len(bot.messenger.posted) == 3
    assert request.grant is not None
    assert await bot.works(request.grant.token)
    down = False
    await bot.pass_(minutes=1)
    assert len(bot.messenger.posted) == len(await bot.receipts.of(request.id))
    assert (await bot.kinds(request))[-1] is e.Delivered


async def test_who_lost_the_job_sends_nothing_more(bot: Bot) -> None:
    await bot.ask("read")
    [old] = await bot.jobs.claim(Queue.MESSAGES, limit=1, lease=LEASE)
    await bot.wait(LEASE)
    [new] = await bot.jobs.claim(Queue.MESSAGES, limit=1, lease=LEASE)
    await bot.shows(old)
    assert len(bot.messenger.posted) == 1
    await bot.shows(new)
    assert bot.texts().count("Use read: pending") == 2
    assert len(bot.messenger.posted) == 3


class Crash(BaseException):
    """The process died."""


class Fragile:
    """A port whose every call may be the last thing that a process does, or the one before."""

    def __init__(self, inner: Any, point: Callable[[], None]) -> None:
        self._inner = inner
        self._point = point

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._point()
            answer = await getattr(self._inner, name)(*args, **kwargs)
            self._point()
            return answer

        return call


class CarefulMessenger(MemoryMessenger):
    """Sees to it that no token is where no receipt is."""

    def __init__(self, store: MemoryStore, tokens: set[str], point: Callable[[], None]) -> None:
        super().__init__()
        self._store = store
        self._tokens = tokens
        self._point = point

    async def _post(self, channel: str, text: str, *, thread: str) -> str:
        assert not any(token in text for token in self._tokens)
        self._point()
        ts = await super()._post(channel, text, thread=thread)
        self._point()
        return ts

    async def _update(self, ts: str, text: str) -> None:
        kept = {each.ts for of in self._store.receipts.values() for each in of.values()}
        assert ts in kept or not any(token in text for token in self._tokens)
        self._point()
        await super()._update(ts, text)
        self._point()


class Fuse:
    """Dies at its point number `at`, once."""

    def __init__(self, at: int) -> None:
        self._points = count()
        self._at = at
        self.blown = False

    def __call__(self) -> None:
        if next(self._points) == self._at and not self.blown:
            self.blown = True
            raise Crash


def fragile_bot(at: int) -> tuple[Bot, Fuse, set[str]]:
    clock, fuse, tokens = ManualClock(), Fuse(at), set[str]()
    store = MemoryStore(clock.now)
    sound = in_memory(store, clock)
    bot = in_memory(
        store,
        clock,
        ledger=Fragile(sound.ledger, fuse),
        receipts=Fragile(sound.receipts, fuse),
        messenger=CarefulMessenger(store, tokens, fuse),
    )
    return bot, fuse, tokens


async def life_of(bot: Bot, tokens: set[str], deed: Callable[[Request], Any]) -> Request:
    """Play a grant's life; whatever died is begun again, as Slack or a restart would."""

    async def again(step: Callable[[], Any]) -> Any:
        try:
            return await step()
        except Crash:
            await bot.wait(LEASE)
            return await step()

    request: Request = (await again(lambda: bot.open("auto", delivery="x"))).request
    for moment in range(40):
        if moment == 25:
            await again(lambda: deed(request))
        grant = (await again(lambda: bot.desk.load(request.id))).grant
        tokens |= {bot.desk.mint.token(token) for token in grant.tokens}
        for queue in Queue:
            for job in await bot.jobs.claim(queue, limit=9, lease=LEASE):
                handle = bot.shows if job.id.kind == SHOW else bot.timers
                try:
                    await handle(job)
                except Crash:
                    continue
                await bot.jobs.finish(job)
        await bot.wait(timedelta(minutes=1))
    return request


@pytest.mark.parametrize("deed", ["extend", "revoke", "nothing"])
async def test_a_death_at_any_point_loses_nothing_and_doubles_one_message_at_most(
    deed: str,
) -> None:
    for at in count():
        bot, fuse, tokens = fragile_bot(at)

        async def do(request: Request, bot: Bot = bot) -> Any:
            if deed == "extend":
                token = request.grant.token.jti if request.grant else ""
                return await bot.requests.extend(request.id, by=ANNA, delivery="e", token=token)
            if deed == "revoke":
                return await bot.move(request, Revoke(), by=ANNA, delivery="r")
            return None

        request = await life_of(bot, tokens, do)
        reached = not fuse.blown
        fuse.blown = True
        history = await bot.ledger.history(request.id)
        told = {text.partition(" by ")[0] for text in bot.texts()[1:]}
        kinds = [f"{n} {e.WIRE[type(event)]}" for n, event in enumerate(history, 1)]
        assert set(kinds) <= told, (at, kinds)
        kept = sum(len(receipts) for receipts in bot.ledger._inner._store.receipts.values())
        assert kept <= len(bot.messenger.posted) <= kept + 1, at
        delivered = [event.jti for event in history if isinstance(event, e.Delivered)]
        grant = (await bot.now(request)).grant
        assert grant is not None
        if deed != "extend":
            assert grant.close is not None
            assert len(delivered) == len(set(delivered)) == 1
            assert not any(
                token in message.text
                for message in bot.messenger.posted.values()
                for token in tokens
            )
        else:
            assert delivered == [token.jti for token in grant.tokens]
        if reached:
            assert at > 20
            break


async def test_a_denial_and_an_approval_are_each_told(either: Bot) -> None:
    denied, approved = await either.ask("read"), await either.ask("read", by=BEN)
    await either.move(denied, Deny("no"), by=BEN)
    await either.move(approved, Approve(), by=DAN)
    await either.work()
    cards = [text for text in either.texts() if text.startswith("Use read")]
    assert sorted(cards) == ["Use read: denied", "Use read: live"]
