"""Every block of docs/script.md and docs/service.md, run as it stands against the demo."""

import asyncio
import os
import re
import sys
from pathlib import Path

import jwt
import pytest

from tests.system.conftest import SECRETS, Demo, program

pytestmark = pytest.mark.system

PAGES = [Path(__file__).parents[2] / "docs" / name for name in ("script.md", "service.md")]
FENCED = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [block for page in PAGES for block in FENCED.findall(page.read_text("utf-8"))]
WORDS = {"sh": ("bash", "-eu", "-c"), "python": (sys.executable, "-c")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_blocks(page):
    assert FENCED.findall(page.read_text("utf-8"))
    assert {language for language, _ in BLOCKS} == set(WORDS)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
async def test_a_block_gets_a_token_as_it_stands(demo: Demo, number: int):
    language, text = BLOCKS[number]
    env = {
        **os.environ,
        "JIT_URL": demo.place.bot,
        "JIT_CLIENT": "ci",
        "JIT_SECRET": SECRETS["ci"],
    }
    running = asyncio.create_task(program(*WORDS[language], text, env=env))
    if "backchannel" in text:
        await demo.approves("deploying build 42")
    token = (await running).strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["client_id"] == "ci"
    in_annas_name = "anna@acme.example" in text
    assert claims["sub"] == ("person:T0DEMO:U0ANNA" if in_annas_name else "ci")
