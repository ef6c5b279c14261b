import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as e
from bot.core.account import Account, AskMark, GlassMark
from bot.core.errors import Unavailable
from bot.core.identity import Actor, GrantId, Kind, RequestId
from bot.core.lifecycle import opened
from bot.core.moves import RaiseConcern, SignOff
from bot.core.policy import Group, Stage
from bot.core.request import Request
from bot.core.scopes import Delivery, Risk, ScopeText
from bot.core.sources import Manager, Rota
from bot.store.records import read_event, read_record, write_event, write_record
from bot.usecases.ports import Receipt, TokenRecord
from tests.builders import BEN, REQUEST, T0, a_request, granted, requested
from tests.core.test_lifecycle import case
from tests.core.test_review import BROKEN, CLEO, play

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
durations = st.timedeltas(timedelta(0), timedelta(days=999_999))
ids = texts.map(RequestId)
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
st.register_type_strategy(str, texts)
st.register_type_strategy(datetime, times)
st.register_type_strategy(timedelta, durations)
st.register_type_strategy(RequestId, ids)
st.register_type_strategy(GrantId, texts.map(GrantId))
groups = st.builds(Group, name=texts, usergroup=texts, users=st.frozensets(texts, max_size=2))
# A union holds groups; left to itself hypothesis would go on for ever, and throw most away.
unions = st.builds(Group, name=texts, any_of=st.lists(groups, max_size=2).map(tuple))
rotas = st.builds(Group, name=texts, on_call=st.from_type(Rota))
managers = st.builds(
    Group,
    name=texts,
    manager=st.builds(Manager, profile_field=texts, of=st.dictionaries(texts, texts, max_size=2)),
)
st.register_type_strategy(Group, groups | unions | rotas | managers)
events = st.one_of([st.from_type(kind) for kind in e.WIRE])
requests = st.from_type(Request)
accounts = st.from_type(Account)


@pytest.mark.parametrize("kind", e.WIRE)
def test_an_event_of_each_kind_is_read_back_equal(kind: type[e.Event]) -> None:
    @given(st.from_type(kind))
    def check(event: e.Event) -> None:
        line = write_event(event)
        assert read_event(line) == event
        assert type(read_event(line)) is kind
        assert write_event(read_event(line)) == line
        assert b"\n" not in line

    check()


@given(requests | accounts)
def test_a_snapshot_is_read_back_equal(record: Request | Account) -> None:
    stored = write_record(record)
    assert read_record(type(record), stored) == record
    assert write_record(read_record(type(record), stored)) == stored


@given(requests, requests)
def test_snapshots_are_equal_exactly_when_their_bytes_are(one: Request, other: Request) -> None:
    assert (write_record(one) == write_record(other)) == (one == other)


@given(requests, st.data())
def test_no_part_of_a_snapshot_is_left_out(request: Request, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from([field.name for field in fields(request)]))
    other = replace(request, **{part: getattr(data.draw(requests), part)})
    assert (write_record(request) == write_record(other)) == (request == other)


def test_types_survive() -> None:
    stage = Stage(name="s", approvers=(Group(name="g", users=frozenset({"U2", "U1"})),), quorum=2)
    request = a_request(
        *granted(requested(), at=T0),
        risk=Risk.CRITICAL,
        delivery=Delivery.REVEAL,
        stages=(stage,),
        duration=timedelta(days=3, microseconds=1),
        scopes=(ScopeText("a"), ScopeText("b", "B")),
    )
    read = read_record(Request, write_record(request))
    assert type(read.asked.risk) is Risk
    assert type(read.asked.delivery) is Delivery
    assert type(read.asked.scopes) is tuple
    assert type(read.asked.stages[0].approvers[0].users) is frozenset
    assert type(read.asked.by.kind) is Kind
    assert read.asked.at.utcoffset() == timedelta(0)
    assert hash(read) == hash(request)


def test_a_line_begins_to_be_readable_by_its_wire_name() -> None:
    denied = e.Denied(request=REQUEST, at=T0 + timedelta(microseconds=7), by=BEN, reason="no ü")
    assert write_event(denied).decode() == (
        '{"at":"2026-03-01T09:00:00.000007+00:00","by":{"kind":"person","id":"UBEN",'
        '"home":"T0DEMO"},"digest":"","reason":"no ü","request":"R-AAAAAAAAAAAA","rule":"",'
        '"type":"request.denied"}'
    )


def test_the_same_moment_in_another_zone_is_the_same_bytes() -> None:
    there = T0.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert write_record(a_request(at=there)) == write_record(a_request())


def test_sets_are_sorted() -> None:
    names = [RequestId(f"R-{n}") for n in range(50)]
    one = write_record(Account(id="x", live=frozenset(names)))
    assert json.loads(one)["live"] == sorted(names)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"request.forgotten"}',
        b"{}",
        b"[]",
        b'"x"',
        b"{",
        b"\xff",
        write_event(e.Ended(request=REQUEST, at=T0, by=BEN)).replace(b'"by"', b'"bye"'),
        write_event(requested()).replace(b'"risk":2', b'"risk":9'),
        write_event(requested()).replace(b'"risk":2', b'"risk":"2"'),
    ],
)
def test_a_line_that_cannot_be_read_says_so(line: bytes) -> None:
    with pytest.raises(Unavailable):
        read_event(line)


def test_a_record_that_cannot_be_read_says_so() -> None:
    for stored in (b"", b"{}", b'{"id":1}', write_record(a_request())[:-1]):
        with pytest.raises(Unavailable):
            read_record(Account, stored)


def test_what_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        write_event(requested(reason="\ud800"))
    with pytest.raises(ValueError, match="zone"):
        write_record(Account(id="x", asks=(AskMark("b", datetime(2026, 1, 1)),)))  # noqa: DTZ001
    with pytest.raises(TypeError):
        write_record(Receipt("card", "C1", object(), ""))  # type: ignore[arg-type]


def test_a_token_record_keeps_its_answer() -> None:
    answer = {"active": True, "exp": 1_800_000_000, "scope": "a b", "aud": "https://x", "n": None}
    record = TokenRecord(request=REQUEST, kid="k", answer=answer, expires_at=T0)
    assert read_record(TokenRecord, write_record(record)) == record


def test_an_actor_is_not_confused_with_another_of_the_same_spelling() -> None:
    one = requested(by=Actor(Kind.PERSON, "b", "a"))
    other = requested(by=Actor(Kind.PERSON, "", "a:b"))
    assert write_event(one) != write_event(other)


def test_a_record_from_before_a_part_was_known_is_read() -> None:
    old = json.loads(write_record(a_request()))
    limits = ("active_per_user", "cool_down", "longest_in_all", "seen")
    for part in (*limits, "emergency", "has_glass", "known", "members"):
        del old["asked"][part]
    del old["review"]
    for group in old["asked"]["stages"][0]["approvers"]:
        del group["any_of"], group["min_members"], group["on_call"], group["manager"]
    assert read_record(Request, json.dumps(old).encode()) == a_request()


def test_an_account_from_before_break_glass_is_read() -> None:
    account = Account(id="person:T0:U0ANNA", version=3)
    old = json.loads(write_record(account))
    del old["broken"]
    assert read_record(Account, json.dumps(old).encode()) == account


def test_a_broken_glass_and_its_review_are_read_as_they_were_written() -> None:
    request, _ = play(
        [(RaiseConcern("why?"), CLEO, 1.0), (SignOff("fine"), CLEO, 1.0)], first=BROKEN
    )
    assert read_record(Request, write_record(request)) == request
    mark = GlassMark(request.id, "alarm", T0)
    account = Account(id="person:T0:U0ANNA", version=3, broken=(mark,))
    assert read_record(Account, write_record(account)) == account
    for event in opened(BROKEN.asked, settled=e.GlassBroken, case=case(0)):
        assert read_event(write_event(event)) == event
