"""What people do with requests: open one, act on one, prolong a grant, look one up."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.core import events as e
from bot.core.account import account_of_person, with_ask
from bot.core.client import Client
from bot.core.decision import Allow, Ask, Decision, Facts, NeedApproval, Reject, checked, decide_ask
from bot.core.errors import Conflict, NotAllowed, NotFound, Refused
from bot.core.identity import BOT, Actor, Kind, RequestId, fingerprint, request_id
from bot.core.lifecycle import opened
from bot.core.moves import Deliver, Move, Reveal, Revoke
from bot.core.policy import Policy
from bot.core.request import Request
from bot.usecases.commits import Step
from bot.usecases.desk import TRIES, Desk
from bot.usecases.gate import Gate, bundle_named
from bot.usecases.ports import CommitId, Ledger, Listings
from bot.usecases.wishes import Outcome, Wish


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
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._ledger = ledger
        self._listings = listings
        self._policy = policy

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
        await self._gate.channel_must_do(bundle)
        return await self._open(request_id(delivery), ask, policy)

    async def extend(self, id_: RequestId, *, by: Actor, delivery: str) -> Outcome:
        """Ask for more time for the grant of `id_`: a new request, decided by today's policy.

        Each token of a grant can be prolonged once, so a second press finds the first one's
        request.

        Raises:
            NotAllowed: `by` is not the requester, or the bundle is no more what it was.
            WrongState: There is nothing left to prolong.
            Unavailable: Nothing was recorded.
        """
        await self._gate.admit(by)
        original = await self._desk.load(id_)
        if by != original.requester:
            refusal = NotAllowed("only the person who asked can extend this")
            await self._desk.note_refusal(id_, "extend", by=by, why=refusal, delivery=delivery)
            raise refusal
        grant = original.grant
        number = len(grant.tokens) if grant is not None else 0
        extension = request_id(f"extend:{id_}:{number}")
        found = await self._ledger.load(extension)
        if found is not None:
            return Outcome(request=found, events=())
        policy = self.policy
        ask = _asked_again(original, policy)
        return await self._open(extension, ask, policy, prolongs=original)

    async def _open(
        self, id_: RequestId, ask: Ask, policy: Policy, *, prolongs: Request | None = None
    ) -> Outcome:
        groups = await self._gate.groups_asking(ask.by, ask.bundle.name, policy)
        await self._gate.admit(ask.by, fresh=True)
        for _ in range(TRIES):
            found = await self._ledger.load(id_)
            if found is not None:
                return Outcome(request=found, events=())
            case = self._desk.circumstances()
            decision = decide_ask(ask, policy, Facts(now=case.now, groups=groups))
            asked = _requested(id_, ask, decision, now=case.now, prolongs=prolongs)
            steps = [Step(None, opened(asked, settled=_settled(decision), case=case))]
            if prolongs is not None and isinstance(decision, Allow):
                steps.append(await self._desk.extension_of(prolongs.id, asked, case=case))
            account = await self._ledger.load_account(account_of_person(ask.by))
            cap = ask.bundle.limits.per_user_per_day
            accounts = [with_ask(account, ask.bundle.name, at=case.now, cap=cap)]
            counted = await self._desk.counted(steps[0].after, was_live=False)
            accounts += [counted] if counted else []
            try:
                id_of_commit = CommitId(fingerprint("open", id_))
                return await self._desk.commit(id_of_commit, steps, accounts=accounts)
            except Conflict:
                continue
        raise Conflict("too many people are acting on this at once", hint="try again")

    async def move(self, id_: RequestId, move: Move, *, by: Actor, delivery: str) -> Outcome:
        """Carry out a person's move.

        Raises:
            NotFound: There is no such request.
            NotAllowed: The rules say no; the refusal is told in the request's thread.
            WrongState, TooLate: It cannot be done (any more).
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        request = await self._desk.load(id_)
        name = type(move).__name__.lower()
        try:
            await self._gate.admit(by)
            groups = await self._gate.groups_acting(by, request, self.policy)
            return await self._desk.carry_out(
                id_,
                move,
                by=by,
                case=self._desk.circumstances(groups=groups),
                commit_id=_commit_id(delivery, move, id_),
                check=self._requester_still_there,
            )
        except NotAllowed as refusal:
            await self._desk.note_refusal(id_, name, by=by, why=refusal, delivery=delivery)
            raise

    async def _requester_still_there(self, request: Request, events: Sequence[e.Event]) -> None:
        if any(isinstance(event, e.Approved) for event in events):
            await self._gate.admit_requester(request)

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
        """End the grant of request `id_` for the client that answers for its resource.

        Raises:
            Refused: It has ended already, or `caller` has no say.
        """
        move, by = Revoke("by the API's owner"), Actor(Kind.MACHINE, caller.id)
        return await self._desk.carry_out(
            id_,
            move,
            by=by,
            case=self._desk.circumstances(resources=caller.resources),
            commit_id=_commit_id(delivery, move, id_),
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

    async def find(self, id_: RequestId, *, by: Actor) -> Request:
        """Return a request that `by` made or has a say in.

        Raises:
            NotFound: There is none that `by` may see.
        """
        request = await self._desk.load(id_)
        if request.requester != by:
            groups = await self._gate.groups_acting(by, request, self.policy)
            if not groups:
                raise NotFound(f"there is no request {id_}", hint="see /jit list for yours")
        return request

    async def mine(self, by: Actor) -> Sequence[Request]:
        """Return the requests of `by`, newest first."""
        return await self._listings.of_person(by)


def _commit_id(delivery: str, move: Move, id_: RequestId) -> CommitId:
    return CommitId(fingerprint("move", delivery, type(move).__name__, id_))


def _settled(decision: Decision) -> type[e.Approved | e.Denied] | None:
    if isinstance(decision, Allow):
        return e.Approved
    return e.Denied if isinstance(decision, Reject) else None


def _asked_again(original: Request, policy: Policy) -> Ask:
    """Return the ask for as much again of what `original` got, under today's bundle.

    Raises:
        NotAllowed: The bundle is gone or has lost what was granted.
    """
    asked = original.asked
    try:
        bundle = bundle_named(policy, asked.bundle)
        return checked(
            bundle,
            by=original.requester,
            scopes=[text.scope for text in asked.scopes],
            duration=min(asked.duration, bundle.max_duration),
            reason=asked.reason,
            ticket=asked.ticket,
        )
    except Refused as problem:
        raise NotAllowed(f"this cannot be extended: {problem}", hint="ask anew") from None


def _requested(
    id_: RequestId, ask: Ask, decision: Decision, *, now: datetime, prolongs: Request | None
) -> e.Requested:
    bundle = ask.bundle
    chain = decision.chain if isinstance(decision, NeedApproval) else None
    patience = chain.expire_after if chain is not None else timedelta(0)
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
        active_total=bundle.limits.active_total if prolongs is None else None,
        reason=ask.reason,
        ticket=ask.ticket,
        rule=decision.rule,
        reasons=decision.reasons,
        digest=decision.digest,
        stages=chain.stages if chain is not None else (),
        deadline=_deadline(now, patience, prolongs),
        extends=prolongs.id if prolongs is not None else None,
    )


def _deadline(now: datetime, patience: timedelta, prolongs: Request | None) -> datetime:
    """Return when people must have decided; nothing can be prolonged after its end."""
    grant = prolongs.working_grant if prolongs is not None else None
    return min(now + patience, grant.ends_at) if grant is not None else now + patience
