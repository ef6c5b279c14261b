"""Jobs and Receipts in Redis.

Keys, each behind the prefix (`Server.key`):

* due:s, due:m   zset of jobs by when they may be claimed: due, or at the end of lease or delay
* job            hash: job to "due in ms|payload"
* lease          hash: job to "fence:attempts"; fence 0 is nobody
* fence          counter of claims
* fx:<request>   hash: name to receipt
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.core.identity import RequestId
from bot.store.records import read_record, write_record
from bot.store.redis_server import Server, Word, milliseconds, moment, server_time
from bot.usecases.ports import QUEUE_OF, Job, JobId, Queue, Receipt

# A script blocks the server; claiming a hundred jobs takes it about 0.4 ms.
AT_ONCE_AT_MOST: Final = 500


class RedisJobs:
    """Jobs in Redis; claiming is one script under the server's clock."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def claim(
        self, queue: Queue, *, limit: int, lease: timedelta, only: JobId | None = None
    ) -> Sequence[Job]:
        """See `Jobs.claim`."""
        key = self._server.key
        seconds, microseconds, fence, *claimed = await self._server.run(
            "claim",
            keys=[key("due", queue), key("job"), key("lease"), key("fence")],
            args=[min(limit, AT_ONCE_AT_MOST), milliseconds(lease), str(only or "")],
        )
        now = server_time(seconds, microseconds)
        self._server.on_time(now)
        jobs = []
        for id_, owed, attempt in zip(*[iter(claimed)] * 3, strict=True):
            due, _, payload = owed.decode().partition("|")
            jobs.append(
                Job(
                    id=_job_id(id_),
                    fence=fence,
                    payload=payload,
                    attempt=attempt,
                    now=now,
                    due=moment(int(due)),
                )
            )
        return jobs

    async def owe(self, id_: JobId, *, payload: str) -> None:
        """See `Jobs.owe`."""
        key = self._server.key
        keys = [key("due", QUEUE_OF[id_.kind]), key("job")]
        await self._server.run("owe", keys=keys, args=[str(id_), payload])

    async def next_due(self, queue: Queue) -> datetime | None:
        """See `Jobs.next_due`."""
        key = self._server.key("due", queue)
        first = await self._server.read("ZRANGE", key, 0, 0, "WITHSCORES")
        return moment(int(float(first[1]))) if first else None

    async def renew(self, job: Job, *, lease: timedelta) -> bool:
        """See `Jobs.renew`."""
        return await _as_holder(self._server, "renew", job, ["lease"], milliseconds(lease))

    async def finish(self, job: Job) -> bool:
        """See `Jobs.finish`."""
        return await _as_holder(self._server, "finish", job, ["job", "lease"], job.payload)

    async def postpone(self, job: Job, *, delay: timedelta, was_done: bool = False) -> bool:
        """See `Jobs.postpone`; what was set anew meanwhile is due as it was set."""
        args = (job.payload, milliseconds(delay), int(was_done))
        return await _as_holder(self._server, "postpone", job, ["job", "lease"], *args)


class RedisReceipts:
    """Receipts in Redis; keeping one is one script with the check of the lease."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def of(self, id_: RequestId) -> Mapping[str, Receipt]:
        """See `Receipts.of`."""
        flat = await self._server.read("HGETALL", self._server.key("fx", id_))
        receipts = [read_record(Receipt, stored) for stored in flat[1::2]]
        return {receipt.name: receipt for receipt in receipts}

    async def keep(self, job: Job, receipt: Receipt, *, lease: timedelta) -> bool:
        """See `Receipts.keep`."""
        args = (milliseconds(lease), receipt.name, write_record(receipt))
        keys = ["lease", f"fx:{job.id.request}", f"req:{job.id.request}"]
        return await _as_holder(self._server, "keep", job, keys, *args)


def _job_id(written: bytes) -> JobId:
    kind, _, request = written.decode().partition(":")
    return JobId(kind, RequestId(request))


async def _as_holder(
    server: Server, script: str, job: Job, keys: Sequence[str], *args: Word
) -> bool:
    """Return whether `job` was still its holder's when the script ran."""
    queue = server.key("due", QUEUE_OF[job.id.kind])
    answer = await server.run(
        script,
        keys=[queue, *(server.key(name) for name in keys)],
        args=[str(job.id), job.fence, *args],
    )
    return bool(answer)
