"""`jit policy replay` and `jit log export`, on a log that the real store holds."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.core.scopes import ScopeText
from bot.policy_files import load_policies
from bot.store.records import write_event
from tests.builders import requested
from tests.usecases.bots import ANNA, FINN, on_redis

FILES = """\
version: 1
groups:
  engineers: {usergroup: S0ENGINEERS}
  staff: {usergroup: S0STAFF}
  leads: {users: [U0BEN, U0CLEO]}
chains:
  one: {stages: [{name: lead, approvers: [leads]}]}
  two: {stages: [{name: lead, approvers: [leads], quorum: 2}]}
  anybody: {stages: [{name: lead, approvers: [leads, engineers]}]}
bundles:
  logs:
    title: Read logs
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: leads
    channel: "#access"
    max_duration: 1h
    default_duration: 30m
  read:
    title: Read billing
    scopes: [invoices:read, refunds:read]
    environment: production
    access: read
    risk: medium
    owner: leads
    channel: "#access"
    max_duration: 1h
    default_duration: 30m
rules:
  - {id: at-once, bundles: {name: [logs]}, requesters: [engineers], decision: auto_approve}
  - {id: by-one, bundles: {name: [read]}, requesters: [engineers], decision: require, chain: one}
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "all.yaml").write_text(FILES)
    return folder


def changed(tmp_path, *changes):
    """Return another folder, with FILES changed."""
    text = FILES
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    other = tmp_path / "other"
    other.mkdir(exist_ok=True)
    (other / "all.yaml").write_text(text)
    return other


async def jit(*words, url=""):
    env = {"REDIS_URL": url}
    return await asyncio.to_thread(CliRunner().invoke, main, list(map(str, words)), env=env)


@pytest.fixture
async def ids(redis, folder):
    """Who asked for what: ids of the requests by what became of them."""
    policy = load_policies(folder, default_resource="https://jit.example").policy
    bot = on_redis(redis, policy=policy)
    bot.directory.usergroups["S0ENGINEERS"] = frozenset({ANNA.id})
    return {
        "auto": (await bot.ask("logs")).id,
        "asked": (await bot.ask("read")).id,
        "denied": (await bot.ask("read", by=FINN)).id,
    }


async def test_the_same_policy_decides_as_it_did(ids, folder, redis_url):
    found = await jit("policy", "replay", "--against", folder, url=redis_url)
    assert found.output == "0 looser, 0 stricter, 3 the same, 0 cannot be replayed\n"
    assert found.exit_code == 0


async def test_what_becomes_stricter_is_told_and_passes(ids, tmp_path, redis_url):
    other = changed(
        tmp_path,
        ("decision: auto_approve", "decision: require, chain: one"),
        ("chain: one}", "chain: two}"),
    )
    found = await jit("policy", "replay", "--against", other, url=redis_url)
    told = found.output.splitlines()
    assert found.exit_code == 0
    assert told[0] == (
        f"STRICTER {ids['auto']} U0ANNA logs 30m: auto_approve by at-once -> require(2) by at-once"
    )
    assert told[1].endswith("read 30m: require(1) by by-one -> require(2) by by-one")
    assert told[-1] == "0 looser, 2 stricter, 1 the same, 0 cannot be replayed"


async def test_what_becomes_looser_is_told_and_fails(ids, tmp_path, redis_url):
    other = changed(tmp_path, ("decision: require, chain: one", "decision: auto_approve"))
    found = await jit("policy", "replay", "--against", other, url=redis_url)
    assert found.exit_code == 1
    assert found.output.splitlines()[0] == (
        f"LOOSER   {ids['asked']} U0ANNA read 30m: require(1) by by-one -> auto_approve by by-one"
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        # As many people, but others too.
        (("chain: one}\n", "chain: anybody}\n"), "LOOSER"),
        # Whoever was denied is in a list now.
        (("engineers: {usergroup: S0ENGINEERS}", "engineers: {users: [U0ANNA, U0FINN]}"), "LOOSER"),
        # A scope that was asked for is gone.
        (("scopes: [logs:read]", "scopes: [logs:write]"), "STRICTER"),
    ],
)
async def test_other_people_and_scopes_count_too(ids, tmp_path, redis_url, change, what):
    found = await jit("policy", "replay", "--against", changed(tmp_path, change), url=redis_url)
    assert found.output.splitlines()[0].startswith(what)
    assert found.exit_code == (what == "LOOSER")


async def test_what_was_not_looked_up_then_is_counted_and_named(ids, tmp_path, redis_url):
    other = changed(
        tmp_path,
        ("requesters: [engineers], decision: require", "requesters: [staff], decision: require"),
    )
    found = await jit("policy", "replay", "--against", other, url=redis_url)
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        "0 looser, 0 stricter, 1 the same, 2 cannot be replayed",
        "  2: who was in staff was not looked up then",
    ]


async def test_two_folders_are_compared_on_what_the_log_exports(ids, folder, tmp_path, redis_url):
    exported = await jit("log", "export", url=redis_url)
    assert exported.exit_code == 0
    assert len(exported.output.splitlines()) > 5
    assert "eyJ" not in exported.output
    old_record = write_event(requested(bundle="logs", scopes=(ScopeText("logs:read"),))).decode()
    (tmp_path / "log.jsonl").write_text(f"{exported.output}\n{old_record}\n")
    other = changed(tmp_path, ("decision: require, chain: one", "decision: auto_approve"))
    words = ("policy", "replay", other, "--against", folder, "--requests", tmp_path / "log.jsonl")
    found = await jit(*words, "--json")
    assert found.exit_code == 0
    told = json.loads(found.output)
    assert told["counts"] == {"looser": 0, "stricter": 1, "same": 2, "unknown": 1}
    stricter, unknown = told["requests"]
    assert (stricter["request"], stricter["then"]) == (ids["asked"], "auto_approve by by-one")
    assert (stricter["now"], stricter["shift"]) == ("require(1) by by-one", "stricter")
    assert unknown["why"] == "it was recorded before facts were kept"


async def test_break_glass_is_told_as_such(redis, folder, tmp_path, redis_url):
    end = "    default_duration: 30m\nrules:"
    glass = (
        "    break_glass: {who: [engineers], max_duration: 15m, notify: ['#alarm'],"
        " review_by: [leads], review_within: 4h}\n"
    )
    broken = changed(
        tmp_path,
        (end, end.replace("rules:", f"{glass}rules:")),
        ("decision: require, chain: one", "decision: deny"),
    )
    policy = load_policies(broken, default_resource="https://jit.example").policy
    bot = on_redis(redis, policy=policy)
    bot.directory.usergroups["S0ENGINEERS"] = frozenset({ANNA.id})
    why = "production is down and nobody answers"
    request = await bot.break_glass("read", reason=why)
    assert request.working_grant is not None
    found = await jit("policy", "replay", "--against", broken, url=redis_url)
    assert found.output == "0 looser, 0 stricter, 1 the same, 0 cannot be replayed\n"
    found = await jit("policy", "replay", "--against", folder, url=redis_url)
    assert found.output.splitlines()[0] == (
        f"STRICTER {request.id} U0ANNA read 15m: break_glass -> deny"
        " (read cannot be had by break-glass)"
    )


async def test_what_is_broken_is_told_with_a_code_of_its_own(folder, tmp_path):
    other = changed(tmp_path, ("chain: one}", "chain: onee}"))
    found = await jit("policy", "replay", "--against", other)
    assert found.exit_code == 2
    assert "there is no chain 'onee' (did you mean 'one'?)" in found.output
    found = await jit("policy", "replay", "--against", folder)
    assert (found.exit_code, "REDIS_URL is not set" in found.output) == (2, True)
    found = await jit("policy", "replay", "--against", folder, url="http://:secret@x")
    assert (found.exit_code, "secret" in found.output) == (2, False)
    (tmp_path / "log.jsonl").write_text("{}\n")
    for name, why in (("log.jsonl", "cannot be read"), ("none.jsonl", "cannot be read")):
        words = ("--against", folder, "--requests", tmp_path / name)
        found = await jit("policy", "replay", *words)
        assert found.exit_code == 2
        assert why in found.output or "no kind" in found.output


async def test_what_audit_mode_would_have_done_is_counted(ids, tmp_path, redis_url):
    audited = """\
guardrails:
  - {id: never, bundles: {name: [logs]}, deny: true, mode: audit}
  - {id: by-staff, bundles: {}, requesters: [staff], deny: true, mode: audit}
rules:
  - {id: tried-out, bundles: {name: [read]}, requesters: [engineers], decision: deny, mode: audit}
"""
    other = changed(tmp_path, ("rules:\n", audited))
    found = await jit("policy", "replay", "--against", other, url=redis_url)
    # Who was in `staff` was not looked up then, so only those that do not need it are told.
    assert found.output == "0 looser, 0 stricter, 3 the same, 0 cannot be replayed\n"
    other = changed(tmp_path, ("rules:\n", audited.replace("[staff]", "[engineers]")))
    found = await jit("policy", "replay", "--against", other, url=redis_url)
    assert found.output.splitlines()[1:] == [
        "  2: guardrail by-staff (audit) would have denied it",
        "  1: guardrail never (audit) would have denied it",
        "  1: rule tried-out (audit) would have said deny",
    ]
    assert found.exit_code == 0
    found = await jit("policy", "replay", "--against", other, "--json", url=redis_url)
    assert json.loads(found.output)["audit_mode"] == {
        "guardrail by-staff (audit) would have denied it": 2,
        "guardrail never (audit) would have denied it": 1,
        "rule tried-out (audit) would have said deny": 1,
    }
