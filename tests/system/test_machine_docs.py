"""Every block of docs/machines.md, run as it stands against the demo."""

import asyncio
import os
import re
import sys
from pathlib import Path

import jwt
import pytest

from tests.system.conftest import SECRETS, Demo, program

pytestmark = pytest.mark.system

PAGE = (Path(__file__).parents[2] / "docs" / "machines.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
WORDS = {"sh": ("bash", "-eu", "-c"), "python": (sys.executable, "-c")}


def test_the_page_has_blocks_of_both_kinds():
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
