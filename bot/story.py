"""A day at Acme: what people do at the stand-in for Slack, and what they must see."""

from dataclasses import dataclass
from typing import Any, Final, TextIO

import aiohttp

from bot.sandbox.client import Acme, Answer, Message, NotThere, Person

# The API of billing as an OAuth client, which asks about the tokens that it is shown.
API: Final = "billing-api"
RESOURCE: Final = "https://billing.example"

ACCESS: Final = "access-requests"
DEPLOY: Final = "deploy-approvals"
DIRECT: Final = "dm"

# How every JWT begins: '{"' in base64.
JWT: Final = "eyJ"
# Short enough to watch a reminder and an end, long enough for everything in between.
SHORT: Final = "10s"
# A reminder and an end of SHORT, and as much again for an extension.
WATCHED_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is played.

    Attributes:
        bot: The bot's URL.
        secret: The client secret of API.
        out: Where each step is told.
    """

    acme: Acme
    bot: str
    secret: str
    out: TextIO

    def says(self, text: str) -> None:
        """Tell what happens."""
        print(f"\n── {text}", file=self.out, flush=True)

    def shows(self, text: str) -> None:
        """Tell what somebody reads; a token is cut short, as nobody needs it afterwards."""
        for line in text.splitlines():
            whole = line if JWT not in line else f"{line[: line.index(JWT) + 20]}…"
            print(f"   │ {whole}", file=self.out, flush=True)

    async def active(self, token: str) -> dict[str, Any]:
        """Return what the API of billing is told about `token` (RFC 7662)."""
        headers = {"Authorization": aiohttp.encode_basic_auth(API, self.secret)}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.bot}/oauth/introspect", data={"token": token}) as answer,
        ):
            told: dict[str, Any] = await answer.json()
            return told


def must(holds: object, sentence: str) -> None:
    """Go on if `holds`.

    Raises:
        NotThere: It does not.
    """
    if not holds:
        raise NotThere(sentence)


def done(answer: Answer) -> None:
    """Go on if Slack showed no error.

    Raises:
        NotThere: It did.
    """
    must(answer.ok and not answer.errors, f"Slack showed an error: {answer}")


def token_in(text: str) -> str:
    """Return the token that stands in `text`."""
    return text[text.index(JWT) :].split("`", maxsplit=1)[0].split(maxsplit=1)[0]


async def tell(stage: Stage) -> None:
    """Play all scenes.

    Raises:
        NotThere: Something did not happen as it must.
    """
    for scene in (_the_main_job, _a_denial, _two_people, _when_it_suits, _at_once, _turned_away):
        await scene(stage)
    broken = await stage.acme.violations()
    must(not broken, f"Slack would not have put up with this: {broken}")


async def _the_main_job(stage: Stage) -> None:
    """Ask in the form, narrow, approve, use, scrub, remind, extend, end."""
    anna, ben = stage.acme.person("Anna"), stage.acme.person("Ben")
    stage.says("Anna types /jit request, chooses Read billing, and leaves two scopes out")
    done(await anna.types("/jit request"))
    done(await anna.uses("choose_bundle", "billing-read"))
    form = await anna.view()
    stage.shows(form.plain())
    done(await anna.submits(_filled(form.view, scopes=["invoices:read"])))
    card = await ben.sees("Waiting", channel=ACCESS)
    stage.says("The card in #access-requests")
    stage.shows(card.plain())

    stage.says("Anna tries to approve it herself")
    done(await anna.clicks("approve", card))
    stage.shows((await anna.sees("your own request", channel=ACCESS)).plain())

    stage.says("She takes it back, and asks in one line, for a few seconds only")
    note = await anna.sees("Recorded", channel=DIRECT)
    done(await anna.clicks("cancel", note))
    done(await anna.types(f"/jit request billing-read {SHORT} to look into invoice 4711"))
    card = await ben.sees("invoice 4711", channel=ACCESS)
    await _is_used(stage, anna, ben, card)
    await _is_watched(stage, anna, ben, card)


async def _bare(person: Person, message: Message) -> bool:
    return not (await person.now(message)).buttons()


def _filled(view: dict[str, Any], *, scopes: list[str]) -> dict[str, dict[str, Any]]:
    """Return the answers to the form: these scopes, and a reason."""
    blocks = [block for block in view["blocks"] if block["type"] == "input"]
    boxes = next(block for block in blocks if block["block_id"].startswith("scopes"))
    return {
        boxes["block_id"]: {boxes["element"]["action_id"]: scopes},
        "reason": {"reason": "to look into an invoice"},
    }


async def _is_used(stage: Stage, anna: Person, ben: Person, card: Message) -> None:
    stage.says("Ben, a billing lead, approves")
    done(await ben.clicks("approve", card))
    note = await anna.sees(JWT, channel=DIRECT)
    stage.shows(note.plain())
    token = token_in(note.plain())
    stage.says("The API of billing asks whether the token works")
    told = await stage.active(token)
    must(told["active"] and "invoices:read" in told["scope"].split(), f"the token is dead: {told}")
    stage.shows(f"active, scope {told['scope']}")
    stage.says("Anna has copied it: Got it")
    done(await anna.clicks("got_it", note))
    note = await anna.sees("taken out of this message", channel=DIRECT)
    must(JWT not in note.plain(), "the token still stands in the message")
    stage.shows(note.plain())
    stage.says("She needs it again: Show again opens a window that only she sees")
    done(await anna.clicks("reveal", note))
    must(token in (await anna.view()).plain(), "the window does not show the token")
    await anna.closes()


async def _is_watched(stage: Stage, anna: Person, ben: Person, card: Message) -> None:
    stage.says("The end comes near, and Anna asks for as much again")
    warning = await anna.sees("Your time with", channel=DIRECT, timeout_s=WATCHED_S)
    stage.shows(warning.plain())
    done(await anna.clicks("extend", warning))
    more = await ben.sees(f"{SHORT} more", channel=ACCESS)
    stage.shows(more.plain())
    done(await ben.clicks("approve", more))
    note = await anna.sees(JWT, channel=DIRECT)
    token = token_in(note.plain())
    must((await stage.active(token))["active"], "the new token does not work")
    stage.says("Nobody does anything, and the access ends by itself")
    over = await anna.sees("is over", channel=DIRECT, timeout_s=WATCHED_S)
    stage.shows(over.plain())
    must(not (await stage.active(token))["active"], "the token still works")
    await anna.eventually(lambda: _bare(anna, note), what="the token's message without buttons")
    stage.says("The card, and its thread, tell everything that happened")
    stage.shows((await ben.now(card)).plain())
    await ben.eventually(lambda: _told(ben, card, "has ended"), what="the end in the thread")
    for line in await ben.thread(card):
        stage.shows(line.plain())


async def _told(person: Person, card: Message, text: str) -> bool:
    return any(text in line.plain() for line in await person.thread(card))


async def _a_denial(stage: Stage) -> None:
    anna, cleo = stage.acme.person("Anna"), stage.acme.person("Cleo")
    stage.says("Anna asks to refund customers; Cleo denies it and must say why")
    done(await anna.types("/jit request billing-refund --ticket BILL-7 to refund a late order"))
    card = await cleo.sees("late order", channel=ACCESS)
    done(await cleo.clicks("deny", card))
    done(await cleo.submits({"reason": {"reason": "support makes refunds this week"}}))
    stage.shows((await anna.sees("support makes refunds", channel=DIRECT)).plain())


async def _two_people(stage: Stage) -> None:
    anna, ben, dan = (stage.acme.person(name) for name in ("Anna", "Ben", "Dan"))
    stage.says("Deploying to production needs two people, and its token is shown in a window only")
    done(await anna.types("/jit request deploy-production --ticket OPS-12 to ship the fix of 4711"))
    card = await ben.sees("ship the fix", channel=DEPLOY)
    done(await ben.clicks("approve", card))
    await ben.eventually(lambda: _told(ben, card, "1 of 2"), what="the first yes")
    done(await dan.clicks("approve", card))
    note = await anna.sees("shown to you alone", channel=DIRECT)
    must(JWT not in note.plain(), "a token of high risk stands in a message")
    done(await anna.clicks("reveal", note))
    must(JWT in (await anna.view()).plain(), "the window does not show the token")
    await anna.closes()
    stage.shows((await dan.now(card)).plain())
    stage.says("Done early, Anna ends it")
    done(await anna.clicks("end_now", note))
    stage.shows((await anna.sees("ended your access", channel=DIRECT)).plain())


async def _when_it_suits(stage: Stage) -> None:
    anna, dan, cleo = (stage.acme.person(name) for name in ("Anna", "Dan", "Cleo"))
    stage.says("Anna plans a deployment for tomorrow; two people agree today")
    planned = "deploy-production 30m from tomorrow 12:00 --ticket OPS-13 to ship the next release"
    done(await anna.types(f"/jit request {planned}"))
    card = await dan.sees("next release", channel=DEPLOY)
    for lead in (dan, cleo):
        done(await lead.clicks("approve", card))
    note = await anna.sees("if policy still agrees then", channel=DIRECT)
    stage.shows(note.plain())
    stage.says("Then the release is put off, and she gives it up before it begins")
    done(await anna.clicks("end_now", note))
    stage.shows((await anna.sees("You gave up", channel=DIRECT)).plain())


async def _at_once(stage: Stage) -> None:
    dan, finn = stage.acme.person("Dan"), stage.acme.person("Finn")
    stage.says("Logs of staging are approved by policy, at once, for an engineer")
    done(await dan.types("/jit request staging-logs 5m to see why the build is slow"))
    stage.shows((await dan.sees("Your token", channel=DIRECT)).plain())
    stage.says("and denied by policy for a contractor")
    done(await finn.types("/jit request staging-logs 5m to see why the build is slow"))
    stage.shows((await finn.sees("denied", channel=DIRECT)).plain())


async def _turned_away(stage: Stage) -> None:
    gus = stage.acme.person("Gus")
    stage.says("Guests are turned away, with an answer")
    done(await gus.types("/jit request staging-logs let me in please"))
    stage.shows((await gus.sees("uests cannot")).plain())
