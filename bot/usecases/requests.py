"""What people do with requests: open one, act on one, prolong a grant, look one up."""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import reduce

from bot.core import events as e
from bot.core.client import Client
from bot.core.decision import (
    Allow,
    Ask,
    Decision,
    NeedApproval,
    checked,
    decide_ask,
)
from bot.core.errors import Conflict, Invalid, NotAllowed, NotFound, Refused, WrongState
from bot.core.explaining import Explanation, explained, supposed
from bot.core.identity import BOT, Actor, Kind, RequestId, fingerprint, request_id
from bot.core.lifecycle import decide, opened
from bot.core.moves import Approve, Claim, Deliver, Move, Narrow, Reveal, Revoke
from bot.core.opening import known_of, requested, settled
from bot.core.permission import Circumstances
from bot.core.policy import Policy
from bot.core.recheck import why_no_more
from bot.core.request import Request, evolve
from bot.core.starting import start_of
from bot.usecases.commits import Step
from bot.usecases.counts import Opening, Waiting
from bot.usecases.desk import Desk
from bot.usecases.extending import asked_again, why_no_longer
from bot.usecases.facts import FactFinder
from bot.usecases.gate import Gate, bundle_named
from bot.usecases.ports import CommitId, Found, Ledger, Listings
from bot.usecases.rechecks import Ready, Rechecks
from bot.usecases.tickets import TicketDesk
from bot.usecases.wishes import Outcome, Wish


def _anything(_: Decision) -> None:
    """Refuse nothing."""


class Requests:
    """The use cases of people.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        *,
        ledger: Ledger,
        listings: Listings,
        policy: Callable[[], Policy],
        tickets: TicketDesk,
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._ledger = ledger
        self._listings = listings
        self._policy = policy
        self._facts = FactFinder(gate, ledger=ledger, listings=listings, tickets=tickets)
        self._rechecks = Rechecks(desk, gate, self._facts, policy=policy)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy()

    async def admit(self, who: Actor) -> None:
        """Return if `who` may use the bot; see `Gate.admit` for what is raised."""
        await self._gate.admit(who)

    async def open(self, wish: Wish, *, by: Actor, delivery: str) -> Outcome:
        """Record a request and what policy says to it; the same delivery opens it only once.

        Raises:
            Invalid: A part of the wish is wrong.
            NotAllowed: `by` may not ask (now), or the bundle's channel cannot be used.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        await self._gate.admit(by)
        policy = self.policy
        bundle = bundle_named(policy, wish.bundle)
        ask = checked(
            bundle,
            by=by,
            scopes=wish.scopes,
            duration=wish.duration,
            reason=wish.reason,
            ticket=wish.ticket,
        )
        start = start_of(bundle, wish.start, now=self._desk.circumstances().now)
        return await self.record(request_id(delivery), ask, policy, start=start)

    async def why(self, wish: Wish, *, by: Actor) -> Explanation:
        """Return what policy would say to `wish` now, and why; nothing is recorded.

        Raises:
            Invalid: There is no such bundle, it cannot be had for so long or so late, or a ticket
                that is named will not do.
            NotAllowed: `by` may not use the bot.
            Unavailable: Something could not be looked up.
        """
        await self._gate.admit(by)
        policy = self.policy
        bundle = bundle_named(policy, wish.bundle)
        ask = supposed(
            bundle, by=by, duration=wish.duration, reason=wish.reason, ticket=wish.ticket
        )
        now = self._desk.circumstances().now
        facts = await self._facts.about(
            by,
            bundle.name,
            policy,
            now=now,
            ticket=wish.ticket or None,
            decided_for=start_of(bundle, wish.start, now=now),
        )
        found = explained(ask, policy, facts)
        self._desk.note_failures(found.decision, bundle=bundle.name)
        if isinstance(found.decision, NeedApproval):
            completable = await self._gate.completable(found.decision, ask, policy)
            return replace(found, decision=completable.decision)
        return found

    async def who_would_decide(self, explanation: Explanation) -> Found:
        """Return who is on call, and who the manager is, in the groups that would decide."""
        decision = explanation.decision
        stages = decision.chain.stages if isinstance(decision, NeedApproval) else ()
        groups = [group for stage in stages for group in stage.approvers]
        return await self._gate.found_in(groups, self.policy, about=explanation.ask.by)

    async def extend(self, id_: RequestId, *, by: Actor, delivery: str, token: str = "") -> Outcome:
        """Ask for more time for the grant of `id_`: a new request, decided by today's policy.

        Each token of a grant can be prolonged once, so a second press on the same button finds
        the first one's request.

        Args:
            token: The jti of the token that the button is about; "" for the newest, and then a
                click that is delivered twice may prolong twice.

        Raises:
            NotAllowed: `by` is not the requester, or the bundle is no more what it was.
            WrongState: There is nothing left to prolong.
            Unavailable: Nothing was recorded.
        """
        original = await self._desk.load(id_)
        async with self._refusals_told(original, "extend", by=by, delivery=delivery):
            await self._gate.admit(by)
            if by != original.requester:
                raise NotAllowed("only the person who asked can extend this")
        tokens = [each.jti for each in original.grant.tokens] if original.grant else []
        meant = token or (tokens[-1] if tokens else "")
        if meant not in tokens:
            raise WrongState("there is nothing that could be extended")
        extension = request_id(f"extend:{meant}")
        found = await self._ledger.load(extension)
        if found is not None:
            return Outcome(request=found, events=())
        if meant != tokens[-1]:
            raise WrongState("this was extended already")
        policy = self.policy
        why_not = why_no_longer(original, policy)
        if why_not is not None:
            raise WrongState(f"this cannot be extended: {why_not}", hint="ask anew when it ends")
        ask = asked_again(original, policy)
        return await self.record(extension, ask, policy, prolongs=original)

    async def record(
        self,
        id_: RequestId,
        ask: Ask,
        policy: Policy,
        *,
        prolongs: Request | None = None,
        accept: Callable[[Decision], None] = _anything,
        waiting: Callable[[datetime], Waiting] | None = None,
        start: datetime | None = None,
    ) -> Outcome:
        """Record `ask` and what `policy` says to it.

        Args:
            prolongs: The request whose grant is to go on.
            accept: Called with the decision before anything is stored; may refuse.
            waiting: Returns what a client's account remembers of it, given its deadline.
            start: When it is to start; None for as soon as it is approved.

        Raises:
            NotAllowed: A limit is reached, or the bundle's channel cannot be used.
            Conflict: The client's account remembers the same already.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        await self._gate.channels_must_do(ask.bundle)
        case = self._desk.circumstances()
        besides = (prolongs.id,) if prolongs is not None else ()
        facts = await self._facts.about(
            ask.by,
            ask.bundle.name,
            policy,
            now=case.now,
            besides=besides,
            ticket=ask.ticket,
            machine=ask.machine,
            decided_for=start,
        )
        decision = decide_ask(ask, policy, facts)
        self._desk.note_failures(decision, bundle=ask.bundle.name)
        accept(decision)
        if isinstance(decision, Allow) and ask.by.kind is Kind.PERSON:
            await self._gate.admit(ask.by, fresh=True)
        members: Mapping[str, frozenset[str] | None] = {}
        if isinstance(decision, NeedApproval):
            completable = await self._gate.completable(decision, ask, policy)
            decision, members = completable.decision, completable.members
            accept(decision)
        read = policy.groups_read_for(ask.bundle.name)
        audited = () if facts.unseen else policy.groups_audited_for(ask.bundle.name)
        looked_up = [group.name for group in (*read, *audited)]
        asked = requested(
            id_,
            ask,
            decision,
            now=case.now,
            prolongs=prolongs,
            seen=facts.ticket,
            known=known_of(facts, looked_up=looked_up),
            members=members,
            slice_=policy.slice_of(ask.bundle.name),
            start_at=start,
        )
        step = Step(None, opened(asked, settled=settled(decision), case=case))
        opening = Opening(
            step=step,
            limits=ask.bundle.limits,
            waiting=waiting(asked.deadline) if waiting is not None else None,
        )
        outcome = await self._desk.open(opening, case=case)
        if outcome.request.requester != ask.by:
            raise Conflict("another request has this one's id", hint="try again")
        return outcome

    async def move(self, id_: RequestId, move: Move, *, by: Actor, delivery: str) -> Outcome:
        """Carry out a person's move.

        Raises:
            NotFound: There is no such request.
            NotAllowed: The rules say no; the refusal is told in the request's thread.
            WrongState, TooLate: It cannot be done (any more).
            Invalid: A text in it is missing or too long.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        request = await self._desk.load(id_)
        async with self._refusals_told(request, _name(move), by=by, delivery=delivery):
            ready, case = await self._ready(request, move, by)
            with _said_why(ready):
                return await self._desk.carry_out(
                    id_,
                    move,
                    by=by,
                    case=case,
                    commit_id=_commit_id(delivery, move, id_, by),
                    check=self.still_right,
                )

    async def may(self, id_: RequestId, move: Move, *, by: Actor, delivery: str) -> Request:
        """Return the request if `by` could carry out `move` now.

        Nothing is changed but what a changed policy changes: a click is a click.

        Raises:
            Refused, Unavailable: As `move` does; a refusal is told in the thread alike.
        """
        request = await self._desk.load(id_)
        async with self._refusals_told(request, _name(move), by=by, delivery=delivery):
            ready, case = await self._ready(request, move, by)
            with _said_why(ready):
                decide(ready.request, move, by=by, case=case)
        return ready.request

    async def _ready(self, request: Request, move: Move, by: Actor) -> tuple[Ready, Circumstances]:
        """Return `request` on the way that it must go today, and the circumstances of `move`.

        Raises:
            NotAllowed: `by` may not use the bot, or a client's owner is nobody any more.
            WrongState: Today's policy ends the request.
            Unavailable: Slack or the store did not answer.
        """
        await self._gate.admit(by)
        if isinstance(move, Approve | Narrow):
            # Whoever could not be told from the client's owner must not approve.
            await self._gate.owners(request.asked.machine, self.policy)
        ready = await self._rechecks.ready(request, move)
        groups = await self._gate.groups_acting(by, ready.request, self.policy, fresh=True)
        return ready, self._desk.circumstances(groups, under=ready.under)

    @asynccontextmanager
    async def _refusals_told(
        self, request: Request, move: str, *, by: Actor, delivery: str
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        except NotAllowed as refusal:
            await self._desk.note_refusal(request.id, move, by=by, why=refusal, delivery=delivery)
            raise

    async def still_right(self, request: Request, events: Sequence[e.Event]) -> None:
        """Return if what is approved, or starts, would be granted by today's policy.

        And to somebody still here. What an approver has narrowed is decided again at once, whoever
        else must still approve; what is for later, for the moment when it is to start.

        Raises:
            NotAllowed: The policy, or the requester's place in it, has changed since the ask.
            Unavailable: Slack did not answer.
        """
        told = e.Approved | e.Narrowed | e.Started | e.Renewed
        if not any(isinstance(event, told) for event in events):
            return
        await self._gate.admit_requester(request)
        if isinstance(events[0], e.Renewed):
            return  # what works is ended by `jit policy apply`, not by a change of the files alone
        after = reduce(evolve, events, request)
        try:
            found = await self._rechecks.judged(
                after, self.policy, now=events[0].at, ticket=after.asked.ticket
            )
            why = why_no_more(found)
        except Invalid as problem:  # of the ticket
            why = str(problem)
        if why is not None:
            raise NotAllowed(
                f"this cannot be granted any more: {why}", hint="it must be asked anew"
            )

    async def reveal(self, id_: RequestId, *, by: Actor, delivery: str) -> str:
        """Return the newest token of the grant, to be shown to `by`; told in the thread.

        Raises:
            NotAllowed: `by` is not the requester.
            WrongState: The grant does not work (any more).
        """
        outcome = await self.move(id_, Reveal(), by=by, delivery=delivery)
        grant = outcome.request.working_grant
        if by != outcome.request.requester or grant is None:
            raise NotAllowed("only the person who asked can see the token, while it works")
        return self._desk.mint.token(grant.token)

    async def revoke_for(self, id_: RequestId, *, caller: Client, delivery: str) -> Outcome:
        """End the grant of request `id_` for the client that has its token, or its resource.

        Raises:
            Refused: It has ended already, or `caller` has no say.
        """
        asked = (await self._desk.load(id_)).asked
        by = Actor(Kind.MACHINE, caller.id)
        move = Revoke("it is needed no more" if by == asked.asker else "by the API's owner")
        return await self._desk.carry_out(
            id_,
            move,
            by=by,
            case=self._desk.circumstances(resources=caller.resources),
            commit_id=_commit_id(delivery, move, id_, by),
        )

    async def claim_for(self, id_: RequestId, *, caller: Client, delivery: str) -> Outcome:
        """Start the grant of request `id_`, which `caller` asked for; decided again.

        Raises:
            NotAllowed: `caller` did not ask for it, or it would not be granted any more.
            WrongState, TooLate: It cannot be started (any more).
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        move, by = Claim(), Actor(Kind.MACHINE, caller.id)
        return await self._desk.carry_out(
            id_,
            move,
            by=by,
            case=self._desk.circumstances(),
            commit_id=_commit_id(delivery, move, id_, by),
            check=self.still_right,
        )

    async def deliver(self, id_: RequestId, jti: str) -> None:
        """Record that the token `jti` stands in Slack; nothing if the grant has ended by now."""
        try:
            await self._desk.carry_out(
                id_,
                Deliver(jti),
                by=BOT,
                case=self._desk.circumstances(),
                commit_id=CommitId(fingerprint("deliver", jti)),
            )
        except Refused:
            return

    async def load(self, id_: RequestId) -> Request:
        """Return a request, for the bot's own use.

        Raises:
            NotFound: There never was one.
        """
        return await self._desk.load(id_)

    async def find(self, id_: RequestId, *, by: Actor) -> Request:
        """Return a request that `by` made or has a say in.

        Raises:
            NotFound: There is none that `by` may see.
            NotAllowed: `by` may not use the bot.
        """
        await self._gate.admit(by)
        request = await self._desk.load(id_)
        if request.requester != by:
            machine = request.asked.machine
            owns = machine is not None and by.id == machine.owner_user
            if not owns and not await self._gate.groups_acting(by, request, self.policy):
                raise NotFound(f"there is no request {id_}", hint="see /jit list for yours")
        return request

    async def mine(self, by: Actor) -> Sequence[Request]:
        """Return the requests of `by`, newest first.

        Raises:
            NotAllowed: `by` may not use the bot.
        """
        await self._gate.admit(by)
        return await self._listings.of_person(by)


@contextmanager
def _said_why(ready: Ready) -> Generator[None, None, None]:
    """Let whoever is refused because the policy has changed just now read that, too."""
    try:
        yield
    except NotAllowed as refusal:
        if not ready.is_rerouted:
            raise
        raise NotAllowed(
            f"{refusal}: the policy has changed, and the request goes another way now",
            hint="the card says whose approval it needs",
        ) from refusal


def _name(move: Move) -> str:
    return type(move).__name__.lower()


def _commit_id(delivery: str, move: Move, id_: RequestId, by: Actor) -> CommitId:
    return CommitId(fingerprint("move", delivery, _name(move), id_, str(by)))
