"""The page of the stand-in in a real browser, with a small real Bolt app behind it."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Locator, Page, async_playwright, expect
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.rates import QUICK
from bot.sandbox.server import Sandbox
from tests.browser import FLAGS, chromium

pytestmark = pytest.mark.system
expect.set_options(timeout=15_000)  # a browser on a busy machine

ROOT = Path(__file__).parents[2]
SECRET = "the signing secret of the page's tests"
TOKEN = "xoxb-page"


def plain(text):
    return {"type": "plain_text", "text": text}


def mrkdwn(text):
    return {"type": "mrkdwn", "text": text}


def section(text):
    return {"type": "section", "text": mrkdwn(text)}


def button(action_id, text, **more):
    return {"type": "button", "action_id": action_id, "text": plain(text), **more}


def option(value, text, about=None):
    described = {"description": plain(about)} if about else {}
    return {"text": plain(text), "value": value, **described}


def text_field(block_id, label, **more):
    element = {"type": "plain_text_input", "action_id": block_id, **more}
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element}


BUNDLES = [
    option("billing-read", "Billing: read", "Low risk"),
    option("refunds", "Refunds", "High risk"),
]
MAY_READ = option("read", "May read")
MAY_WRITE = option("write", "May write")


def form(*, scopes=False, title="Ask for access"):
    bundle = {"type": "static_select", "action_id": "bundle", "options": BUNDLES}
    boxes = {
        "type": "checkboxes",
        "action_id": "scopes",
        "options": [MAY_READ, MAY_WRITE],
        "initial_options": [MAY_READ, MAY_WRITE],
    }
    blocks = [
        {
            "type": "input",
            "block_id": "bundle",
            "dispatch_action": True,
            "label": plain("Bundle"),
            "element": bundle,
        },
        text_field("reason", "Reason", multiline=True, max_length=40),
        {
            "type": "input",
            "block_id": "start",
            "optional": True,
            "label": plain("From when?"),
            "element": {"type": "datetimepicker", "action_id": "start"},
        },
    ]
    if scopes:
        asked = {"type": "input", "block_id": "scopes", "label": plain("Scopes"), "element": boxes}
        blocks.insert(1, asked)
    return {
        "type": "modal",
        "callback_id": "ask",
        "title": plain(title),
        "submit": plain("Ask"),
        "blocks": blocks,
    }


CARD = [
    {"type": "header", "text": plain("Access request")},
    section("*<@U0ANNA>* asks <!subteam^S0BILLING> for _read_ and ~write~\n> because `x` &lt; 1"),
    {"type": "section", "fields": [mrkdwn("*Risk*\nlow"), mrkdwn("See <https://example.com|doc>")]},
    {
        "type": "actions",
        "elements": [
            button("approve", "Approve", style="primary"),
            button(
                "deny",
                "Deny",
                style="danger",
                confirm={
                    "title": plain("Really?"),
                    "text": plain("Nobody can undo it."),
                    "confirm": plain("Yes, deny"),
                    "deny": plain("Keep it"),
                },
            ),
            button("late", "Never answers"),
        ],
    },
]


@dataclass
class Stage:
    """A browser at the page, and what the app behind it was told."""

    page: Page
    client: AsyncWebClient
    url: str
    problems: list[str] = field(default_factory=list)
    clicks: list[str] = field(default_factory=list)
    submitted: list[dict[str, Any]] = field(default_factory=list)

    def by(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def message(self, ts: str) -> Locator:
        return self.page.locator(f'#main [data-testid=message][data-ts="{ts}"]')

    async def visit(self, user="U0ANNA", channel="C0ACCESS") -> None:
        await self.page.goto(f"{self.url}/#{user}/{channel}")
        await expect(self.by(f"channel-{channel}")).to_have_attribute("aria-current", "page")

    async def post(self, text="card", channel="C0ACCESS", **more) -> str:
        answer = await self.client.chat_postMessage(channel=channel, text=text, **more)
        return answer["ts"]

    async def type(self, text: str) -> None:
        await self.by("composer").fill(text)
        await self.by("composer").press("Enter")


def small_app(client: AsyncWebClient, stage: Stage) -> AsyncApp:
    app = AsyncApp(client=client, signing_secret=SECRET)

    @app.command("/jit")
    async def command(ack, command):
        if command["text"] == "request":
            await client.views_open(trigger_id=command["trigger_id"], view=form())
            await ack()
        else:
            await ack(f"You typed *{command['text']}*.")

    @app.action("bundle")
    async def bundle(ack, body):
        await ack()
        await client.views_update(view_id=body["view"]["id"], view=form(scopes=True))

    @app.action(re.compile("approve|deny"))
    async def click(ack, action, body):
        await ack()
        stage.clicks.append(f"{body['user']['id']} {action['action_id']}")
        place = {"channel": body["channel"]["id"], "ts": body["message"]["ts"]}
        await client.chat_update(**place, text="done", blocks=[section("*Decided*")])

    @app.view("ask")
    async def submit(ack, view):
        values = view["state"]["values"]
        reason = values["reason"]["reason"]["value"]
        if reason == "dunno":
            await ack(response_action="errors", errors={"reason": "Say more than that."})
        elif reason == "push":
            await ack(response_action="push", view=form(title="Once more"))
        else:
            stage.submitted.append(values)
            await ack()

    return app


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with (
        Sandbox(
            manifest=ROOT / "manifest.yml",
            signing_secret=SECRET,
            bot_token=TOKEN,
            app_token="xapp-page",
            rates=QUICK,
        ) as sandbox,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        client = AsyncWebClient(token=TOKEN, base_url=sandbox.api_url)
        stage = Stage(page=page, client=client, url=sandbox.url)
        page.on(
            "console", lambda said: said.type == "error" and stage.problems.append(f"{said.text}")
        )
        page.on("pageerror", lambda error: stage.problems.append(str(error)))
        runner = web.AppRunner(small_app(client, stage).web_app("/slack/events"))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        sandbox.events_url = f"http://127.0.0.1:{port}/slack/events"
        yield stage
        await browser.close()
        await runner.cleanup()
    assert stage.problems == []


async def test_a_card_is_drawn_with_its_words_marks_and_buttons(stage):
    ts = await stage.post(blocks=CARD)

    await stage.visit()

    card = stage.message(ts)
    await expect(card.locator("h3")).to_have_text("Access request")
    await expect(card.locator(".chip").nth(0)).to_have_text("@Anna")
    await expect(card.locator(".chip").nth(1)).to_have_text("@billing-leads")
    await expect(card.locator("em")).to_have_text("read")
    await expect(card.locator("s")).to_have_text("write")
    await expect(card.locator("blockquote")).to_have_text("because x < 1")
    link = card.get_by_role("link", name="doc")
    await expect(link).to_have_attribute("href", "https://example.com")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(card.get_by_role("button", name="Approve")).to_be_visible()
    await expect(card).to_contain_text("APP")


HOSTILE = (
    "&lt;!channel&gt; &lt;@U0BEN&gt; &lt;javascript:alert(5)|safe&gt; "
    "<img src=x onerror=alert(1)> <script>alert(2)</script> "
    "<javascript:alert(3)|click> <data:text/html,x|me> &amp;lt;!here&amp;gt;"
)


async def test_hostile_text_stays_text_in_every_kind_of_block(stage):
    markup = "<b onclick=alert(4)>bold</b>"
    blocks = [
        section(HOSTILE),
        {"type": "section", "text": plain(markup)},
        {"type": "header", "text": plain(markup)},
        {"type": "context", "elements": [mrkdwn(HOSTILE)]},
        {"type": "actions", "elements": [button("b", markup)]},
    ]
    alone = await stage.post(HOSTILE)
    ts = await stage.post(blocks=blocks)
    stage.page.on("dialog", lambda dialog: stage.problems.append(dialog.message))

    await stage.visit()

    words = (
        "<!channel> <@U0BEN> <javascript:alert(5)|safe> <img src=x onerror=alert(1)> "
        "<script>alert(2)</script> <javascript:alert(3)|click> <data:text/html,x|me> "
        "&lt;!here&gt;"
    )
    for text in (
        stage.message(alone).locator(".block"),
        stage.message(ts).locator(".section .text").first,
        stage.message(ts).locator(".context .text"),
    ):
        await expect(text).to_have_text(words)
    await expect(stage.message(ts).locator("h3")).to_have_text(markup)
    await expect(stage.message(ts).get_by_test_id("button-b")).to_have_text(markup)
    for injected in ("img", "script", "b[onclick]", "a", ".chip"):
        await expect(stage.page.locator(f"#main .message-main {injected}")).to_have_count(0)


async def test_a_bare_address_is_a_link_unless_the_text_is_verbatim(stage):
    address = "https://example.com/a_b?c=1&amp;d=2"
    verbatim = {"type": "section", "text": {**mrkdwn(address), "verbatim": True}}
    ts = await stage.post(blocks=[section(f"({address})."), verbatim])

    await stage.visit()

    link = stage.message(ts).get_by_role("link")
    await expect(link).to_have_count(1)
    await expect(link).to_have_attribute("href", "https://example.com/a_b?c=1&d=2")
    await expect(stage.message(ts).locator(".section").last).to_have_text(
        "https://example.com/a_b?c=1&d=2"
    )


async def test_a_long_hostile_text_does_not_stop_the_page(stage):
    ts = await stage.post("*_~<" * 700 + "`" * 99 + "https://" + "a" * 100 + ":b" * 50)

    await stage.visit()

    await expect(stage.message(ts)).to_be_visible()


async def test_a_date_is_shown_in_the_reader_s_own_time_zone(stage):
    ts = await stage.post("until <!date^1700000000^{date_num} {time_secs}|later>")

    await stage.visit()

    zone = await stage.page.evaluate("new Date(1700000000000).toLocaleDateString('sv')")
    await expect(stage.message(ts).locator(".block")).to_contain_text(f"until {zone} ")


async def test_a_command_is_answered_to_its_person_alone(stage):
    await stage.visit()

    await stage.type("/jit hello")

    answer = stage.page.locator(".message.ephemeral")
    await expect(answer).to_contain_text("Only visible to you")
    await expect(answer.locator("strong")).to_have_text("hello")
    await stage.by("person-U0BEN").click()
    await expect(stage.page.locator(".room-you")).to_contain_text("Ben")
    await expect(answer).to_have_count(0)


async def test_what_is_no_command_gets_a_friendly_note_and_is_not_sent(stage):
    await stage.visit()

    await stage.type("hello everybody")

    await expect(stage.by("composer-note")).to_contain_text("Only /jit is connected here")
    await expect(stage.by("composer")).to_have_value("hello everybody")


async def test_a_form_shows_errors_keeps_what_was_typed_and_is_sent_whole(stage):
    await stage.visit()
    await stage.type("/jit request")
    await expect(stage.by("modal")).to_contain_text("Ask for access")

    await stage.by("modal-submit").click()
    await expect(stage.by("error-reason")).to_have_text("Please complete this required field.")
    await stage.by("field-reason").locator("textarea").fill("dunno")
    await stage.by("field-bundle").get_by_role("combobox").click()
    refunds = stage.page.get_by_role("option", name="Refunds")
    await expect(refunds).to_contain_text("High risk")
    await refunds.click()
    await stage.by("field-scopes").get_by_label("May write").uncheck()
    await expect(stage.by("field-reason").locator("textarea")).to_have_value("dunno")
    await expect(stage.by("field-bundle").get_by_role("combobox")).to_contain_text("Refunds")
    await stage.by("modal-submit").click()
    await expect(stage.by("error-reason")).to_have_text("Say more than that.")
    await stage.by("field-reason").locator("textarea").fill("A customer waits")
    await stage.by("modal-submit").click()

    await expect(stage.by("modal")).to_have_count(0)
    (values,) = stage.submitted
    assert values["reason"]["reason"]["value"] == "A customer waits"
    assert values["bundle"]["bundle"]["selected_option"]["value"] == "refunds"
    chosen = values["scopes"]["scopes"]["selected_options"]
    assert [one["value"] for one in chosen] == ["read"]


async def test_a_moment_is_chosen_in_the_reader_s_own_time_zone_and_can_be_left_empty(stage):
    await stage.visit()
    for chosen in ("2026-11-23T09:00", ""):
        await stage.type("/jit request")
        await stage.by("field-bundle").get_by_role("combobox").click()
        await stage.page.get_by_role("option", name="Refunds").click()
        await expect(stage.by("field-scopes")).to_be_visible()
        await stage.by("field-reason").locator("textarea").fill("A customer waits")
        await stage.by("field-start").locator("input").fill(chosen)
        await stage.by("modal-submit").click()
        await expect(stage.by("modal")).to_have_count(0)
    here = await stage.page.evaluate("new Date('2026-11-23T09:00').getTime() / 1000")
    told = [values["start"]["start"]["selected_date_time"] for values in stage.submitted]
    assert told == [here, None]


async def test_a_pushed_view_goes_back_to_what_was_typed(stage):
    await stage.visit()
    await stage.type("/jit request")
    await stage.by("field-bundle").get_by_role("combobox").press("ArrowDown")
    await stage.page.keyboard.press("Enter")
    await stage.by("field-scopes").wait_for()
    await stage.by("field-reason").locator("textarea").fill("push")
    await stage.by("modal-submit").click()
    await expect(stage.by("modal")).to_contain_text("Once more")

    await stage.by("modal-back").click()

    await expect(stage.by("modal")).to_contain_text("Ask for access")
    await expect(stage.by("field-reason").locator("textarea")).to_have_value("push")


async def test_the_keyboard_stays_in_the_modal_and_escape_leaves_it(stage):
    await stage.visit()
    await stage.type("/jit request")
    await stage.by("modal").wait_for()

    for _ in range(12):
        await stage.page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert await stage.page.evaluate(inside)
    await stage.page.keyboard.press("Escape")

    await expect(stage.by("modal")).to_have_count(0)
    await expect(stage.by("composer")).to_be_focused()


async def test_a_click_is_told_to_the_app_and_the_card_changes_before_one_s_eyes(stage):
    ts = await stage.post(blocks=CARD)
    await stage.visit(user="U0BEN")

    await stage.by("button-approve").click()

    await expect(stage.message(ts)).to_contain_text("Decided")
    await expect(stage.by("button-approve")).to_have_count(0)
    assert stage.clicks == ["U0BEN approve"]


async def test_a_dangerous_button_asks_first(stage):
    ts = await stage.post(blocks=CARD)
    await stage.visit(user="U0BEN")

    await stage.by("button-deny").click()
    await expect(stage.by("confirm")).to_contain_text("Nobody can undo it.")
    await stage.by("confirm-cancel").click()
    await expect(stage.by("confirm")).to_have_count(0)
    assert stage.clicks == []
    await stage.by("button-deny").click()
    await stage.by("confirm-ok").click()

    await expect(stage.message(ts)).to_contain_text("Decided")
    assert stage.clicks == ["U0BEN deny"]


async def test_a_click_that_nobody_answers_says_so_at_the_card(stage):
    ts = await stage.post(blocks=CARD)
    await stage.visit()

    await stage.by("button-late").click()

    await expect(stage.message(ts)).to_contain_text("We had some trouble connecting. Try again?")


async def test_replies_open_beside_the_channel_and_close_again(stage):
    ts = await stage.post("the card")
    await stage.post("first line", thread_ts=ts)
    await stage.post("second line", thread_ts=ts)
    await stage.visit()
    await expect(stage.page.locator("#main")).not_to_contain_text("second line")

    await stage.by(f"thread-{ts}").click()
    await expect(stage.by("thread-pane")).to_contain_text("second line")
    await stage.post("third line", thread_ts=ts)
    await expect(stage.by("thread-pane")).to_contain_text("third line")
    await expect(stage.by(f"thread-{ts}")).to_contain_text("3 replies")
    await stage.by("thread-close").click()

    await expect(stage.by("thread-pane")).to_have_count(0)


async def test_people_and_channels_show_what_is_unread_until_it_is_read(stage):
    await stage.visit(channel="C0GENERAL")
    await expect(stage.by("person-U0BEN").locator(".badge")).to_have_count(0)

    await stage.post("<!subteam^S0BILLING> please", channel="C0ACCESS")
    await stage.post("your token", channel="D0ANNA")

    await expect(stage.by("person-U0BEN").locator(".badge")).to_contain_text("1")
    await expect(stage.by("person-U0EVA").locator(".dot")).to_have_count(1)
    await expect(stage.by("channel-C0ACCESS").locator(".dot")).to_have_count(1)
    await expect(stage.by("channel-D0ANNA").locator(".badge")).to_contain_text("1")
    await stage.by("channel-D0ANNA").click()
    await expect(stage.page.locator("#main")).to_contain_text("your token")
    await expect(stage.by("channel-D0ANNA").locator(".badge")).to_have_count(0)
    await stage.by("person-U0BEN").click()
    await stage.by("channel-C0ACCESS").click()
    await expect(stage.by("channel-C0ACCESS").locator(".badge")).to_have_count(0)


async def test_each_person_sees_her_own_channels_and_what_she_is(stage):
    await stage.visit()
    await expect(stage.by("channel-C0SECURITY")).to_have_count(0)

    await stage.by("person-U0EVA").click()
    await expect(stage.by("channel-C0SECURITY")).to_be_visible()
    await stage.by("person-U0XENIA").click()

    await expect(stage.by("channel-C0PARTNERS")).to_be_visible()
    await expect(stage.by("channel-C0ACCESS")).to_have_count(0)
    await expect(stage.page.locator(".banner")).to_contain_text("another company")
    await stage.page.reload()
    await expect(stage.page.locator(".room-you")).to_contain_text("Xenia")


async def test_the_help_card_is_there_at_first_and_stays_away_once_dismissed(stage):
    await stage.visit()
    await expect(stage.by("help-card")).to_contain_text("/jit request")

    await stage.by("help-dismiss").click()
    await stage.page.reload()
    await stage.by("composer").wait_for()

    await expect(stage.by("help-card")).to_have_count(0)
    await stage.by("help").click()
    await expect(stage.by("help-card")).to_be_visible()


async def test_a_permalink_leads_to_its_message(stage):
    ts = await stage.post("here it is")
    found = await stage.client.chat_getPermalink(channel="C0ACCESS", message_ts=ts)

    await stage.page.goto(found["permalink"])

    await expect(stage.by("thread-pane")).to_contain_text("here it is")
    await expect(stage.by("channel-C0ACCESS")).to_have_attribute("aria-current", "page")


async def test_the_page_finds_its_way_back_when_the_stand_in_was_away(stage):
    await stage.visit()
    await stage.page.context.set_offline(True)
    await stage.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(stage.page.locator(".offline-mark")).to_be_visible()

    await stage.page.context.set_offline(False)

    await expect(stage.page.locator(".offline-mark")).to_be_hidden()
    ts = await stage.post("back again")
    await expect(stage.message(ts)).to_be_visible()
    stage.problems.clear()
