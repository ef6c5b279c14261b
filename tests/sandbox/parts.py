"""Parts that the tests of the stand-in are built from."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.rates import QUICK
from bot.sandbox.server import Sandbox

MANIFEST = Path(__file__).parents[2] / "manifest.yml"
SECRET = "signing secret"
BOT_TOKEN = "xoxb-sandbox"
APP_TOKEN = "xapp-sandbox"


def a_sandbox(**options):
    given = {
        "manifest": MANIFEST,
        "signing_secret": SECRET,
        "bot_token": BOT_TOKEN,
        "app_token": APP_TOKEN,
        "rates": QUICK,
        "retry_pauses_s": (0.0, 0.01, 0.01),
    }
    return Sandbox(**given | options)


def a_bolt_app(sandbox, *, signing_secret=SECRET):
    client = AsyncWebClient(token=BOT_TOKEN, base_url=sandbox.api_url)
    app = AsyncApp(
        client=client, signing_secret=signing_secret, raise_error_for_unhandled_request=False
    )
    app.heard = []

    async def hear(payload, body, next_):
        app.heard.append(body)
        await next_()

    app.middleware(hear)
    return app


def plain_text(text):
    return {"type": "plain_text", "text": text}


def mrkdwn(text):
    return {"type": "mrkdwn", "text": text}


def section(text="hello", **more):
    return {"type": "section", "text": mrkdwn(text), **more}


def button(action_id="press", value="1", **more):
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain_text("Press"),
        "value": value,
        **more,
    }


def actions(*elements, **more):
    return {"type": "actions", "block_id": "row", "elements": list(elements), **more}


def option(value):
    return {"text": plain_text(value.title()), "value": value}


def menu(*values, kind="static_select", **more):
    return {"type": kind, "action_id": "pick", "options": [option(v) for v in values], **more}


def text_input(**more):
    return {"type": "plain_text_input", "action_id": "type", **more}


def field(element, block_id="field", **more):
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain_text("Label"),
        "element": element,
        **more,
    }


def modal(*blocks, **more):
    view = {
        "type": "modal",
        "title": plain_text("Title"),
        "submit": plain_text("Send"),
        "blocks": list(blocks) or [section()],
    }
    return view | more


@asynccontextmanager
async def a_client(sandbox):
    """The Web API as the bot calls it, without retries of its own."""
    async with ClientSession() as session:
        yield AsyncWebClient(
            token=BOT_TOKEN, base_url=sandbox.api_url, session=session, retry_handlers=[]
        )


async def refused(call, *, whole=False):
    """The error that a call is refused with, or the whole answer."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response if whole else caught.value.response["error"]


async def quickly(condition):
    """Wait until `condition()` holds; events come in the background."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # the conditions are those of many parts
            await asyncio.sleep(0.01)


async def acknowledge(ack):
    """A listener that says nothing."""
    await ack()
