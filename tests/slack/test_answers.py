"""Answers to typed commands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as e
from bot.core.identity import RequestId
from bot.core.request import Request
from bot.slack.answers import bundles_text, help_text, list_text, status_text, unknown_text
from bot.slack.commands import Unknown
from tests.builders import ANNA, REQUEST, T0, a_request, granted, requested
from tests.slack.looks import buttons, must_fit, parts, texts
from tests.slack.policies import POLICY, a_bundle, a_policy


def text_of(shown):
    return "\n".join(parts(shown.blocks, "mrkdwn"))


def test_help_names_every_command():
    must_fit(help_text())
    for verb in ("request", "bundles", "list", "status ID", "cancel ID", "revoke ID"):
        assert f"/jit {verb}" in text_of(help_text())


@given(texts, st.sampled_from(["", "request"]))
def test_what_is_no_command_is_answered_with_the_nearest_one(typed, nearest):
    shown = unknown_text(Unknown(typed[:150], nearest))
    must_fit(shown)
    assert f"/jit {nearest or 'help'}" in shown.text


def test_bundles_are_listed_with_risk_and_the_longest_duration():
    shown = bundles_text(POLICY)
    must_fit(shown)
    for part in ("`logs`", "*Do logs*", "up to 1h", "🟢", "What it is for", "`deploy`"):
        assert part in text_of(shown)


@pytest.mark.parametrize("count", [0, 1, 50, 400])
def test_bundles_that_do_not_fit_are_counted(count):
    policy = a_policy(*(a_bundle(f"b{n}", description="d" * 190) for n in range(count)))
    shown = bundles_text(policy)
    must_fit(shown)
    listed = text_of(shown).count("up to 1h")
    assert (f"{count - listed} more bundles" in text_of(shown)) == (listed < count)


def numbered(count):
    return [RequestId(f"R-{n:012d}") for n in range(count)]


@pytest.mark.parametrize("count", [1, 20, 200])
def test_the_list_holds_what_is_pending_or_live_and_counts_what_does_not_fit(count):
    pending = [a_request(request=id_) for id_ in numbered(count)]
    shown = list_text(pending)
    must_fit(shown)
    assert pending[0].id in text_of(shown)
    assert f"{count} pending" in shown.text
    assert ("more lines" in text_of(shown)) == (pending[-1].id not in text_of(shown))


def test_the_list_leaves_out_what_is_over():
    cancelled = a_request(e.Cancelled(request=REQUEST, at=T0, by=ANNA))
    shown = list_text([cancelled])
    must_fit(shown)
    assert REQUEST not in text_of(shown)
    live = a_request(*granted(requested(), at=T0))
    assert "You hold" in text_of(list_text([cancelled, live]))
    assert "1 live grant" in list_text([live]).text


def test_status_tells_what_the_card_tells_without_buttons():
    request = a_request()
    shown = status_text(request)
    must_fit(shown)
    assert not buttons(shown)
    assert "incident 7" in text_of(shown)
    assert text_of(shown) != text_of(status_text(Request(asked=replace(request.asked, reason="x"))))
