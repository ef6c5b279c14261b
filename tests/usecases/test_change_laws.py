"""However policies change meanwhile: nothing starts that the one of then or the one of now forbids.

Policies are drawn as plain lists of people, and what they forbid is judged on those by trying every
way to put voters into places: by nothing of the code under test.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import permutations
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from bot.core import events as e
from bot.core.conditions import compile_condition
from bot.core.errors import Refused, Unavailable
from bot.core.identity import Actor
from bot.core.moves import Approve, Deny, Narrow, Question, Revoke
from bot.core.policy import Chain, Group, Guardrail, Policy, Rule, Selector, Share, Stage, Verdict
from bot.core.request import Request, replay
from bot.core.scopes import Glass, ScopeText
from bot.store.memory import MemoryStore
from bot.usecases.forbidden import Forbidden
from tests.clocks import ManualClock
from tests.usecases.bots import (
    ANNA,
    BEN,
    CLEO,
    DAN,
    EVA,
    FINN,
    Bot,
    a_bundle,
    a_policy,
    in_memory,
)

PEOPLE = (ANNA, BEN, CLEO, DAN, EVA, FINN)
IDS = tuple(who.id for who in PEOPLE)
SCOPES = ("a:read", "b:read", "c:read")
GROUPS = ("leads", "peers")
GLASS_MINUTES = 15

People = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A stage: `quorum` people of `groups`, one of them of `kept`; for longer or shorter asks."""

    groups: tuple[str, ...]
    quorum: int
    kept: str = ""
    over: int | None = None
    up_to: int | None = None

    def is_about(self, minutes: int) -> bool:
        is_long = self.over is None or minutes > self.over
        return is_long and (self.up_to is None or minutes <= self.up_to)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A policy of one bundle; without `steps` it is had at once."""

    may_ask: People
    lists: dict[str, People]
    steps: tuple[Step, ...]
    scopes: frozenset[str]
    longest: int
    least: int
    is_shut: bool
    breakers: People


@dataclass(frozen=True, kw_only=True)
class Ask:
    by: str
    scopes: frozenset[str]
    minutes: int


def places(spec: Spec, minutes: int) -> list[People]:
    """Return for each approval that is needed who could give it."""
    found = []
    for step in spec.steps:
        if step.is_about(minutes):
            anybody = frozenset().union(*(spec.lists[name] for name in step.groups))
            kept = [spec.lists[step.kept]] if step.kept else []
            found += [*kept, *[anybody] * (step.quorum - len(kept))]
    return found


def denies(spec: Spec, ask: Ask) -> bool:
    """Return whether nobody can have this, whoever agrees."""
    needed = places(spec, ask.minutes)
    return (
        spec.is_shut
        or ask.by not in spec.may_ask
        or not ask.scopes <= spec.scopes
        or ask.minutes > spec.longest
        or len(needed) < spec.least
        or (bool(spec.steps) and not needed)
    )


def forbids(spec: Spec, ask: Ask, voters: People) -> bool:
    """Return whether these voters are not enough for it."""
    needed = places(spec, ask.minutes)
    return denies(spec, ask) or not any(
        all(who in place for who, place in zip(crowd, needed, strict=True))
        for crowd in permutations(voters - {ask.by}, len(needed))
    )


def forbids_breaking(spec: Spec, ask: Ask) -> bool:
    return (
        ask.by not in spec.breakers
        or not ask.scopes <= spec.scopes
        or ask.minutes > min(GLASS_MINUTES, spec.longest)
    )


everybody = st.just(frozenset(IDS))
few_people = st.frozensets(st.sampled_from(IDS), min_size=1, max_size=3)
most_people = st.sampled_from(IDS).map(lambda one: frozenset(IDS) - {one})
some_people = st.one_of(everybody, most_people, most_people, few_people)


@st.composite
def steps(draw):
    groups = draw(st.sampled_from([("leads",), ("peers",), GROUPS]))
    return Step(
        groups=groups,
        quorum=draw(st.integers(1, 2)),
        kept=draw(st.sampled_from(["", groups[0]])),
        **draw(st.sampled_from([{}, {}, {"over": 20}, {"up_to": 20}])),
    )


@st.composite
def specs(draw):
    return Spec(
        may_ask=draw(st.one_of(everybody, everybody, everybody, some_people)),
        lists={name: draw(some_people) for name in GROUPS},
        steps=tuple(draw(st.lists(steps(), max_size=2))),
        scopes=frozenset(draw(st.sampled_from([SCOPES, SCOPES, SCOPES, SCOPES[:2]]))),
        longest=draw(st.sampled_from([60, 60, 60, 20])),
        least=draw(st.sampled_from([0, 0, 0, 0, 1, 2])),
        is_shut=draw(st.sampled_from([False] * 9 + [True])),
        breakers=draw(some_people),
    )


def policy_of(spec: Spec, digest: str) -> Policy:
    """Return the policy that `spec` says."""
    lists = {**spec.lists, "askers": spec.may_ask, "breakers": spec.breakers}
    groups = {name: Group(name=name, users=users) for name, users in lists.items()}
    stages = tuple(
        Stage(
            name=f"step-{number}",
            approvers=tuple(groups[name] for name in step.groups),
            quorum=step.quorum,
            at_least=(Share(step.kept, 1),) if step.kept else (),
        )
        for number, step in enumerate(spec.steps)
    )
    conditions = {
        number: (compile_condition(text),)
        for number, step in enumerate(spec.steps)
        for text in (
            [f"request.duration > duration('{step.over}m')"] * (step.over is not None)
            + [f"request.duration <= duration('{step.up_to}m')"] * (step.up_to is not None)
        )
    }
    chain = Chain(
        name="chain", stages=stages, expire_after=timedelta(hours=1), conditions=conditions
    )
    only = Rule(
        id="rule",
        bundles=Selector(),
        requesters=("askers",),
        verdict=Verdict.REQUIRE if stages else Verdict.AUTO_APPROVE,
        chain=chain if stages else None,
    )
    rails = [Guardrail(id="least", bundles=Selector(), min_approvals=spec.least)]
    rails += [Guardrail(id="shut", bundles=Selector(), deny=True)] if spec.is_shut else []
    longest = timedelta(minutes=spec.longest)
    bundle = a_bundle(
        "x",
        scopes=tuple(ScopeText(name) for name in SCOPES if name in spec.scopes),
        max_duration=longest,
        default_duration=longest,
        glass=Glass(
            who=("breakers",),
            max_duration=min(longest, timedelta(minutes=GLASS_MINUTES)),
            reason_min=1,
            notify=("#alarm",),
            review_by=("askers",),
            review_within=timedelta(hours=1),
            unreviewed=99,
        ),
    )
    return a_policy(
        {"x": (bundle, (only,))}, rails=tuple(rails), groups=tuple(groups.values()), digest=digest
    )


def asked_of(asked: e.Requested) -> Ask:
    scopes = frozenset(text.scope for text in asked.scopes)
    return Ask(by=asked.by.id, scopes=scopes, minutes=asked.duration // timedelta(minutes=1))


who = st.sampled_from(PEOPLE)
which = st.integers(0, 99)
minutes_ = st.sampled_from([10, 15, 20, 25, 45])


class Changes(RuleBasedStateMachine):
    """People ask, vote, narrow, prolong and break the glass while policies come and go."""

    @initialize(spec=specs())
    def begin(self, spec: Spec) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.bot: Bot = in_memory(self.store, self.clock)
        self.asked_under: dict[str, Spec] = {}
        self.changes = 0
        self.change(spec)
        self.requests: list[Request] = []

    @rule(spec=specs())
    def change(self, spec: Spec) -> None:
        self.changes += 1
        self.spec, self.bot.policy = spec, policy_of(spec, f"{self.changes:064d}")

    @rule(
        one=st.sampled_from(["lists", "steps", "may_ask", "scopes", "longest", "is_shut"]),
        other=specs(),
    )
    def change_one_thing(self, one: str, other: Spec) -> None:
        self.change(replace(self.spec, **{one: getattr(other, one)}))

    def do(self, deed: Any) -> Any:
        """Do it; judge what started by it under the policy in force."""
        before = len(self.runner.run(self.log()))
        try:
            return self.runner.run(deed)
        except (Refused, Unavailable):
            return None
        finally:
            for fact in self.runner.run(self.log())[before:]:
                if isinstance(fact, e.Requested):
                    self.asked_under[fact.request] = self.spec
                if isinstance(fact, e.Rerouted):
                    event("rerouted, and something owed" if fact.owed else "rerouted")
                if isinstance(fact, e.Started):
                    self.judge(fact.request)
                if isinstance(fact, e.Extended):
                    self.judge(fact.extension)

    async def log(self) -> list[e.Event]:
        return [fact for _, fact in await self.bot.ledger.log(limit=100_000)]

    def judge(self, id_: str) -> None:
        """Assert that neither policy forbids what was just granted."""
        history = self.runner.run(self.bot.ledger.history(id_))
        first = replay(history[:1]).asked
        wish, got = asked_of(first), asked_of(replay(history).asked)
        then, now = self.asked_under[id_], self.spec
        assert got.scopes <= wish.scopes
        assert got.minutes <= wish.minutes
        if first.emergency is not None:
            assert not forbids_breaking(now, got)
            return
        voters = frozenset(fact.by.id for fact in history if isinstance(fact, e.Voted))
        assert not forbids(then, wish, voters), "by the policy that it was asked under"
        assert not forbids(now, got, voters), "by the policy that is in force"
        changed = "after a change" if now is not then else "under one policy"
        event(f"granted {changed} by {len(voters)}")
        ways = sum(isinstance(fact, e.Rerouted | e.ChainPassed) for fact in history)
        event(f"granted on way {ways}")

    @rule(by=who, minutes=minutes_, scopes=st.sampled_from([None, SCOPES[:1], SCOPES[:2], SCOPES]))
    def ask(self, by: Actor, minutes: int, scopes) -> None:
        wish = self.bot.ask("x", by=by, duration=timedelta(minutes=minutes), scopes=scopes)
        request = self.do(wish)
        if request is not None:
            self.requests.append(request)

    @rule(by=who, minutes=minutes_)
    def break_glass(self, by: Actor, minutes: int) -> None:
        request = self.do(
            self.bot.break_glass("x", by=by, duration=timedelta(minutes=minutes), ticket="")
        )
        if request is not None:
            self.requests.append(request)

    def chosen(self, which: int) -> Request:
        """Return a request, the newest ones more often."""
        return self.requests[-1 - which % min(len(self.requests), 3)]

    @precondition(lambda self: self.requests)
    @rule(which=which, by=who)
    def vote(self, which: int, by: Actor) -> None:
        self.do(self.bot.move(self.chosen(which), Approve(), by=by))

    @precondition(lambda self: self.requests)
    @rule(which=which, by=who, minutes=minutes_, fewer=st.booleans())
    def narrow(self, which: int, by: Actor, minutes: int, *, fewer: bool) -> None:
        request = self.chosen(which)
        scopes = tuple(text.scope for text in request.asked.scopes)
        less = Narrow("", scopes[:1] if fewer else scopes, timedelta(minutes=minutes))
        self.do(self.bot.move(request, less, by=by))

    @precondition(lambda self: self.requests)
    @rule(which=which, by=who, no=st.sampled_from([Question("why?"), Question("?"), Deny("no")]))
    def talk(self, which: int, by: Actor, no) -> None:
        self.do(self.bot.move(self.chosen(which), no, by=by))

    @precondition(lambda self: self.requests)
    @rule(which=which)
    def extend(self, which: int) -> None:
        request = self.chosen(which)
        wish = self.bot.requests.extend(
            request.id, by=request.requester, delivery=self.bot.delivery()
        )
        outcome = self.do(wish)
        if outcome is not None and outcome.events:
            self.requests.append(outcome.request)

    @precondition(lambda self: self.requests)
    @rule(which=which)
    def end(self, which: int) -> None:
        request = self.chosen(which)
        self.do(self.bot.move(request, Revoke("over"), by=request.requester))

    @rule(minutes=st.sampled_from([1, 8, 70]))
    def wait(self, minutes: int) -> None:
        self.do(self.bot.pass_(minutes=minutes))

    @rule()
    def apply(self) -> None:
        """What is live goes on exactly if the policy of this moment does not forbid it."""
        bot = self.bot
        grants = Forbidden(
            bot.desk, bot.gate, bot.facts, listings=bot.listings, policy=lambda: bot.policy
        )
        should = {
            request.id
            for request in self.runner.run(bot.listings.live())
            if not (
                forbids_breaking(self.spec, asked_of(request.asked))
                if request.asked.emergency is not None
                else denies(self.spec, asked_of(request.asked))
            )
        }
        for judged in self.runner.run(grants.judge()):
            if judged.forbidden:
                self.do(grants.end(judged))
        assert {request.id for request in self.runner.run(bot.listings.live())} == should

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for request in self.requests:
                history = self.runner.run(self.bot.ledger.history(request.id))
                assert replay(history) == self.runner.run(self.bot.now(request))
            self.runner.close()


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)


at_least_one = st.lists(steps(), min_size=1, max_size=2).map(tuple)
open_specs = st.builds(
    lambda spec, chain, leads, peers, least: replace(
        spec, steps=chain, lists={"leads": leads, "peers": peers}, is_shut=False, least=least
    ),
    specs(),
    at_least_one,
    st.one_of(everybody, most_people, st.frozensets(st.sampled_from(IDS), min_size=3)),
    st.one_of(everybody, most_people, st.frozensets(st.sampled_from(IDS), min_size=3)),
    st.sampled_from([0, 0, 2]),
)
fields = st.sampled_from([("steps",), ("lists",), ("steps", "lists"), ("longest", "scopes")])


@given(
    then=open_specs,
    changes=st.lists(st.tuples(st.integers(0, 2), fields, open_specs), min_size=1, max_size=3),
    crowd=st.permutations(PEOPLE[1:]),
    minutes=minutes_,
    less=st.sampled_from([None, (0, 10), (1, 10), (2, 10), (3, 15)]),
    last=st.tuples(st.sampled_from(["may_ask", "scopes", "longest", "is_shut"]), specs()),
)
@settings(max_examples=300, deadline=None)
def test_everybody_votes_while_policies_change(then, changes, crowd, minutes, less, last) -> None:
    """The same laws where most of what is drawn leads to a grant, on one way or on several."""
    machine = Changes()
    try:
        machine.begin(then)
        machine.ask(by=ANNA, minutes=minutes, scopes=None)
        for number, by in enumerate((*crowd, *crowd)):  # those who were too early come again
            for _, names, other in [each for each in changes if each[0] == number]:
                machine.change(replace(machine.spec, **{n: getattr(other, n) for n in names}))
            if machine.requests and less is not None and less[0] == number:
                machine.narrow(which=0, by=by, minutes=less[1], fewer=False)
            elif machine.requests:
                machine.vote(which=0, by=by)
        machine.change_one_thing(*last)
        machine.apply()
    finally:
        machine.teardown()
