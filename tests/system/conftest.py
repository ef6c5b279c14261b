"""The demo, with clients whose secrets are known, and people who click."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.demo import POLICIES, Place, together
from bot.sandbox.client import Acme

DEPLOY = "https://deploy.example"
SECRETS = {"ci": "the secret of the pipeline", "billing-api": "the secret of the API"}


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What `jit demo` runs, and a workspace to click in."""

    place: Place
    acme: Acme

    async def approves(self, reason: str, *, by: str = "Ben") -> None:
        """Let somebody approve the newest card with this reason in it, once it is there."""
        person = self.acme.person(by)
        card = await person.sees(reason, channel="deploy-approvals", timeout_s=60.0)
        assert (await person.clicks("approve", card)).ok


@contextmanager
def changed(path: Path) -> Iterator[Any]:
    """Give what a YAML file holds, and write it again."""
    content: Any = yaml.safe_load(path.read_text("utf-8"))
    yield content
    path.write_text(yaml.safe_dump(content), "utf-8")


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    policies = tmp_path / "policies"
    shutil.copytree(POLICIES, policies)
    with changed(policies / "clients.yaml") as content:
        for name, secret in SECRETS.items():
            hashed = hashlib.sha256(secret.encode()).hexdigest()
            content["clients"][name]["secret_sha256"] = hashed
        content["clients"]["billing-api"]["resources"].append(DEPLOY)
    with changed(policies / "bundles.yaml") as content:
        content["bundles"]["deploy-production"]["resource"] = DEPLOY
    async with (
        together(tmp_path / "demo", policies=policies) as place,
        Acme(place.sandbox) as acme,
    ):
        yield Demo(place=place, acme=acme)


async def program(*words: str, **options: Any) -> str:
    """Return what a program prints; it must end well, in two minutes."""
    running = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **options
    )
    async with asyncio.timeout(120):
        out, err = await running.communicate()
    assert running.returncode == 0, (out.decode(), err.decode())
    return out.decode()
