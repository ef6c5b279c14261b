"""What puts changed files in force, also while they, Slack or the store are not well."""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from bot.core.errors import Busy, Misconfigured, Unavailable
from bot.demo import free_port
from bot.in_force import Held, InForce, Refusal, first_look, last_good
from bot.keyring import make_key
from bot.policy_files import unpack
from bot.reload import Reloader
from bot.store.redis import RedisStore
from bot.telemetry import PrometheusMetrics
from tests.sandbox.parts import BOT_TOKEN, SECRET, a_sandbox

SHIPPED = Path(__file__).parents[1] / "policies"
RESOURCE = "https://jit.example"
OPS = "#security-approvals"
WRONG = "version: 1\nrules:\n  - {id: half"


class Admins:
    """Keeps what is told, in the place of the admin channel."""

    def __init__(self):
        self.told = []
        self.away = None

    async def refused(self, channel, problems, *, stamp, in_force):
        await self._tell("refused", channel, problems[0])

    async def mended(self, *, in_force):
        await self._tell("mended", "", "")

    async def changed(self, channel, found, *, old, new, change):
        await self._tell("changed", channel, found.bundles)

    async def _tell(self, *what):
        if self.away is not None:
            raise self.away
        self.told.append(what)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "policies"
    shutil.copytree(SHIPPED, path)
    return path


@pytest.fixture
def watch(folder, redis):
    return Watch(folder, RedisStore.on(redis).policies)


class Watch:
    def __init__(self, folder, shelf):
        first = first_look(folder, default_resource=RESOURCE)
        assert isinstance(first, InForce), first
        self.held = Held(first)
        self.shelf, self.admins, self.metrics = shelf, Admins(), PrometheusMetrics()
        self.swaps = 0
        self.reloader = Reloader(
            self.held,
            folder,
            default_resource=RESOURCE,
            shelf=shelf,
            admins=self.admins,
            metrics=self.metrics,
            swapped=self.swapped,
        )

    def swapped(self):
        self.swaps += 1

    async def look(self, *, asked=False):
        await self.reloader.look(asked=asked)
        await self.reloader._pay()

    def count(self, outcome):
        return self.metrics.value("jit_policy_reloads_total", outcome=outcome)


def bundles(folder, old, new):
    path = folder / "bundles.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def test_a_half_written_checkout_is_not_taken(watch, folder):
    whole = (folder / "rules.yaml").read_text()
    (folder / "rules.yaml").write_text(WRONG)
    looking = asyncio.create_task(watch.look())
    await asyncio.sleep(0.5)
    (folder / "rules.yaml").write_text(WRONG + ", more")
    await asyncio.sleep(1.0)
    (folder / "rules.yaml").write_text(whole)
    bundles(folder, "Read logs and metrics in staging", "Read logs")
    await looking
    assert (watch.held.now.refusal, watch.swaps) == (None, 1)
    assert [each[0] for each in watch.admins.told] == ["mended", "changed"]
    assert watch.count("refused") == 0


async def test_what_was_judged_is_not_judged_again_until_somebody_asks(watch, folder):
    (folder / "rules.yaml").write_text(WRONG)
    await watch.look()
    refused = watch.held.now.refusal
    await watch.look()
    assert watch.held.now.refusal is refused
    assert watch.count("refused") == 1
    assert watch.metrics.value("jit_policy_problems") == len(refused.problems)
    await watch.look(asked=True)
    assert watch.count("refused") == 2
    assert watch.swaps == 0


async def test_a_look_at_what_is_in_force_changes_nothing(watch):
    before = watch.held.now.loaded
    await watch.look(asked=True)
    assert watch.held.now.loaded is before
    assert (watch.count("unchanged"), watch.swaps) == (1, 0)


async def test_what_cannot_be_told_is_told_later_and_in_order(watch, folder):
    watch.admins.away = Busy("Slack asks to wait", wait_s=1)
    (folder / "rules.yaml").write_text(WRONG)
    await watch.look()
    shutil.copy(SHIPPED / "rules.yaml", folder / "rules.yaml")
    bundles(folder, "Read logs and metrics in staging", "Read logs")
    await watch.look()
    assert watch.admins.told == []
    assert watch.swaps == 1
    watch.admins.away = None
    await watch.look()
    assert [each[0] for each in watch.admins.told] == ["refused", "mended", "changed"]
    assert watch.admins.told[-1] == ("changed", OPS, ("staging-logs",))


async def test_a_folder_that_is_gone_is_refused_and_mended_when_it_is_back(watch, folder):
    folder.rename(folder.parent / "away")
    await watch.look()
    assert "cannot be read" in watch.held.now.warnings[0]
    (folder.parent / "away").rename(folder)
    await watch.look()
    assert watch.held.now.warnings == ()
    assert watch.metrics.value("jit_policy_problems") == 0


async def test_an_admin_channel_that_is_broken_with_the_files_is_told_where_it_was(watch, folder):
    bundles(folder, f'admin_channel: "{OPS}"', "admin_channel: ops")
    await watch.look()
    assert watch.admins.told[-1][:2] == ("refused", OPS)


async def test_the_good_files_are_kept_and_only_they(watch, folder, redis):
    running = asyncio.create_task(watch.reloader.run(asyncio.Event()))
    async with asyncio.timeout(5):
        while (kept := await watch.shelf.good()) is None:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)
    running.cancel()
    assert unpack(kept).stamp == watch.held.now.folder.stamp
    (folder / "rules.yaml").write_text(WRONG)
    await watch.look()
    assert await watch.shelf.good() == kept


async def test_the_last_good_files_are_judged_too_and_must_be_there(watch, folder, redis):
    refusal = Refusal(stamp="x", problems=("rules.yaml: wrong",))
    for kept in (None, b"damaged"):
        if kept is not None:
            await watch.shelf.keep_good(kept)
        with pytest.raises(Misconfigured, match=r"^rules\.yaml: wrong$"):
            await last_good(watch.shelf, refusal, default_resource=RESOURCE)


async def test_a_store_that_is_away_keeps_no_good_files_from_coming_into_force(watch, folder):
    class Away:
        async def keep_good(self, packed):
            raise Unavailable("the store did not answer")

    watch.reloader._shelf = Away()
    bundles(folder, "Read logs and metrics in staging", "Read logs")
    await watch.look()
    assert watch.swaps == 1
    assert watch.admins.told == []
    watch.reloader._shelf = watch.shelf
    await watch.look()
    assert watch.admins.told[-1][0] == "changed"
    assert await watch.shelf.good() is not None


async def test_sighup_has_the_files_read_and_sigterm_still_ends_it(folder, redis, redis_url):
    (folder.parent / "keys").mkdir()
    make_key(folder.parent / "keys", name="first")
    async with a_sandbox() as sandbox:
        env = {
            **os.environ,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": sandbox.api_url,
            "REDIS_URL": redis_url,
            "JIT_KEYS": str(folder.parent / "keys"),
            "JIT_ISSUER": RESOURCE,
            "JIT_POLICIES": str(folder),
            "JIT_TICKET_URL": "https://desk.example/{ticket}",
            "JIT_ON_CALL_URL": "https://rota.example/{schedule}",
            "HOST": "127.0.0.1",
            "PORT": str(free_port()),
        }
        serving = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from bot.cli import main; main(['serve'])"),
            env=env,
            stderr=asyncio.subprocess.PIPE,
        )
        await said(serving, "bot.started")
        serving.send_signal(signal.SIGHUP)
        assert (await said(serving, "policy.unchanged"))["digest"]
        (folder / "rules.yaml").write_text(WRONG)
        serving.send_signal(signal.SIGHUP)
        assert (await said(serving, "policy.refused"))["problems"]
        serving.terminate()
        await serving.communicate()
        assert serving.returncode == 0


async def said(serving, event):
    """Return the line of the log that tells `event`."""
    async with asyncio.timeout(30):
        while line := await serving.stderr.readline():
            told = json.loads(line)
            if told["event"] == event:
                return told
    raise AssertionError(f"it ended without {event}")
