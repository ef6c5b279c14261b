"""The desk: where every change is carried out. Load, decide, commit; again on Conflict."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from bot.core import events as e
from bot.core.account import Account
from bot.core.decision import Decision
from bot.core.errors import BotError, Conflict, NotAllowed, NotFound, TooLate, Unavailable
from bot.core.grant import Signing
from bot.core.identity import BOT, Actor, RequestId, fingerprint, is_request_id
from bot.core.known import Failure, InForce
from bot.core.lifecycle import decide, lapsing
from bot.core.moves import Extend, Move
from bot.core.permission import Circumstances
from bot.core.request import Request
from bot.usecases.commits import Minting, Step, commit_of
from bot.usecases.counts import Opening, accounts_of, recounted
from bot.usecases.ports import (
    Clock,
    Commit,
    CommitId,
    Committed,
    Ledger,
    Metrics,
    Once,
    Signer,
)
from bot.usecases.telling import tell
from bot.usecases.tokens import Mint
from bot.usecases.wishes import Outcome

log = structlog.get_logger()

# Rivals on one request; twenty clicks at once need about as many turns at the worst.
TRIES: Final = 30

_CROWDED: Final = "too many people are acting on this at once"

# One refused click a minute of each person is told in the thread.
REFUSALS_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a change is made with."""

    ledger: Ledger
    once: Once
    signer: Signer
    clock: Clock
    metrics: Metrics


Check = Callable[[Request, Sequence[e.Event]], Awaitable[None]]


async def _no_check(_: Request, __: Sequence[e.Event]) -> None:
    """Check nothing."""


def _untold(_: Sequence[Failure]) -> None:
    """Tell nobody: where nothing is decided nothing fails."""


class Desk:
    """Carries out moves on stored requests.

    Args:
        issuer: The tokens' `iss`.
        shown: Called with each request that changed, once it is stored.
        failed: Called with the conditions that could not be evaluated in a decision; returns at
            once. Left out where nothing is decided.
        tokens: Where tokens are found or made; left out where they are signed.
    """

    def __init__(
        self,
        stores: Stores,
        *,
        issuer: str,
        shown: Callable[[RequestId], None],
        failed: Callable[[Sequence[Failure]], None] = _untold,
        tokens: Minting | None = None,
    ) -> None:
        self._stores = stores
        self._ledger = stores.ledger
        self._issuer = issuer
        self._shown = shown
        self._failed = failed
        self.mint = Mint(stores.signer)
        self._tokens: Minting = tokens or self.mint

    def circumstances(
        self,
        groups: frozenset[str] = frozenset(),
        resources: frozenset[str] = frozenset(),
        *,
        under: InForce | None = None,
    ) -> Circumstances:
        """Return the circumstances of a move made now."""
        return Circumstances(
            now=self._stores.clock.now(),
            signing=Signing(issuer=self._issuer, kid=self._stores.signer.active_kid),
            groups=groups,
            resources=resources,
            under=under,
        )

    async def load(self, id_: RequestId) -> Request:
        """Return the request.

        Raises:
            NotFound: There never was one.
        """
        request = await self._ledger.load(id_) if is_request_id(id_) else None
        if request is None:
            raise NotFound(f"there is no request {id_[:20]!a}", hint="see /jit list for yours")
        return request

    async def carry_out(
        self,
        id_: RequestId,
        move: Move,
        *,
        by: Actor,
        case: Circumstances,
        commit_id: CommitId,
        check: Check = _no_check,
    ) -> Outcome:
        """Carry out `move`, however many others act on the same request.

        Args:
            check: Called with the request and what is about to happen; may refuse.

        Raises:
            Refused: The rules say no.
            Conflict: Still beaten by others after TRIES attempts.
            Unavailable: See `Ledger.commit`.
        """
        for _ in range(TRIES):
            request = await self.load(id_)
            events = decide(request, move, by=by, case=case)
            if not events:
                return Outcome(request=request, events=())
            await check(request, events)
            steps = await self._steps(request, events, by=by, case=case)
            try:
                return await self.commit(commit_id, steps, accounts=await self._accounts(steps))
            except Conflict:
                continue
            except TooLate:
                await self._lapse(request)
                raise
        raise Conflict(_CROWDED, hint="try again")

    async def open(self, opening: Opening, *, case: Circumstances) -> Outcome:
        """Store a new request; one that is there already is left as it is.

        Raises:
            NotAllowed: A limit is reached.
            WrongState, TooLate: It would prolong what cannot be prolonged (any more).
            Conflict, Unavailable: See `carry_out`.
        """
        step, limited = opening.step, opening.limited_in
        extends = step.after.asked.extends
        ids = [step.after.id, *([extends] if extends is not None else [])]
        # Where nothing limits it, the commit alone can tell whether it is new.
        must_look = bool(limited) or extends is not None
        for _ in range(TRIES):
            requests, accounts = (
                await self._ledger.load_all(ids, limited) if must_look else ((), ())
            )
            found, *originals = requests or (None,)
            if found is not None:
                return Outcome(request=found, events=())
            prolonged = [_prolonged(each, step.after.asked, case=case) for each in originals]
            steps = [step, *(prolonged if step.approves else ())]
            counted = [opening.counted(account) for account in accounts]
            try:
                id_of_commit = CommitId(fingerprint("open", step.after.id))
                return await self.commit(id_of_commit, steps, accounts=counted)
            except Conflict:
                must_look = True
        raise Conflict(_CROWDED, hint="try again")

    async def commit(
        self, id_: CommitId, steps: Sequence[Step], *, accounts: Sequence[Account]
    ) -> Outcome:
        """Store `steps` and have them shown.

        Raises:
            Conflict, TooLate, Unavailable: See `Ledger.commit`.
        """
        starts = any(isinstance(event, e.Tokened) for s in steps for event in s.events)
        if starts and not self._stores.clock.agrees():
            raise Unavailable("the clocks disagree, so nothing can be granted")
        change = commit_of(id_, steps, accounts=accounts, mint=self._tokens)
        committed = await self._ledger.commit(change)
        self._tell(change, committed)
        if committed is Committed.DONE_BEFORE:
            return Outcome(request=await self.load(change.subject), events=())
        return Outcome(request=steps[0].after, events=steps[0].events)

    def _tell(self, change: Commit, committed: Committed) -> None:
        for id_ in change.show:
            self._shown(id_)
        if committed is Committed.STORED:
            for event in change.events:
                self._stores.metrics.count("jit_events_total", kind=e.WIRE[type(event)])
            tell(log, change.events)

    async def _steps(
        self, request: Request, events: tuple[e.Event, ...], *, by: Actor, case: Circumstances
    ) -> list[Step]:
        """Return what happens to `request`, and to the one that its approval prolongs.

        Raises:
            WrongState, TooLate: There is nothing left to prolong.
        """
        step, extends = Step(request, events, people=by != BOT), request.asked.extends
        if extends is None or not step.approves:
            return [step]
        # As it stands after the step: an approver may have narrowed it just now.
        return [step, _prolonged(await self.load(extends), step.after.asked, case=case)]

    async def _accounts(self, steps: Sequence[Step]) -> list[Account]:
        """Return the accounts in which something starts or ends to count.

        Raises:
            NotAllowed: As many grants as the bundle allows are live already.
        """
        counting = [(step, name) for step in steps for name in accounts_of(step)]
        if not counting:
            return []
        _, accounts = await self._ledger.load_all((), [name for _, name in counting])
        return [
            recounted(account, step) for (step, _), account in zip(counting, accounts, strict=True)
        ]

    async def _lapse(self, request: Request) -> None:
        """Let it lapse now: somebody came too late, so they should see it on the card."""
        move = lapsing(request)
        try:
            await self.carry_out(
                request.id,
                move,
                by=BOT,
                case=self.circumstances(),
                commit_id=CommitId(fingerprint("too late", type(move).__name__, request.id)),
            )
        except BotError as problem:
            log.info("lapse.left_to_timer", request=request.id, code=problem.code)

    def note_failures(self, decision: Decision, *, bundle: str) -> None:
        """Tell of the conditions about `bundle` that could not be evaluated."""
        for each in decision.failures:
            log.warning(
                "condition.failed", bundle=bundle, one=each.one, where=each.where, why=each.why
            )
            self._stores.metrics.count("jit_condition_failures_total", one=each.one)
        if decision.failures:
            self._failed(decision.failures)

    async def note_refusal(
        self, id_: RequestId, move: str, *, by: Actor, why: NotAllowed, delivery: str
    ) -> None:
        """Tell in the thread that `by` was refused, once a minute at most.

        The refusal itself stands whether or not it could be told.
        """
        try:
            if await self._stores.once.first(f"refused:{id_}:{by}", within=REFUSALS_EVERY):
                now = self._stores.clock.now()
                refused = e.Refused(request=id_, at=now, by=by, move=move, why=str(why))
                step = Step(await self.load(id_), (refused,))
                id_of_commit = CommitId(fingerprint("refused", delivery))
                await self.commit(id_of_commit, [step], accounts=())
        except BotError as problem:
            log.warning("refusal.not_told", request=id_, by=str(by), code=problem.code)


def _prolonged(original: Request | None, extension: e.Requested, *, case: Circumstances) -> Step:
    """Return what an approved `extension` does to the request that it prolongs.

    Raises:
        NotFound, WrongState, TooLate: There is nothing left to prolong.
    """
    if original is None:
        raise NotFound("what this would prolong is no more")
    return Step(original, decide(original, Extend(extension), by=BOT, case=case))
