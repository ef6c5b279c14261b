"""What OAuth clients do: ask for a token, for themselves or for a person, and fetch it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog

from bot.core.account import PendingMark, account_of_person
from bot.core.client import Client
from bot.core.decision import Ask, Decision, NeedApproval, Reject, checked
from bot.core.errors import BotError, Conflict, NotAllowed, WrongState
from bot.core.identity import Actor, RequestId, fingerprint, is_request_id, request_id
from bot.core.machine import Machine
from bot.core.policy import Policy
from bot.core.request import Request
from bot.core.states import GrantState, RequestState
from bot.core.wanted import Wanted, bundle_for
from bot.usecases.counts import Waiting
from bot.usecases.ports import AddressBook, Clock, Ledger
from bot.usecases.requests import Requests
from bot.usecases.tokens import Mint, hash_of

log = structlog.get_logger()

# How long after the approval a client may fetch its token.
FETCH_WITHIN: Final = timedelta(minutes=10)
# A client whose answer was lost may fetch the same token again: not so soon that it may be one of
# several that race for it, nor much later.
AGAIN_AFTER: Final = timedelta(seconds=2)
AGAIN_WITHIN: Final = timedelta(seconds=30)
# Rivals that ask for the same at once.
_TRIES: Final = 5


class UnknownUser(NotAllowed):
    """Nobody is called so, or not somebody who may use the bot."""

    code = "unknown_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A token for the client that asked.

    Attributes:
        token: The signed token.
    """

    request: Request
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request that a client can poll for.

    Attributes:
        handle: What it polls with; nobody can guess it.
        lasts: How long that is good.
    """

    request: Request
    handle: str
    lasts: timedelta


class Poll(StrEnum):
    """Why there is no token for a poll."""

    WAITS = "waits"
    DENIED = "denied"
    LATE = "late"
    SPENT = "spent"
    """Fetched before, or never asked for by this client: it is not told which."""


class Machines:
    """The use cases of OAuth clients that ask for tokens.

    Args:
        policy: Returns the policy in force.
        alarm: Returns the channel that is told when somebody says that it was not them.
        draw: Returns a text that nobody can guess; another one each time.
    """

    def __init__(
        self,
        requests: Requests,
        mint: Mint,
        *,
        ledger: Ledger,
        people: AddressBook,
        clock: Clock,
        policy: Callable[[], Policy],
        alarm: Callable[[], str],
        draw: Callable[[], str],
    ) -> None:
        self._requests = requests
        self._mint = mint
        self._ledger = ledger
        self._people = people
        self._clock = clock
        self._policy = policy
        self._alarm = alarm
        self._draw = draw

    async def at_once(self, client: Client, wanted: Wanted, *, address: str) -> Handed:
        """Return a token for `client` itself, if policy approves that without asking anybody.

        Nothing is recorded where it does not.

        Raises:
            Invalid: A part of `wanted` is wrong.
            NotAllowed: Policy says no, people would have to decide, or a limit is reached.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        policy = self._policy()
        machine = Machine(client=client.id, owner=client.owner, address=address)
        ask = _ask(client, wanted, policy, by=machine.actor, machine=machine)
        outcome = await self._requests.record(
            request_id(self._draw()), ask, policy, accept=_only_at_once
        )
        grant = outcome.request.working_grant
        if grant is None:
            raise WrongState("what was granted has ended already")
        return Handed(request=outcome.request, token=self._mint.token(grant.token))

    async def ask(self, client: Client, wanted: Wanted, *, email: str, address: str) -> Recorded:
        """Record that `client` asks; what it asks for already, and waits for, is not asked twice.

        Args:
            email: Of the person in whose name it asks; "" for itself.

        Raises:
            Invalid: A part of `wanted` is wrong.
            UnknownUser: Nobody has that address.
            NotAllowed: Policy says no, or a limit is reached; nothing is recorded.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        named = await self._people.person(email) if email else None
        if email and named is None:
            raise UnknownUser("nobody who can use this app has that address")
        for _ in range(_TRIES):
            handle = self._draw()
            machine = Machine(
                client=client.id,
                owner=client.owner,
                address=address,
                code=wanted.code,
                handle_sha256=hash_of(handle),
                alarm=self._alarm() if named is not None else "",
            )
            policy = self._policy()
            ask = _ask(client, wanted, policy, by=named or machine.actor, machine=machine)
            about = _about(ask)
            same, over = await self._waiting(machine, about)
            if same is not None:
                return same
            try:
                return await self._recorded(ask, policy, handle=handle, about=about, over=over)
            except Conflict:
                continue  # somebody asked for the same, or for more, at the same time
        raise Conflict("too much is asked for at once", hint="try again")

    async def _recorded(
        self, ask: Ask, policy: Policy, *, handle: str, about: str, over: frozenset[RequestId]
    ) -> Recorded:
        id_ = request_id(handle)

        def waiting(deadline: datetime) -> Waiting:
            until = deadline + FETCH_WITHIN
            mark = PendingMark(about=about, request=id_, handle=handle, until=until)
            return Waiting(mark=mark, over=over)

        outcome = await self._requests.record(id_, ask, policy, accept=_not_denied, waiting=waiting)
        return self._pollable(outcome.request, handle)

    def _pollable(self, request: Request, handle: str) -> Recorded:
        left = request.asked.deadline + FETCH_WITHIN - self._clock.now()
        return Recorded(request=request, handle=f"{request.id}.{handle}", lasts=left)

    async def _waiting(
        self, machine: Machine, about: str
    ) -> tuple[Recorded | None, frozenset[RequestId]]:
        """Return the client's request for the same that waits, and those that wait no more."""
        _, [account] = await self._ledger.load_all((), (account_of_person(machine.actor),))
        now = self._clock.now()
        marks = [mark for mark in account.pending if mark.until > now]
        found, _ = await self._ledger.load_all([mark.request for mark in marks], ())
        over = set()
        for mark, request in zip(marks, found, strict=True):
            if request is None or not _waits(request, now):
                over.add(mark.request)
            elif mark.about == about:
                return self._pollable(request, mark.handle), frozenset()
        return None, frozenset(over)

    async def poll(self, client: Client, handle: str) -> Handed | Poll:
        """Return the token that `client` asked for, decided again by today's policy; or why not.

        It is handed out once. Whoever did not get the answer gets the same token again for a few
        seconds.

        Raises:
            NotAllowed: It would not be granted any more.
            Unavailable: The store, or Slack, did not answer.
        """
        request = await self._asked_by(client, handle)
        if request is None:
            return Poll.SPENT
        now = self._clock.now()
        if request.waiting_grant is not None and request.grant is not None:
            if request.asked.bundle not in client.bundles:
                raise NotAllowed(f"{client.id} may not ask for {request.asked.bundle} any more")
            return await self._claimed(client, request)
        return self._again(request, now) or _fate(request, now)

    async def _claimed(self, client: Client, request: Request) -> Handed | Poll:
        try:
            outcome = await self._requests.claim_for(
                request.id, caller=client, delivery=self._draw()
            )
        except WrongState:
            return Poll.LATE
        grant = outcome.request.working_grant
        if grant is None or not outcome.events:
            return Poll.WAITS  # another poll of the same client is getting it just now
        return Handed(request=outcome.request, token=self._mint.token(grant.token))

    def _again(self, request: Request, now: datetime) -> Handed | Poll | None:
        """Return the token once more if nobody has got it, None where that is not so."""
        grant = request.working_grant
        if grant is None or grant.delivered_at is not None:
            return None
        since = now - grant.started_at
        if since < AGAIN_AFTER:
            return Poll.WAITS
        if since > AGAIN_WITHIN or not self._mint.knows(grant.token):
            return None
        return Handed(request=request, token=self._mint.token(grant.token))

    async def _asked_by(self, client: Client, handle: str) -> Request | None:
        """Return the request that `handle` is of, if `client` made it."""
        id_ = request_of_handle(handle)
        request = await self._ledger.load(id_) if id_ is not None else None
        machine = request.asked.machine if request is not None else None
        if machine is None or machine.client != client.id:
            return None
        secret = handle.partition(".")[2]
        return request if hash_of(secret) == machine.handle_sha256 else None

    async def went_out(self, handed: Handed) -> None:
        """Record that the client has got its token; the token works in any case."""
        grant = handed.request.grant
        try:
            if grant is not None:
                await self._requests.deliver(handed.request.id, grant.token.jti)
        except BotError as problem:
            log.warning("handing.not_told", request=handed.request.id, code=problem.code)


def request_of_handle(handle: str) -> RequestId | None:
    """Return the request that `handle` would be of; None if it cannot be one."""
    id_ = RequestId(handle.partition(".")[0])
    return id_ if is_request_id(id_) else None


def _about(ask: Ask) -> str:
    """Return what is the same for every ask for the same.

    The binding code is a part of it: who is shown another code must not decide on this one.
    """
    code = ask.machine.code if ask.machine is not None else ""
    scopes = [text.scope for text in ask.scopes]
    return fingerprint(str(ask.by), ask.bundle.name, str(ask.duration), code, *scopes)


def _waits(request: Request, now: datetime) -> bool:
    if request.state is RequestState.PENDING:
        return now < request.asked.deadline
    grant = request.waiting_grant
    return grant is not None and (grant.claim_by is None or now < grant.claim_by)


def _fate(request: Request, now: datetime) -> Poll:
    """Return what has become of a request whose token cannot be fetched now."""
    grant = request.grant
    match request.state:
        case RequestState.PENDING:
            return Poll.WAITS if now < request.asked.deadline else Poll.LATE
        case RequestState.EXPIRED:
            return Poll.LATE
        case RequestState.APPROVED if grant is not None and grant.never_started:
            return Poll.DENIED if grant.state is GrantState.REVOKED else Poll.LATE
        case RequestState.APPROVED:
            return Poll.SPENT
        case _:
            return Poll.DENIED


def _ask(client: Client, wanted: Wanted, policy: Policy, *, by: Actor, machine: Machine) -> Ask:
    ask = checked(
        bundle_for(client, policy, wanted),
        by=by,
        scopes=wanted.scopes or None,
        duration=wanted.duration,
        reason=wanted.reason or client.reason,
        ticket=wanted.ticket,
        machine=machine,
    )
    is_fetched = bool(machine.handle_sha256)
    claim_within = FETCH_WITHIN if is_fetched else None
    return replace(ask, patience=wanted.patience, claim_within=claim_within)


def _not_denied(decision: Decision) -> None:
    """Return if policy does not say no.

    A client may ask again and again, so its denials are told to it and to the log alone.
    """
    if isinstance(decision, Reject):
        log.info("machine.denied", rule=decision.rule, guardrail=decision.guardrail)
        raise NotAllowed("; ".join(decision.reasons))


def _only_at_once(decision: Decision) -> None:
    _not_denied(decision)
    if isinstance(decision, NeedApproval):
        raise NotAllowed(
            f"people must approve this: {'; '.join(decision.reasons)}",
            hint="ask at the backchannel_authentication_endpoint (CIBA), and poll",
        )
