"""The guard is a guest in other people's services: small, and alone."""

import logging
import subprocess
import sys
from pathlib import Path

from bot.guard import Guard
from tests.guard.test_guard import FORGERIES, GOOD, admitted, outcome

FOLDER = Path(__file__).parents[2] / "bot" / "guard"


def test_it_has_under_400_lines() -> None:
    files = list(FOLDER.rglob("*.py"))
    assert len(files) > 4
    assert sum(len(file.read_text("utf-8").splitlines()) for file in files) < 400


def test_it_brings_nothing_else_along() -> None:
    script = (
        "import sys, bot.guard, bot.guard.aiohttp\n"
        "ours = {name for name in sys.modules if name.startswith('bot.')}\n"
        "assert all(name.startswith('bot.guard') for name in ours), ours\n"
        "heavy = {'pydantic', 'redis', 'slack_sdk', 'yaml', 'structlog', 'starlette', 'fastapi'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    root = FOLDER.parents[1]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)


async def test_no_token_and_no_secret_gets_into_the_log(issuer, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "canary-secret"
    issuer.broken["/v1/usage"] = 500
    async with Guard(**issuer.options(client_secret=secret)) as guard:
        for token in (GOOD, *FORGERIES.values()):
            await outcome(guard, token, "no:such")
        await admitted(guard, f"Bearer {GOOD}", f"Bearer {GOOD}")
        await admitted(guard, query=f"access_token={GOOD}")
        issuer.broken["/v1/revocations"] = 500
    assert "eyJ" not in caplog.text
    assert secret not in caplog.text
    assert "the issuer cannot be asked" in caplog.text
