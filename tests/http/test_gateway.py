"""Forward-auth: what a gateway is told of a call."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession

from bot.core.client import Resource
from bot.core.errors import Unavailable
from bot.core.grant import SLACK_CLIENT
from bot.core.identity import RequestId
from bot.core.moves import Revoke
from bot.core.scopes import ScopeText
from bot.http.server import make_app
from bot.keyring import Keyring
from bot.usecases.tokens import hash_of
from bot.usecases.use import Use, UseOutcome
from tests.builders import ANNA, REQUEST
from tests.http.house import APIS, ISSUER, House, key, served
from tests.http.test_server import raw

BILLING = "https://billing.example"
DESCRIBED = f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource/billing.example"'
SECOND = timedelta(seconds=1)
X_JIT = ("Subject", "Client", "Actor", "Scope", "Grant", "Jti")


def headers_of(reply: Any) -> dict[str, str]:
    """Return the headers X-JIT-*; each must be there, once."""
    assert all(len(reply.headers.getall(f"X-JIT-{name}")) == 1 for name in X_JIT)
    return {name: reply.headers[f"X-JIT-{name}"] for name in X_JIT}


NOBODY = dict.fromkeys(X_JIT, "")
ANNAS = {
    "Subject": str(ANNA),
    "Client": SLACK_CLIENT,
    "Actor": "",
    "Scope": "invoices:read refunds:read",
    "Grant": "G-AAAAAAAAAAAA",
    "Jti": "G-AAAAAAAAAAAA.1",
}


async def ask(api: ClientSession, query: str, token: str | None = None, **more: Any) -> Any:
    """Return status, challenge and identity of an answer."""
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
    path = more.pop("path", "/forward-auth")
    async with api.request(
        more.pop("method", "GET"), f"{path}?{query}", headers=headers, **more
    ) as reply:
        return reply.status, reply.headers.get("WWW-Authenticate"), headers_of(reply)


async def test_a_call_within_the_scopes_passes_and_the_gateway_is_told_whose_it_is(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    for query in (
        "scope=invoices:read",
        "scope=invoices:read+refunds:read",
        "scope=invoices%3Aread%20refunds%3Aread",
        "scope=invoices:write+refunds:read&any=1",
        "scope=invoices:read&resource=https://billing.example",
        "scope=invoices:read&any=0&id=1&id=2",
    ):
        assert await ask(each_api, query, token) == (200, None, ANNAS)


async def test_a_call_beyond_the_scopes_is_told_all_that_are_needed(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    for query, needed, known in (
        ("scope=invoices:write", "invoices:write", True),
        ("scope=invoices:read+invoices:write", "invoices:read invoices:write", True),
        ("scope=invoices:write+a:b&any=1", "invoices:write a:b", True),
        ("scope=invoices:rea", "invoices:rea", False),
        ("scope=INVOICES:READ", "INVOICES:READ", False),
        (f"scope=a:b&resource={BILLING}", "a:b", True),
    ):
        asked = f'Bearer error="insufficient_scope", scope="{needed}"'
        wanted = f"{asked}, {DESCRIBED}" if known else asked
        assert await ask(each_api, query, token) == (403, wanted, ANNAS)


async def test_without_a_token_it_says_what_is_needed_and_no_error(api: ClientSession) -> None:
    wanted = (401, f'Bearer scope="invoices:read", {DESCRIBED}', NOBODY)
    assert await ask(api, "scope=invoices:read") == wanted
    for header in ("Basic eDp5", "bearerx", "Digest a=b", ""):
        headers = {"Authorization": header}
        assert await ask(api, "scope=invoices:read", headers=headers) == wanted


async def test_a_token_in_any_other_place_is_none(house: House, api: ClientSession) -> None:
    token = await house.grant()
    wanted = (401, f'Bearer scope="invoices:read", {DESCRIBED}', NOBODY)
    query = f"scope=invoices:read&access_token={token}"
    assert await ask(api, query) == wanted
    form = {"method": "POST", "data": {"access_token": token}}
    assert await ask(api, "scope=invoices:read", **form) == wanted
    assert await ask(api, "scope=invoices:read", cookies={"access_token": token}) == wanted


@pytest.mark.parametrize(
    "header",
    [
        "Bearer x",
        "Bearer eyJ.eyJ.x",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a, Bearer b",
        "Bearer ü",
        'Bearer "x"',
        "Bearer " + "x" * 20_000,
    ],
)
async def test_a_token_that_is_none_is_invalid(api: ClientSession, header: str) -> None:
    told = await ask(api, "scope=invoices:read", headers={"Authorization": header})
    challenge = f'Bearer error="invalid_token", scope="invoices:read", {DESCRIBED}'
    assert told == (401, challenge, NOBODY)


async def test_the_scheme_may_be_written_in_any_case(house: House, api: ClientSession) -> None:
    token = await house.grant()
    for scheme in ("bearer", "BEARER", "Bearer "):
        headers = {"Authorization": f"{scheme} {token}"}
        assert (await ask(api, "scope=invoices:read", headers=headers))[0] == 200


async def test_two_headers_are_refused_though_each_were_good(
    house: House, api: ClientSession
) -> None:
    line = f"Authorization: Bearer {await house.grant()}\r\n".encode()
    head = b"GET /forward-auth?scope=invoices:read HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert (await raw(api, head + line + b"\r\n")).startswith(b"HTTP/1.1 200 ")
    for other in (line, b"Authorization: Basic eDp5\r\n", b"authorization:\r\n"):
        said = await raw(api, head + line + other + b"\r\n")
        assert said.startswith(b"HTTP/1.1 401 ")
        assert b'WWW-Authenticate: Bearer error="invalid_request", scope=' in said


async def test_a_token_for_another_api_is_invalid_whatever_its_scopes(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant(resource="https://refunds.example")
    here = "scope=invoices:read"
    for query in (here, f"{here}&resource={BILLING}", f"{here}&resource={BILLING}/"):
        status, told, whose = await ask(each_api, query, token)
        assert (status, whose) == (401, NOBODY)
        assert told is not None
        assert told.startswith('Bearer error="invalid_token", scope="invoices:read"')
        assert (DESCRIBED in told) is not query.endswith("/")
    there = f"{here}&resource=https://refunds.example"
    assert (await ask(each_api, there, token))[0] == 200


async def test_scopes_that_several_apis_have_need_a_name(house: House) -> None:
    refunds = Resource(uri="https://refunds.example", title="R", scopes={"refunds:read": "Read"})
    house.apis = {**APIS, refunds.uri: refunds}
    token = await house.grant()
    async with served(make_app(house.parts())) as api:
        assert (await ask(api, "scope=invoices:read", token))[0] == 200
        assert (await ask(api, "scope=invoices:read+refunds:read", token))[0] == 200
        for query in ("scope=refunds:read", "scope=invoices:read+refunds:read&any=1"):
            assert await ask(api, query, token) == (403, 'Bearer error="invalid_request"', NOBODY)
            assert (await ask(api, f"{query}&resource={BILLING}", token))[0] == 200


async def test_a_scope_that_no_api_has_lets_nothing_pass(house: House, api: ClientSession) -> None:
    token = await house.grant(scopes=(ScopeText("old:read"),))
    wanted = 'Bearer error="insufficient_scope", scope="old:read"'
    assert await ask(api, "scope=old:read", token) == (403, wanted, {**ANNAS, "Scope": "old:read"})
    assert (await ask(api, f"scope=old:read&resource={BILLING}", token))[0] == 200


@pytest.mark.parametrize(
    "query",
    [
        "",
        "scope=",
        "scope",
        "scope=+",
        "scope=invoices:read+",
        "scope=invoices:read++refunds:read",
        "scope=invoices:read&scope=invoices:read",
        "scope=invoices:read&%73cope=refunds:read",
        "scope=invoices:read&any=1&any=0",
        "scope=invoices:read&resource=a&resource=a",
        "scope=invoices:read&any=yes",
        "scope=a%09b",
        "scope=a%0Ab",
        "scope=a%00",
        "scope=a%C2%A0b",
        "scope=%E2%80%8Binvoices:read",
        "scope=%22",
        "scope=a%5Cb",
        "scope=%FF",
        "scope=%ED%A0%80",
        "scope=invoices:read&scope%00=x&scope=y",
        "scope=" + "a" * 20_000,
        "scope=" + "invoices:read+" * 1_500 + "x",
        "scope=invoices:read&" + "&".join(f"a{n}=1" for n in range(100)),
        'scope={"a":1}',
    ],
)
async def test_a_question_that_cannot_be_decided_lets_nothing_pass(
    house: House, api: ClientSession, query: str
) -> None:
    token = await house.grant()
    head = f"GET /forward-auth?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    for sent in ("", f"Authorization: Bearer {token}\r\n"):
        said = await raw(api, f"{head}{sent}\r\n".encode())
        assert said.startswith(b"HTTP/1.1 403 "), said[:100]
        assert b'WWW-Authenticate: Bearer error="invalid_request"\r\n' in said
        assert len(said) < 2_000
        assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "invalid_request"
    assert house.log.uses == []


async def test_bytes_that_are_no_text_let_nothing_pass(house: House, api: ClientSession) -> None:
    token = await house.grant()
    for query, status in (
        (b"scope=%FF%FE", 403),
        (b"scope=invoices:read&%C3%28=1", 403),
        # No HTTP (RFC 9112, section 3.2): refused before it is known what is asked.
        (b"scope=\xff\xfe", 400),
        (b"scope=invoices:read&\xc3\x28=1", 400),
    ):
        line = b"GET /forward-auth/%00%0a/..%2f%2e%2e//?" + query + b" HTTP/1.1\r\n"
        head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        said = await raw(api, line + head.encode())
        assert said[9:13] == b"%d " % status, said[:200]
    good = b"GET /forward-auth?scope=invoices:read HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    for header in (b"Authorization: Bearer \xff\xfe", b"Authorization: \xc3\x28", b"X-A: \xff"):
        said = await raw(api, good + header + b"\r\n\r\n")
        assert said[:13] == b"HTTP/1.1 401 ", said[:200]


@pytest.mark.parametrize(
    "extra",
    [
        "Expect: 200-ok",
        "Expect: 100-continue\r\nContent-Length: 3",
        "Content-Length: 1000000",
        "Transfer-Encoding: chunked",
        "Content-Encoding: gzip\r\nContent-Length: 100",
        "Content-Type: multipart/form-data",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "If-None-Match: *",
        "Range: bytes=0-1",
        "Accept: nothing/else",
        "X-HTTP-Method-Override: DELETE",
        "Cookie: " + "a" * 20_000,
    ],
)
async def test_what_callers_send_along_changes_nothing(
    house: House, api: ClientSession, extra: str
) -> None:
    token = await house.grant()
    assert api._base_url is not None
    reader, writer = await asyncio.open_connection(api._base_url.host, api._base_url.port)
    line = "POST /forward-auth?scope=invoices:read HTTP/1.1"
    head = [line, "Host: x", f"Authorization: Bearer {token}", extra]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    said = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    assert said.startswith(b"HTTP/1.1 200 "), said


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
)
@pytest.mark.parametrize("path", ["/forward-auth", "/forward-auth/", "/forward-auth/v1/a%2Fb//c"])
async def test_any_method_and_path_are_answered_alike(
    house: House, api: ClientSession, method: str, path: str
) -> None:
    token = await house.grant()
    passing = await ask(api, "scope=invoices:read", token, method=method, path=path)
    assert passing == (200, None, ANNAS)
    assert (await ask(api, "scope=invoices:write", token, method=method, path=path))[0] == 403
    assert (await ask(api, "scope=invoices:read", method=method, path=path))[0] == 401


async def test_what_a_caller_says_of_itself_is_never_believed(
    house: House, api: ClientSession
) -> None:
    token = await house.grant()
    sent = {f"X-JIT-{name}": "root" for name in X_JIT}
    sent |= {"X-Forwarded-Uri": "/?scope=x", "X-Original-Method": "GET", "X-JIT-Resource": "x"}
    query = "scope=invoices:write"
    assert (await ask(api, query, token, headers=sent))[::2] == (403, ANNAS)
    assert (await ask(api, query, headers=sent))[::2] == (401, NOBODY)
    assert (await ask(api, "", headers=sent))[::2] == (403, NOBODY)


async def test_what_acts_for_a_person_is_named(house: House, api: ClientSession) -> None:
    token = await house.grant()
    found = house.tokens.find

    async def acting(hash_: Any) -> Any:
        record = await found(hash_)
        record.answer["act"] = {"sub": "deploy-bot"}
        return record

    house.tokens.find = acting
    assert (await ask(api, "scope=invoices:read", token))[2] == {**ANNAS, "Actor": "deploy-bot"}


async def test_a_token_works_up_to_its_end_and_no_cache_keeps_it_longer(
    house: House, api: ClientSession
) -> None:
    token = await house.grant(lasts=10 * SECOND)
    seen = []
    for _ in range(13):
        async with api.get(
            "/forward-auth?scope=invoices:read", headers={"Authorization": f"Bearer {token}"}
        ) as reply:
            seen.append((reply.status, reply.headers["Cache-Control"], reply.headers.get("Vary")))
        house.clock.at += SECOND
    kept = [(200, "private, max-age=5", "Authorization")] * 6
    kept += [(200, "no-store", "Authorization")] * 4
    assert seen == [*kept, *[(401, "no-store", None)] * 3]
    house.look()
    assert [(use.outcome, use.count) for use in house.log.uses[-1:]] == [(UseOutcome.ENDED, 3)]


async def test_a_store_whose_clock_is_late_keeps_no_token_alive(
    house: House, api: ClientSession
) -> None:
    token = await house.grant(lasts=10 * SECOND)
    record = await house.tokens.find(hash_of(token))

    async def late(_: Any) -> Any:
        return record

    house.tokens.find = late
    house.clock.at += 10 * SECOND
    assert (await ask(api, "scope=invoices:read", token))[0] == 401


@pytest.mark.parametrize("cached_s", [0, 1, 30])
async def test_it_is_set_how_long_a_gateway_may_keep_a_yes(house: House, cached_s: int) -> None:
    house.cached_for = cached_s * SECOND
    token = await house.grant()
    headers = {"Authorization": f"Bearer {token}"}
    async with served(make_app(house.parts())) as api:
        async with api.get("/forward-auth?scope=invoices:read", headers=headers) as reply:
            wanted = f"private, max-age={cached_s}" if cached_s else "no-store"
            assert reply.headers["Cache-Control"] == wanted
        for query, sent in (
            ("scope=invoices:write", headers),
            ("scope=invoices:read", {}),
            ("", {}),
        ):
            async with api.get(f"/forward-auth?{query}", headers=sent) as reply:
                assert reply.headers["Cache-Control"] == "no-store"


async def test_a_grant_that_people_ended_lets_nothing_pass(
    each_house: House, each_api: ClientSession
) -> None:
    token = await each_house.grant()
    assert (await ask(each_api, "scope=invoices:read", token))[0] == 200
    case = each_house.desk().circumstances()
    await each_house.desk().carry_out(REQUEST, Revoke(), by=ANNA, case=case, commit_id="end")
    status, told, whose = await ask(each_api, "scope=invoices:read", token)
    assert (status, whose) == (401, NOBODY)
    assert told == f'Bearer error="invalid_token", scope="invoices:read", {DESCRIBED}'
    each_house.look()
    [passed, ended] = each_house.log.uses
    assert (passed.outcome, ended.outcome) == (UseOutcome.ALLOWED, UseOutcome.ENDED)
    assert (ended.request, ended.jti, ended.scopes) == (
        REQUEST,
        "G-AAAAAAAAAAAA.1",
        ("invoices:read",),
    )


async def test_a_key_that_left_the_ring_kills_its_tokens(each_house: House) -> None:
    token = await each_house.grant()
    for keys, status in (((key(1), key(2)), 200), ((key(2),), 401), ((key(1),), 200)):
        each_house.ring = Keyring.of(*keys)
        async with served(make_app(each_house.parts())) as api:
            assert (await ask(api, "scope=invoices:read", token))[0] == status


async def test_each_decision_is_taken_down(house: House, api: ClientSession) -> None:
    token = await house.grant()
    plain = {
        "request": REQUEST,
        "jti": "G-AAAAAAAAAAAA.1",
        "resource": BILLING,
        "point": "forward-auth",
        "address": "",
        "at": house.clock.now(),
    }
    await ask(api, "scope=invoices:read+refunds:read", token)
    await ask(api, "scope=invoices:read+invoices:write", token)
    await ask(api, "scope=invoices:read+invoices:write&any=1", token)
    assert house.log.uses == [
        Use(scopes=("invoices:read", "refunds:read"), outcome=UseOutcome.ALLOWED, **plain),
        Use(scopes=("invoices:read", "invoices:write"), outcome=UseOutcome.BEYOND, **plain),
        Use(scopes=("invoices:read",), outcome=UseOutcome.ALLOWED, **plain),
    ]


async def test_only_what_we_signed_for_this_api_is_taken_down_as_over(
    house: House, api: ClientSession
) -> None:
    token = await house.grant(lasts=10 * SECOND)
    house.clock.at += 20 * SECOND
    claims = jwt.decode(token, options={"verify_signature": False})
    header = {"kid": house.ring.active_kid, "typ": "at+jwt"}
    forged = jwt.encode(claims, key(2), algorithm="RS256", headers=header)
    hmac = jwt.encode(claims, "x" * 32, algorithm="HS256", headers=header)
    head, body, signature = token.split(".")
    for wrong in (forged, hmac, f"{head}.{body}.AAAA", f"{head}.{body[:-2]}AA.{signature}", "x"):
        assert (await ask(api, "scope=invoices:read", wrong))[0] == 401
    assert (await ask(api, "scope=invoices:read&resource=https://a.example", token))[0] == 401
    house.look()
    assert house.log.uses == []
    assert (await ask(api, "scope=invoices:read", token))[0] == 401
    house.look()
    [use] = house.log.uses
    assert (use.outcome, use.request) == (UseOutcome.ENDED, REQUEST)


async def test_a_gateway_that_asks_is_alive_for_the_api_that_it_asks_about(
    house: House, api: ClientSession
) -> None:
    await ask(api, "scope=invoices:read")
    await ask(api, "scope=invoices:read", "x")
    await ask(api, "scope=nobodys:read")
    await ask(api, "")
    assert house.log.living == {(BILLING, "forward-auth")}


async def test_addresses_are_believed_from_gateways_of_ours_only(house: House) -> None:
    token = await house.grant()
    said = "203.0.113.9, 198.51.100.7, 127.0.0.1"
    for gateways, sent, found in (
        ((), said, ""),
        (("10.0.0.0/8",), said, ""),
        (("127.0.0.0/8",), said, "198.51.100.7"),
        (("127.0.0.1", "198.51.100.0/24"), said, "203.0.113.9"),
        (("127.0.0.1",), "", ""),
        (("127.0.0.1",), "127.0.0.1", "127.0.0.1"),
        (("127.0.0.1",), "::ffff:203.0.113.9", "203.0.113.9"),
        (("127.0.0.1",), "2001:DB8::1", "2001:db8::1"),
        (("127.0.0.1",), "evil\u202e, ' OR 1=1", ""),
        (("127.0.0.1",), "203.0.113.9, unknown", ""),
    ):
        house.gateways = gateways
        house.log.uses.clear()
        async with served(make_app(house.parts())) as api:
            headers = {"X-Forwarded-For": sent}
            assert (await ask(api, "scope=invoices:read", token, headers=headers))[0] == 200
        assert [use.address for use in house.log.uses] == [found], (gateways, sent)


async def test_the_store_away_is_our_fault_and_nothing_passes(house: House) -> None:
    token = await house.grant()

    async def away(_: Any) -> Any:
        raise Unavailable("the store did not answer")

    async def broken(_: Any) -> Any:
        raise ZeroDivisionError("hush-hush")

    for find in (away, broken):
        house.tokens.find = find
        async with served(make_app(house.parts())) as api:
            status, told, whose = await ask(api, "scope=invoices:read", token)
            assert (status, told, whose) == (503, None, NOBODY)
            async with api.get(
                "/forward-auth?scope=invoices:read", headers={"Authorization": f"Bearer {token}"}
            ) as reply:
                assert reply.headers["Cache-Control"] == "no-store"
                assert "hush" not in await reply.text()
            assert (await ask(api, "scope=invoices:read"))[0] == 401
    assert house.log.uses == []


async def test_answers_are_counted_by_what_became_of_the_call(
    house: House, api: ClientSession
) -> None:
    token = await house.grant()
    for query, sent in (
        ("scope=invoices:read", token),
        ("scope=invoices:write", token),
        ("scope=invoices:read", "x"),
        ("scope=invoices:read", None),
        ("", token),
    ):
        await ask(api, query, sent)
    counted = {
        outcome: house.metrics.value("jit_forward_auth_total", outcome=outcome)
        for outcome in ("passes", "beyond", "invalid", "no_token", "misasked", "unavailable")
    }
    assert counted == {**dict.fromkeys(counted, 1), "unavailable": 0}


async def test_calls_that_come_together_are_each_decided_by_their_own_token(
    each_house: House, each_api: ClientSession
) -> None:
    ids = [RequestId(f"R-{letter * 12}") for letter in "ABCDEFGH"]
    tokens = [await each_house.grant(request=id_) for id_ in ids]
    asked = [ask(each_api, "scope=invoices:read", token) for token in [*tokens, "x"] * 10]
    told = await asyncio.gather(*asked)
    assert [whose["Grant"] for _, _, whose in told] == [
        *(id_.replace("R-", "G-") for id_ in ids),
        "",
    ] * 10
