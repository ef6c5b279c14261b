"""The job `show:<request>`: make Slack match what is stored."""

from collections.abc import Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from bot.core.errors import NotFound
from bot.core.policy import Policy
from bot.core.request import Request, replay
from bot.usecases.gate import Gate
from bot.usecases.ports import Clock, Found, Job, Ledger, Messenger, Receipt, Receipts, Story
from bot.usecases.requests import Requests
from bot.usecases.tokens import Mint

# A holder renews its lease while it works, so a dead one's work is taken over this soon.
LEASE: Final = timedelta(seconds=3)
# Nobody tells us that somebody else is on call now, or that a service is back.
LOOK_AGAIN: Final = timedelta(minutes=1)
LOOK_AGAIN_UNKNOWN: Final = timedelta(seconds=10)


def token_message(number: int) -> str:
    """Return the receipt's name of the message that carries a grant's token `number` (from 1)."""
    return f"token:{number}"


class Shows:
    """Carries out show jobs.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(
        self,
        requests: Requests,
        messenger: Messenger,
        gate: Gate,
        *,
        policy: Callable[[], Policy],
        ledger: Ledger,
        receipts: Receipts,
        mint: Mint,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._messenger = messenger
        self._gate = gate
        self._policy = policy
        self._ledger = ledger
        self._receipts = receipts
        self._mint = mint
        self._clock = clock

    async def __call__(self, job: Job) -> timedelta | None:
        """Show the request of `job`; returns early when the job was taken over.

        Returns how long what is shown is good, None if it is until something happens.

        Raises:
            Unavailable, Busy: Slack or the store did not answer; what was shown has its receipt.
        """
        story = await self._story(job)
        receipts = await self._receipts.of(job.id.request)
        for receipt in receipts.values():
            await self._deliver(story.request, receipt)  # a process may have died before this
        async with aclosing(self._messenger.show(story, receipts)) as shown:
            async for receipt in shown:
                if not await self._receipts.keep(job, receipt, lease=LEASE):
                    return None
                # At once: what is still to be shown may have to wait for long.
                await self._deliver(story.request, receipt)
        return _good_for(story.found)

    async def _deliver(self, request: Request, receipt: Receipt) -> None:
        """Record that the newest token has reached the requester, if `receipt` says so."""
        grant = request.working_grant
        if grant is None or grant.delivered_at is not None or not receipt.digest:
            return
        if receipt.name == token_message(len(grant.tokens)):
            await self._requests.deliver(request.id, grant.token.jti)

    async def _story(self, job: Job) -> Story:
        history = await self._ledger.history(job.id.request)
        if not history:
            raise NotFound(f"there is no request {job.id.request} to show")
        # Not the snapshot: another commit may lie between two reads.
        request = replay(history)
        return Story(
            request=request,
            history=history,
            token=self._readable_token(request),
            now=self._clock.now(),
            found=await self._gate.found(request),
        )

    def _readable_token(self, request: Request) -> str | None:
        grant = request.working_grant
        if grant is None or not request.token_is_readable or not self._mint.knows(grant.token):
            return None
        return self._mint.token(grant.token)


def _good_for(found: Found) -> timedelta | None:
    if not found:
        return None
    return LOOK_AGAIN_UNKNOWN if None in found.values() else LOOK_AGAIN
