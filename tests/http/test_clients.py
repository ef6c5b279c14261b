"""How clients prove who they are."""

import hmac
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest
from aiohttp import ClientSession, FormData

from bot.http import clients
from bot.http.answers import InvalidClient
from tests.http.house import CLIENTS, SECRETS, House, basic

ENDPOINTS = ("/oauth/introspect", "/oauth/revoke")
SECRET = SECRETS["billing-api"]


def raw_basic(pair: str | bytes, scheme: str = "Basic") -> dict[str, str]:
    pair = pair.encode() if isinstance(pair, str) else pair
    return {"Authorization": f"{scheme} {b64encode(pair).decode()}"}


async def attempt(api: ClientSession, *, form=None, headers=None, to="/oauth/introspect"):
    """Return status, error and challenge of a request with a token that nobody knows."""
    form = FormData({"token": "x", **(form or {})})
    async with api.post(to, data=form, headers=headers) as reply:
        said = await reply.json() if await reply.read() else {}
        return reply.status, said.get("error"), reply.headers.get("WWW-Authenticate")


ACCEPTED = (200, None, None)
CHALLENGED = (401, "invalid_client", 'Basic realm="jit"')
REFUSED = (401, "invalid_client", None)
MALFORMED = (400, "invalid_request", None)


@pytest.mark.parametrize("client", SECRETS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_both_ways_to_authenticate_work(
    api: ClientSession, client: str, endpoint: str
) -> None:
    posted = {"client_id": client, "client_secret": SECRETS[client]}
    assert await attempt(api, headers=basic(client), to=endpoint) == ACCEPTED
    assert await attempt(api, form=posted, to=endpoint) == ACCEPTED


async def test_credentials_are_form_encoded_inside_basic(api: ClientSession) -> None:
    id_, secret = "odd id+", SECRETS["odd id+"]
    assert "%C3%B6" in basic_text(id_)
    assert await attempt(api, headers=basic(id_)) == ACCEPTED
    assert await attempt(api, headers=raw_basic(f"{id_}:{secret}")) == CHALLENGED


def basic_text(id_: str) -> str:
    from_header = basic(id_)["Authorization"].removeprefix("Basic ")
    return b64decode(from_header).decode()


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
async def test_the_scheme_has_no_case(api: ClientSession, scheme: str) -> None:
    assert await attempt(api, headers=raw_basic("billing-api:correct+horse", scheme)) == ACCEPTED


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        basic("billing-api", "wrong"),
        basic("billing-api", ""),
        basic("billing-api", SECRETS["deploy-api"]),
        basic("nobody", SECRET),
        basic("", ""),
        basic("Billing-API", SECRET),
        basic("billing-api", min(CLIENTS["billing-api"].secrets_sha256)),
        raw_basic("billing-api"),
        raw_basic(b"billing-api:\xff\xfe"),
        raw_basic("billing-api:%FF"),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": basic("billing-api")["Authorization"] + "!!"},
        {"Authorization": "Bearer abc"},
        {"Authorization": ""},
    ],
)
async def test_wrong_credentials_in_the_header_are_challenged(
    api: ClientSession, headers: dict[str, str], endpoint: str
) -> None:
    assert await attempt(api, headers=headers, to=endpoint) == CHALLENGED


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"client_id": "billing-api"},
        {"client_id": "billing-api", "client_secret": ""},
        {"client_id": "billing-api", "client_secret": "wrong"},
        {"client_id": "nobody", "client_secret": SECRET},
        {"client_secret": SECRET},
    ],
)
async def test_wrong_credentials_in_the_form_are_refused(
    api: ClientSession, form: dict[str, str], endpoint: str
) -> None:
    assert await attempt(api, form=form, to=endpoint) == REFUSED


async def test_unknown_and_wrong_are_told_in_the_same_words(api: ClientSession) -> None:
    said = []
    for headers in (basic("nobody", "x"), basic("billing-api", "x")):
        async with api.post("/oauth/introspect", data={"token": "x"}, headers=headers) as reply:
            said.append(await reply.read())
    assert said[0] == said[1]


async def test_two_ways_at_once_are_malformed(api: ClientSession) -> None:
    owner = basic("billing-api")
    both = {"client_id": "billing-api", "client_secret": SECRET}
    assert await attempt(api, form=both, headers=owner) == MALFORMED
    assert await attempt(api, form={"client_id": "deploy-api"}, headers=owner) == MALFORMED
    assert await attempt(api, form={"client_id": "billing-api"}, headers=owner) == ACCEPTED
    twice = [(name, value) for name, value in owner.items()] * 2
    assert await attempt(api, headers=twice) == MALFORMED


async def test_who_is_not_known_learns_nothing_of_the_rest(api: ClientSession) -> None:
    async with api.post("/oauth/introspect", data={"a": "1"}) as reply:
        assert (reply.status, (await reply.json())["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("id_", ["billing-api", "nobody"])
def test_secrets_are_compared_in_the_same_time_for_unknown_clients(
    monkeypatch: pytest.MonkeyPatch, id_: str
) -> None:
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    real = hmac.compare_digest
    monkeypatch.setattr(clients.hmac, "compare_digest", compare)
    with pytest.raises(InvalidClient):
        clients.by_secret([basic(id_, "wrong")["Authorization"]], {}, CLIENTS)
    assert compared == [(64, 64)]


async def test_a_secret_in_the_query_is_not_read(house: House, api: ClientSession) -> None:
    token = await house.grant()
    query = {"client_id": "billing-api", "client_secret": SECRET, "token": token}
    async with api.post("/oauth/introspect", params=query, data={"token": token}) as reply:
        assert reply.status == 401
    async with api.post(
        "/oauth/introspect", params=query, headers=basic("billing-api"), data={"other": "1"}
    ) as reply:
        assert (reply.status, (await reply.json())["error"]) == (400, "invalid_request")
    async with api.get("/oauth/introspect", params=query) as reply:
        assert reply.status == 405


async def test_what_is_remembered_of_a_header_is_good_for_this_client_only(
    house: House, api: ClientSession
) -> None:
    known = dict(house.clients)
    for _ in range(2):
        assert await attempt(api, headers=basic("billing-api")) == ACCEPTED
        assert await attempt(api, headers=basic("billing-api", "wrong")) == CHALLENGED
    other = replace(known["billing-api"], secrets_sha256=known["deploy-api"].secrets_sha256)
    house.clients["billing-api"] = other
    assert await attempt(api, headers=basic("billing-api")) == CHALLENGED
    del house.clients["billing-api"]
    assert await attempt(api, headers=basic("billing-api")) == CHALLENGED
    house.clients["billing-api"] = known["billing-api"]
    assert await attempt(api, headers=basic("billing-api")) == ACCEPTED


async def test_a_header_that_is_remembered_still_says_one_id(api: ClientSession) -> None:
    for _ in range(2):
        form = {"client_id": "deploy-api"}
        assert await attempt(api, form=form, headers=basic("billing-api")) == MALFORMED
        assert await attempt(api, headers=basic("billing-api")) == ACCEPTED


async def test_only_so_many_headers_are_remembered() -> None:
    proven = clients._Proven()
    for number in range(3 * clients._PROVEN_AT_MOST):
        proven.keep(f"Basic {number}", CLIENTS["billing-api"])
        assert proven.client(f"Basic {number}", CLIENTS) is CLIENTS["billing-api"]
    assert len(proven._clients) <= clients._PROVEN_AT_MOST
    assert "Basic" not in repr(vars(proven))
    assert proven.client("Basic \udcff", CLIENTS) is None
