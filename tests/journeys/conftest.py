import shutil
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path

import pytest

from bot.keyring import make_key
from tests.journeys.policies import FILES
from tests.journeys.town import Town, a_town
from tests.logs import logged

_TOP = 'version: 1\nadmin_channel: "#general"\n'


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Policies, and a key: it takes a while to make."""
    folder = tmp_path_factory.mktemp("journeys")
    (folder / "policies").mkdir()
    for name, text in FILES.items():
        (folder / "policies" / name).write_text(text, "utf-8")
    make_key(folder / "keys", name="first")
    return folder


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A folder of one's own, with an admin channel."""
    shutil.copytree(folder, tmp_path / "own")
    (tmp_path / "own" / "policies" / "top.yaml").write_text(_TOP)
    return tmp_path / "own"


@pytest.fixture(params=["http", "socket"])
async def town(request, redis, redis_url, folder) -> AsyncIterator[Town]:
    """One bot, told over HTTP and then over Socket Mode."""
    async with a_town(redis_url, folder, transport=request.param) as running:
        yield running


@pytest.fixture
async def web_town(redis, redis_url, folder) -> AsyncIterator[Town]:
    """One bot, told over HTTP."""
    async with a_town(redis_url, folder) as running:
        yield running


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[StringIO]:
    """What is logged at debug level, as `jit serve` writes it; shown where a test fails."""
    with logged() as stream:
        yield stream
