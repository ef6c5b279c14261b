"""Grants: what an approved request leads to, and the claims of its tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bot.core import events as e
from bot.core.durations import spell
from bot.core.errors import WrongState
from bot.core.identity import Actor, GrantId, Kind, RequestId, grant_id
from bot.core.scopes import Prolonging
from bot.core.states import (
    SCRUB_AFTER,
    SUM_AFTER,
    TIMERS,
    WORKING,
    GrantState,
    Timer,
    grant_after,
    warn_lead,
)

# The client that a person's token is issued to (RFC 9068, section 2.2: client_id is REQUIRED).
SLACK_CLIENT: Final = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Under which name and key tokens are signed now."""

    issuer: str
    kid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """How something came to its end."""

    at: datetime
    by: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Access for a time.

    Attributes:
        starts_at: When it starts by itself, where that was not at once.
        claim_by: Until when the requester may start it, where it does not start by itself.
        tokens: Oldest first; extensions and renewals add one. Empty while READY, and of what
            never started.
        until: When it ends, where its tokens die before; None where the newest token ends it.
        term_began: When it was started, or extended last, where that is no token's beginning.
        delivered_at: When the newest token reached the requester; None before.
        hidden: The newest token is no longer readable in its message.
        extensions: The requests that prolonged it.
        close: Set when the grant has ended.
    """

    id: GrantId
    state: GrantState = GrantState.READY
    starts_at: datetime | None = None
    claim_by: datetime | None = None
    tokens: tuple[e.TokenSpec, ...] = ()
    until: datetime | None = None
    term_began: datetime | None = None
    delivered_at: datetime | None = None
    hidden: bool = False
    extensions: tuple[RequestId, ...] = ()
    close: Close | None = None

    @property
    def works(self) -> bool:
        """Whether its tokens may be used."""
        return self.state in WORKING

    @property
    def waits(self) -> bool:
        """Whether it has yet to start."""
        return self.state is GrantState.READY

    @property
    def never_started(self) -> bool:
        """Whether it was over before it began."""
        return not self.tokens and not self.waits

    @property
    def token(self) -> e.TokenSpec:
        """The newest token."""
        return self.tokens[-1]

    @property
    def started_at(self) -> datetime:
        """When the first token was issued."""
        return self.tokens[0].issued_at

    @property
    def ends_at(self) -> datetime:
        """When the grant ends, and every token with it."""
        return self.until or self.token.expires_at

    @property
    def since(self) -> datetime:
        """When it was started, or extended last."""
        return self.term_began or self.token.issued_at

    @property
    def needs_tokens(self) -> bool:
        """Whether the newest token dies before the grant ends."""
        return self.token.expires_at < self.ends_at


def token_spec(
    asked: e.Requested, *, number: int, now: datetime, ends_at: datetime, signing: Signing
) -> e.TokenSpec:
    """Return the grant's token `number` (from 1), which dies at `ends_at` at the latest.

    NumericDate is whole seconds here, so a token may die a part of a second early, never late.
    """
    end = min(ends_at, now + asked.token_max) if asked.token_max is not None else ends_at
    machine, is_person = asked.machine, asked.by.kind is Kind.PERSON
    return e.TokenSpec(
        kid=signing.kid,
        issuer=signing.issuer,
        jti=f"{grant_id(asked.request)}.{number}",
        audience=asked.resource,
        subject=str(asked.by) if is_person else asked.by.id,
        client=machine.client if machine is not None else SLACK_CLIENT,
        scopes=tuple(text.scope for text in asked.scopes),
        issued_at=now.replace(microsecond=0),
        expires_at=end.replace(microsecond=0),
        actor=machine.client if machine is not None and is_person else "",
    )


def granted(
    asked: e.Requested, *, now: datetime, by: Actor, signing: Signing
) -> tuple[e.Event, ...]:
    """Return the facts of a grant: it starts at `now`, or waits for its time or its holder."""
    made = e.Granted(
        request=asked.request,
        at=now,
        by=by,
        grant=grant_id(asked.request),
        starts_at=asked.start_at if asked.start_at is not None and now < asked.start_at else None,
        claim_by=now + asked.claim_within if asked.claim_within is not None else None,
    )
    if made.starts_at is not None or made.claim_by is not None:
        return (made,)
    return (made, started(asked, now=now, by=by, signing=signing))


def started(asked: e.Requested, *, now: datetime, by: Actor, signing: Signing) -> e.Started:
    """Return the fact that the grant starts at `now`."""
    end = now + asked.duration
    token = token_spec(asked, number=1, now=now, ends_at=end, signing=signing)
    ends_at = later_end(token, end)
    return e.Started(request=asked.request, at=now, by=by, token=token, ends_at=ends_at)


def later_end(token: e.TokenSpec, end: datetime) -> datetime | None:
    """Return when the grant ends, None if that is with `token`; in whole seconds like tokens."""
    whole = end.replace(microsecond=0)
    return whole if whole > token.expires_at else None


def renewable_from(token: e.TokenSpec) -> datetime:
    """Return from when on another token can be had beside `token`: half its time must be over."""
    return token.issued_at + (token.expires_at - token.issued_at) / 2


def prolonged(grant: Grant, extension: e.Requested, *, now: datetime) -> datetime:
    """Return the new end that the approved `extension` gives.

    It is as much later as was asked, but never further than the bundle's longest from `now`, nor
    than the longest in all from the grant's start.
    """
    end = min(grant.ends_at + extension.duration, now + extension.longest)
    if extension.longest_in_all is None:
        return end
    return min(end, grant.started_at + extension.longest_in_all)


def why_not_prolonged(grant: Grant, limit: Prolonging) -> str:
    """Return why `limit` does not let `grant` be prolonged once more, "" if it does."""
    if limit.times is not None and len(grant.extensions) >= limit.times:
        return f"it can be extended {limit.times} times at most"
    if limit.total is not None and grant.ends_at >= grant.started_at + limit.total:
        return f"it can last {spell(limit.total)} in all at most"
    return ""


def evolve_grant(grant: Grant | None, event: e.Event) -> Grant:
    """Apply one fact.

    Raises:
        WrongState: The fact cannot follow the current state.
    """
    if isinstance(event, e.Granted):
        if grant is not None:
            raise WrongState("this request has been granted already")
        return Grant(id=event.grant, starts_at=event.starts_at, claim_by=event.claim_by)
    if grant is None:
        raise WrongState("nothing has been granted yet")
    moved = replace(grant, state=grant_after(grant.state, type(event)))
    match event:
        case e.Started(token=token, ends_at=until):
            return _with_token(moved, token, until=until)
        case e.Extended(token=token, extension=extension, ends_at=until):
            longer = replace(moved, extensions=(*grant.extensions, extension))
            return _with_token(longer, token, until=until)
        case e.Renewed(token=token):
            return replace(
                _with_token(moved, token, until=grant.until), term_began=grant.term_began
            )
        case e.Delivered(at=at):
            return replace(moved, delivered_at=grant.delivered_at or at)
        case e.Scrubbed():
            return replace(moved, hidden=True)
        case e.Ended(at=at, by=by) | e.Unclaimed(at=at, by=by):
            return replace(moved, close=Close(at=at, by=by))
        case e.Revoked(at=at, by=by, reason=reason):
            return replace(moved, close=Close(at=at, by=by, reason=reason))
        case _:
            return moved


def _with_token(grant: Grant, token: e.TokenSpec, *, until: datetime | None) -> Grant:
    """Return `grant` with one more token, which nobody has yet; it ends at `until`, or with it."""
    return replace(
        grant,
        tokens=(*grant.tokens, token),
        until=until,
        term_began=token.issued_at if until is not None else None,
        delivered_at=None,
        hidden=False,
    )


def grant_timers(grant: Grant) -> dict[Timer, datetime]:
    """Return when the clock must act on `grant` next, by timer."""
    if grant.waits:
        begins = {Timer.START: grant.starts_at, Timer.CLAIM: grant.claim_by}
        return {timer: at for timer, at in begins.items() if at is not None}
    if not grant.tokens:
        return {}
    if grant.close is not None:
        return {Timer.SUM: grant.close.at + SUM_AFTER}
    due = {
        Timer.WARN: grant.ends_at - warn_lead(grant.ends_at - grant.since),
        Timer.END: grant.ends_at,
    }
    if grant.delivered_at is not None and not grant.hidden:
        due[Timer.SCRUB] = grant.delivered_at + SCRUB_AFTER
    return {timer: at for timer, at in due.items() if timer in TIMERS[grant.state]}


def claims(token: e.TokenSpec) -> Mapping[str, Any]:
    """Return the claims of an access token.

    Source: RFC 9068, section 2.2; `act` and `scope` as in RFC 8693, sections 4.1 and 4.2; times
    are NumericDate.
    """
    acts = {"act": {"sub": token.actor}} if token.actor else {}
    return {
        "iss": token.issuer,
        "aud": token.audience,
        "sub": token.subject,
        **acts,
        "client_id": token.client,
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "jti": token.jti,
        "scope": " ".join(token.scopes),
        "grant_id": token.jti.rpartition(".")[0],
    }
