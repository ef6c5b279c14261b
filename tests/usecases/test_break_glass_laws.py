"""Whatever the policies and however they change: what break-glass never does.

It never skips a guardrail that holds even then, never lasts longer than its cap, is never granted
to somebody whose reviews bar it. What a policy forbids is judged by plain Python beside it.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.core import events as e
from bot.core.errors import Refused, Unavailable
from bot.core.moves import RaiseConcern, Revoke, SignOff
from bot.core.policy import Verdict
from bot.core.request import Request
from bot.store.memory import MemoryStore
from bot.usecases.forbidden import Forbidden
from tests.clocks import ManualClock
from tests.usecases.bots import (
    ANNA,
    BEN,
    BY_LEAD,
    DAN,
    ENGINEERS,
    EVA,
    GLASS,
    LEADS,
    OWNERS,
    SECURITY,
    a_bundle,
    a_policy,
    a_rule,
    in_memory,
)
from tests.usecases.test_policy_laws import FIRST_HALF, Judged, Seen, rails

KNOWN = {"engineers": ENGINEERS, "leads": LEADS, "owners": OWNERS}
LENGTHS = st.sampled_from([timedelta(minutes=minutes) for minutes in (5, 15, 30)])


@st.composite
def policies(draw):
    """Return a policy whose bundle has a glass, and its guardrails with what they mean."""
    barring = []
    for number in range(draw(st.integers(0, 3))):
        rail = draw(rails(number))
        held = replace(rail.one, even_break_glass=draw(st.booleans()))
        barring.append(Judged(held, rail.means))
    glass = replace(
        GLASS,
        who=draw(st.sampled_from([("engineers",), ("leads",), ("owners", "leads")])),
        max_duration=draw(LENGTHS),
        review_within=draw(st.sampled_from([timedelta(minutes=30), timedelta(hours=10)])),
        unreviewed=draw(st.integers(1, 3)),
    )
    rule_ = draw(st.sampled_from([BY_LEAD, a_rule(Verdict.DENY)]))
    policy = a_policy(
        {"alarm": (a_bundle("alarm", glass=glass), (rule_,))},
        rails=tuple(each.one for each in barring),
        groups=(ENGINEERS, LEADS, SECURITY, OWNERS),
    )
    return replace(policy, windows={"first-half": FIRST_HALF}), barring


class Emergencies(RuleBasedStateMachine):
    """People break the glass and review it while time passes and policies come and go."""

    @initialize(made=policies())
    def begin(self, made) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.bot = in_memory(self.store, self.clock)
        self.broken: list[Request] = []
        self.change(made)

    @rule(made=policies())
    def change(self, made) -> None:
        self.bot.policy, self.barring = made

    def do(self, deed: Any) -> Any:
        try:
            return self.runner.run(deed)
        except (Refused, Unavailable):
            return None

    def now(self, request: Request) -> Request:
        return self.runner.run(self.bot.now(request))

    def waiting(self, who) -> list[Request]:
        """Return what `who` broke and nobody has signed off."""
        found = [self.now(request) for request in self.broken if request.requester == who]
        return [request for request in found if not self.signed(request)]

    def signed(self, request: Request) -> bool:
        return any(
            isinstance(event, e.Reviewed) for event in self.store.log if event.request == request.id
        )

    def seen(self, who, minutes: float, reason: str, *, besides=None) -> Seen:
        now = self.clock.now()
        mine = [each for each in self.store.requests() if each.requester == who and each != besides]
        live = [each.working_grant for each in mine if each.working_grant is not None]
        return Seen(
            now=now,
            user=who.id,
            groups=frozenset(name for name, group in KNOWN.items() if who.id in group.users),
            minutes=minutes,
            reason=reason,
            live=sum(grant.ends_at > now for grant in live),
            today=sum(each.asked.at > now - timedelta(days=1) for each in mine),
        )

    @rule(
        by=st.sampled_from([ANNA, BEN, DAN, EVA]),
        minutes=st.sampled_from([1, 5, 6, 15, 16, 30]),
        reason=st.sampled_from(["OPS-1 is broken, all of it", "production is down again"]),
        times=st.integers(1, 2),
    )
    def break_glass(self, by, minutes: int, reason: str, times: int) -> None:
        seen, waiting = self.seen(by, minutes, reason), self.waiting(by)
        glass = self.bot.policy.bundles["alarm"].glass
        asks = [
            self.bot.break_glass(by=by, duration=timedelta(minutes=minutes), reason=reason)
            for _ in range(times)
        ]
        for found in self.runner.run(gathered(asks)):
            if not isinstance(found, Request):
                assert isinstance(found, Refused | Unavailable), found
                continue
            if found.grant is None:
                continue
            assert self.may_have(seen)
            assert found.grant.ends_at - found.grant.started_at <= glass.max_duration
            assert len(waiting) < glass.unreviewed
            overdue = [each for each in waiting if each.review.until <= self.clock.now()]
            assert not overdue
            waiting.append(found)
            self.broken.append(found)
            # What was granted just now is known to the next.
            seen = replace(seen, live=seen.live + 1, today=seen.today + 1)

    def may_have(self, seen: Seen) -> bool:
        """Return whether what is seen so is not forbidden even in an emergency."""
        glass, length = self.bot.policy.bundles["alarm"].glass, timedelta(minutes=seen.minutes)
        if not seen.groups & set(glass.who) or length > glass.max_duration:
            return False
        for rail in self.barring:
            if not rail.one.even_break_glass or rail.holds(seen) is False:
                continue
            cap = rail.one.max_duration
            if rail.one.deny or rail.one.min_approvals or (cap is not None and length > cap):
                return False
        return True

    @precondition(lambda self: self.broken)
    @rule(
        which=st.integers(0, 99),
        by=st.sampled_from([ANNA, BEN, DAN, EVA]),
        move=st.sampled_from([SignOff("fine"), RaiseConcern("why?"), RaiseConcern("x", ends=True)]),
    )
    def review(self, which: int, by, move) -> None:
        request = self.broken[which % len(self.broken)]
        outcome = self.do(self.bot.move(request, move, by=by))
        if outcome and outcome.events:
            assert by in (DAN, EVA)
            assert by != request.requester

    @precondition(lambda self: self.broken)
    @rule(which=st.integers(0, 99))
    def end(self, which: int) -> None:
        request = self.broken[which % len(self.broken)]
        self.do(self.bot.move(request, Revoke("over"), by=request.requester))

    @precondition(lambda self: self.broken)
    @rule(which=st.integers(0, 99))
    def extend(self, which: int) -> None:
        request = self.broken[which % len(self.broken)]
        prolonging = self.bot.requests.extend(
            request.id, by=request.requester, delivery=self.bot.delivery()
        )
        assert self.do(prolonging) is None

    @rule(made=policies())
    def apply_another_policy(self, made) -> None:
        """What is live goes on exactly if the glass of this moment does not forbid it."""
        self.change(made)
        facts = self.bot.facts
        grants = Forbidden(
            self.bot.desk,
            self.bot.gate,
            facts,
            listings=self.bot.listings,
            policy=lambda: self.bot.policy,
        )
        for judged in self.runner.run(grants.judge()):
            request = judged.request
            asked, grant = request.asked, request.working_grant
            seen = self.seen(
                asked.by, asked.duration / timedelta(minutes=1), asked.reason, besides=request
            )
            assert bool(judged.forbidden) == (not self.may_have(seen)), judged
            outcome = self.do(grants.end(judged)) if judged.forbidden else None
            if judged.forbidden and grant.ends_at > self.clock.now():
                assert outcome.request.working_grant is None
                assert outcome.request.review == request.review
            if not judged.forbidden:
                assert self.now(request).working_grant == grant

    @rule(minutes=st.sampled_from([1, 10, 30, 600]))
    def wait(self, minutes: int) -> None:
        self.runner.run(self.bot.pass_(minutes=minutes))

    @rule(minutes=st.sampled_from([10, 600]))
    def nobody_works(self, minutes: int) -> None:
        self.clock.at += timedelta(minutes=minutes)

    @invariant()
    def each_account_knows_what_waits(self) -> None:
        for who in (ANNA, BEN, DAN, EVA) if hasattr(self, "runner") else ():
            _, [account] = self.runner.run(self.bot.ledger.load_all([], [str(who)]))
            assert {mark.request for mark in account.broken} == {
                request.id for request in self.waiting(who)
            }

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()


async def gathered(deeds):
    return await asyncio.gather(*deeds, return_exceptions=True)


TestEmergencies = Emergencies.TestCase
TestEmergencies.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
