"""What each gateway does with its shipped file, as the caller and the API see it."""

import asyncio

import pytest

from tests.gateways.conftest import a_gate
from tests.gateways.gate import X_JIT, Answer, Gate, a_fault
from tests.journeys.town import ISSUER, JWT, granted, told

pytestmark = pytest.mark.system
KINDS = ["nginx", "caddy", "haproxy", "apache"]
every = pytest.mark.parametrize("gate", KINDS, indirect=True)

ANNA = "person:T0DEMO:U0ANNA"
DESCRIBED = f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource/billing.example"'
# How long a gateway that keeps an answer may go on, and some time for a slow machine.
STOPS_WITHIN_S = 5 + 3
SUMMED_S = 30.0  # what a grant was used for is summed up once points that report late have done so


async def a_token(town, what="read"):
    anna, ben = town.people("Anna", "Ben")
    return await granted(anna, what, "to look at bill 4711", by=ben)


@every
async def test_a_granted_scope_passes_and_the_api_is_told_whose_call_it_is(town, gate: Gate):
    _, token = await a_token(town)
    answer = await gate.call("/invoices/4711?a=1", token)
    assert (answer.status, answer.challenge) == (200, None)
    [(call, heard)] = gate.api.calls
    assert call == "GET /invoices/4711?a=1"
    assert heard["x-jit-subject"] == ANNA
    assert heard["x-jit-client"] == "slack"
    assert heard["x-jit-scope"] == "invoices:read refunds:read customers:read"
    assert heard["x-jit-jti"] == f"{heard['x-jit-grant']}.1"
    assert heard.get("x-jit-actor", "") == ""


@every
async def test_without_a_token_the_caller_is_told_what_is_needed(town, gate: Gate):
    asked = f'Bearer scope="invoices:read", {DESCRIBED}'
    for answer in (await gate.call("/invoices"), await gate.call("/invoices", method="HEAD")):
        assert (answer.status, answer.challenge) == (401, asked)
    assert gate.api.calls == []


@every
async def test_a_token_that_is_none_is_refused_with_its_challenge(town, gate: Gate):
    _, token = await a_token(town)
    asked = f'Bearer error="invalid_token", scope="invoices:read", {DESCRIBED}'
    for wrong in ("x", token[:-4] + "AAAA", token + "A", token.upper(), "a b"):
        answer = await gate.call("/invoices", wrong)
        assert (answer.status, answer.challenge) == (401, asked)
    assert gate.api.calls == []


@every
async def test_a_scope_that_was_not_granted_is_refused_with_all_that_is_needed(town, gate: Gate):
    _, token = await a_token(town)
    asked = f'Bearer error="insufficient_scope", scope="refunds:write", {DESCRIBED}'
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await gate.call("/refunds/7", token, method=method)
        assert (answer.status, answer.challenge) == (403, asked)
    assert gate.api.calls == []
    assert (await gate.call("/refunds/7", token)).status == 200
    assert (await gate.call("/refunds/7", token, method="HEAD")).status == 200


@every
async def test_what_the_caller_says_of_itself_does_not_reach_the_api(town, gate: Gate):
    _, token = await a_token(town)
    lies = {f"X__JIT__{name}": "root" for name in X_JIT}
    lies |= {f"x__jit__{name.lower()}": "root" for name in X_JIT}
    lies |= {f"X_JIT_{name}": "root" for name in X_JIT}  # which CGI takes for the same
    assert (await gate.call("/invoices", token, **lies)).status == 200
    [(_, heard)] = gate.api.calls
    assert "root" not in heard.values()
    assert heard["x-jit-subject"] == ANNA
    assert (await gate.call("/invoices", **lies)).status == 401


@every
async def test_a_path_that_two_programs_could_read_differently_does_not_pass(town, gate: Gate):
    _, token = await a_token(town)
    head = f"Host: billing.example\nAuthorization: Bearer {token}\n"
    for path in (
        "/invoices/..;/vault",
        "/invoices/%2e%2e/vault",
        "/invoices/%2E%2e%2fvault",
        "/invoices/..%2fvault",
        "/invoices//vault",
        "/invoices/..%5cvault",
        "/invoices/%00",
        "/invoices/../vault",
        "/INVOICES",
        "/invoicesx",
        "/vault",
        "/",
    ):
        said = await gate.raw(f"GET {path} HTTP/1.1\n{head}")
        status = int(said.split(b" ", 2)[1])
        assert status in (400, 403, 404), (path, said[:200])
    assert gate.api.calls == []


@every
async def test_two_tokens_in_one_call_do_not_pass(town, gate: Gate):
    _, token = await a_token(town)
    lines = [f"Authorization: Bearer {token}", "Authorization: Bearer x"]
    for order in (lines, lines[::-1], lines[:1] * 2):
        said = await gate.raw("GET /invoices HTTP/1.1\nHost: x\n" + "\n".join(order) + "\n")
        assert said.split(b" ", 2)[1] in (b"400", b"401"), said[:300]
    assert gate.api.calls == []


@every
async def test_hostile_headers_are_refused_like_any_other(town, gate: Gate):
    for line in (
        "Authorization: Bearer \xff\xfe",
        "Authorization: Bearer " + "x" * 6_000,
        "Authorization:",
        'Authorization: Bearer "><script>',
    ):
        said = await gate.raw(f"GET /invoices HTTP/1.1\nHost: x\n{line}\n")
        assert said.split(b" ", 2)[1] in (b"400", b"401"), said[:300]
        assert b"<script>" not in said
    assert gate.api.calls == []


@every
async def test_use_and_refusals_are_told_in_the_thread_of_the_grant(town, gate: Gate):
    anna, ben = town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    for _ in range(3):
        assert (await gate.call("/invoices", token)).status == 200
    assert (await gate.call("/refunds", token, method="POST")).status == 403
    await told(
        ben,
        card,
        "tried for `refunds:write`*, which it does not allow",
        "from `127.0.0.1`  ·  seen by `forward-auth`",
    )
    assert await town.revokes(token) == 200
    async with asyncio.timeout(STOPS_WITHIN_S):
        while (await gate.call("/invoices", token)).status == 200:  # noqa: ASYNC110  as below
            await asyncio.sleep(0.05)
    times = "*Used*: `invoices:read` "
    lines = await told(ben, card, times, "*never used*", timeout_s=SUMMED_S)
    used = lines.partition(times)[2]
    assert int(used.split(" ")[0]) >= 1  # what nginx keeps it asks once about
    assert "`refunds:read`, `customers:read`" in lines


@every
async def test_it_stops_soon_after_a_grant_is_ended(town, gate: Gate):
    _, token = await a_token(town)
    assert (await gate.call("/invoices", token)).status == 200
    assert await town.revokes(token) == 200
    async with asyncio.timeout(STOPS_WITHIN_S):
        while (  # noqa: ASYNC110  it stops in silence
            answer := await gate.call("/invoices", token)
        ).status == 200:
            await asyncio.sleep(0.05)
    assert answer.status == 401
    assert answer.challenge is not None
    assert 'error="invalid_token"' in answer.challenge
    for _ in range(20):
        assert (await gate.call("/invoices", token)).status == 401


@every
async def test_new_access_works_at_once_after_a_refusal(town, gate: Gate):
    _, token = await a_token(town)
    for _ in range(3):
        assert (await gate.call("/invoices", "x")).status == 401
        assert (await gate.call("/refunds", token, method="POST")).status == 403
        assert (await gate.call("/invoices", token)).status == 200
        assert (await gate.call("/invoices")).status == 401


@every
async def test_what_the_api_itself_answers_is_left_alone(town, gate: Gate):
    _, token = await a_token(town)
    assert await gate.call("/invoices/forbidden", token) == Answer(
        403, None, "the API itself says no"
    )


@every
async def test_an_api_describes_itself_through_its_gateway(town, gate: Gate):
    answer = await gate.call("/.well-known/oauth-protected-resource")
    assert answer.status == 200
    assert '"resource":"https://billing.example"' in answer.body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["away", "silent", "hangs_up", "no_http", "status_500", "moved"])
async def test_nothing_passes_while_jit_is_down(kind, fault, place):
    async with a_fault(fault) as jit, a_gate(kind, jit, place) as gate:
        answer = await gate.call("/invoices", "x")
        assert answer.status >= 300  # Caddy passes on whatever else it is told
        assert gate.api.calls == []


@every
async def test_no_token_stands_in_any_file_of_the_gateway(town, gate: Gate):
    _, token = await a_token(town)
    for path in ("/invoices", "/refunds", "/invoices?a=1"):
        await gate.call(path, token)
        await gate.call(path, token, method="POST")
    assert JWT.encode() not in gate.kept_on_disk()


async def asked(town) -> int:
    """Return how often a gateway asked whether a call may pass, and was told that it may."""
    async with town.session.get(f"{town.url}/metrics") as reply:
        page = await reply.text()
    [line] = [each for each in page.splitlines() if 'forward_auth_total{outcome="passes"}' in each]
    return int(float(line.split()[-1]))


@pytest.mark.parametrize("gate", ["nginx"], indirect=True)
async def test_nginx_keeps_a_yes_apart_for_each_token_and_scope(town, gate: Gate):
    _, annas = await a_token(town)
    cleo, ben = town.people("Cleo", "Ben")
    _, cleos = await granted(cleo, "refund --ticket BILL-7", "to refund an old order", by=ben)
    for _ in range(6):
        assert (await gate.call("/invoices", annas)).status == 200
    assert await asked(town) == 1
    for _ in range(3):
        assert (await gate.call("/invoices", cleos)).status == 403
        assert (await gate.call("/invoices", annas)).status == 200
        assert (await gate.call("/refunds", annas)).status == 200
        assert (await gate.call("/refunds", annas, method="POST")).status == 403
        assert (await gate.call("/invoices")).status == 401
        assert (await gate.call("/invoices", annas[:-1])).status == 401
    assert await asked(town) == 2
    assert {heard["x-jit-subject"] for _, heard in gate.api.calls} == {ANNA}
