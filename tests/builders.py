"""Requests and events with sensible defaults; name only what a test is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

from bot.core import events as e
from bot.core.grant import Signing, started
from bot.core.identity import BOT, RequestId, grant_id, person
from bot.core.policy import Group, Stage
from bot.core.request import Request, evolve
from bot.core.scopes import Delivery, Risk, ScopeText

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
TEAM = "T0DEMO"
ANNA, BEN, CLEO = (person(f"U{name}", home=TEAM) for name in ("ANNA", "BEN", "CLEO"))
SIGNING = Signing(issuer="https://jit.example", kid="kid-1")
LEADS = Group(name="leads", users=frozenset({BEN.id, CLEO.id}))
REQUEST = RequestId("R-AAAAAAAAAAAA")


def requested(**over: Any) -> e.Requested:
    """Return Anna's ask for half an hour of reading billing, to be approved by one lead."""
    plain = e.Requested(
        request=REQUEST,
        at=T0,
        by=ANNA,
        bundle="billing-read",
        title="Read billing",
        risk=Risk.MEDIUM,
        resource="https://billing.example",
        delivery=Delivery.MESSAGE,
        channel="#access",
        owner="owners",
        scopes=(ScopeText("invoices:read", "Read invoices"), ScopeText("refunds:read")),
        left_out=0,
        duration=timedelta(minutes=30),
        longest=timedelta(hours=1),
        active_total=None,
        reason="incident 7",
        ticket="",
        rule="by-leads",
        reasons=("rule by-leads says require",),
        digest="d" * 64,
        stages=(Stage(name="lead", approvers=(LEADS,)),),
        deadline=over.get("at", T0) + timedelta(hours=1),
    )
    return replace(plain, **over)


def a_request(*events: e.Event, **over: Any) -> Request:
    """Return the request that `requested(**over)` opens, after `events`."""
    return reduce(evolve, events, Request(asked=requested(**over)))


def granted(asked: e.Requested, *, at: datetime) -> tuple[e.Event, ...]:
    """Return the facts of Ben's approval of `asked`, whose grant starts at once."""
    return (*approved(asked, at=at), started(asked, now=at, by=BEN, signing=SIGNING))


def approved(asked: e.Requested, *, at: datetime, **waits: datetime) -> tuple[e.Event, ...]:
    """Return the facts of Ben's approval of `asked`, whose grant has yet to start."""
    voted = e.Voted(request=asked.request, at=at, by=BEN, stage=0, groups=("leads",))
    passed = e.StagePassed(request=asked.request, at=at, by=BEN, stage=0)
    agreed = e.Approved(request=asked.request, at=at, by=BEN)
    made = e.Granted(request=asked.request, at=at, by=BEN, grant=grant_id(asked.request), **waits)
    return (voted, passed, agreed, made)


def ended(id_: RequestId = REQUEST, *, at: datetime = T0) -> e.Ended:
    """Return the fact that the grant of `id_` reached its end."""
    return e.Ended(request=id_, at=at, by=BOT)
