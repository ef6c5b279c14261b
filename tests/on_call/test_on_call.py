"""On-call services, each on a real HTTP server that answers as theirs does, and the twin."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.core.errors import Unavailable
from bot.core.policy import Group, Policy
from bot.core.sources import Provider, Rota
from bot.on_call.json_url import JsonUrl
from bot.on_call.memory import MemoryOnCall
from bot.on_call.opsgenie import Opsgenie
from bot.on_call.pagerduty import PagerDuty
from bot.on_call.services import Services, unconfigured
from bot.outbound import open_outbound
from bot.usecases.secret import Secret
from tests.contracts.on_call_contract import BEN, DAN, House, OnCallContract

TOKEN = "s3cret"
UUID = "d875ab4e-9b4e-4219-a1b3-0c26936d18de"


class Server:
    """Answers `answer` (JSON, or a response) to whoever brings the token."""

    def __init__(self, *, header):
        self.header = header
        self.answers = {}
        self.asked = []
        self.status = 200

    async def handle(self, request):
        self.asked.append(request)
        if request.headers.get("Authorization") != self.header:
            return web.json_response({"error": "who are you"}, status=401)
        if self.status != 200:
            return web.json_response({}, status=self.status)
        name = request.query.get("schedule_ids[]") or request.query.get("escalation_policy_ids[]")
        name = name or request.match_info["tail"].removesuffix("/on-calls").rpartition("/")[2]
        if name not in self.answers:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response(self.answers[name])


@asynccontextmanager
async def serving(header):
    """Give a server, its URL, and what may ask it."""
    server = Server(header=header)
    app = web.Application()
    app.router.add_get("/{tail:.*}", server.handle)
    async with TestServer(app) as running, open_outbound(frozenset({"127.0.0.1"})) as outbound:
        yield server, f"http://127.0.0.1:{running.port}", outbound


def page(*entries, more=False):
    """Return PagerDuty's answer: pairs of an e-mail address and a level."""
    return {
        "oncalls": [
            {
                "escalation_policy": {"id": "PESC", "type": "escalation_policy_reference"},
                "escalation_level": level,
                "schedule": {"id": "PSRE123", "type": "schedule_reference"},
                "user": {"id": "PUSER", "type": "user", "name": "Dan", "email": email},
                "start": "2026-03-01T09:00:00Z",
                "end": None,
            }
            for email, level in entries
        ],
        "limit": 100,
        "offset": 0,
        "more": more,
        "total": None,
    }


def schedule(*emails):
    """Return Opsgenie's answer."""
    parent = {"id": UUID, "name": "sre", "enabled": True}
    data = {"_parent": parent, "onCallRecipients": list(emails)}
    return {"data": data, "took": 0.05, "requestId": "r"}


@pytest.fixture
async def pagerduty():
    async with serving(f"Token token={TOKEN}") as (server, url, outbound):
        yield server, PagerDuty(outbound, url=url, token=Secret(TOKEN))


@pytest.fixture
async def opsgenie():
    async with serving(f"GenieKey {TOKEN}") as (server, url, outbound):
        yield server, Opsgenie(outbound, url=url, token=Secret(TOKEN))


@pytest.fixture
async def own():
    async with serving(f"Bearer {TOKEN}") as (server, url, outbound):
        template = f"{url}/rota/{{schedule}}?level={{level}}"
        yield server, JsonUrl(outbound, url=template, token=Secret(TOKEN))


def a_house(server, on_call, provider, answer):
    def roster(*emails):
        server.answers["PSRE123"] = answer(*emails)

    def go_away():
        server.status = 503

    return House(
        on_call=on_call,
        rota=Rota(provider=provider, schedule="PSRE123"),
        unknown=Rota(provider=provider, schedule="PNONE"),
        roster=roster,
        go_away=go_away,
    )


class TestPagerDuty(OnCallContract):
    @pytest.fixture
    def house(self, pagerduty):
        def answer(*emails):
            return page(*((email, 1) for email in emails))

        return a_house(*pagerduty, Provider.PAGERDUTY, answer)


class TestOpsgenie(OnCallContract):
    @pytest.fixture
    def house(self, opsgenie):
        return a_house(*opsgenie, Provider.OPSGENIE, schedule)


class TestJsonUrl(OnCallContract):
    @pytest.fixture
    def house(self, own):
        return a_house(*own, Provider.URL, lambda *emails: {"on_call": list(emails)})


class TestServices(OnCallContract):
    @pytest.fixture
    def house(self, own):
        server, on_call = own
        services = Services({Provider.URL: on_call})
        return a_house(server, services, Provider.URL, lambda *emails: {"on_call": list(emails)})


class TestMemoryOnCall(OnCallContract):
    @pytest.fixture
    def house(self):
        on_call, rota = MemoryOnCall(), Rota(provider=Provider.URL, schedule="PSRE123")

        def roster(*emails):
            on_call.rotas[rota] = frozenset(emails)

        def go_away():
            on_call.away = True

        unknown = Rota(provider=Provider.URL, schedule="PNONE")
        return House(on_call=on_call, rota=rota, unknown=unknown, roster=roster, go_away=go_away)


async def test_pagerduty_is_asked_for_the_people_of_one_level_with_their_addresses(pagerduty):
    server, on_call = pagerduty
    server.answers["PSRE123"] = page((DAN, 1), (BEN, 2), (DAN, 1))
    for level, people in ((1, {DAN}), (2, {BEN}), (3, set())):
        rota = Rota(provider=Provider.PAGERDUTY, schedule="PSRE123", level=level)
        assert await on_call.who(rota) == people
    asked = server.asked[0]
    assert asked.path == "/oncalls"
    assert dict(asked.query) == {"schedule_ids[]": "PSRE123", "include[]": "users", "limit": "100"}
    assert asked.headers["Accept"] == "application/vnd.pagerduty+json;version=2"


async def test_pagerduty_is_asked_for_an_escalation_policy(pagerduty):
    server, on_call = pagerduty
    server.answers["PESC"] = page((DAN, 1), (BEN, 2))
    rota = Rota(provider=Provider.PAGERDUTY, escalation_policy="PESC", level=2)
    assert await on_call.who(rota) == {BEN}
    assert server.asked[0].query["escalation_policy_ids[]"] == "PESC"
    assert "schedule_ids[]" not in server.asked[0].query


async def test_opsgenie_is_asked_by_id_or_by_name(opsgenie):
    server, on_call = opsgenie
    server.answers |= {UUID: schedule(DAN), "sre": schedule(BEN)}
    for name, kind, people in ((UUID, "id", {DAN}), ("sre", "name", {BEN})):
        rota = Rota(provider=Provider.OPSGENIE, schedule=name)
        assert await on_call.who(rota) == people
        asked = server.asked[-1]
        assert asked.path == f"/v2/schedules/{name}/on-calls"
        assert dict(asked.query) == {"flat": "true", "scheduleIdentifierType": kind}


async def test_an_own_address_names_people_by_address_or_by_slack_user_id(own):
    server, on_call = own
    server.answers["sre"] = {"on_call": [DAN, "U0BEN"], "until": "18:00"}
    rota = Rota(provider=Provider.URL, schedule="sre", level=3)
    assert await on_call.who(rota) == {DAN, "U0BEN"}
    assert str(server.asked[0].rel_url) == "/rota/sre?level=3"


async def test_an_own_address_without_levels_has_the_first_only():
    async with serving(None) as (server, url, outbound):
        server.answers["sre"] = {"on_call": [DAN]}
        on_call = JsonUrl(outbound, url=f"{url}/{{schedule}}", token=Secret(""))
        assert await on_call.who(Rota(provider=Provider.URL, schedule="sre")) == {DAN}
        with pytest.raises(Unavailable, match="it cannot tell level 2"):
            await on_call.who(Rota(provider=Provider.URL, schedule="sre", level=2))
        assert len(server.asked) == 1


PAGERDUTY_SAYS = (
    {},
    [],
    {"oncalls": None},
    {"oncalls": [{"escalation_level": "first", "user": {"email": DAN}}]},
    {"oncalls": [{"escalation_level": 1, "user": {"id": "PUSER", "type": "user_reference"}}]},
    page((DAN, 1), more=True),
)


@pytest.mark.parametrize("answer", PAGERDUTY_SAYS)
async def test_what_is_no_answer_of_pagerduty_is_not_nobody(pagerduty, answer):
    server, on_call = pagerduty
    server.answers["PSRE123"] = answer
    with pytest.raises(Unavailable, match="PagerDuty"):
        await on_call.who(Rota(provider=Provider.PAGERDUTY, schedule="PSRE123"))


@pytest.mark.parametrize("answer", [{}, {"data": {}}, schedule("U0ANNA"), schedule(7)])
async def test_what_is_no_answer_of_opsgenie_is_not_nobody(opsgenie, answer):
    server, on_call = opsgenie
    server.answers["sre"] = answer
    with pytest.raises(Unavailable, match="Opsgenie"):
        await on_call.who(Rota(provider=Provider.OPSGENIE, schedule="sre"))


@pytest.mark.parametrize(
    "answer", [{}, {"on_call": "dan"}, {"on_call": ["dan"]}, {"on_call": [DAN, None]}, "dan"]
)
async def test_what_is_no_answer_of_an_own_address_is_not_nobody(own, answer):
    server, on_call = own
    server.answers["sre"] = answer
    with pytest.raises(Unavailable, match="the on-call address"):
        await on_call.who(Rota(provider=Provider.URL, schedule="sre"))


async def test_a_refused_token_is_told_and_not_repeated(pagerduty):
    server, on_call = pagerduty
    server.header = "another"
    with pytest.raises(Unavailable, match=r"^PagerDuty refuses our token$") as told:
        await on_call.who(Rota(provider=Provider.PAGERDUTY, schedule="PSRE123"))
    assert TOKEN not in str(told.value)


async def test_a_service_that_is_not_configured_is_named_with_its_setting():
    for provider, setting in (
        (Provider.PAGERDUTY, "JIT_PAGERDUTY_TOKEN"),
        (Provider.OPSGENIE, "JIT_OPSGENIE_TOKEN"),
        (Provider.URL, "JIT_ON_CALL_URL"),
    ):
        with pytest.raises(Unavailable, match=f"{setting} is not set"):
            await Services({}).who(Rota(provider=provider, schedule="sre"))


def test_a_policy_that_names_a_service_which_is_not_configured_is_told_so():
    groups = {
        "sre-oncall": Group(name="sre-oncall", on_call=Rota(provider=Provider.URL, schedule="a")),
        "ops": Group(name="ops", on_call=Rota(provider=Provider.OPSGENIE, schedule="b")),
        "leads": Group(name="leads", users=frozenset({"U0BEN"})),
    }
    policy = Policy(digest="d", bundles={}, groups=groups, rules_of={}, guardrails_of={})
    assert list(unconfigured(policy, {Provider.URL})) == [
        "the group ops needs to know who is on call (opsgenie): set JIT_OPSGENIE_TOKEN"
    ]
    assert list(unconfigured(policy, Provider)) == []
