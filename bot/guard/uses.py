"""What an API tells of the use of tokens: counted in memory, sent in batches."""

import logging
import uuid
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Final

import aiohttp

log = logging.getLogger(__name__)

HELD_AT_MOST: Final = 10_000  # what finds no room is counted, and no more
BATCH: Final = 200
COUNT_AT_MOST: Final = 1_000_000
_FAULT: Final = 500  # such an answer leaves open whether the batch was taken down


class Uses:
    """Calls that were let through or refused, until they are told; equal ones are one entry."""

    def __init__(self, *, point: str, resource: str) -> None:
        self._who = {"point": point, "alive": [resource]}
        self._batch: dict[str, Any] | None = None
        self.held: dict[tuple[str, str, str, str], tuple[int, int]] = {}
        self.dropped = 0

    def note(self, jti: str, scopes: Sequence[str], outcome: str, address: str, at: int) -> None:
        """Take down one call."""
        key = (jti, " ".join(scopes), outcome, address)
        if key not in self.held and len(self.held) >= HELD_AT_MOST:
            self.dropped += 1
        else:
            self.held[key] = (min(self.held.get(key, (0, 0))[0] + 1, COUNT_AT_MOST), at)

    async def send(self, session: aiohttp.ClientSession) -> None:
        """Send a batch of what is held; where that is nothing, that this API is alive.

        What may not have been taken down is sent again the next time, under the same id.
        """
        if self._batch is None:
            taken = {key: self.held.pop(key) for key in list(self.held)[:BATCH]}
            names = ("jti", "scope", "outcome", "address", "count", "at")
            told = [(*key, _ip(address), *seen) for (*key, address), seen in taken.items()]
            uses = [dict(zip(names, each, strict=True)) for each in told]
            self._batch = {"batch": uuid.uuid4().hex, "uses": uses, **self._who}
        async with session.post("v1/usage", json=self._batch, allow_redirects=False) as answer:
            if answer.status >= _FAULT:
                answer.raise_for_status()
            elif not answer.ok:
                log.error("use is not wanted, and lost: %s", answer.status)
        self._batch = None


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""  # one that is none would have the whole batch refused
