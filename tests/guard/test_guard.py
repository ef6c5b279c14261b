"""What the guard lets through, and what it says to the rest."""

import asyncio
import hmac
import time
from hashlib import sha256

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.guard import Forbidden, Guard, Refusal, Unauthorized, Unavailable
from bot.keyring import Keyring
from tests.guard.issuer import AUDIENCE, IssuerStandIn, by_key, claims, forged, listening, part
from tests.http.house import key

JWKS, FEED = "/.well-known/jwks.json", "/v1/revocations"
ALICE = "G-BBBBBBBBBBBB.1"
KID = Keyring.of(key(1)).active_kid
HEADER = {"alg": "RS256", "kid": KID, "typ": "at+jwt"}


async def outcome(guard: Guard, token: str, *scopes: str) -> int:
    """Return the status with which `token` is answered."""
    try:
        await guard.verify(token, scopes=scopes)
    except Refusal as refusal:
        return refusal.status
    return 200


async def becomes(guard: Guard, token: str, status: int, *, within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while await outcome(guard, token) != status:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.02)


async def test_a_good_token_is_let_through_and_says_its_claims(issuer, guard) -> None:
    said = claims()
    assert await guard.verify(issuer.token(**said), scopes=["refunds:read"]) == said
    assert await guard.verify(issuer.token(**said)) == said


async def test_without_a_scope_of_several_it_is_forbidden(issuer, guard) -> None:
    with pytest.raises(Forbidden) as refused:
        await guard.verify(issuer.token(), scopes=["invoices:read", "invoices:write"])
    assert refused.value.headers == {
        "Cache-Control": "no-store",
        "WWW-Authenticate": 'Bearer error="insufficient_scope", '
        'error_description="a scope is missing", scope="invoices:read invoices:write"',
    }


@pytest.mark.parametrize(
    "needed", ["invoices", "invoices:rea", "invoices:read ", "INVOICES:READ", "", "*", "i"]
)
async def test_scopes_are_compared_whole(issuer, guard, needed) -> None:
    assert await outcome(guard, issuer.token(), needed) == 403


async def test_what_is_no_token_is_challenged_as_the_rfc_says(issuer) -> None:
    metadata = "https://billing.example/.well-known/oauth-protected-resource"
    async with Guard(**issuer.options(resource_metadata=metadata)) as guard:
        with pytest.raises(Unauthorized) as refused:
            await guard.verify("x", scopes=["a", "b"])
    assert refused.value.headers["WWW-Authenticate"] == (
        'Bearer error="invalid_token", error_description="no token for here", '
        f'scope="a b", resource_metadata="{metadata}"'
    )
    assert refused.value.content["error"] == "invalid_token"


async def admitted(guard: Guard, *values: str, query: str = "", scopes=("invoices:read",)):
    """Return how a call with these Authorization headers is answered."""
    headers = {"Authorization": list(values)}
    try:
        await guard.admit(lambda name: headers.get(name, []), query, "127.0.0.1", scopes)
    except Refusal as refusal:
        return refusal.status, refusal.headers["WWW-Authenticate"]
    return 200, ""


async def test_without_a_token_nothing_is_said_to_be_wrong_with_one(guard) -> None:
    assert await admitted(guard) == (401, 'Bearer scope="invoices:read"')
    assert await admitted(guard, scopes=()) == (401, 'Bearer realm="api"')
    assert await admitted(guard, "Basic YTpi") == (401, 'Bearer scope="invoices:read"')
    assert await admitted(guard, "") == (401, 'Bearer scope="invoices:read"')


async def test_a_token_in_two_headers_or_in_the_query_is_refused(issuer, guard) -> None:
    good = f"Bearer {issuer.token()}"
    assert (await admitted(guard, good))[0] == 200
    assert (await admitted(guard, good.replace("Bearer", "bEARER")))[0] == 200
    for status, challenge in (
        await admitted(guard, good, good),
        await admitted(guard, good, "Basic YTpi"),
        await admitted(guard, query=f"access_token={issuer.token()}"),
        await admitted(guard, good, query="a=1&access%5Ftoken="),
    ):
        assert status == 400
        assert challenge.startswith('Bearer error="invalid_request"')
    for together in (f"{good}, {good}", f"{good},{good}", f"{good} {good}", "Bearer", "Bearer "):
        assert (await admitted(guard, together))[0] == 401


def a_public_pem() -> bytes:
    return key(1).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def by_hmac(secret: bytes):
    return lambda signed: hmac.new(secret, signed, sha256).digest()


def by_pss(signed: bytes) -> bytes:
    """Sign as the issuer's key would for PS256, which nobody of ours does."""
    return key(1).sign(signed, PSS(MGF1(SHA256()), 32), SHA256())


def unsigned(alg: object) -> str:
    token = forged({**HEADER, "alg": alg})
    return token.rpartition(".")[0] + "."


def good_but(**over: object) -> str:
    return forged(HEADER, claims(**over), by=by_key(1))


def with_header(**more: object) -> str:
    """Return a rightly signed token with more or less in its header than ours have."""
    header = {name: value for name, value in {**HEADER, **more}.items() if value is not None}
    return forged(header, by=by_key(1))


GOOD = forged(HEADER, by=by_key(1))
FORGERIES = {
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg none with a signature": forged({**HEADER, "alg": "none"}),
    "no signature": GOOD.rpartition(".")[0] + ".",
    "two parts": GOOD.rpartition(".")[0],
    "four parts": GOOD + "." + part(b"x"),
    "a zero signature": GOOD.rpartition(".")[0] + "." + part(bytes(256)),
    "HS256 with the public key": forged({**HEADER, "alg": "HS256"}, by=by_hmac(a_public_pem())),
    "HS256 with nothing": forged({**HEADER, "alg": "HS256"}, by=by_hmac(b"")),
    "HS256 that says RS256": forged(HEADER, by=by_hmac(a_public_pem())),
    "PS256": forged({**HEADER, "alg": "PS256"}, by=by_pss),
    "PS256 by name": forged({**HEADER, "alg": "PS256"}, by=by_key(1)),
    "alg as a list": forged({**HEADER, "alg": ["RS256"]}, by=by_key(1)),
    "somebody else's key": forged(HEADER, by=by_key(2)),
    "other claims": ".".join([GOOD.split(".")[0], part(claims(scope="all")), GOOD.split(".")[2]]),
    "typ JWT": with_header(typ="JWT"),
    "no typ": with_header(typ=None),
    "typ as a number": with_header(typ=1),
    "a status list": with_header(typ="statuslist+jwt"),
    "crit": with_header(crit=["exp"]),
    "crit b64": with_header(crit=["b64"], b64=True),
    "an empty crit": with_header(crit=[]),
    "b64 false": with_header(b64=False),
    "zip": with_header(zip="DEF"),
    "no kid": with_header(kid=None),
    "kid as a list": with_header(kid=[KID]),
    "kid as an object": with_header(kid={"a": 1}),
    "kid null": forged({**HEADER, "kid": None}, by=by_key(1)),
    "kid with a path": with_header(kid="../../../dev/null"),
    "kid with SQL": with_header(kid="' UNION SELECT 'x"),
    "header as a list": forged([1], by=by_key(1)),
    "header as a text": forged("RS256", by=by_key(1)),
    "header without JSON": forged(b"\xff\xfe{", by=by_key(1)),
    "a deep header": forged(b"[" * 5000, by=by_key(1)),
    "a JSON serialization": '{"payload":"e30","signatures":[]}',
    "another issuer": good_but(iss="https://jit.example/"),
    "no issuer": good_but(iss=None),
    "another audience": good_but(aud="https://logs.example"),
    "no audience": good_but(aud=None),
    "many audiences": good_but(aud=[AUDIENCE, "https://logs.example"]),
    "no exp": good_but(exp=None),
    "exp as a text": good_but(exp="9999999999"),
    "exp as a float": good_but(exp=9999999999.5),
    "exp true": good_but(exp=True),
    "no iat": good_but(iat=None),
    "iat in an hour": good_but(iat=int(time.time()) + 3600),
    "no jti": good_but(jti=None),
    "jti as a list": good_but(jti=["G-1"]),
    "no subject": good_but(sub=None),
    "no client": good_but(client_id=None),
    "no scope": good_but(scope=None),
    "scopes as a list": good_but(scope=["invoices:read"]),
    "claims as a list": forged(HEADER, [1], by=by_key(1)),
    "claims as a text": forged(HEADER, "a", by=by_key(1)),
    "deep claims": forged(HEADER, b"[" * 5000, by=by_key(1)),
    "nothing": "",
    "spaces": " ",
    "a line after it": GOOD + "\n",
    "padding": GOOD + "==",
    "another alphabet": "ü" + GOOD[1:],
    "surrogates": GOOD[:-1] + "\udc80",
    "too long": good_but(more="x" * 9000),
    "long": "a" * 1_000_000,
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_refused_and_nothing_is_told_of_it(issuer, guard, name) -> None:
    assert await outcome(guard, issuer.token()) == 200
    with pytest.raises(Unauthorized, match="no token for here"):
        await guard.verify(FORGERIES[name])
    assert set(guard.uses.held) == {("G-AAAAAAAAAAAA.1", "", "allowed", "")}


async def test_the_forgeries_are_made_rightly_but_for_one_thing(guard) -> None:
    assert await outcome(guard, GOOD) == 200
    assert await outcome(guard, good_but(iat=int(time.time()) + 30)) == 200
    assert await outcome(guard, with_header(typ="AT+JWT")) == 200


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
async def test_a_header_that_brings_a_key_makes_nobody_fetch_it(issuer, guard, member) -> None:
    there = f"{issuer.url}/evil"
    own = Keyring.of(key(2)).jwks()["keys"][0]
    value = {"jwk": own, "x5c": [there]}.get(member, there)
    before = list(issuer.got)
    for signer in (1, 2):
        token = forged({**HEADER, member: value}, by=by_key(signer))
        assert await outcome(guard, token) == 401
    assert set(issuer.got) - set(before) <= {FEED, "/v1/usage"}


async def test_a_token_dies_at_its_end(issuer, guard) -> None:
    end = int(time.time()) + 2
    token = issuer.token(exp=end)
    while await outcome(guard, token) == 200:
        assert time.time() < end + 0.1
        await asyncio.sleep(0.02)
    assert time.time() >= end
    with pytest.raises(Unauthorized, match="has ended") as refused:
        await guard.verify(token)
    assert 'error="invalid_token"' in refused.value.headers["WWW-Authenticate"]


async def test_an_early_end_is_known_within_moments_and_other_tokens_live(issuer, guard) -> None:
    token, other = issuer.token(), issuer.token(jti=ALICE)
    assert await outcome(guard, token) == 200
    issuer.ended["G-AAAAAAAAAAAA.1"] = claims()["exp"]
    await becomes(guard, token, 401, within_s=1.0)
    assert await outcome(guard, other) == 200
    with pytest.raises(Unauthorized, match="has ended"):
        await guard.verify(token, scopes=["no:such"])


async def test_what_had_ended_before_the_start_is_known_from_the_first_call(issuer) -> None:
    issuer.ended = {f"G-{number}.1": claims()["exp"] for number in range(10)}  # four pages
    async with Guard(**issuer.options()) as guard:
        seen = [await outcome(guard, issuer.token(jti=jti)) for jti in issuer.ended]
        while 503 in seen:
            await asyncio.sleep(0.02)
            seen = [await outcome(guard, issuer.token(jti=jti)) for jti in issuer.ended]
        assert set(seen) == {401}


async def test_a_feed_that_forgot_takes_nothing_back(issuer, guard) -> None:
    issuer.ended["G-AAAAAAAAAAAA.1"] = claims()["exp"]
    await becomes(guard, issuer.token(), 401)
    issuer.ended.clear()
    issuer.ring.hold([key(1), key(2)])  # wakes the poll
    await asyncio.sleep(0.5)
    assert await outcome(guard, issuer.token()) == 401


async def test_a_key_that_is_removed_at_once_ends_its_tokens_whatever_caches_say(
    issuer, guard
) -> None:
    old = issuer.token()
    issuer.published = Keyring.of(key(1), key(2)).jwks()
    issuer.ring.hold([key(2)])
    await becomes(guard, old, 401)
    assert await outcome(guard, issuer.token()) == 200
    guard._look_after_s = 0
    assert await outcome(guard, old) == 401


async def test_a_key_that_is_removed_ends_its_tokens_though_no_key_set_can_be_read(
    issuer, guard
) -> None:
    old = issuer.token()
    issuer.broken[JWKS] = 500
    issuer.ring.hold([key(2)])
    async with asyncio.timeout(3):
        while await outcome(guard, old) == 200:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.02)
    assert await outcome(guard, issuer.token()) == 503


async def test_a_new_key_is_good_before_it_signs(issuer, guard) -> None:
    issuer.ring.hold([key(1), key(2)], 0)
    await asyncio.sleep(0.5)
    fetched = issuer.asked(JWKS)
    issuer.ring.hold([key(1), key(2)], 1)
    assert await outcome(guard, issuer.token()) == 200
    assert issuer.asked(JWKS) == fetched == 2


async def test_made_up_names_of_keys_make_one_look_for_keys(issuer, guard) -> None:
    before = issuer.asked(JWKS)
    issuer.slow_s = 0.05
    tokens = [with_header(kid=f"kid-{number}") for number in range(1000)]
    assert set(await asyncio.gather(*(outcome(guard, each) for each in tokens))) == {401}
    assert issuer.asked(JWKS) == before + 1
    assert await outcome(guard, issuer.token()) == 200


async def test_weak_private_and_other_keys_are_not_taken(issuer) -> None:
    weak, [good] = rsa.generate_private_key(65537, 1024), issuer.ring.jwks()["keys"]
    [thin] = Keyring.of(weak).jwks()["keys"]
    foreign = Keyring.of(key(2)).jwks()["keys"][0]
    for other, signs in (
        (thin, weak),
        ({**foreign, "d": "AQAB"}, key(2)),
        ({**foreign, "use": "enc"}, key(2)),
    ):
        issuer.ring.hold([key(1), signs])
        issuer.published = {"keys": [good, other]}
        async with Guard(**issuer.options()) as guard:
            token = forged({**HEADER, "kid": other["kid"]}, by=by_key(signs))
            assert await outcome(guard, token) == 401
            assert await outcome(guard, GOOD) == 200


@pytest.mark.parametrize("choice", ["refuse", "alow"])
async def test_while_nobody_knows_what_ended_everything_is_refused(issuer, choice) -> None:
    async with Guard(**issuer.options(stale_after_s=3, when_stale=choice)) as guard:
        token = issuer.token()
        issuer.broken[FEED] = 503
        assert await outcome(guard, token) == 200  # for a while
        await becomes(guard, token, 503, within_s=6)
        with pytest.raises(Unavailable) as refused:
            await guard.verify(token)
        assert "WWW-Authenticate" not in refused.value.headers
        assert int(refused.value.headers["Retry-After"]) > 0
        issuer.broken.clear()
        await becomes(guard, token, 200, within_s=5)


async def test_who_wants_so_goes_on_with_what_was_known(issuer) -> None:
    issuer.ended["G-AAAAAAAAAAAA.1"] = claims()["exp"]
    async with Guard(**issuer.options(stale_after_s=1, when_stale="allow")) as guard:
        issuer.broken[FEED] = 503
        await asyncio.sleep(2)
        assert await outcome(guard, issuer.token(jti=ALICE)) == 200
        assert await outcome(guard, issuer.token()) == 401


@pytest.mark.parametrize("stale", ["refuse", "allow", "alow"])
async def test_an_issuer_that_is_away_at_the_start_is_awaited_and_nothing_let_through(
    issuer, stale
) -> None:
    issuer.broken = {FEED: 500, JWKS: 500}
    async with Guard(**issuer.options(when_stale=stale)) as guard:
        assert await outcome(guard, issuer.token()) == 503
        issuer.broken.clear()
        await becomes(guard, issuer.token(), 200)


async def test_before_it_runs_it_lets_nothing_through(issuer) -> None:
    assert await outcome(Guard(**issuer.options()), issuer.token()) == 503


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"keys": 1}', b"\xff", b"{}", b"null"])
async def test_an_issuer_that_talks_nonsense_is_no_issuer(answer) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", nonsense)
    async with listening(app) as url:
        silent = IssuerStandIn(url=url)
        async with Guard(**silent.options()) as guard:
            assert await outcome(guard, silent.token()) == 503
            assert not guard._tasks[0].done()


async def test_the_secret_follows_no_redirect_and_stands_in_no_repr(issuer) -> None:
    for path in (FEED, JWKS, "/v1/usage"):
        issuer.broken[path] = 307
    options = issuer.options(client_secret="a+b:ö %", client_id="odd id")
    async with Guard(**options) as guard:
        assert "a+b" not in repr(guard)
        await asyncio.sleep(0.3)
    assert "/elsewhere" not in issuer.got
    assert issuer.logins == {("odd+id", "a%2Bb%3A%C3%B6+%25")}


@pytest.mark.parametrize(
    "url",
    ["http://jit.example", "http://127.0.0.1.evil.example", "ftp://jit.example", "jit.example",
     "http://localhost@evil.example", "http://localhost.evil.example/"],
)  # fmt: skip
def test_the_secret_goes_over_https_only(url) -> None:
    with pytest.raises(ValueError, match="https"):
        Guard(issuer=url, audience=AUDIENCE, client_id="a", client_secret="b")


async def test_an_issuer_below_a_path_is_asked_below_it(issuer) -> None:
    async with Guard(**issuer.options(url=issuer.url + "/jit/")) as guard:
        assert await outcome(guard, issuer.token()) == 503
    assert "/jit/v1/revocations" in issuer.got
