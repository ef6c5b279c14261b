"""One Redis: how it is asked, how long, and what its failures mean.

* Never reached, or it answered that it cannot: `Unavailable`, nothing was recorded.
* The connection was lost after the command had left: `OutcomeUnknown`.

redis-py's own silent retries are switched off: only here is a command sent again, and only one
that may run twice.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, Final, TypeAlias

from hiredis import pack_command
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import AuthenticationError as WrongPassword
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import TimeoutError as NoAnswer

from bot.core.errors import OutcomeUnknown, Unavailable

Word: TypeAlias = str | bytes | int
Command: TypeAlias = tuple[Word, ...]

# All keys share this hash tag, so every script stays in one slot of a Redis Cluster.
PREFIX: Final = "{jit:0}:"

# How long a command may take in all, every retry included: Slack waits 3 s for an answer
# (https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response).
DEADLINE_S: Final = 2.0
CONNECT_S: Final = 1.0
CONNECTIONS: Final = 20
RETRIES: Final = 3

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Answers that mean "not now": the command was not carried out. Redis 6.2 wraps the answer to a
# command of a script in text of its own, so the text is searched too.
_NOT_NOW: Final = (
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
    WrongPassword,
)
_NOT_NOW_TEXTS: Final = ("BUSY ", "MISCONF ", "NOREPLICAS ", "-OOM ", "-READONLY ")

# By how often at most; they keep no state between calls.
_AGAIN: Final = {
    retries: Retry(
        ExponentialWithJitterBackoff(cap=0.2, base=0.02),
        retries,
        (ConnectionLost, NoAnswer, ReadOnlyError),
    )
    for retries in (0, RETRIES)
}

# Answers that redis-py counts among the broken connections.
_ANSWERS: Final = (ResponseError, BusyLoadingError, WrongPassword)


def connect(url: str) -> Redis:
    """Return a client for a redis://, rediss:// or unix:// URL; it connects at its first command.

    Its own commands wait for their answers as long as it takes; those of `Server` do not.

    Raises:
        ValueError: `url` is of no such form.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=DEADLINE_S,
        socket_connect_timeout=CONNECT_S,
    )
    # What follows relies on these, so no option of the URL changes them. With a time-out of its
    # own, redis-py sends through asyncio.wait_for, which loses cancellations before Python 3.12.
    pool.connection_kwargs |= {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
    }
    return Redis.from_pool(pool)


def milliseconds(length: timedelta) -> int:
    """Return `length` in whole milliseconds, at least one."""
    return max(length // timedelta(milliseconds=1), 1)


def stamp_ms(at: datetime) -> int:
    """Return Unix milliseconds, rounded down: a permission dies early rather than late."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def due_ms(at: datetime) -> int:
    """Return Unix milliseconds, rounded up: nothing is due before its time."""
    return -((_EPOCH - at) // timedelta(milliseconds=1))


def moment(ms: int) -> datetime:
    """Return the time of Unix milliseconds."""
    return _EPOCH + timedelta(milliseconds=ms)


def server_time(seconds: bytes, microseconds: bytes) -> datetime:
    """Return the time that a TIME command answered."""
    return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(microseconds))


def ignore_time(_: datetime) -> None:
    """Follow no clock."""


class Server:
    """Asks one Redis.

    Args:
        redis: From `connect`.
        prefix: Begins every key; must hold a hash tag.
        on_time: Called with the server's time whenever a commit or claim tells it.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str = PREFIX,
        on_time: Callable[[datetime], None] = ignore_time,
    ) -> None:
        self._pool: ConnectionPool = redis.connection_pool
        self._prefix = prefix
        self._scripts: dict[str, tuple[str, bytes]] = {}
        self.on_time = on_time

    def key(self, *parts: str) -> str:
        """Return the key `parts`, joined by ":"."""
        return self._prefix + ":".join(parts)

    async def read(self, *command: Word) -> Any:
        """Return the raw answer (RESP 2) to a command that changes nothing.

        Raises:
            Unavailable: There is none.
        """
        [answer] = await self.read_all([command])
        return answer

    async def read_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the raw answers to `commands`, sent in one go.

        Raises:
            Unavailable: There are none.
        """
        call = _Call(self._pool)
        try:
            return await self._answer(call, lambda: call(*commands)) if commands else []
        except OutcomeUnknown as problem:
            raise Unavailable("the store did not answer") from problem.__cause__

    async def run(self, script: str, *, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """Return the raw answer of lua/`script`.lua, which may run twice.

        Raises:
            Unavailable: Nothing was recorded.
            OutcomeUnknown: It may have run.
        """
        sha, text = self._script(script)
        tail = (len(keys), *keys, *args)
        call = _Call(self._pool)

        async def evaluate() -> Any:
            try:
                return await call(("EVALSHA", sha, *tail))
            except NoScriptError:
                return await call(("EVAL", text, *tail))

        [answer] = await self._answer(call, evaluate)
        return answer

    async def run_once(self, *command: Word) -> Any:
        """Return the raw answer to a command that must not run twice.

        Raises:
            Unavailable, OutcomeUnknown: See `run`.
        """
        call = _Call(self._pool)
        [answer] = await self._answer(call, lambda: call(command), retries=0)
        return answer

    async def _answer(
        self, call: "_Call", ask: Callable[[], Awaitable[list[Any]]], *, retries: int = RETRIES
    ) -> list[Any]:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await _AGAIN[retries].call_with_retry(ask, self._before_retry)
        except (RedisError, TimeoutError) as problem:
            if isinstance(problem, ResponseError) and not _is_not_now(problem):
                raise  # a mistake of ours, not a fault of the server
            if call.lost:
                raise OutcomeUnknown("the store did not answer in time") from problem
            raise Unavailable("the store cannot be used") from problem

    async def _before_retry(self, problem: Exception) -> None:
        if isinstance(problem, ReadOnlyError):
            # What was the master is a replica now: connect anew, wherever the address leads.
            await self._pool.disconnect(inuse_connections=False)

    def _script(self, name: str) -> tuple[str, bytes]:
        if name not in self._scripts:
            text = (files(__package__) / "lua" / f"{name}.lua").read_bytes()
            self._scripts[name] = (hashlib.sha1(text, usedforsecurity=False).hexdigest(), text)
        return self._scripts[name]


class _Call:
    """Sends commands; a connection with an unread answer is not used again (redis-py ends it).

    Attributes:
        lost: Something was sent that was never answered.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self.lost = False

    async def __call__(self, *commands: Command) -> list[Any]:
        """Return the raw answers to `commands`, each sent once."""
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # theirs
        try:
            # redis-py packs in Python, which took a third of a commit's time.
            packed = b"".join(
                pack_command(command)  # type: ignore[arg-type]  # their stub allows one word only
                for command in commands
            )
            await connection.send_packed_command(packed)
            return [await connection.read_response() for _ in commands]
        except _ANSWERS:
            if len(commands) > 1:
                await connection.disconnect(nowait=True)
            raise
        except BaseException:
            self.lost = True
            raise
        finally:
            await self._pool.release(connection)


def _is_not_now(problem: ResponseError) -> bool:
    return isinstance(problem, _NOT_NOW) or any(text in str(problem) for text in _NOT_NOW_TEXTS)
