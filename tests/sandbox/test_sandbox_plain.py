from bot.sandbox.plain import plain, plain_view
from tests.sandbox.parts import (
    actions,
    button,
    field,
    menu,
    modal,
    mrkdwn,
    option,
    plain_text,
    section,
    text_input,
)

NAMES = {"U0ANNA": "Anna", "S0SRE": "sre", "C0ACCESS": "access-requests"}


def read(text):
    return plain([section(text)], names=NAMES)


def test_mentions_are_told_by_name():
    assert (
        read("<@U0ANNA> asks <!subteam^S0SRE> in <#C0ACCESS>")
        == "@Anna asks @sre in #access-requests"
    )
    assert read("<@U0NEW|newcomer> <@U0NONE> <!here>") == "@newcomer @U0NONE @here"


def test_a_date_is_told_by_its_fallback():
    assert read("until <!date^1700000000^{time}|22:13 UTC>") == "until 22:13 UTC"


def test_links_tell_label_and_target():
    assert read("<https://a.example|see> <https://b.example>") == (
        "see (https://a.example) https://b.example"
    )


def test_entities_are_undone_once():
    assert read("a &amp;lt; b &lt;@U0ANNA&gt;") == "a &lt; b <@U0ANNA>"


def test_plain_text_is_told_as_it_is():
    header = {"type": "header", "text": plain_text("<@U0ANNA> &amp;")}
    assert plain([header], names=NAMES) == "<@U0ANNA> &amp;"


def test_text_counts_only_without_blocks():
    assert plain([], "hi <@U0ANNA>", names=NAMES) == "hi @Anna"
    assert plain([section("shown")], "hidden") == "shown"


def test_every_block_has_its_line():
    blocks = [
        section("who", fields=[mrkdwn("a"), mrkdwn("b")], accessory=button()),
        {"type": "divider"},
        {"type": "context", "elements": [mrkdwn("small"), {"type": "image", "alt_text": "pic"}]},
        {"type": "image", "alt_text": "picture", "image_url": "x"},
        actions(button(), menu("read", "write")),
    ]
    assert plain(blocks).splitlines() == [
        "who",
        "a",
        "b",
        "[Press]",
        "-" * 20,
        "small [pic]",
        "[picture]",
        "[Press] <Read | Write>",
    ]


def test_a_view_is_told_with_its_fields_and_buttons():
    view = modal(
        field(text_input(initial_value="because"), hint=plain_text("one line")),
        field(menu("read", initial_option=option("read")), "scope", optional=True),
        field({"type": "datetimepicker", "action_id": "at", "initial_date_time": 1_700_000_000}),
        field({"type": "datetimepicker", "action_id": "at"}),
        close=plain_text("Cancel"),
    )
    assert plain_view(view).splitlines() == [
        "# Title",
        "Label: <because>",
        "  one line",
        "Label (optional): <Read>",
        "Label: <2023-11-14 22:13 UTC>",
        "Label: <>",
        "[Send] [Cancel]",
    ]
