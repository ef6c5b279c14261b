import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.errors import SlackError
from bot.sandbox.limits import check_message, check_view
from tests.sandbox.parts import (
    actions,
    button,
    field,
    menu,
    modal,
    mrkdwn,
    plain_text,
    refused,
    section,
    text_input,
)

CONFIRM = {key: plain_text("x") for key in ("title", "text", "confirm", "deny")}


def wrong(call, *args, **options):
    """The name of the error, and the JSON pointers of its notes."""
    with pytest.raises(SlackError) as caught:
        call(*args, **options)
    notes = caught.value.more.get("errors", [])
    return caught.value.name, [note.rpartition(":")[2].rstrip("]") for note in notes]


# Each at its limit, and what is one more.
BLOCKS = {
    "/blocks/0/text/text": (section("x" * 3000), section("x" * 3001)),
    "/blocks/0/block_id": (section(block_id="x" * 255), section(block_id="x" * 256)),
    "/blocks/0/fields": (
        {"type": "section", "fields": [mrkdwn("x")] * 10},
        {"type": "section", "fields": [mrkdwn("x")] * 11},
    ),
    "/blocks/0/fields/0/text": (
        {"type": "section", "fields": [mrkdwn("x" * 2000)]},
        {"type": "section", "fields": [mrkdwn("x" * 2001)]},
    ),
    "/blocks/0/text/type": (
        {"type": "header", "text": plain_text("x" * 150)},
        {"type": "header", "text": mrkdwn("x")},
    ),
    "/blocks/0/elements": (
        {"type": "context", "elements": [mrkdwn("x")] * 10},
        {"type": "context", "elements": [mrkdwn("x")] * 11},
    ),
    "/blocks/0/elements/0/text/text": (
        actions(button(text=plain_text("x" * 75))),
        actions(button(text=plain_text("x" * 76))),
    ),
    "/blocks/0/elements/0/value": (
        actions(button(value="x" * 2000)),
        actions(button(value="x" * 2001)),
    ),
    "/blocks/0/elements/0/url": (
        actions(button(url="x" * 3000)),
        actions(button(url="x" * 3001)),
    ),
    "/blocks/0/elements/0/action_id": (
        actions(button("x" * 255)),
        actions(button("x" * 256)),
    ),
    "/blocks/0/elements/0/style": (
        actions(button(style="danger")),
        actions(button(style="green")),
    ),
    "/blocks/0/elements/0/confirm/title/text": (
        actions(button(confirm=CONFIRM | {"title": plain_text("x" * 100)})),
        actions(button(confirm=CONFIRM | {"title": plain_text("x" * 101)})),
    ),
    "/blocks/0/elements/0/confirm/deny/text": (
        actions(button(confirm=CONFIRM | {"deny": plain_text("x" * 30)})),
        actions(button(confirm=CONFIRM | {"deny": plain_text("x" * 31)})),
    ),
    "/blocks/0/elements/0/options": (
        actions(menu(*map(str, range(5)), kind="overflow")),
        actions(menu(*map(str, range(6)), kind="overflow")),
    ),
    "/blocks/0/accessory/options": (
        section(accessory=menu(*map(str, range(100)))),
        section(accessory=menu(*map(str, range(101)))),
    ),
    "/blocks/0/accessory/options/0/text/text": (
        section(accessory=menu("x" * 75)),
        section(accessory=menu("x" * 76)),
    ),
    "/blocks/0/accessory/placeholder/text": (
        section(accessory=menu("a", placeholder=plain_text("x" * 150))),
        section(accessory=menu("a", placeholder=plain_text("x" * 151))),
    ),
    "/blocks/0/elements/0/initial_date_time": (
        actions({"type": "datetimepicker", "action_id": "a", "initial_date_time": 1_700_000_000}),
        actions({"type": "datetimepicker", "action_id": "a", "initial_date_time": 170_000_000}),
    ),
    "/blocks/0/image_url": (
        {"type": "image", "image_url": "x", "alt_text": "x"},
        {"type": "image", "alt_text": "x"},
    ),
    "/blocks/0/type": ({"type": "divider"}, {"type": "alert"}),
}


@pytest.mark.parametrize(("where", "pair"), BLOCKS.items(), ids=BLOCKS)
def test_a_block_at_its_limit_passes_and_one_more_is_refused_by_place(where, pair):
    good, bad = pair
    check_message("", [good])
    assert wrong(check_message, "", [bad]) == ("invalid_blocks", [where])


@pytest.mark.parametrize(
    ("block", "where"),
    [
        (section(""), "/blocks/0/text/text"),
        ({"type": "section"}, "/blocks/0/text"),
        ({"type": "header", "text": plain_text("x" * 151)}, "/blocks/0/text/text"),
        (actions(), "/blocks/0/elements"),
        (actions(*[button(str(n)) for n in range(26)]), "/blocks/0/elements"),
        (actions(button("a"), button("a")), "/blocks/0/elements"),
        (actions({"type": "slider", "action_id": "a"}), "/blocks/0/elements/0/type"),
        ({"type": "markdown", "text": "x" * 12_001}, "/blocks/0/text"),
        (
            section(accessory=menu("a", initial_option={"text": plain_text("B"), "value": "b"})),
            "/blocks/0/accessory",
        ),
        (section(accessory=menu("x" * 74 + "Y", value="y")), None),
    ],
)
def test_a_broken_block_is_refused_by_place(block, where):
    if where is None:
        check_message("", [block])
    else:
        assert wrong(check_message, "", [block]) == ("invalid_blocks", [where])


def test_a_message_has_at_most_fifty_blocks():
    check_message("", [{"type": "divider"}] * 50)
    assert wrong(check_message, "", [{"type": "divider"}] * 51) == ("invalid_blocks", ["/blocks"])


def test_two_blocks_of_a_message_have_different_ids():
    twins = [section(block_id="a"), section(block_id="a")]
    assert wrong(check_message, "", twins) == ("invalid_blocks", ["/blocks"])


def test_a_message_says_something():
    assert wrong(check_message, "", []) == ("no_text", [])


def test_blocks_are_a_list_of_objects():
    for blocks in ("[", {"type": "divider"}, ["divider"]):
        assert wrong(check_message, "text", blocks) == ("invalid_blocks_format", [])


def test_every_mistake_is_told_at_once():
    _, places = wrong(check_message, "", [section(""), {"type": "alert"}])
    assert places == ["/blocks/0/text/text", "/blocks/1/type"]


VIEWS = {
    "/view/title/text": {"title": plain_text("x" * 25)},
    "/view/submit/text": {"submit": plain_text("x" * 25)},
    "/view/close/text": {"close": plain_text("x" * 25)},
    "/view/private_metadata": {"private_metadata": "x" * 3001},
    "/view/callback_id": {"callback_id": "x" * 256},
    "/view/external_id": {"external_id": "x" * 256},
    "/view/type": {"type": "home"},
    "/view/blocks": {"blocks": [{"type": "divider"}] * 101},
    "/view/title": {"title": None},
    "/view": {"blocks": [field(text_input())], "submit": None},
    "/view/blocks/0/type": {"blocks": [{"type": "markdown", "text": "x"}]},
    "/view/blocks/0/label/text": {"blocks": [field(text_input(), label=plain_text("x" * 2001))]},
    "/view/blocks/0/hint/text": {"blocks": [field(text_input(), hint=plain_text("x" * 2001))]},
    "/view/blocks/0/element": {"blocks": [field(text_input(max_length=3001))]},
    "/view/blocks/0/element/initial_value": {
        "blocks": [field(text_input(max_length=2, initial_value="abc"))]
    },
    "/view/blocks/0/element/options": {
        "blocks": [field(menu(*map(str, range(11)), kind="checkboxes"))]
    },
    "/view/blocks/0": {"blocks": [field(button())]},
}


@pytest.mark.parametrize(("where", "change"), VIEWS.items(), ids=VIEWS)
def test_a_broken_view_is_refused_by_place(where, change):
    check_view(modal())
    assert wrong(check_view, modal(**change)) == ("invalid_arguments", [where])


def test_a_view_is_at_most_250_kilobytes():
    big = [section("x" * 2900) for _ in range(90)]
    assert wrong(check_view, modal(*big)) == ("view_too_large", [])


@given(st.text(min_size=1, max_size=200))
def test_lengths_count_characters(text):
    button_text = actions(button(text=plain_text(text)))
    if len(text) <= 75:
        check_message("", [button_text])
    else:
        assert wrong(check_message, "", [button_text])[0] == "invalid_blocks"


async def test_the_api_tells_where_and_keeps_it_as_a_violation(slack, acme):
    call = slack.chat_postMessage(channel="C0ACCESS", text="x", blocks=[section("x" * 3001)])
    answer = await refused(call, whole=True)
    note = "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    assert answer["error"] == "invalid_blocks"
    assert answer["response_metadata"]["messages"] == [note]
    assert await acme.violations() == [f"chat.postMessage: invalid_blocks {note}"]


async def test_a_long_text_is_cut_when_posted_and_refused_when_updated(slack, acme):
    posted = await slack.chat_postMessage(channel="C0ACCESS", text="x" * 40_001)
    [message] = await acme.person("Anna").messages("access-requests")
    assert len(message.text) == 40_000
    place = {"channel": "C0ACCESS", "ts": posted["ts"]}
    await slack.chat_update(**place, text="x" * 4_000)
    assert await refused(slack.chat_update(**place, text="x" * 4_001)) == "msg_too_long"
    call = slack.api_call("chat.postMessage", json={"channel": "C0ACCESS"})
    assert await refused(call) == "no_text"
