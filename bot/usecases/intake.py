"""What enforcement points report by themselves: batches of uses, and what is alive."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.core.client import Client
from bot.core.identity import RequestId, is_request_id, request_of_token
from bot.core.request import Request
from bot.usecases.ports import MISUSE, Clock, JobId, Jobs, Ledger
from bot.usecases.recording import Addresses, tallied
from bot.usecases.use import Batch, Beat, Use, UseBook, UseOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One or more equal calls, as a point reports them; see `Use`."""

    jti: str
    scopes: tuple[str, ...]
    outcome: UseOutcome
    at: datetime
    count: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a point reports in one go.

    Attributes:
        id: Of the batch; the same one of a client counts once.
        alive: The resources whose scopes it enforces now.
    """

    id: str
    point: str
    uses: Sequence[Reported] = ()
    alive: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How many of the uses were taken down, and how many are of no token for the caller's APIs."""

    recorded: int
    unknown: int


class Intake:
    """Takes reports down; what was answered is stored."""

    def __init__(self, ledger: Ledger, book: UseBook, jobs: Jobs, clock: Clock) -> None:
        self._ledger = ledger
        self._book = book
        self._jobs = jobs
        self._clock = clock
        self._addresses = Addresses()

    async def take(self, report: Report, *, caller: Client) -> Taken:
        """Take down what `caller` reports of tokens for its resources; the rest is left out.

        Whether a token is of others or never was, the answer does not tell.

        Raises:
            Unavailable: It may not have been taken down; sending the same again is safe.
        """
        # One that calls itself by its client's name has no other.
        point = caller.id if report.point == caller.id else f"{caller.id}:{report.point}"
        uses = await self._believed(report, point, caller)
        now = self._clock.now()
        beats = [
            *(Beat(resource=each, point=point, at=now) for each in report.alive),
            *(Beat(resource=use.resource, point=point, at=use.at) for use in uses if use.scopes),
        ]
        batch = Batch(id=f"{caller.id}:{report.id}", tallies=tallied(uses), beats=beats)
        await self._book.add(batch)
        for id_ in dict.fromkeys(use.request for use in uses if self._must_be_looked_at(use)):
            await self._jobs.owe(JobId(MISUSE, id_), payload=batch.id)
        return Taken(recorded=len(uses), unknown=len(report.uses) - len(uses))

    def _must_be_looked_at(self, use: Use) -> bool:
        return self._addresses.is_new(use) or use.outcome is not UseOutcome.ALLOWED

    async def _believed(self, report: Report, point: str, caller: Client) -> list[Use]:
        ids = {request_of_token(each.jti) for each in report.uses}
        known = sorted(id_ for id_ in ids if is_request_id(id_))
        requests, _ = await self._ledger.load_all(known, ())
        by_id = {request.id: request for request in requests if request is not None}
        uses = []
        for each in report.uses:
            request = by_id.get(request_of_token(each.jti))
            if request is not None and _is_for(request, each.jti, caller):
                uses.append(_use(each, request.id, request, point))
        return uses


def _is_for(request: Request, jti: str, caller: Client) -> bool:
    tokens = request.grant.tokens if request.grant is not None else ()
    return any(token.jti == jti and token.audience in caller.resources for token in tokens)


def _use(each: Reported, id_: RequestId, request: Request, point: str) -> Use:
    use = Use(
        request=id_,
        jti=each.jti,
        scopes=each.scopes,
        resource=request.asked.resource,
        outcome=each.outcome,
        point=point,
        address=each.address,
        at=each.at,
        count=each.count,
    )
    granted = {text.scope for text in request.asked.scopes}
    # Whatever let it through: what was not granted was not allowed.
    if use.outcome is UseOutcome.ALLOWED and not set(use.scopes) <= granted:
        return replace(use, outcome=UseOutcome.BEYOND)
    return use
