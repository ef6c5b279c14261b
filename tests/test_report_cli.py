"""`jit report usage`: what is told of grants in the log, and the change that is proposed."""

import asyncio
import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.core import events as e
from bot.core.identity import BOT, RequestId
from bot.core.usage import ScopeUse, Usage
from bot.store.redis import RedisStore
from tests.builders import T0, a_request
from tests.contracts.world import change
from tests.policy_files.folders import RIGHT, put

SCOPES = ("invoices:read", "refunds:read")


def a_usage(*, used=("invoices:read",), watched=True):
    return Usage(
        scopes=tuple(
            ScopeUse(scope=scope, count=2, last=T0) if scope in used else ScopeUse(scope=scope)
            for scope in SCOPES
        ),
        watched=watched,
    )


async def log_of(redis, *usages, bundle="billing-read"):
    """Put grants in the log that were used like that, a day apart, the oldest first."""
    store = RedisStore.on(redis)
    for number, usage in enumerate(usages):
        id_ = RequestId(f"R-{bundle.upper().replace('-', '')[:8]}{number:04}")
        at = T0 + timedelta(days=number)
        event = e.UsageSummed(
            request=id_,
            at=at,
            by=BOT,
            bundle=bundle,
            resource="https://billing.example",
            begun=at,
            usage=usage,
        )
        request = a_request(request=id_)
        await store.ledger.commit(change(id_, request, subject=id_, events=(event,)))


async def jit(*words, url, policies="nowhere"):
    words = ["report", "usage", "--policies", str(policies), *words]
    return await asyncio.to_thread(CliRunner().invoke, main, words, env={"REDIS_URL": url})


async def test_the_report_in_json_tells_each_scope_of_each_bundle(redis, redis_url):
    await log_of(redis, *[a_usage()] * 9, a_usage(watched=False, used=()), a_usage())
    await log_of(redis, a_usage(watched=False, used=()), bundle="other")
    found = await jit("--json", url=redis_url)
    assert found.exit_code == 0
    last = T0.isoformat()
    assert json.loads(found.stdout) == {
        "billing-read": {
            "invoices:read": {
                "used": 10, "grants": 10, "data": True, "last": last, "unused": False
            },
            "refunds:read": {
                "used": 0, "grants": 10, "data": True, "last": None, "unused": True
            },
        },
        "other": {
            scope: {"used": 0, "grants": 0, "data": False, "last": None, "unused": False}
            for scope in SCOPES
        },
    }  # fmt: skip


async def test_the_report_for_people(redis, redis_url):
    await log_of(redis, *[a_usage()] * 10, a_usage(watched=False, used=()))
    await log_of(redis, a_usage(watched=False, used=()), bundle="other")
    found = await jit(url=redis_url)
    assert found.output.splitlines() == [
        "billing-read: 11 grants, 1 without data",
        "  invoices:read  used in 10 of 10 grants, last 2026-03-01",
        "  refunds:read   never used in 10 grants",
        "  could do without refunds:read: see --propose",
        "other: 1 grants, 1 without data",
        "  invoices:read  no data",
        "  refunds:read   no data",
    ]


async def test_one_bundle_fewer_grants_and_a_time_can_be_chosen(redis, redis_url):
    await log_of(redis, a_usage(used=SCOPES), *[a_usage()] * 3)
    await log_of(redis, a_usage(), bundle="other")
    words = ["--bundle", "billing-read", "--json"]

    async def counts(*more):
        found = json.loads((await jit(*words, *more, url=redis_url)).stdout)
        return {name: [each["grants"] for each in told.values()] for name, told in found.items()}

    assert await counts() == {"billing-read": [4, 4]}
    assert await counts("--last", "2") == {"billing-read": [2, 2]}
    assert await counts("--since", "2026-03-03") == {"billing-read": [2, 2]}
    assert await counts("--since", "1m") == {}
    nothing = await jit("--bundle", "none", url=redis_url)
    assert nothing.output == "no grant of none has ended that was summed up\n"


async def test_a_proposal_is_a_patch_of_scopes_that_the_bundle_has_today(
    redis, redis_url, tmp_path
):
    await log_of(redis, *[a_usage()] * 10)
    folder = put(tmp_path, RIGHT)
    found = await jit("--propose", url=redis_url, policies=folder)
    assert found.exit_code == 0
    assert found.stderr == "jit: billing-read could do without refunds:read\n"
    assert found.stdout.splitlines()[:2] == ["--- ./p/bundles.yaml", "+++ ./p/bundles.yaml"]
    changed = [line for line in found.stdout.splitlines()[2:] if line[0] in "+-"]
    assert changed == [
        "-    scopes: [invoices:read, refunds:read]",
        "+    scopes: [invoices:read]",
    ]


async def test_a_bundle_that_is_gone_or_would_be_empty_leads_to_no_patch(
    redis, redis_url, tmp_path
):
    await log_of(redis, *[a_usage(used=())] * 10)
    await log_of(redis, *[a_usage()] * 10, bundle="other")
    found = await jit("--propose", url=redis_url, policies=put(tmp_path, RIGHT))
    assert (found.exit_code, found.stdout) == (0, "")
    assert found.stderr.splitlines() == [
        "jit: nothing would be left of billing-read; take the bundle out by hand",
        "jit: there is nothing to propose",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--propose", "--json"], "a patch is no JSON: choose --propose or --json"),
        (["--since", "yesterday"], "'yesterday' is neither a duration such as 30d nor a date"),
        (["--last", "0"], "0 is not in the range"),
        (["--propose"], "the policy folder nowhere cannot be read"),
    ],
)
async def test_what_is_wrong_is_said(redis, redis_url, words, said):
    found = await jit(*words, url=redis_url)
    assert found.exit_code == 2
    assert said in found.output


async def test_without_a_store_it_says_so():
    found = await jit(url="")
    assert (found.exit_code, "REDIS_URL is not set" in found.output) == (2, True)
