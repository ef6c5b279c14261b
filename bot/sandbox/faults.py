"""What goes wrong on demand: errors, rate limits, slow answers and lost connections."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiohttp import web

from bot.sandbox.forms import Json

HTTP_OK: Final = 200
HTTP_TOO_MANY: Final = 429


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with the next `times` calls of `method` ("*": of any)."""

    method: str
    error: str | None = None
    status: int = 200
    retry_after_s: int | None = None
    drop: Literal["before", "after"] | None = None
    delay_s: float = 0
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as it came, and the error that it was answered with."""

    method: str
    args: Json
    error: str | None


@dataclass(slots=True)
class Tape:
    """What is to go wrong, and what was called."""

    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def next_fault(self, method: str) -> Fault | None:
        """Return the fault that this call of `method` meets, and use it up by one."""
        for fault in self.faults:
            if fault.method in {method, "*"} and fault.times > 0:
                fault.times -= 1
                return fault
        return None


async def meet_faults(
    request: web.Request,
    tape: Tape,
    name: str,
    args: Json,
    answer: Callable[[], web.Response],
) -> web.StreamResponse:
    """Return `answer()`, or what the next fault for `name` makes of it."""
    fault = tape.next_fault(name)
    if fault is None:
        return answer()
    await asyncio.sleep(fault.delay_s)
    if fault.drop == "after":
        answer()
        return _hang_up(request)
    if fault.drop == "before":
        tape.calls.append(Call(method=name, args=args, error="dropped"))
        return _hang_up(request)
    if fault.error or fault.status != HTTP_OK or fault.retry_after_s is not None:
        error = fault.error or ("ratelimited" if fault.retry_after_s is not None else "fatal_error")
        tape.calls.append(Call(method=name, args=args, error=error))
        return refusal(error, retry_after_s=fault.retry_after_s, status=fault.status)
    return answer()


def refusal(
    name: str,
    *,
    retry_after_s: int | None = None,
    status: int = HTTP_OK,
    more: Mapping[str, Any] | None = None,
) -> web.Response:
    """Return the answer for a call that is refused; with Retry-After it has status 429."""
    told = {"ok": False, "error": name, **(more or {})}
    if retry_after_s is None:
        return web.json_response(told, status=status)
    headers = {"Retry-After": str(retry_after_s)}
    return web.json_response(told, status=HTTP_TOO_MANY, headers=headers)


def _hang_up(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
