"""A workspace, the stand-in for Slack, with the real bot in it: where the journeys take place."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt

from bot.config import OnCallSettings, Settings, TrackerSettings
from bot.core.scopes import Tracker
from bot.sandbox import payloads, workspace
from bot.sandbox.client import Acme, Message, NotThere, Person, View
from bot.sandbox.delivery import sign
from bot.sandbox.modals import OpenView
from bot.sandbox.rates import QUICK
from bot.sandbox.server import Sandbox
from bot.sandbox.workspace import PersonKind
from bot.service import Bot, Role, running
from bot.story import token_in
from bot.usecases.secret import Secret
from tests.journeys.policies import SECRET
from tests.sandbox.parts import APP_TOKEN, BOT_TOKEN, a_sandbox
from tests.sandbox.parts import SECRET as SIGNING_SECRET

ACCESS, DEPLOY, SECURITY, DIRECT = "access-requests", "deploy-approvals", "security-approvals", "dm"
ISSUER = "https://jit.example"
BILLING = "https://billing.example"
JWT = "eyJ"  # how every token begins


@dataclass(kw_only=True)
class Town:
    """What a journey has at hand.

    Attributes:
        bots: The replicas.
        forgiven: What Slack would punish, but the test made the bot do.
        reload: Set to have the policy files read now.
    """

    sandbox: Sandbox
    acme: Acme
    settings: Settings
    session: aiohttp.ClientSession
    bots: list[Bot] = field(default_factory=list)
    forgiven: set[str] = field(default_factory=set)
    reload: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return self.bots[0].url

    def people(self, *names: str) -> list[Person]:
        return [self.acme.person(name) for name in names]

    def adds(self, id_: str, name: str, *, kind: PersonKind = "member") -> Person:
        """Put somebody in the workspace, or in the place of who was there; no event tells it."""
        known = workspace.Person(id=id_, name=name, title="", kind=kind)
        self.sandbox.workspace.people[id_] = known
        return Person(self.acme, id_)

    async def sends(self, payload: Any, *, to: int = 0) -> Any:
        """Send an interaction, signed, to a replica; return what it answers."""
        body = urlencode({"payload": json.dumps(payload)})
        stamp = str(int(time.time()))
        url = f"{self.bots[to].url}/slack/events"
        headers = _headers(stamp, sign(SIGNING_SECRET, stamp, body))
        async with self.session.post(url, data=body.encode(), headers=headers) as answer:
            assert answer.status == HTTPStatus.OK, answer.status
            text = await answer.text()
        return json.loads(text) if text else None

    async def submits(self, view: View, values: Any, *, by: Person, to: int = 0) -> Any:
        """Send `view` as if `by` had it open and filled in `values`; return the answer."""
        opened = OpenView(
            id=view.id, user=by.id, body=view.view, hash="h", root=view.id, entered=values
        )
        who = self.sandbox.workspace.people[by.id]
        return await self.sends(payloads.submission(who, opened, trigger_id="none"), to=to)

    @asynccontextmanager
    async def bot(self, *, embedded: Path | None = None) -> AsyncIterator[Bot]:
        """Run one replica, the one that Slack talks to over HTTP if it is the first."""
        async with running(self.settings, Role.ALL, embedded=embedded, reload=self.reload) as bot:
            self.bots.append(bot)
            if self.settings.signing_secret is not None:
                self.sandbox.events_url = f"{self.url}/slack/events"
            yield bot
        self.bots.remove(bot)

    async def introspects(
        self, token: str, *, client="billing-api", secret=SECRET, **call: str
    ) -> Any:
        """Return the status, and what an API is told about `token`.

        Args:
            call: What the API says of the call: required_scope, address.
        """
        return await self._as_client("introspect", token, client, secret, **call)

    async def uses(self, token: str, scope: str, *, address: str = "10.0.0.1") -> bool:
        """Let the API ask about a call that needs `scope`; return whether it lets it through."""
        _, told = await self.introspects(token, required_scope=scope, address=address)
        return bool(told["active"])

    async def reports(self, content: Any, *, client="billing-api", secret=SECRET) -> Any:
        """Post to /v1/usage; return the status, and what is answered."""
        async with self.session.post(
            f"{self.url}/v1/usage",
            json=content,
            headers={"Authorization": aiohttp.encode_basic_auth(client, secret)},
        ) as answer:
            return answer.status, await answer.json()

    async def works(self, token: str) -> bool:
        _, told = await self.introspects(token)
        return bool(told["active"])

    async def revokes(self, token: str, *, client="billing-api", secret=SECRET) -> int:
        status, _ = await self._as_client("revoke", token, client, secret)
        return status

    async def _as_client(self, what: str, token: str, client: str, secret: str, **more: str) -> Any:
        async with self.session.post(
            f"{self.url}/oauth/{what}",
            data={"token": token, **more},
            headers={"Authorization": aiohttp.encode_basic_auth(client, secret)},
        ) as answer:
            return answer.status, await answer.json() if answer.content_length else None

    async def claims(self, token: str, *, audience=BILLING) -> dict[str, Any]:
        """Return the claims of `token`, verified as an API does it by itself."""
        async with self.session.get(f"{self.url}/.well-known/jwks.json") as answer:
            keys = jwt.PyJWKSet.from_dict(await answer.json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key.key, algorithms=["RS256"], audience=audience, issuer=ISSUER)

    async def ready(self) -> Any:
        async with self.session.get(f"{self.url}/readyz") as answer:
            return answer.status, await answer.json()

    async def posts(self, body: bytes, *, stamp: str | None, signature: str | None) -> int:
        """Send a payload with these headers; return the HTTP status."""
        url, headers = f"{self.url}/slack/events", _headers(stamp, signature)
        async with self.session.post(url, data=body, headers=headers) as answer:
            return answer.status


def _headers(stamp: str | None, signature: str | None) -> dict[str, str]:
    named = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
    given = {name: value for name, value in named.items() if value is not None}
    return {"Content-Type": "application/x-www-form-urlencoded", **given}


def a_setting(sandbox: Sandbox, redis_url: str, folder: Path, *, transport: str) -> Settings:
    over_socket = transport == "socket"
    return Settings(
        bot_token=Secret(BOT_TOKEN),
        signing_secret=None if over_socket else Secret(SIGNING_SECRET),
        app_token=Secret(APP_TOKEN) if over_socket else None,
        slack_api=sandbox.api_url,
        redis_url=Secret(redis_url),
        issuer=ISSUER,
        resource="https://internal.example",
        policies=folder / "policies",
        keys=folder / "keys",
        host="127.0.0.1",
        port=0,
        log_level="debug",
        allow_private=frozenset({"127.0.0.1"}),
        gateways=(ip_network("127.0.0.1"),),
        trackers=TrackerSettings(
            configured=frozenset({Tracker.URL}),
            ticket_url=sandbox.ticket_url,
            ticket_pages=sandbox.ticket_pages,
            every=timedelta(seconds=1),
        ),
        on_call=OnCallSettings(url=sandbox.on_call_url),
    )


@asynccontextmanager
async def a_town(
    redis_url: str, folder: Path, *, transport: str = "http", replicas: int = 1, rates=QUICK
) -> AsyncIterator[Town]:
    """Run everything while the context lasts.

    Args:
        folder: Holds `policies` and `keys`.
    """
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(a_sandbox(rates=rates))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        acme = await stack.enter_async_context(Acme(sandbox.url))
        settings = a_setting(sandbox, redis_url, folder, transport=transport)
        town = Town(sandbox=sandbox, acme=acme, settings=settings, session=session)
        for _ in range(replicas):
            await stack.enter_async_context(town.bot())
        yield town
        punished = set(await acme.violations()) - town.forgiven
        assert not punished, punished


async def asked(
    person: Person, what: str, why: str, *, seen_by: Person, channel: str = ACCESS
) -> Message:
    """Let `person` type `/jit request WHAT WHY`; return the card that `seen_by` sees."""
    assert (await person.types(f"/jit request {what} {why}")).ok
    return await seen_by.sees(why, channel=channel)


def id_of(card: Message) -> str:
    """Return the id of the request that `card` is of."""
    return next(word for word in card.plain().split() if word.startswith("R-"))


def value_of(message: Message, action: str) -> str:
    """Return what a button carries."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return next(each["value"] for row in rows for each in row if each["action_id"] == action)


async def told(person: Person, card: Message, *texts: str, timeout_s: float = 10.0) -> str:
    """Return all of the card's thread, once every one of `texts` stands in it."""

    async def found() -> str | None:
        lines = "\n".join([line.plain() for line in await person.thread(card)])
        return lines if all(text in lines for text in texts) else None

    return await person.eventually(found, what=f"{texts} in the thread", timeout_s=timeout_s)


async def becomes(person: Person, message: Message, text: str, *, timeout_s=10.0) -> Message:
    """Return `message` once `text` stands in it."""

    async def found() -> Message | None:
        now = await person.now(message)
        return now if text in now.plain() else None

    return await person.eventually(found, what=f"{text!r}", timeout_s=timeout_s)


async def answers(person: Person, *, channel: str = ACCESS, at_least: int = 0) -> list[str]:
    """Return what only `person` was told in a channel, oldest first."""

    async def found() -> list[str] | None:
        said = [each.plain() for each in await person.messages(channel) if each.ephemeral]
        return said if len(said) >= at_least else None

    if not at_least:
        return await found() or []
    return await person.eventually(found, what=f"{at_least} answers")


async def answered(person: Person, text: str, *, channel: str = ACCESS) -> str:
    """Return the answer with `text` in it that only `person` sees, once it is there."""

    async def found() -> str | None:
        return next((each for each in await answers(person, channel=channel) if text in each), None)

    try:
        return await person.eventually(found, what=f"the answer {text!r}", timeout_s=5.0)
    except NotThere as problem:
        raise NotThere(f"{problem}; but {await answers(person, channel=channel)}") from None


async def granted(person: Person, what: str, why: str, *, by: Person) -> tuple[Message, str]:
    """Let `person` ask and `by` approve; return the card, and the token."""
    card = await asked(person, what, why, seen_by=by)
    assert (await by.clicks("approve", card)).ok
    return card, token_in((await person.sees(JWT, channel=DIRECT)).plain())


async def died(town: Town, token: str) -> None:
    """Return when `token` works no more."""
    async with asyncio.timeout(10):
        while await town.works(token):  # noqa: ASYNC110  # a token dies in silence
            await asyncio.sleep(0.1)
