"""Workers: claim due jobs under a lease, handle them, give back what could not be done."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from bot.core.errors import BotError, Busy, Unavailable
from bot.core.identity import RequestId
from bot.usecases.ports import SHOW, Clock, Job, JobId, Jobs, Metrics, Queue
from bot.usecases.shows import LEASE
from bot.usecases.tasks import Tasks

log = structlog.get_logger()

# The longest that a worker sleeps: a timer set by another replica is seen this soon.
NAP_S: Final = 0.5
RENEW_EVERY_S: Final = LEASE.total_seconds() / 3
AT_ONCE: Final = 32
BACKOFF_AT_MOST_S: Final = 60.0

# What a handler returns is how soon the job is owed again; None if it is not.
Handler = Callable[[Job], Awaitable[timedelta | None]]


def backoff(attempt: int) -> timedelta:
    """Return how long to leave a job alone that failed for the `attempt`-th time (from 1)."""
    return timedelta(seconds=min(0.5 * 2.0 ** min(attempt - 1, 10), BACKOFF_AT_MOST_S))


class Worker:
    """Works off one queue.

    Args:
        handlers: By job kind.
    """

    def __init__(
        self,
        queue: Queue,
        jobs: Jobs,
        handlers: Mapping[str, Handler],
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._jobs = jobs
        self._handlers = handlers
        self._clock = clock
        self._metrics = metrics
        self._stopping = asyncio.Event()
        self._nudge = asyncio.Event()
        self._tasks = Tasks()

    async def run(self) -> None:
        """Work until `stop`; then finish what was begun."""
        while not self._stopping.is_set():
            try:
                nap_s = await self._turn()
            except Unavailable as problem:
                log.warning("worker.store_away", queue=self._queue, code=problem.code)
                nap_s = 1.0
            await self._sleep(nap_s)
        await self.drained()

    def stop(self) -> None:
        """Begin no further jobs."""
        self._stopping.set()
        self._nudge.set()

    async def drained(self) -> None:
        """Return when nothing that was begun is unfinished."""
        await self._tasks.drained()

    def soon(self, request: RequestId) -> None:
        """Show `request` at once if nobody else does; a worker will in any case."""
        if not self._stopping.is_set() and len(self._tasks) < AT_ONCE:
            self._tasks.spawn(self._show_now(JobId(SHOW, request)))

    async def _show_now(self, id_: JobId) -> None:
        try:
            claimed = await self._jobs.claim(self._queue, limit=1, lease=LEASE, only=id_)
        except Unavailable:
            return  # the job is stored; whoever works when the store is back will do it
        for job in claimed:
            await self._do(job)

    async def _turn(self) -> float:
        """Begin what is due; return how many seconds to sleep."""
        self._nudge.clear()
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            return NAP_S
        claimed = await self._jobs.claim(self._queue, limit=room, lease=LEASE)
        for job in claimed:
            self._tasks.spawn(self._do(job))
        if claimed:
            return 0.0
        due = await self._jobs.next_due(self._queue)
        if due is None:
            return NAP_S
        return min(max((due - self._clock.now()).total_seconds(), 0.01), NAP_S)

    async def _sleep(self, nap_s: float) -> None:
        try:
            await asyncio.wait_for(self._nudge.wait(), nap_s)
        except TimeoutError:
            return

    async def _do(self, job: Job) -> None:
        late_s = max((job.now - job.due).total_seconds(), 0.0)
        self._metrics.observe("jit_job_lag_seconds", late_s, queue=self._queue)
        handling = asyncio.create_task(self._handled(job))
        holding = asyncio.create_task(self._renew_until_lost(job))
        try:
            await asyncio.wait((handling, holding), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost = not handling.done()
            for task in (handling, holding):
                task.cancel()
            await asyncio.wait((handling, holding))
            self._nudge.set()  # it may be due again already, or have made room
        if lost:
            log.warning("job.lost", job=str(job.id), attempt=job.attempt)
        outcome = "lost" if handling.cancelled() else handling.result()
        self._metrics.count("jit_jobs_total", kind=job.id.kind, outcome=outcome)

    async def _handled(self, job: Job) -> str:
        """Return how it went: done, busy, away or failed."""
        try:
            again = await self._handlers[job.id.kind](job)
            if again is None:
                await self._jobs.finish(job)
            else:
                await self._jobs.postpone(job, delay=again, was_done=True)
        except Busy as problem:
            return await self._give_back(job, "busy", timedelta(seconds=problem.wait_s))
        except Unavailable as problem:
            log.warning("job.put_off", job=str(job.id), attempt=job.attempt, why=str(problem))
            return await self._give_back(job, "away", backoff(job.attempt))
        except Exception:  # whatever it was, the job is owed and must not be lost
            log.exception("job.failed", job=str(job.id), attempt=job.attempt)
            return await self._give_back(job, "failed", backoff(job.attempt))
        return "done"

    async def _give_back(self, job: Job, outcome: str, delay: timedelta) -> str:
        try:
            await self._jobs.postpone(job, delay=delay)
        except BotError as problem:  # its lease ends by itself
            log.warning("job.left_to_lease", job=str(job.id), code=problem.code)
        except Exception:  # as above, but the fault is ours
            log.exception("job.left_to_lease", job=str(job.id))
        return outcome

    async def _renew_until_lost(self, job: Job) -> None:
        """Return when `job` is another's, or may be: whoever handles it must stop then."""
        loop = asyncio.get_running_loop()
        held_until = loop.time() + LEASE.total_seconds()
        while loop.time() < held_until:
            await asyncio.sleep(RENEW_EVERY_S)
            asked_at = loop.time()
            try:
                if not await self._jobs.renew(job, lease=LEASE):
                    return
                held_until = asked_at + LEASE.total_seconds()
            except BotError as problem:
                log.warning("job.not_renewed", job=str(job.id), code=problem.code)
