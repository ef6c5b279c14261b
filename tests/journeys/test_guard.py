"""The page docs/guard.md, as it stands, against the real bot: people click, an API obeys."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import ClientSession

from tests.guard.issuer import listening
from tests.journeys.policies import SECRET
from tests.journeys.test_use import SUMMED_S
from tests.journeys.town import DIRECT, ISSUER, Town, granted, told

PAGE = (Path(__file__).parents[2] / "docs" / "guard.md").read_text("utf-8")
FASTAPI, MIDDLEWARE, AIOHTTP = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NO_TOKEN, NO_SCOPE, ENDED = re.findall(r"```http\n(.*?)```", PAGE, re.DOTALL)


def settings(town: Town) -> dict[str, str]:
    return {"JIT_ISSUER": ISSUER, "JIT_URL": town.url, "JIT_SECRET": SECRET}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, web_town: Town) -> None:
    for name, value in settings(web_town).items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def uvicorn(town: Town, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run the page's FastAPI application as it says, in a process of its own."""
    (folder / "bills.py").write_text(FASTAPI, "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "bills:app", "--port", str(port)]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, **settings(town), "PYTHONPATH": root}
    process = subprocess.Popen(command, cwd=folder, env=environment)  # noqa: ASYNC220  # it is quick
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as api:
            async with asyncio.timeout(20):
                while not await listens(api):  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(0.1)
            yield api
    finally:
        process.terminate()
        assert process.wait(10) in (0, -15)  # it is asked to end


async def listens(api: httpx.AsyncClient) -> bool:
    try:
        return (await api.get("/bills")).status_code == 401
    except httpx.TransportError:
        return False


async def answers(api: httpx.AsyncClient, told: str, token: str) -> bool:
    """Return whether `api` answers as the page tells."""
    call, status, challenge = told.strip().splitlines()
    method, path = call.split()[:2]
    headers = {"Authorization": f"Bearer {token}"} if "with a token" in call else {}
    answer = await api.request(method, path, headers=headers)
    said = f"WWW-Authenticate: {answer.headers.get('WWW-Authenticate')}"
    return (str(answer.status_code), said) == (status, challenge)


async def test_the_fastapi_application_of_the_page_obeys_the_clicks(web_town, tmp_path) -> None:
    anna, ben = web_town.people("Anna", "Ben")
    async with uvicorn(web_town, tmp_path) as api:
        assert await answers(api, NO_TOKEN, "")
        _, token = await granted(anna, "read", "to look at bill 4711", by=ben)
        answer = await api.get("/bills", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["bills"]) == (200, [4711])
        assert "U0ANNA" in answer.json()["for"]
        assert await answers(api, NO_SCOPE, token)
        assert not await answers(api, ENDED, token)
        assert (await anna.clicks("end_now", await anna.sees(token, channel=DIRECT))).ok
        async with asyncio.timeout(3):
            while not await answers(api, ENDED, token):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.05)


async def test_what_the_api_saw_is_told_in_the_thread(web_town, tmp_path) -> None:
    anna, ben = web_town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    headers = {"Authorization": f"Bearer {token}"}
    async with uvicorn(web_town, tmp_path) as api:
        for _ in range(3):
            assert (await api.get("/bills", headers=headers)).status_code == 200
        assert await answers(api, NO_SCOPE, token)
        await told(ben, card, "tried for `invoices:write`*, which it does not allow")
        assert (await anna.clicks("end_now", await anna.sees(token, channel=DIRECT))).ok
        await told(
            ben,
            card,
            "*Used*: `invoices:read` 3 times; *never used*: `refunds:read`, `customers:read`",
            timeout_s=SUMMED_S,
        )
        async with asyncio.timeout(3):
            while not await answers(api, ENDED, token):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.05)
        await told(ben, card, "tried after its end* for `invoices:read`")


@pytest.mark.usefixtures("environment")
async def test_the_aiohttp_application_of_the_page_obeys_the_clicks(web_town) -> None:
    anna, ben = web_town.people("Anna", "Ben")
    page: dict[str, Any] = {}
    exec(AIOHTTP, page)  # it is our own page
    _, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    headers = {"Authorization": f"Bearer {token}"}
    async with listening(page["app"]) as url, ClientSession(url) as api:
        async with api.get("/bills") as answer:
            assert answer.status == 401
        async with api.get("/bills", headers=headers) as answer:
            assert (await answer.json())["bills"] == [4711]
        await web_town.revokes(token)
        async with asyncio.timeout(3):
            while True:
                async with api.get("/bills", headers=headers) as answer:
                    if answer.status == 401:
                        break
                await asyncio.sleep(0.05)


@pytest.mark.usefixtures("environment")
async def test_the_middleware_of_the_page_decides_by_method_and_path(web_town) -> None:
    anna, ben = web_town.people("Anna", "Ben")
    page: dict[str, Any] = {}
    exec(FASTAPI + MIDDLEWARE, page)  # it is our own page
    _, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(page["app"])
    async with (
        page["guard"],
        httpx.AsyncClient(transport=transport, base_url="https://billing.example") as api,
    ):
        calls = {
            ("GET", "/healthz"): 404,
            ("GET", "/bills"): 200,
            ("GET", "/nowhere"): 404,
            ("DELETE", "/bills/4711"): 403,
        }
        for (method, path), status in calls.items():
            answer = await api.request(method, path, headers=headers)
            assert (path, answer.status_code) == (path, status)
        assert (await api.get("/nowhere")).status_code == 401
        assert (await api.get("/healthz")).status_code == 404
