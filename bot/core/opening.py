"""From what policy says to an ask, to the first facts of a request."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from bot.core import events as e
from bot.core.decision import Allow, Ask, Decision, Facts, NeedApproval, Reject
from bot.core.identity import RequestId
from bot.core.known import Known, Members
from bot.core.request import Request
from bot.core.tickets import SeenTicket

# Of a larger group so many are kept by their ids: the record is read at every click.
MEMBERS_KEPT: Final = 200


def requested(
    id_: RequestId,
    ask: Ask,
    decision: Decision,
    *,
    now: datetime,
    prolongs: Request | None,
    seen: SeenTicket | None = None,
    known: Known | None = None,
    members: Mapping[str, frozenset[str] | None] | None = None,
    slice_: str = "",
    start_at: datetime | None = None,
) -> e.Requested:
    """Return the ask as it is kept, with the decision.

    Args:
        prolongs: The request whose grant is to go on; None for a grant of its own.
        seen: What the tracker said of the ticket.
        known: What was decided on besides.
        members: Slack user ids of the groups with a say; None for a group that cannot be read.
        slice_: The digest of all that decided.
        start_at: When it is to start; None for as soon as it is approved.
    """
    bundle = ask.bundle
    chain = decision.chain if isinstance(decision, NeedApproval) else None
    patience = chain.expire_after if chain is not None else timedelta(0)
    if ask.patience is not None:
        patience = min(patience, ask.patience)
    return e.Requested(
        request=id_,
        at=now,
        by=ask.by,
        bundle=bundle.name,
        title=bundle.title,
        risk=bundle.risk,
        resource=bundle.resource,
        delivery=bundle.delivery,
        channel=bundle.channel,
        owner=bundle.owner,
        scopes=ask.scopes,
        left_out=len(bundle.scopes) - len(ask.scopes),
        duration=ask.duration,
        longest=bundle.max_duration,
        active_total=bundle.limits.active_total,
        reason=ask.reason,
        ticket=ask.ticket,
        rule=decision.rule,
        reasons=decision.reasons,
        digest=decision.digest,
        stages=tuple(each.concerning(ask.by.id) for each in chain.stages) if chain else (),
        slice=slice_,
        deadline=_deadline(now, patience, prolongs),
        extends=prolongs.id if prolongs is not None else None,
        active_per_user=bundle.limits.active_per_user,
        cool_down=bundle.limits.cool_down,
        longest_in_all=bundle.prolonging.total,
        seen=seen,
        has_glass=bundle.glass is not None,
        known=known,
        idle_end=bundle.idle_end,
        members=kept_members(members or {}),
        machine=ask.machine,
        optional=decision.optional if isinstance(decision, NeedApproval) else (),
        shadows=decision.shadows,
        claim_within=_claim_within(ask) if prolongs is None else None,
        token_max=bundle.token_max,
        start_at=start_at,
    )


def known_of(facts: Facts, *, looked_up: Iterable[str]) -> Known:
    """Return `facts` as they are kept.

    Args:
        looked_up: Names of the groups that were looked at.
    """
    return Known(
        groups=tuple(sorted(facts.groups)),
        looked_up=tuple(sorted(looked_up)),
        active_grants=facts.active_grants,
        requests_today=facts.requests_today,
        auto_today=facts.auto_today,
    )


def kept_members(members: Mapping[str, frozenset[str] | None]) -> tuple[Members, ...]:
    """Return who is in each group as it is kept; None for a group that cannot be read."""
    return tuple(_kept(name, users) for name, users in sorted(members.items()))


def _kept(group: str, users: frozenset[str] | None) -> Members:
    if users is None:
        return Members(group=group)
    return Members(group=group, people=tuple(sorted(users)[:MEMBERS_KEPT]), count=len(users))


def _claim_within(ask: Ask) -> timedelta | None:
    return ask.claim_within if ask.machine is not None else ask.bundle.claim_within


def _deadline(now: datetime, patience: timedelta, prolongs: Request | None) -> datetime:
    """Return when people must have decided; nothing can be prolonged after its end."""
    grant = prolongs.working_grant if prolongs is not None else None
    return min(now + patience, grant.ends_at) if grant is not None else now + patience


def settled(decision: Decision) -> type[e.Approved | e.Denied] | None:
    """Return how policy settled the request at once; None when people decide."""
    if isinstance(decision, Allow):
        return e.Approved
    return e.Denied if isinstance(decision, Reject) else None
