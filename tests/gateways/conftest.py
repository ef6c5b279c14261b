import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import aiohttp
import pytest
import yaml

from bot.keyring import make_key
from tests.gateways import kinds
from tests.gateways.gate import Gate, an_api
from tests.journeys.policies import FILES
from tests.journeys.town import BILLING, Town, a_town
from tests.logs import logged


def declared() -> str:
    """Return what declares the API of the journeys' bundles, with all scopes that these have."""
    bundles = yaml.safe_load(FILES["bundles.yaml"])["bundles"].values()
    scopes = {
        scope for each in bundles if each.get("resource") == BILLING for scope in each["scopes"]
    }
    api = {"title": "Billing", "scopes": {scope: f"Do {scope}" for scope in sorted(scopes)}}
    return yaml.safe_dump({"version": 1, "resources": {BILLING: api}})


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Policies, and a key: it takes a while to make."""
    folder = tmp_path_factory.mktemp("gateways")
    (folder / "policies").mkdir()
    for name, text in {**FILES, "resources.yaml": declared()}.items():
        (folder / "policies" / name).write_text(text, "utf-8")
    make_key(folder / "keys", name="first")
    return folder


@pytest.fixture
async def town(redis, redis_url, folder) -> AsyncIterator[Town]:
    async with a_town(redis_url, folder) as running:
        yield running


@asynccontextmanager
async def a_gate(kind: str, jit: str, folder: Path) -> AsyncIterator[Gate]:
    """Run a gateway of that kind in front of an API, with jit at the URL `jit`."""
    async with (
        an_api() as api,
        getattr(kinds, kind)(folder, jit=jit, api=api.address) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Gate(url=url, session=session, api=api, folder=folder)


@pytest.fixture
def place() -> Iterator[Path]:
    """The folder of a gateway; Apache reads it as somebody else than root."""
    with tempfile.TemporaryDirectory(prefix="jit-gateway-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
async def gate(request, town: Town, place: Path) -> AsyncIterator[Gate]:
    """The gateway whose name is the fixture's parameter."""
    async with a_gate(request.param, town.url, place) as running:
        yield running


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[StringIO]:
    """What the bot logs; shown where a test fails."""
    with logged() as stream:
        yield stream
