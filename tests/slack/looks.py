"""Random requests with hostile texts, and what may stand in anything that is shown."""

import json
import re
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from bot.core.identity import BOT
from bot.core.machine import Machine
from bot.core.moves import Approve, Deny, Revoke
from bot.core.policy import Stage
from bot.core.scopes import Delivery, Risk, ScopeText, Tracker
from bot.core.tickets import SeenTicket
from bot.sandbox.limits import check_message, check_view
from bot.slack.mrkdwn import MESSAGE_TEXT, MESSAGE_WEIGHT, Rendered, weight
from tests.core.test_lifecycle import ANNA, BEN, CLEO, PEOPLE, asked, clocks, group, moves, stages

ATTACKS = (
    "<!channel> <!here> <@UEVIL> <#C0SECRET> <!subteam^S0SRE>",
    "<https://evil.example|the bank> https://evil.example @here",
    "nothing\n✅ Approved by <@UBEN>\r\n> quoted",
    "`code` ```block``` *bold* _it_ ~no~ :tada: :white_check_mark:",
    "\u202eevil\u200b\u2066\u0007\u2028line\u0000",
    "e" + "\u0301" * 300,
    "&" * 500,
    "🧑🏽" * 400,
    "\u3164\u115f\u200b",
    "",
)
texts = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=700))
scopes = st.lists(
    st.builds(
        ScopeText,
        st.text(alphabet="abc:&<>*_`~", min_size=1, max_size=255),
        st.one_of(st.just(""), texts),
    ),
    min_size=1,
    max_size=120,
).map(tuple)
TICKET = "https://jira.example/browse/OPS-7"
seen = st.builds(
    SeenTicket,
    tracker=st.sampled_from(Tracker),
    link=st.sampled_from(["", TICKET]),
    title=texts,
    status=texts,
    unknown=st.one_of(st.just(""), texts),
    watched=st.sampled_from([None, timedelta(minutes=1)]),
)
machines = st.builds(
    Machine,
    client=st.sampled_from(["ci", "c" * 63]),
    owner=st.sampled_from(["owners", BEN.id]),
    address=texts,
    code=texts,
    alarm=st.just("#alarms"),
)
one_lead = (Stage(name="lead", approvers=(group("leads"),)),)
asks = st.builds(
    asked,
    stages=st.one_of(st.just(one_lead), stages, stages.map(lambda found: found * 4)),
    delivery=st.sampled_from(Delivery),
    risk=st.sampled_from(Risk),
    by=st.one_of(st.just(ANNA), st.sampled_from(PEOPLE)),
    title=texts,
    bundle=st.sampled_from(["billing-read", "b" * 300]),
    resource=st.sampled_from(["https://billing.example", "urn:" + "x" * 500]),
    rule=st.sampled_from(["by-leads", "r" * 300, ""]),
    reasons=st.lists(texts, min_size=1, max_size=3).map(tuple),
    reason=texts,
    ticket=texts,
    seen=st.none() | seen,
    machine=st.none() | st.none() | machines,
    left_out=st.integers(0, 3),
    scopes=scopes,
)
asks = st.builds(lambda first, clock: replace(first, **clock), asks, clocks)

said = st.one_of(moves, st.builds(Deny, texts), st.builds(Revoke, texts))
acts = st.lists(st.tuples(said, st.sampled_from((*PEOPLE, BOT)), st.floats(0.1, 15)), max_size=25)
# Half of the histories begin with what it takes to be granted.
steps = st.one_of(
    acts, acts.map(lambda more: [(Approve(), BEN, 0.5), (Approve(), CLEO, 0.5), *more])
)

CARD = "https://acme.slack.com/archives/C0ACCESS/p1"
_OURS = re.compile(
    r"<@[UW][A-Z0-9]+>|<!subteam\^S0TEAM>"
    r"|<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[-: \w]+>"
    rf"|<{re.escape(CARD)}\|Open the card>"
    rf"|<{re.escape(TICKET)}\|[^<>]+>"
)
_QUOTE = re.compile(r"^> ", re.MULTILINE)


def parts(node, kind):
    """Return the texts of all text objects of a kind in a message or view."""
    if isinstance(node, list):
        return [text for item in node for text in parts(item, kind)]
    if not isinstance(node, dict):
        return []
    own = [node["text"]] if node.get("type") == kind else []
    return own + [text for value in node.values() for text in parts(value, kind)]


def buttons(shown):
    """Return the action ids of a message's buttons."""
    rows = [block for block in shown.blocks if block["type"] == "actions"]
    return [element["action_id"] for row in rows for element in row["elements"]]


def must_be_safe(text):
    """Assert that nothing in `text` is a mention, link or control but our own marks."""
    bare = _QUOTE.sub("", _OURS.sub("", text))
    assert "<" not in bare
    assert ">" not in bare
    assert "<@UEVIL" not in text  # what links are called may be anything
    for line in text.split("\n"):
        assert line.isprintable()
        assert not line.startswith("✅ Approved by <@UBEN>")
    assert not {"\u202e", "\u200b", "\u2066", "\u3164"} & set(text)


def must_fit(shown):
    """Assert that Slack takes the message, and that nothing in it is what people made it."""
    assert isinstance(shown, Rendered)
    check_message(shown.text, shown.blocks, longest=MESSAGE_TEXT)
    assert shown.text.strip()
    assert weight(shown.blocks) <= MESSAGE_WEIGHT
    must_be_safe(shown.text)
    for text in parts(shown.blocks, "mrkdwn"):
        assert text.strip()
        must_be_safe(text)
    assert '"verbatim": false' not in json.dumps(shown.blocks)


def view_must_fit(view):
    """Assert that Slack takes the view, and that nothing in it is what people made it."""
    check_view(view)
    for text in parts(view, "mrkdwn"):
        must_be_safe(text)


def tokens_of(request):
    """Return how many tokens the request's grant has."""
    return len(request.grant.tokens) if request.grant is not None else 0
