"""The page for owners of APIs behind nginx: what it shows is what happens."""

import asyncio
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.gateways.gate import FILES, Gate
from tests.journeys.town import DIRECT, JWT, granted

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api-behind-nginx.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def printed(command: str, *, at: str, token: str) -> str:
    """Return what a command of the page prints, with the gateway at `at`."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", command.replace("https://billing.example", at)),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "TOKEN": token},
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    return said.decode().replace("\r", "").strip()


@pytest.mark.system
@pytest.mark.parametrize("gate", ["nginx"], indirect=True)
async def test_its_commands_print_what_it_says(town, gate: Gate):
    anna, ben = town.people("Anna", "Ben")
    _, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    steps = [
        (command, wanted)
        for (kind, command), (then, wanted) in pairwise(BLOCKS)
        if (kind, then) == ("sh", "text")
    ]
    assert len(steps) == sum(kind == "sh" for kind, _ in BLOCKS) == 4
    for command, wanted in steps:
        if "until" in command:
            await anna.clicks("end_now", await anna.sees(JWT, channel=DIRECT))
        assert await printed(command, at=gate.url, token=token) == wanted.strip()


def test_the_files_that_it_shows_are_the_shipped_ones():
    shown = {kind: text for kind, text in BLOCKS if kind in ("yaml", "nginx")}
    assert shown["nginx"] in (FILES / "nginx.conf").read_text("utf-8")
    shipped = (ROOT / "policies" / "resources.yaml").read_text("utf-8")
    assert shown["yaml"] in shipped
