"""Clients that sign who they are (RFC 7523)."""

from datetime import timedelta
from functools import cache

import jwt
import pytest
from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from bot.core.client import Client
from bot.http import clients
from tests.http.house import ISSUER, House, basic

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MINUTE = timedelta(minutes=1)


@cache
def pair(kind: str, number: int = 0):
    """Return a private key and its public JWK."""
    match kind:
        case "RS256" | "PS256":
            private = rsa.generate_private_key(65537, 2048)
            public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        case "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        case _:
            private = ed25519.Ed25519PrivateKey.generate()
            public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return private, public


@pytest.fixture
def keys(house: House):
    """The client `runner`, which answers for nothing, with a key of each kind."""
    made = [pair(kind) for kind in ("RS256", "ES256", "EdDSA")]
    house.clients["runner"] = Client(id="runner", keys=tuple(public for _, public in made))
    return made


def claims(house: House, **over):
    now = house.clock.now()
    said = {
        "iss": "runner",
        "sub": "runner",
        "aud": ISSUER,
        "jti": "one",
        "iat": int(now.timestamp()),
        "exp": int((now + MINUTE).timestamp()),
        **over,
    }
    return {name: value for name, value in said.items() if value is not None}


def signed(house: House, kind: str = "ES256", *, headers=None, by=None, **over) -> str:
    private = by or pair("RS256" if kind == "PS256" else kind)[0]
    return jwt.encode(claims(house, **over), private, algorithm=kind, headers=headers)


async def shown(api: ClientSession, assertion: str, *, headers=None, **over):
    form = {
        "token": "x",
        "client_assertion_type": ASSERTION,
        "client_assertion": assertion,
        **over,
    }
    async with api.post("/oauth/introspect", data=form, headers=headers) as reply:
        return reply.status, (await reply.json()).get("error")


ACCEPTED = (200, None)
REFUSED = (401, "invalid_client")
MALFORMED = (400, "invalid_request")


@pytest.mark.parametrize("kind", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_an_assertion_by_one_of_the_clients_keys_is_accepted(house, api, keys, kind):
    assert await shown(api, signed(house, kind)) == ACCEPTED


async def test_the_client_may_be_named_as_well(house, api, keys):
    assert await shown(api, signed(house), client_id="runner") == ACCEPTED
    assert await shown(api, signed(house, jti="two"), client_id="billing-api") == MALFORMED


async def test_an_assertion_is_good_once(house, api, keys):
    assertion = signed(house)
    assert await shown(api, assertion) == ACCEPTED
    assert await shown(api, assertion) == REFUSED
    assert await shown(api, signed(house, jti="two")) == ACCEPTED
    await house.clock.wait(MINUTE)
    assert await shown(api, signed(house, "RS256")) == REFUSED, "the same jti, made anew"


@pytest.mark.parametrize(
    "over",
    [
        {"aud": f"{ISSUER}/oauth/token"},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": []},
        {"aud": None},
        {"iss": "billing-api"},
        {"sub": "billing-api"},
        {"iss": "nobody", "sub": "nobody"},
        {"iss": "billing-api", "sub": "billing-api"},
        {"sub": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 10**30},
        {"exp": 0},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 256},
    ],
)
async def test_an_assertion_that_says_something_else_is_refused(house, api, keys, over):
    assert await shown(api, signed(house, **over)) == REFUSED


@pytest.mark.parametrize(
    ("claim", "from_now_s", "answer"),
    [
        ("exp", -59, ACCEPTED),
        ("exp", -60, REFUSED),
        ("exp", 360, ACCEPTED),
        ("exp", 361, REFUSED),
        ("iat", 60, ACCEPTED),
        ("iat", 61, REFUSED),
        ("nbf", 61, REFUSED),
    ],
)
async def test_an_assertion_has_its_time(house, api, keys, claim, from_now_s, answer):
    at = int(house.clock.now().timestamp()) + from_now_s
    assert await shown(api, signed(house, **{claim: at})) == answer


async def test_an_audience_in_a_list_of_one_is_the_same(house, api, keys):
    assert await shown(api, signed(house, aud=[ISSUER])) == ACCEPTED


async def test_a_key_of_somebody_else_is_refused(house, api, keys):
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert await shown(api, signed(house, by=stranger)) == REFUSED


async def test_a_key_that_names_itself_is_the_only_one_tried(house, api, keys):
    _, public = pair("ES256")
    house.clients["runner"] = Client(id="runner", keys=({**public, "kid": "a"},))
    assert await shown(api, signed(house, headers={"kid": "a"}, jti="1")) == ACCEPTED
    assert await shown(api, signed(house, jti="2")) == ACCEPTED
    assert await shown(api, signed(house, headers={"kid": "b"}, jti="3")) == REFUSED


async def test_a_key_for_one_algorithm_is_for_no_other(house, api, keys):
    _, public = pair("RS256")
    house.clients["runner"] = Client(id="runner", keys=({**public, "alg": "RS256"},))
    assert await shown(api, signed(house, "PS256")) == REFUSED
    assert await shown(api, signed(house, "RS256")) == ACCEPTED


async def test_forgeries_are_refused(house, api, keys):
    _, public = pair("RS256")
    as_secret = str(public["n"]).encode()
    forged = [
        jwt.encode(claims(house), None, algorithm="none"),
        jwt.encode(claims(house), as_secret, algorithm="HS256"),
        signed(house, by=ec.generate_private_key(ec.SECP256R1()), headers={"jwk": public}),
        signed(house, headers={"crit": ["x"], "x": 1}),
        signed(house)[:-6] + "AAAAAA",
        signed(house).rpartition(".")[0] + ".",
        "a.b.c",
        "x" * 10_000,
        "é.é.é",
    ]
    for each in forged:
        assert await shown(api, each) == REFUSED, each


async def test_a_client_without_keys_cannot_sign(house, api, keys):
    said = signed(house, iss="deploy-api", sub="deploy-api")
    assert await shown(api, said) == REFUSED


async def test_an_assertion_beside_a_secret_is_malformed(house, api, keys):
    assert await shown(api, signed(house), headers=basic("billing-api")) == MALFORMED
    assert await shown(api, signed(house), client_secret="x") == MALFORMED
    assert await shown(api, signed(house), client_assertion_type="urn:x") == MALFORMED
    assert await shown(api, "") == REFUSED
    form = {"token": "x", "client_assertion": signed(house)}
    async with api.post("/oauth/introspect", data=form) as reply:
        assert reply.status == 400


def test_a_used_assertion_is_remembered_for_as_long_as_it_could_be_used_again():
    longest = clients.ASSERTION_AT_MOST + clients.LEEWAY  # from now to the latest exp
    assert longest + clients.LEEWAY <= clients.REMEMBERED
