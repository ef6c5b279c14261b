"""Laws of requests and grants, over random histories."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as e
from bot.core.errors import Invalid, NotAllowed, Refused, TooLate, WrongState
from bot.core.grant import Signing, claims
from bot.core.identity import BOT, Actor, Kind, RequestId, person
from bot.core.lifecycle import decide, opened
from bot.core.moves import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Deliver,
    Deny,
    End,
    EndUnused,
    EndWithTicket,
    Escalate,
    Extend,
    Forfeit,
    Lapse,
    Move,
    Narrow,
    Question,
    Remind,
    Renew,
    Reveal,
    Revoke,
    Scrub,
    Start,
    SumUp,
    TellMisuse,
    Warn,
)
from bot.core.permission import MAY, Circumstances
from bot.core.places import open_places, places_of, voters
from bot.core.policy import Escalation, Group, Share, Stage
from bot.core.request import Request, evolve, replay, shown_digest, timers
from bot.core.scopes import Delivery, Tracker
from bot.core.states import (
    GRANT_NEXT,
    NOTES,
    REQUEST_NEXT,
    REVIEW_NEXT,
    SUM_AFTER,
    TIMERS,
    GrantState,
    RequestState,
    ReviewState,
    Timer,
    is_terminal,
)
from bot.core.tickets import SeenTicket
from bot.core.usage import Misdeed, Misuse, ScopeUse, Usage
from tests.builders import requested

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
SIGNING = Signing(issuer="https://jit.example", kid="kid-1")
ANNA, BEN, CLEO, DAVE = (person(f"U_{n}", home="T1") for n in ("ANNA", "BEN", "CLEO", "DAVE"))
PEOPLE = (ANNA, BEN, CLEO, DAVE)
GROUPS = {
    "leads": frozenset({ANNA, BEN, CLEO}),
    "sre": frozenset({CLEO, DAVE}),
    "owners": frozenset({DAVE}),
}


def groups_of(who: Actor) -> frozenset[str]:
    return frozenset(name for name, members in GROUPS.items() if who in members)


def case(minutes: float, who: Actor = BOT) -> Circumstances:
    now = T0 + timedelta(minutes=minutes)
    return Circumstances(now=now, signing=SIGNING, groups=groups_of(who))


def group(name: str) -> Group:
    return Group(name=name, users=frozenset(member.id for member in GROUPS[name]))


def asked(**over: object) -> e.Requested:
    plain: dict[str, object] = {
        "by": ANNA,
        "left_out": 1,
        "stages": (Stage(name="lead", approvers=(group("leads"),)),),
        "deadline": T0 + timedelta(minutes=60),
    }
    return requested(**{**plain, **over})


STANDS_IN = Escalation(
    after=timedelta(minutes=6), add_approvers=(group("sre"),), stand_in_for="leads", notify=("#a",)
)
stages = st.lists(
    st.builds(
        Stage,
        name=st.just("stage"),
        approvers=st.sampled_from([(group("leads"),), (group("leads"), group("sre"))]),
        quorum=st.integers(1, 3),
        at_least=st.sampled_from([(), (Share("leads", 1),)]),
        channel=st.sampled_from(["", "#stage"]),
        remind=st.sampled_from([(), (timedelta(minutes=3), timedelta(minutes=9))]),
        escalate=st.sampled_from([(), (STANDS_IN,)]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
asks = st.builds(
    asked,
    stages=stages,
    delivery=st.sampled_from(Delivery),
    by=st.sampled_from(PEOPLE),
    duration=st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes)),
    seen=st.sampled_from([None, SeenTicket(tracker=Tracker.JIRA, watched=timedelta(minutes=1))]),
)
misdeeds = st.builds(
    Misdeed,
    kind=st.sampled_from(Misuse),
    count=st.integers(1, 10**9),
    scopes=st.lists(st.text(max_size=200), max_size=5).map(tuple),
    addresses=st.lists(st.text(max_size=60), max_size=5).map(tuple),
    points=st.lists(st.text(max_size=60), max_size=5).map(tuple),
    last=st.just(T0),
)
scope_uses = st.builds(
    ScopeUse,
    scope=st.text(alphabet="abc:&<>*_`~", min_size=1, max_size=255),
    count=st.integers(0, 10**9),
    last=st.sampled_from([None, T0]),
)
usages = st.builds(
    Usage,
    scopes=st.lists(scope_uses, min_size=1, max_size=100).map(tuple),
    others=st.integers(0, 3),
    watched=st.booleans(),
)
# Each begins as it is approved, when its holder begins it, or at a time of its own.
clocks = st.sampled_from(
    [
        {},
        {"claim_within": timedelta(minutes=20)},
        {"start_at": T0 + timedelta(minutes=15)},
    ]
)
asks = st.builds(lambda first, clock: replace(first, **clock), asks, clocks)
EXTENSION = asked(request=RequestId("R-BBBBBBBBBBBB"), extends=RequestId("R-AAAAAAAAAAAA"))
moves: st.SearchStrategy[Move] = st.one_of(
    st.just(Approve()),
    st.builds(Deny, st.text(min_size=1, max_size=5)),
    st.just(Cancel()),
    st.builds(
        Narrow,
        st.just(""),
        st.sampled_from([("invoices:read",), ("refunds:read",), ("invoices:read", "refunds:read")]),
        st.integers(1, 40).map(lambda minutes: timedelta(minutes=minutes)),
    ),
    st.builds(Question, st.text(min_size=1, max_size=5)),
    st.builds(Answer, st.integers(0, 2), st.text(min_size=1, max_size=5)),
    st.just(Lapse()),
    st.builds(Remind, st.integers(0, 1), st.integers(0, 2), st.sampled_from([(), ("UBEN",)])),
    st.builds(Escalate, st.integers(0, 1), st.integers(0, 1)),
    st.sampled_from([Deliver(f"G-AAAAAAAAAAAA.{n}") for n in (1, 2)]),
    st.sampled_from([Scrub(f"G-AAAAAAAAAAAA.{n}") for n in (1, 2)]),
    st.just(Reveal()),
    st.just(Start()),
    st.just(Claim()),
    st.just(Forfeit()),
    st.just(Warn()),
    st.just(Extend(EXTENSION)),
    st.just(End()),
    st.just(EndWithTicket("OPS-7 is closed")),
    st.just(EndUnused("it was not used for 30m")),
    st.builds(TellMisuse, misdeeds),
    st.builds(SumUp, usages),
    st.builds(Revoke, st.text(max_size=5)),
)
steps = st.lists(st.tuples(moves, st.sampled_from((*PEOPLE, BOT)), st.floats(0.1, 25)), max_size=25)


@dataclass
class Played:
    request: Request
    events: list[e.Event]
    snapshots: list[Request]


def play(first: e.Requested, script: list[tuple[Move, Actor, float]]) -> Played:
    request, events, minutes = Request(asked=first), [first], 0.0
    snapshots = [request]
    for move, by, pause in script:
        minutes += pause
        try:
            facts = decide(request, move, by=by, case=case(minutes, by))
        except Refused:
            continue
        for fact in facts:
            request = evolve(request, fact)
            events.append(fact)
            snapshots.append(request)
    return Played(request, events, snapshots)


@given(asks, steps)
def test_replaying_the_history_gives_the_snapshot(first, script):
    played = play(first, script)
    assert replay(played.events) == played.request
    versioned = [event for event in played.events if type(event) not in NOTES]
    assert played.request.version == len(versioned)


@given(asks, steps, moves, st.sampled_from((*PEOPLE, BOT)))
def test_a_terminal_state_absorbs_every_move(first, script, move, by):
    request = play(first, script).request
    grant = request.grant
    over = is_terminal(request.state) and (grant is None or is_terminal(grant.state))
    if not over:
        return
    try:
        facts = decide(request, move, by=by, case=case(10_000, by))
    except Refused:
        return
    assert all(type(fact) in NOTES for fact in facts)
    assert isinstance(move, TellMisuse | SumUp) or facts == ()


@given(asks, steps)
def test_nobody_approves_their_own_request_and_each_person_counts_once(first, script):
    request = play(first, script).request
    voters = [vote.by for vote in request.votes]
    assert first.by not in voters
    assert len(voters) == len(set(voters))


@given(asks, steps)
def test_every_stage_is_passed_exactly_when_distinct_people_of_its_groups_fill_its_places(
    first, script
):
    played = play(first, script)
    request = played.request
    for number, stage in enumerate(first.stages):
        applied = [
            event.number
            for event in played.events
            if isinstance(event, e.Escalated) and event.stage == number
        ]
        assert applied == list(range(len(applied)))
        votes = [vote for vote in request.votes if vote.stage == number]
        allowed = voters(stage, escalated=len(applied))
        assert all(groups_of(vote.by) & set(allowed) for vote in votes)
        left = open_places(
            places_of(stage, escalated=len(applied)), [groups_of(vote.by) for vote in votes]
        )
        passed = number < request.stage
        assert (left == ()) == passed
        assert len(votes) + len(left) == stage.quorum
    if request.state is RequestState.APPROVED:
        assert request.stage == len(first.stages)


@given(asks, steps)
def test_reminders_and_escalations_come_in_their_time_and_stop_with_their_stage(first, script):
    played = play(first, script)
    began, stage = first.at, 0
    for event in played.events:
        if isinstance(event, e.StagePassed):
            began, stage = event.at, event.stage + 1
        if isinstance(event, e.Reminded):
            assert event.stage == stage
            assert event.at >= began + first.stages[stage].remind[event.number]
        if isinstance(event, e.Escalated):
            assert event.stage == stage
            assert event.at >= began + first.stages[stage].escalate[event.number].after


@given(asks, steps)
def test_what_is_granted_is_never_wider_than_what_was_asked(first, script):
    request = play(first, script).request
    if request.grant is None:
        return
    wanted = {text.scope for text in first.scopes}
    left = tuple(text.scope for text in request.asked.scopes)
    assert set(left) <= wanted
    for token in request.grant.tokens:
        assert token.scopes == left
        assert token.audience == first.resource
        assert token.subject == str(first.by)
    assert request.asked.duration <= first.duration
    for token in request.grant.tokens[:1]:
        assert token.expires_at - token.issued_at <= request.asked.duration
    for token in request.grant.tokens[1:]:
        assert token.expires_at - token.issued_at <= EXTENSION.longest + timedelta(seconds=1)


@given(asks, steps)
def test_a_request_is_settled_and_a_grant_closed_at_most_once(first, script):
    events = play(first, script).events
    settling = {e.Approved, e.Denied, e.Cancelled, e.Lapsed}
    assert sum(type(event) in settling for event in events) <= 1
    assert sum(isinstance(event, e.Ended | e.Revoked | e.Unclaimed) for event in events) <= 1
    assert sum(isinstance(event, e.Started) for event in events) <= 1
    starts = [event for event in events if isinstance(event, e.Started)]
    assert not starts or any(isinstance(event, e.Approved) for event in events)


@given(asks, steps)
def test_no_token_is_there_before_the_start_or_works_after_the_end(first, script):
    played = play(first, script)
    begun = over = False
    for event, snapshot in zip(played.events, played.snapshots, strict=True):
        begun = begun or isinstance(event, e.Started)
        over = over or isinstance(event, e.Ended | e.Revoked | e.Unclaimed)
        tokens = snapshot.grant.tokens if snapshot.grant is not None else ()
        assert bool(tokens) == begun
        assert (snapshot.working_grant is not None) == (begun and not over)


@given(asks, steps)
def test_a_grant_starts_once_when_its_clock_says_so(first, script):
    played = play(first, script)
    made = next((each for each in played.events if isinstance(each, e.Granted)), None)
    starts = [event for event in played.events if isinstance(event, e.Started)]
    assert len(starts) <= (made is not None)
    for event in starts:
        assert event.token.issued_at == event.at.replace(microsecond=0)
        if first.claim_within is not None:
            assert event.by == first.by
            assert made.at <= event.at < made.claim_by == made.at + first.claim_within
        elif made.starts_at is not None:
            assert event.by == BOT
            assert made.at < first.start_at == made.starts_at <= event.at
        else:
            assert (event.at, event.by) == (made.at, made.by)
            assert first.start_at is None or first.start_at <= made.at
    for event in played.events:
        if isinstance(event, e.Unclaimed):
            assert not starts
            assert event.at >= made.claim_by


@given(asks, steps)
def test_what_may_be_started_is_open_until_it_lapses(first, script):
    for snapshot in play(first, script).snapshots:
        due = timers(snapshot)
        assert snapshot.open_until == due.get(Timer.LAPSE, due.get(Timer.CLAIM))


@given(asks, steps)
def test_the_timers_are_those_of_the_state(first, script):
    for snapshot in play(first, script).snapshots:
        due = timers(snapshot)
        grant = snapshot.grant
        owned = TIMERS.get(grant.state if grant else snapshot.state, frozenset())
        assert set(due) <= owned
        must = {Timer.LAPSE, Timer.END} & owned
        assert must <= set(due)
        if grant is not None and grant.waits:
            known = {Timer.START: grant.starts_at, Timer.CLAIM: grant.claim_by}
            assert due == {timer: at for timer, at in known.items() if at is not None}
        if grant is not None and grant.works:
            assert due[Timer.END] == grant.ends_at


@given(asks, steps)
def test_the_same_move_again_by_the_same_actor_reads_as_done(first, script):
    request, minutes = Request(asked=first), 0.0
    for move, by, pause in script:
        minutes += pause
        here = case(minutes, by)
        try:
            facts = decide(request, move, by=by, case=here)
        except Refused:
            continue
        for fact in facts:
            request = evolve(request, fact)
        if not isinstance(move, Reveal | TellMisuse | SumUp):
            assert decide(request, move, by=by, case=case(minutes + 500, by)) == ()


def approved() -> Request:
    request = Request(asked=asked())
    facts = decide(request, Approve(), by=BEN, case=case(1, BEN))
    for fact in facts:
        request = evolve(request, fact)
    return request


def waiting(**clock: object) -> Request:
    """Return a request that was approved after a minute, and whose grant has yet to start."""
    return decided(Request(asked=asked(**clock)), Approve(), BEN)


def decided(request: Request, move: Move, by: Actor, minutes: float = 1) -> Request:
    for event in decide(request, move, by=by, case=case(minutes, by)):
        request = evolve(request, event)
    return request


LIVE = approved()
BRIEF = decided(Request(asked=asked(token_max=timedelta(minutes=8))), Approve(), BEN)
CLAIMABLE = waiting(claim_within=timedelta(minutes=20))
PLANNED = waiting(start_at=T0 + timedelta(minutes=15))
PENDING = Request(asked=asked())
OVER = evolve(LIVE, e.Revoked(request=LIVE.id, at=T0 + timedelta(minutes=2), by=ANNA, reason=""))
ROLES = {
    "requester": ANNA,
    "approver": BEN,
    "owner": DAVE,
    "stranger": person("U_X", home="T1"),
    "bot": BOT,
}
ALLOWED = {
    (Approve(), "approver"),
    (Deny("no"), "approver"),
    (Cancel(), "requester"),
    (Lapse(), "bot"),
    (Claim(), "requester"),
    (Start(), "bot"),
    (Forfeit(), "bot"),
    (Deliver("G-AAAAAAAAAAAA.1"), "bot"),
    (Scrub("G-AAAAAAAAAAAA.1"), "bot"),
    (Scrub("G-AAAAAAAAAAAA.1"), "requester"),
    (Reveal(), "requester"),
    (Renew("G-AAAAAAAAAAAA.1"), "requester"),
    (Warn(), "bot"),
    (Extend(EXTENSION), "bot"),
    (End(), "bot"),
    (EndWithTicket("OPS-7 is closed"), "bot"),
    (EndUnused("it was not used for 30m"), "bot"),
    (TellMisuse(Misdeed(kind=Misuse.BEYOND, count=1, last=T0)), "bot"),
    (SumUp(Usage(scopes=())), "bot"),
    (Revoke(), "requester"),
    (Revoke(), "approver"),
    (Revoke(), "owner"),
    (Revoke(), "bot"),
}
WHEN = {Lapse: 61, End: 32, Start: 15, Forfeit: 21, Renew: 6}
WHERE = {
    **dict.fromkeys((Approve, Deny, Cancel, Lapse), PENDING),
    **dict.fromkeys((Claim, Forfeit), CLAIMABLE),
    Start: PLANNED,
    SumUp: OVER,
    Renew: BRIEF,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "move", sorted({m for m, _ in ALLOWED}, key=repr), ids=lambda m: type(m).__name__
)
def test_who_may_move_what(move, role):
    request = WHERE.get(type(move), LIVE)
    here = case(WHEN.get(type(move), 2), ROLES[role])
    if (move, role) in ALLOWED:
        assert decide(request, move, by=ROLES[role], case=here)
    else:
        with pytest.raises(NotAllowed):
            decide(request, move, by=ROLES[role], case=here)


def test_every_move_has_an_entry_in_the_table_of_who_may():
    assert set(MAY) == set(Move.__args__)


def test_a_machine_may_end_a_grant_of_its_own_resource_only():
    api = Actor(Kind.MACHINE, "billing-api")
    here = replace(case(2), resources=frozenset({"https://billing.example"}))
    assert decide(LIVE, Revoke(), by=api, case=here)
    with pytest.raises(NotAllowed):
        decide(
            LIVE, Revoke(), by=api, case=replace(here, resources=frozenset({"https://x.example"}))
        )


def test_a_person_of_another_workspace_with_the_same_user_id_is_somebody_else():
    twin = person(ANNA.id, home="T2")
    with pytest.raises(NotAllowed):
        decide(PENDING, Cancel(), by=twin, case=case(1))


def test_the_requester_under_another_home_still_cannot_approve():
    twin = person(ANNA.id, home="T2")
    here = replace(case(1), groups=frozenset({"leads"}))
    for move in (Approve(), Deny("no")):
        with pytest.raises(NotAllowed):
            decide(PENDING, move, by=twin, case=here)


def test_a_token_that_was_replaced_needs_no_delivery():
    (extended,) = decide(LIVE, Extend(EXTENSION), by=BOT, case=case(2))
    longer = evolve(LIVE, extended)
    assert decide(longer, Deliver("G-AAAAAAAAAAAA.1"), by=BOT, case=case(3)) == ()
    (delivered,) = decide(longer, Deliver("G-AAAAAAAAAAAA.2"), by=BOT, case=case(3))
    assert evolve(longer, delivered).grant.delivered_at == T0 + timedelta(minutes=3)


def test_an_extension_that_gains_nothing_is_refused():
    short = replace(EXTENSION, longest=timedelta(minutes=20))
    with pytest.raises(WrongState, match="20m from now at most"):
        decide(LIVE, Extend(short), by=BOT, case=case(2))


@pytest.mark.parametrize("reason", ["", "\u200b", "x" * 501])
def test_people_say_no_with_a_reason_of_fit_length(reason):
    with pytest.raises(Invalid):
        decide(PENDING, Deny(reason), by=BEN, case=case(1, BEN))


def test_a_click_after_the_deadline_is_too_late_even_if_no_timer_has_run():
    with pytest.raises(TooLate):
        decide(PENDING, Approve(), by=BEN, case=case(60, BEN))


def test_a_card_that_showed_something_else_cannot_be_approved():
    with pytest.raises(WrongState, match="shows something else"):
        decide(PENDING, Approve(seen="0" * 16), by=BEN, case=case(1, BEN))
    assert decide(PENDING, Approve(seen=shown_digest(PENDING.asked)), by=BEN, case=case(1, BEN))


def test_policy_that_allows_grants_at_once_and_policy_that_rejects_denies_at_once():
    allowed = opened(asked(stages=()), settled=e.Approved, case=case(0))
    assert [e.Requested, e.Approved, e.Granted, e.Started] == [type(fact) for fact in allowed]
    denied = replay(opened(asked(stages=()), settled=e.Denied, case=case(0)))
    assert denied.state is RequestState.DENIED
    assert denied.grant is None


def test_an_extension_goes_on_from_the_old_end_but_never_past_the_bundles_longest():
    (extended,) = decide(LIVE, Extend(EXTENSION), by=BOT, case=case(2))
    assert isinstance(extended, e.Extended)
    assert extended.token.expires_at == T0 + timedelta(minutes=1 + 30 + 30)
    long = replace(EXTENSION, duration=timedelta(hours=1))
    (capped,) = decide(LIVE, Extend(long), by=BOT, case=case(2))
    assert isinstance(capped, e.Extended)
    assert capped.token.expires_at == T0 + timedelta(minutes=2 + 60)


def test_the_reminder_comes_when_a_fifth_is_left_and_a_delivered_token_is_scrubbed():
    due = timers(LIVE)
    assert due[Timer.WARN] == T0 + timedelta(minutes=1 + 30 - 6)
    assert Timer.SCRUB not in due
    (delivered,) = decide(LIVE, Deliver("G-AAAAAAAAAAAA.1"), by=BOT, case=case(3))
    assert timers(evolve(LIVE, delivered))[Timer.SCRUB] == T0 + timedelta(minutes=13)


def test_the_claims_are_those_of_rfc_9068():
    token = LIVE.grant.token
    assert claims(token) == {
        "iss": "https://jit.example",
        "aud": "https://billing.example",
        "sub": "person:T1:U_ANNA",
        "client_id": "slack",
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.issued_at.timestamp()) + 1800,
        "jti": "G-AAAAAAAAAAAA.1",
        "scope": "invoices:read refunds:read",
        "grant_id": "G-AAAAAAAAAAAA",
    }


def test_each_fact_moves_a_request_or_a_grant_or_is_a_note():
    moving = {event for exits in REQUEST_NEXT.values() for event in exits}
    moving |= {event for exits in GRANT_NEXT.values() for event in exits}
    moving |= {event for exits in REVIEW_NEXT.values() for event in exits}
    elsewhere = {e.Requested, e.Granted, e.AbsenceDeclared, e.AbsenceWithdrawn}
    assert moving | NOTES | elsewhere == set(e.WIRE) == set(e.Event.__args__)


def test_every_state_can_be_reached():
    reached = {state for exits in REQUEST_NEXT.values() for state in exits.values()}
    assert reached == set(RequestState)
    granted = {state for exits in GRANT_NEXT.values() for state in exits.values()}
    assert granted | {GrantState.READY} == set(GrantState)
    reviewed = {state for exits in REVIEW_NEXT.values() for state in exits.values()}
    assert reviewed == set(ReviewState)


TWO = Stage(name="two", approvers=(group("leads"),), quorum=2)
LESS = Narrow("", ("invoices:read",), timedelta(minutes=10))


def test_a_yes_to_less_leaves_just_that_and_earlier_votes_still_count():
    request = decided(Request(asked=asked(stages=(TWO,))), Approve(), BEN)
    before = shown_digest(request.asked)
    request = decided(request, LESS, CLEO)
    assert request.state is RequestState.APPROVED
    assert request.grant is not None
    assert request.grant.token.scopes == ("invoices:read",)
    assert request.grant.ends_at - request.grant.token.issued_at == timedelta(minutes=10)
    assert request.asked.left_out == asked().left_out + 1
    assert shown_digest(request.asked) != before


def test_who_has_approved_all_of_it_cannot_approve_less_afterwards_and_is_told():
    request = decided(Request(asked=asked(stages=(TWO,))), Approve(), BEN)
    with pytest.raises(NotAllowed, match="approved this already"):
        decide(request, LESS, by=BEN, case=case(2, BEN))


def test_the_same_yes_to_less_again_reads_as_done():
    request = decided(Request(asked=asked(stages=(TWO,))), LESS, BEN)
    assert decide(request, LESS, by=BEN, case=case(2, BEN)) == ()


def test_what_was_read_before_a_narrowing_approves_nothing_after_it():
    first = Request(asked=asked(stages=(TWO,)))
    old = shown_digest(first.asked)
    request = decided(first, LESS, BEN)
    for move in (Approve(old), replace(LESS, seen=old)):
        with pytest.raises(WrongState, match="something else"):
            decide(request, move, by=CLEO, case=case(2, CLEO))
    assert decided(request, Approve(shown_digest(request.asked)), CLEO).grant is not None


def test_a_yes_to_less_that_leaves_all_is_a_plain_yes():
    everything = Narrow("", ("invoices:read", "refunds:read"), timedelta(minutes=30))
    facts = decide(Request(asked=asked(stages=(TWO,))), everything, by=BEN, case=case(1, BEN))
    assert [type(fact) for fact in facts] == [e.Voted]


@pytest.mark.parametrize(
    ("scopes", "minutes", "field"),
    [
        (("invoices:read", "admin"), 30, "scopes"),
        ((), 30, "scopes"),
        (("invoices:read",), 31, "duration"),
        (("invoices:read",), 0, "duration"),
        (("invoices:read",), -1, "duration"),
        (("invoices:read",), 0.001, "duration"),
    ],
)
def test_nothing_can_be_approved_that_was_not_asked_for(scopes, minutes, field):
    move = Narrow("", scopes, timedelta(minutes=minutes))
    with pytest.raises(Invalid) as caught:
        decide(Request(asked=asked()), move, by=BEN, case=case(1, BEN))
    assert caught.value.field == field


def test_more_time_can_be_shortened_but_keeps_its_scopes():
    request = Request(asked=replace(EXTENSION, stages=(TWO,)))
    with pytest.raises(Invalid, match="same scopes"):
        decide(request, LESS, by=BEN, case=case(1, BEN))
    shorter = Narrow("", ("invoices:read", "refunds:read"), timedelta(minutes=5))
    assert decided(request, shorter, BEN).asked.duration == timedelta(minutes=5)


def test_a_question_is_for_the_requester_and_its_answer_comes_from_them():
    request = decided(Request(asked=asked()), Question("which bill?"), BEN)
    assert [each.text for each in request.questions] == ["which bill?"]
    assert decide(request, Question("which bill?"), by=BEN, case=case(1, BEN)) == ()
    with pytest.raises(NotAllowed):
        decide(request, Answer(0, "4711"), by=BEN, case=case(1, BEN))
    with pytest.raises(WrongState, match="nobody has asked"):
        decide(request, Answer(1, "4711"), by=ANNA, case=case(1, ANNA))
    with pytest.raises(NotAllowed):
        decide(request, Question("me?"), by=ANNA, case=case(1, ANNA))
    with pytest.raises(NotAllowed):
        decide(request, Question("me?"), by=DAVE, case=case(1, DAVE))
    answered = decided(request, Answer(0, "4711"), ANNA)
    assert answered.questions[0].answered
    assert answered.state is RequestState.PENDING
    assert decide(answered, Answer(0, "other"), by=ANNA, case=case(1, ANNA)) == ()


def test_questions_come_to_an_end():
    request = Request(asked=asked())
    for number in range(20):
        request = decided(request, Question(f"why {number}?"), BEN)
    with pytest.raises(WrongState, match="20 questions"):
        decide(request, Question("why?"), by=BEN, case=case(1, BEN))


def test_what_is_told_of_use_changes_nothing_and_needs_a_grant_that_began():
    misuse = TellMisuse(Misdeed(kind=Misuse.ENDED, count=3, last=T0))
    for request in (LIVE, OVER):
        [fact] = decide(request, misuse, by=BOT, case=case(5))
        assert isinstance(fact, e.Misused)
        assert evolve(request, fact) == request
    [fact] = decide(OVER, SumUp(Usage(scopes=())), by=BOT, case=case(5))
    assert (fact.bundle, fact.resource, fact.begun) == (
        OVER.asked.bundle,
        OVER.asked.resource,
        OVER.grant.started_at,
    )
    with pytest.raises(WrongState, match="not over yet"):
        decide(LIVE, SumUp(Usage(scopes=())), by=BOT, case=case(5))
    for move in (misuse, SumUp(Usage(scopes=()))):
        with pytest.raises(WrongState, match="has no grant"):
            decide(PENDING, move, by=BOT, case=case(5))


def test_the_sum_is_owed_a_while_after_the_end_and_looks_for_idleness_before_it():
    assert timers(OVER) == {Timer.SUM: OVER.grant.close.at + SUM_AFTER}
    for idle, owed in ((timedelta(minutes=29), True), (timedelta(minutes=30), False)):
        live = replace(LIVE, asked=replace(LIVE.asked, idle_end=idle))
        assert (Timer.IDLE in timers(live)) is owed
        assert timers(live).get(Timer.IDLE, LIVE.grant.started_at + idle) == (
            LIVE.grant.started_at + idle
        )
        assert Timer.IDLE not in timers(replace(OVER, asked=live.asked))


@pytest.mark.parametrize(
    "role", [role for role in ROLES if role != "stranger"], ids=lambda role: role
)
@pytest.mark.parametrize("request_", [CLAIMABLE, PLANNED], ids=["claimable", "planned"])
def test_who_may_end_a_grant_may_do_so_before_it_starts(request_, role):
    by = ROLES[role]
    over = decided(request_, Revoke("no need"), by, minutes=2)
    assert over.grant.state is GrantState.REVOKED
    assert over.grant.never_started
    assert timers(over) == {}
    for move, who in ((Start(), BOT), (Claim(), ANNA)):
        with pytest.raises(WrongState, match="revoked already"):
            decide(over, move, by=who, case=case(16, who))


def test_a_stranger_ends_nothing_before_it_starts():
    with pytest.raises(NotAllowed):
        decide(CLAIMABLE, Revoke(), by=ROLES["stranger"], case=case(2, ROLES["stranger"]))


def test_a_claim_comes_in_time_or_too_late_and_then_it_lapses():
    last = T0 + timedelta(minutes=21) - timedelta(milliseconds=1)
    (started,) = decide(CLAIMABLE, Claim(), by=ANNA, case=replace(case(0), now=last))
    assert started.token.expires_at - started.token.issued_at == timedelta(minutes=30)
    with pytest.raises(TooLate, match="the time to start this is over"):
        decide(CLAIMABLE, Claim(), by=ANNA, case=case(21))
    with pytest.raises(WrongState, match="has not come"):
        decide(CLAIMABLE, Forfeit(), by=BOT, case=replace(case(0), now=last))
    assert decided(CLAIMABLE, Forfeit(), BOT, minutes=21).grant.state is GrantState.EXPIRED


def test_each_grant_starts_by_its_own_clock_only():
    for request, move, by in (
        (CLAIMABLE, Start(), BOT),
        (PLANNED, Claim(), ANNA),
        (PLANNED, Forfeit(), BOT),
    ):
        with pytest.raises(WrongState, match="does not start so"):
            decide(request, move, by=by, case=case(30, by))
    with pytest.raises(WrongState, match="has not come"):
        decide(PLANNED, Start(), by=BOT, case=case(14))
    assert decided(PLANNED, Start(), BOT, minutes=15).working_grant is not None


@pytest.mark.parametrize("move", [Deliver("G-AAAAAAAAAAAA.1"), Scrub("G-AAAAAAAAAAAA.1"), Reveal()])
def test_what_has_not_started_has_nothing_to_show(move):
    by = BOT if isinstance(move, Deliver) else ANNA
    with pytest.raises(WrongState, match="has not started yet"):
        decide(CLAIMABLE, move, by=by, case=case(2, by))


def test_what_is_approved_after_the_time_it_was_to_start_starts_at_once():
    late = Request(asked=asked(start_at=T0 + timedelta(minutes=1)))
    assert decided(late, Approve(), BEN, minutes=1).working_grant is not None
