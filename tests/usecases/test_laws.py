"""The laws of the whole desk, over random days and random crowds."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis.asyncio import Redis

from bot.core.errors import BotError, OutcomeUnknown, Refused, Unavailable
from bot.core.identity import RequestId
from bot.core.moves import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Deny,
    Move,
    Narrow,
    Question,
    RaiseConcern,
    Reveal,
    Revoke,
    Scrub,
    SignOff,
)
from bot.core.states import Timer
from bot.store.memory import MemoryLedger, MemoryStore
from bot.usecases.ports import Commit, Committed, Job, JobId, Standing
from bot.usecases.wishes import Wish
from tests.clocks import ManualClock
from tests.usecases.bots import ANNA, BEN, CLEO, DAN, EVA, STANDINGS, Bot, in_memory, on_redis
from tests.usecases.laws import check, in_redis, in_store

LEADS = (BEN, CLEO, DAN)
PEOPLE = (ANNA, BEN, CLEO, DAN, EVA)
MOVES: tuple[Move, ...] = (
    Approve(),
    Narrow("", ("invoices:read",), timedelta(minutes=1)),
    Question("why?"),
    Answer(0, "because"),
    Deny("no"),
    Cancel(),
    Claim(),
    Reveal(),
    Revoke("over"),
    SignOff("fine"),
    RaiseConcern("why?"),
    RaiseConcern("stop", ends=True),
)
BUNDLES = (
    *("read", "two", "staged", "careful", "auto", "secret", "twice", "scarce", "rare", "never"),
    *("claimed", "claimed-rare", "claimed-once", "planned"),
)
MOSTLY_MEMBERS = (Standing.MEMBER, Standing.MEMBER, Standing.DEACTIVATED)


class UnsureLedger(MemoryLedger):
    """Loses the answer to the next commit, or the commit itself, when it is told to."""

    lose: str = ""

    async def commit(self, change: Commit) -> Committed:
        lost, self.lose = self.lose, ""
        if lost == "all":
            raise Unavailable("nothing was stored")
        answer = await super().commit(change)
        if lost == "answer":
            raise OutcomeUnknown("the answer was lost")
        return answer


class Days(RuleBasedStateMachine):
    """People ask, act and change their minds while time passes and parts fail."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.ledger = UnsureLedger(self.store)
        self.bot = in_memory(self.store, self.clock, ledger=self.ledger)
        self.ids: list[RequestId] = []
        self.last: Any = None
        for by in (ANNA, EVA, BEN):
            self.ask(bundle="two", by=by, minutes=30)
            self.ask(bundle="rare", by=by, minutes=30)

    def do(self, deed: Any) -> None:
        self.last = deed
        try:
            outcome = self.runner.run(deed())
        except (Refused, Unavailable):
            return
        if hasattr(outcome, "request") and outcome.request.id not in self.ids:
            self.ids.append(outcome.request.id)

    @rule(bundle=st.sampled_from(BUNDLES), by=st.sampled_from(PEOPLE), minutes=st.integers(1, 60))
    def ask(self, bundle: str, by: Any, minutes: int) -> None:
        wish = Wish(
            bundle=bundle,
            reason="incident number 7",
            ticket="INC-7",
            duration=timedelta(minutes=minutes),
        )
        delivery = self.bot.delivery()
        self.do(lambda: self.bot.requests.open(wish, by=by, delivery=delivery))

    @rule(by=st.sampled_from(PEOPLE), ahead=st.integers(5, 90))
    def ask_for_later(self, by: Any, ahead: int) -> None:
        start = self.clock.now() + timedelta(minutes=ahead)
        wish = Wish(bundle="planned", reason="incident number 7", start=start)
        delivery = self.bot.delivery()
        self.do(lambda: self.bot.requests.open(wish, by=by, delivery=delivery))

    @rule(by=st.sampled_from(PEOPLE), minutes=st.integers(1, 20))
    def break_glass(self, by: Any, minutes: int) -> None:
        wish = Wish(
            bundle="alarm",
            reason="production is down, INC-7",
            duration=timedelta(minutes=minutes),
        )
        delivery = self.bot.delivery()
        self.do(lambda: self.bot.emergencies.open(wish, by=by, delivery=delivery))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), move=st.sampled_from(MOVES), by=st.sampled_from(PEOPLE))
    def act(self, data: st.DataObject, move: Move, by: Any) -> None:
        id_, delivery = data.draw(st.sampled_from(self.ids)), self.bot.delivery()
        self.do(lambda: self.bot.requests.move(id_, move, by=by, delivery=delivery))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), by=st.sampled_from(LEADS), times=st.integers(1, 3))
    def leads_approve(self, data: st.DataObject, by: Any, times: int) -> None:
        for id_ in data.draw(st.lists(st.sampled_from(self.ids), max_size=times, unique=True)):
            delivery = self.bot.delivery()
            self.do(
                lambda id_=id_, delivery=delivery: self.bot.requests.move(
                    id_, Approve(), by=by, delivery=delivery
                )
            )

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), newest=st.booleans())
    def act_on_a_token(self, data: st.DataObject, *, newest: bool) -> None:
        id_, delivery = data.draw(st.sampled_from(self.ids)), self.bot.delivery()
        request = self.runner.run(self.bot.desk.load(id_))
        tokens = request.grant.tokens if request.grant is not None else ()
        token = tokens[-1 if newest else 0].jti if tokens else ""
        if data.draw(st.booleans()):
            move = Scrub(token)
            self.do(
                lambda: self.bot.requests.move(id_, move, by=request.requester, delivery=delivery)
            )
        else:
            self.do(
                lambda: self.bot.requests.extend(
                    id_, by=request.requester, delivery=delivery, token=token
                )
            )

    @precondition(lambda self: self.last is not None)
    @rule()
    def deliver_again(self) -> None:
        log = len(self.store.log)
        lost = self.ledger.lose
        self.do(self.last)
        assert lost or len(self.store.log) >= log

    @rule(lost=st.sampled_from(["all", "answer"]))
    def break_the_store_once(self, lost: str) -> None:
        self.ledger.lose = lost

    @rule(minutes=st.sampled_from([0.5, 1, 6, 10, 19, 24, 30]))
    def nobody_works(self, minutes: float) -> None:
        self.clock.at += timedelta(minutes=minutes)

    @rule(minutes=st.sampled_from([0.5, 1, 6, 10, 19, 24, 30]))
    def everybody_works(self, minutes: float) -> None:
        self.runner.run(self.bot.pass_(minutes=minutes))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), timer=st.sampled_from(Timer))
    def a_stale_timer_goes_off(self, data: st.DataObject, timer: Timer) -> None:
        id_ = JobId(timer, data.draw(st.sampled_from(self.ids)))
        job = Job(id=id_, fence=0, payload="old", attempt=1, now=self.clock.at, due=self.clock.at)
        self.do(lambda: self.bot.timers(job))

    @rule(who=st.sampled_from(PEOPLE), standing=st.sampled_from(MOSTLY_MEMBERS))
    def somebody_changes(self, who: Any, standing: Standing) -> None:
        self.bot.directory.people[who.id] = standing

    @rule()
    def a_new_key_signs(self) -> None:
        self.bot.signer.kids.append(f"kid-{len(self.bot.signer.kids) + 1}")

    @invariant()
    def the_laws_hold(self) -> None:
        self.runner.run(check(self.bot, in_store(self.store)))

    def teardown(self) -> None:
        self.ledger.lose = ""
        self.runner.run(self.bot.pass_(hours=5))
        self.sign_off_what_is_open()
        requests = self.runner.run(check(self.bot, in_store(self.store)))
        assert all(request.is_over for request in requests)
        assert self.store.jobs == {}
        assert self.store.tokens == {}
        tokens = {
            self.bot.desk.mint.token(token)
            for request in requests
            if request.grant is not None
            for token in request.grant.tokens
        }
        for message in self.bot.messenger.posted.values():
            assert not any(token in message.text for token in tokens)
        lines = [text for text in self.bot.texts() if text[0].isdigit()]
        assert len(lines) == len(self.store.log)
        self.runner.close()

    def sign_off_what_is_open(self) -> None:
        self.bot.directory.people |= STANDINGS
        self.bot.directory._kept.clear()  # what was once looked up is kept for ever
        for request in self.store.requests():
            if request.review is not None and request.review.is_open:
                by = EVA if request.requester != EVA else DAN
                self.runner.run(self.bot.move(request, SignOff("at last"), by=by))
        self.runner.run(self.bot.work())


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


async def crowd(replicas: tuple[Bot, Bot], seed: int) -> None:
    """Let two replicas do a hundred random deeds, twenty at a time; each may come twice."""
    dice = random.Random(seed)
    ids: list[RequestId] = []

    async def deed(number: int, bot: Bot) -> None:
        by, delivery = dice.choice(PEOPLE), f"{seed}.{number}"
        kind = dice.choice(["ask", "glass", "move", "move", "move", "extend"])
        if kind == "glass":
            ids.append((await bot.break_glass(by=by, delivery=delivery)).id)
        elif kind == "ask" or not ids:
            bundle = dice.choice(["read", "two", "scarce", "rare", "auto", "twice", "claimed-rare"])
            ids.append((await bot.open(bundle, by=by, delivery=delivery)).request.id)
        elif kind == "move":
            id_, move = dice.choice(ids), dice.choice(MOVES)
            await bot.requests.move(id_, move, by=by, delivery=delivery)
        else:
            await bot.requests.extend(dice.choice(ids), by=by, delivery=delivery)

    for start in range(0, 100, 20):
        deeds = [
            deed(number, bot)
            for number in range(start, start + 20)
            for bot in dice.sample(replicas, 1)
        ]
        answers = await asyncio.gather(*deeds, return_exceptions=True)
        faults = [answer for answer in answers if isinstance(answer, Exception)]
        assert all(isinstance(fault, BotError) for fault in faults), faults


@pytest.mark.parametrize("seed", range(5))
async def test_the_laws_hold_for_a_crowd_on_a_real_server(redis: Redis, seed: int) -> None:
    replicas = on_redis(redis), on_redis(redis)
    await crowd(replicas, seed)
    requests = await check(replicas[0], await in_redis(redis))
    assert len(requests) > 5
    await replicas[0].work()
    await check(replicas[0], await in_redis(redis))


@pytest.mark.parametrize("seed", range(10))
async def test_the_laws_hold_for_a_crowd_in_memory(
    store: MemoryStore, clock: ManualClock, seed: int
) -> None:
    replicas = in_memory(store, clock), in_memory(store, clock)
    await crowd(replicas, seed)
    await check(replicas[0], in_store(store))
