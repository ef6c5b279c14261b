"""`jit request show`: whether a reviewer can answer for a grant."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.core.conditions import compile_condition
from bot.core.errors import WrongState
from bot.core.identity import grant_id
from bot.core.machine import Machine
from bot.core.moves import Approve, Narrow, RaiseConcern, Revoke, SignOff
from bot.core.policy import Audited, Guardrail, Selector, Verdict
from bot.request_tables import request_json, request_lines
from bot.store.redis_server import PREFIX
from bot.usecases.absences import Plan
from tests.builders import requested
from tests.usecases.bots import (
    ANNA,
    BEN,
    BY_LEAD,
    CLEO,
    DAN,
    EVA,
    FINN,
    GUARD,
    LEAD,
    SHELF,
    a_bundle,
    a_policy,
    a_rule,
    on_redis,
)


async def jit(*words, url):
    env = {"REDIS_URL": url}
    words = ["request", *words]
    return await asyncio.to_thread(CliRunner().invoke, main, words, env=env)


@pytest.fixture
async def bot(redis):
    return on_redis(redis)


async def story(bot):
    """Anna asks; Ben agrees to less, Dan to that, Eva too; Anna ends it."""
    request = await bot.ask("careful", reason="incident number 7", ticket="INC-7")
    less = Narrow("", ("invoices:read",), request.asked.duration)
    await bot.move(request, less, by=BEN)
    await bot.move(request, Approve(), by=DAN)
    granted = (await bot.move(request, Approve(), by=EVA)).request
    return (await bot.move(granted, Revoke("done with it"), by=ANNA)).request


async def test_a_reviewer_reads_who_why_under_which_rule_and_who_could_have_said_no(bot, redis_url):
    request = await story(bot)
    found = await jit("show", request.id, url=redis_url)
    assert found.exit_code == 0, found.output
    told = [" ".join(line.split()) for line in found.output.splitlines()]
    for line in (
        f"request {request.id}, approved",
        f"by {ANNA}",
        "scopes invoices:read, refunds:read",
        "narrowed invoices:read (1 left out) for 30m",
        "reason incident number 7",
        "ticket INC-7",
        f"rule rule of policy {'d' * 64}",
        "facts in groups: engineers (of those looked at: engineers)",
        "active grants: not looked at",
        "chain 1. peers: 2, 1 from owners",
        "leads: U0BEN, U0CLEO, U0DAN",
        "security (after 10m): U0EVA",
        "2. security: 1",
        f"yes {BEN} in stage peers as one of leads",
        f"yes {DAN} in stage peers as one of leads, owners",
        f"yes {EVA} in stage security as one of security",
    ):
        assert line in told, line
    assert any("grant.revoked" in line and 'reason="done with it"' in line for line in told)
    assert any(line.startswith(f"token {grant_id(request.id)}.1 until ") for line in told)
    assert "eyJ" not in found.output


async def test_programs_get_the_same_and_every_event(bot, redis_url):
    request = await story(bot)
    found = json.loads((await jit("show", grant_id(request.id), "--json", url=redis_url)).output)
    assert found["request"] == request.id
    assert found["facts"]["groups"] == ["engineers"]
    peers, security = found["chain"]
    assert peers["at_least"] == {"owners": 1}
    assert [each["when"] for each in peers["could_say_no"]] == ["at once", "at once", "after 10m"]
    assert security["could_say_no"][0]["people"] == [EVA.id]
    assert found["approved_scopes"] == ["invoices:read"]
    assert [vote["by"] for vote in found["votes"]] == [str(BEN), str(DAN), str(EVA)]
    assert found["grant"]["tokens"] == [f"{grant_id(request.id)}.1"]
    assert found["events"][0]["type"] == "request.requested"
    assert found["events"][-1]["reason"] == "done with it"
    assert "eyJ" not in json.dumps(found)


async def test_what_policy_granted_by_itself_says_so(bot, redis_url):
    request = await bot.ask("auto")
    told = (await jit("show", request.id, url=redis_url)).output
    assert "nobody was asked; group owners could end it" in told


async def test_who_asked_is_not_among_those_who_could_have_said_no(bot, redis_url):
    request = await bot.ask("read", by=CLEO)
    found = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    assert found["chain"][0]["could_say_no"][0]["people"] == [BEN.id, DAN.id]


async def test_a_group_that_could_not_be_read_is_said_to_be_unknown(bot, redis_url):
    del bot.directory.usergroups["S0SECURITY"]
    request = await bot.ask("staged")
    told = (await jit("show", request.id, url=redis_url)).output
    assert "security: could not be read" in told


async def test_of_a_large_group_the_first_are_named_and_the_others_counted(bot, redis_url):
    crowd = {BEN.id, *(f"U1{number:04}" for number in range(300))}
    bot.directory.usergroups["S0SECURITY"] = frozenset(crowd)
    request = await bot.ask("staged")
    told = (await jit("show", request.id, url=redis_url)).output
    assert "U10198 and 101 more, whose ids were not kept" in told


async def test_a_request_that_is_kept_no_more_is_shown_from_the_log(bot, redis, redis_url):
    request = await story(bot)
    await redis.delete(f"{PREFIX}ev:{request.id}", f"{PREFIX}req:{request.id}")
    told = (await jit("show", request.id, url=redis_url)).output
    assert "incident number 7" in told
    assert "grant.revoked" in told


@pytest.mark.parametrize("id_", ["R-AAAAAAAAAAAA", "nonsense", "../etc"])
async def test_an_id_that_nothing_has_is_refused(redis, redis_url, id_):
    found = await jit("show", id_, url=redis_url)
    assert found.exit_code == 2
    assert "there is no request" in found.output


async def test_break_glass_names_who_was_skipped_and_told_and_what_the_review_said(bot, redis_url):
    del bot.directory.channels["#alarm"]
    request = await bot.break_glass()
    shown = await jit("show", request.id, url=redis_url)
    told = [" ".join(line.split()) for line in shown.output.splitlines()]
    until = request.review.until.isoformat()
    for line in (
        f"rule BREAK-GLASS of policy {'d' * 64}",
        "facts in groups: engineers (of those looked at: engineers)",
        "chain nobody was asked; groups leads, security, owners could end it",
        "glass broken; leads would have been asked",
        "told in: no channel",
        "known not to be told: #alarm, there is no channel #alarm",
        f"review due, until {until}, by one of security, owners",
    ):
        assert line in told, line
    await bot.move(request, RaiseConcern("was that\nneeded?"), by=EVA)
    await bot.move(request, SignOff("it was down"), by=DAN)
    told = (await jit("show", request.id, url=redis_url)).output
    assert f"concern of {EVA}: was that needed?" in told
    assert f"signed off by {DAN}: it was down" in told
    found = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    glass = found["break_glass"]
    assert (glass["skipped"], glass["review_by"]) == (["leads"], ["security", "owners"])
    assert glass["not_told"] == {"#alarm": "there is no channel #alarm"}
    assert [each["comment"] for each in glass["review"]["concerns"]] == ["was that\nneeded?"]
    assert glass["review"]["state"] == "done"
    assert glass["review"]["signed_off"]["by"] == str(DAN)


async def test_break_glass_that_was_denied_says_so(bot, redis_url):
    request = await bot.break_glass(by=EVA)
    told = (await jit("show", request.id, url=redis_url)).output
    assert "none, as it was denied even so" in told
    found = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    assert found["break_glass"]["review"] is None


async def test_it_says_who_was_away_who_stood_in_and_for_whom_they_voted(bot, redis_url):
    now = bot.clock.now()
    for who, stand_in in ((BEN, FINN), (CLEO, None)):
        plan = Plan(stand_in=stand_in, since=None, until=now + timedelta(hours=2))
        await bot.absences.declare(plan, by=who, delivery=who.id)
    request = await bot.ask()
    until = request.asked.away[0].until.isoformat()
    await bot.move(request, Approve(), by=FINN)
    shown = await jit("show", request.id, url=redis_url)
    told = [" ".join(line.split()) for line in shown.output.splitlines()]
    for line in (
        f"U0BEN was away until {until}; U0FINN stood in",
        f"U0CLEO was away until {until}; nobody stood in",
        f"yes {FINN} for {BEN}, who was away, in stage lead as one of leads",
    ):
        assert line in told, line
    found = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    assert (found["votes"][0]["by"], found["votes"][0]["on_behalf_of"]) == (str(FINN), str(BEN))
    assert [(each["who"], each["stand_in"]) for each in found["away"]] == [
        ("U0BEN", "U0FINN"),
        ("U0CLEO", None),
    ]
    assert found["delegation"] is True


async def test_it_says_where_nobody_could_stand_in(bot, redis_url):
    shelf = {"x": (a_bundle("x", delegation=False), (BY_LEAD,))}
    bot.policy = a_policy(shelf)
    plan = Plan(stand_in=FINN, since=None, until=bot.clock.now() + timedelta(hours=2))
    await bot.absences.declare(plan, by=BEN, delivery="x")
    request = await bot.ask("x")
    told = (await jit("show", request.id, url=redis_url)).output
    assert "nobody could stand in for who was away" in told
    assert "U0BEN was away until" in told
    assert "U0FINN" not in told


async def test_a_reviewer_reads_that_a_grant_waits_and_that_it_never_started(bot, redis_url):
    request = await bot.ask("claimed")
    ready = (await bot.move(request, Approve(), by=BEN)).request
    until = ready.grant.claim_by.isoformat()
    found = await jit("show", request.id, url=redis_url)
    assert f"{ready.grant.id}, ready, approved, not started; claim by {until}" in found.output
    told = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    assert told["grant"] == {
        "id": ready.grant.id,
        "state": "ready",
        "starts_at": None,
        "claim_by": until,
        "tokens": [],
    }
    await bot.move(request, Revoke(), by=ANNA)
    found = await jit("show", request.id, url=redis_url)
    assert f"{ready.grant.id}, revoked, never started" in found.output


async def test_it_tells_which_stages_were_skipped_and_what_audit_mode_would_have_done(
    bot, redis_url
):
    conditions = {1: (compile_condition("request.duration > duration('50m')"),)}
    bundle, (rule,) = SHELF["staged"]
    assert rule.chain is not None
    rule = replace(rule, chain=replace(rule.chain, conditions=conditions))
    rail = Guardrail(id="rail", bundles=Selector(), deny=True)
    policy = a_policy({"staged": (bundle, (rule,))})
    bot.policy = replace(policy, audited_of={"staged": (Audited(rail, 0),)})
    request = await bot.ask("staged")
    told = (await jit("show", request.id, url=redis_url)).output
    assert "guardrail rail (audit) would have denied it" in told
    why = "`request.duration > duration('50m')` is not so"
    assert f"stage security was skipped: {why}" in told
    found = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    assert found["optional_stages"] == [{"stage": "security", "asked": False, "why": why}]
    assert found["audit_mode"] == ["guardrail rail (audit) would have denied it"]


def test_what_a_program_asked_says_whose_it_is_and_from_where_it_called():
    machine = Machine(client="ci", owner="sre", address="10.0.0.7", code="AB-12")
    asked = requested(by=machine.actor, machine=machine)
    told = "\n".join(request_lines((asked,)))
    assert "machine:ci" in told
    assert "ci, owned by sre, who could approve nothing" in told
    assert "called from 10.0.0.7, code AB-12" in told
    found = request_json((asked,))
    assert found["client"] == {"id": "ci", "owner": "sre", "address": "10.0.0.7", "code": "AB-12"}
    assert request_json((requested(),))["client"] is None


async def test_a_reviewer_reads_on_which_ways_it_went_and_under_which_policies(bot, redis_url):
    lead, guard = a_rule(Verdict.REQUIRE, LEAD), a_rule(Verdict.REQUIRE, GUARD)
    bot.policy = a_policy({"x": (a_bundle("x"), (lead,))})
    request = await bot.ask("x")
    bot.policy = a_policy({"x": (a_bundle("x"), (replace(guard, id="new"),))}, digest="e" * 64)
    for by in (EVA, BEN):
        await bot.move(request, Approve(), by=by)
    shown = await jit("show", request.id, url=redis_url)
    told = [" ".join(line.split()) for line in shown.output.splitlines()]
    for line in (
        f"rule rule of policy {'d' * 64}",
        f"slice {'d' * 64}, which is all that decided about it",
        "chain 1. lead: 1",
        "leads: U0BEN, U0CLEO, U0DAN",
        f"rule new of policy {'e' * 64}, slice {'e' * 64}",
        "chain 1. security: 1",
        "security: U0EVA",
        f"and then what rule rule of policy {'d' * 64} had asked for",
        f"yes {EVA} in stage security as one of security",
        f"yes {BEN} in stage lead as one of leads",
        f"approved under rule new of policy {'e' * 64}",
    ):
        assert line in told, line
    [tightened] = [line for line in told if line.startswith("tightened")]
    assert "rule new decides now, not rule; new among the approvers: security" in tightened
    found = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    assert [(way["rule"], way["policy"][0]) for way in found["ways"]] == [
        ("rule", "d"),
        ("new", "e"),
        ("rule", "d"),
    ]
    assert found["ways"][1]["owed"] == [{"rule": "rule", "policy": "d" * 64}]
    assert found["approved_under"] == {"rule": "new", "policy": "e" * 64, "laxer": False}
    assert [(vote["by"], vote["stage"]) for vote in found["votes"]] == [
        (str(EVA), "security"),
        (str(BEN), "lead"),
    ]


async def test_a_reviewer_reads_which_policy_closed_it(bot, redis_url):
    request = await bot.ask("read")
    bot.policy = a_policy({"read": (a_bundle("read"), (a_rule(Verdict.DENY),))}, digest="e" * 64)
    with pytest.raises(WrongState):
        await bot.move(request, Approve(), by=BEN)
    told = (await jit("show", request.id, url=redis_url)).output
    assert f"closed     by rule of policy {'e' * 64}" in told
    found = json.loads((await jit("show", request.id, "--json", url=redis_url)).output)
    assert found["closed_by"] == {"rule": "rule", "policy": "e" * 64}
    assert found["approved_under"] is None
