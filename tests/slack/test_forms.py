"""The form to ask for access: built, filled in, read back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Invalid
from bot.core.scopes import ScopeText
from bot.slack.buttons import Action
from bot.slack.forms import (
    SCOPES_TICKED,
    errors_for,
    first_block,
    read_draft,
    read_request_form,
    request_form,
)
from bot.slack.mrkdwn import CHECKBOXES, OPTIONS, REASON_TEXT
from bot.usecases.wishes import Wish
from tests.slack.looks import texts, view_must_fit
from tests.slack.policies import PLAIN, POLICY, TICKETED, a_bundle, a_policy


def block(view, block_id):
    return next(block for block in view["blocks"] if block.get("block_id") == block_id)


def element(view, block_id):
    return block(view, block_id)["element"]


def scope_blocks(view):
    return [b for b in view["blocks"] if b.get("block_id", "").startswith("scopes-")]


def untouched(element):
    """Return the state of an element that nobody touched."""
    kind = element["type"]
    if kind == "static_select":
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind == "checkboxes":
        return {"type": kind, "selected_options": element.get("initial_options", [])}
    if kind == "datetimepicker":
        return {"type": kind, "selected_date_time": element.get("initial_date_time")}
    return {"type": kind, "value": element.get("initial_value")}


def sent(view, **entered):
    """Return `view` as it comes back; `entered` replaces what stands in a block."""
    values = {
        b["block_id"]: {b["element"]["action_id"]: untouched(b["element"])}
        for b in view["blocks"]
        if b["type"] == "input"
    }
    for block_id, state in entered.items():
        values[block_id] = {element(view, block_id)["action_id"]: state}
    return {**view, "state": {"values": values}}


WISH = Wish(
    bundle="deploy",
    scopes=("deploy:write",),
    duration=timedelta(minutes=37),
    reason="roll back release 7",
    ticket="INC-12",
)


def test_what_was_filled_in_is_read_back():
    view = request_form(POLICY, WISH, metadata="opaque")
    view_must_fit(view)
    assert read_request_form(sent(view), POLICY) == WISH
    assert view["private_metadata"] == "opaque"


def test_the_form_says_that_the_time_begins_when_it_is_started():
    policy = a_policy(a_bundle("claimed", claim_within=timedelta(hours=1)), PLAIN)
    told = "Its time begins when you start it, within 1h of the approval."
    for bundle, is_told in (("claimed", True), ("logs", False)):
        view = request_form(policy, Wish(bundle=bundle))
        view_must_fit(view)
        assert (told in str(view)) is is_told


PLANNED = a_bundle("planned", start_within=timedelta(days=7))


@pytest.mark.parametrize("start", [None, datetime(2026, 11, 23, 8, tzinfo=UTC)])
def test_a_start_is_asked_for_where_it_may_be_later(start):
    policy = a_policy(PLANNED, PLAIN)
    view = request_form(policy, Wish(bundle="planned", reason="to ship it", start=start))
    view_must_fit(view)
    assert block(view, "start")["optional"]
    assert "7d ahead at most" in block(view, "start")["hint"]["text"]
    assert read_request_form(sent(view), policy).start == start
    assert read_draft(sent(view)).start == start
    view = request_form(policy, Wish(bundle="logs", reason="to look", start=start))
    assert "start" not in [each.get("block_id") for each in view["blocks"]]
    assert read_request_form(sent(view), policy).start is None


@given(texts, texts, st.integers(1, 60), st.sets(st.sampled_from(TICKETED.scope_names), min_size=1))
def test_any_wish_that_the_bundle_allows_survives_the_form(reason, ticket, minutes, scopes):
    wish = Wish(
        bundle="deploy",
        scopes=tuple(s for s in TICKETED.scope_names if s in scopes),
        duration=timedelta(minutes=minutes),
        reason=reason,
        ticket=ticket,
    )
    view = request_form(POLICY, wish)
    view_must_fit(view)
    read = read_request_form(sent(view), POLICY)
    assert (read.bundle, read.scopes, read.duration) == (wish.bundle, wish.scopes, wish.duration)
    assert request_form(POLICY, read) == view


def test_an_empty_form_asks_for_the_bundle_first():
    view = request_form(POLICY)
    view_must_fit(view)
    assert [b["block_id"] for b in view["blocks"]] == ["bundle", "reason"]
    assert block(view, "bundle")["dispatch_action"] is True
    assert element(view, "bundle")["action_id"] == Action.CHOOSE_BUNDLE
    options = element(view, "bundle")["options"]
    assert [option["value"] for option in options] == ["logs", "deploy"]
    assert "low risk" in options[0]["description"]["text"]


def test_every_scope_is_ticked_at_first_and_named_one_by_one():
    view = request_form(POLICY, Wish(bundle="logs"))
    read = read_request_form(sent(view), POLICY)
    assert read.scopes == PLAIN.scope_names
    assert read.duration == PLAIN.default_duration


def test_another_bundle_starts_with_its_own_scopes_and_keeps_what_the_person_wrote():
    first = request_form(POLICY, Wish(bundle="logs", reason="because", scopes=("logs:read",)))
    chosen = {"type": "static_select", "selected_option": {"value": "deploy"}}
    draft = read_draft(sent(first, bundle=chosen))
    assert draft == Wish(bundle="deploy", reason="because")
    second = request_form(POLICY, draft)
    assert len(element(second, "scopes-0")["initial_options"]) == 2
    for block_id in ("scopes-0", "duration"):
        own = element(first, block_id)["action_id"]
        assert own != element(second, block_id)["action_id"]
    assert element(first, "reason")["action_id"] == element(second, "reason")["action_id"]


def test_a_ticket_is_asked_for_only_where_the_bundle_wants_one():
    asked = request_form(POLICY, Wish(bundle="deploy"))
    assert block(asked, "ticket")["optional"] is False
    assert "INC-7" in element(asked, "ticket")["placeholder"]["text"]
    view = request_form(POLICY, Wish(bundle="logs"))
    assert all(b["block_id"] != "ticket" for b in view["blocks"])
    given_anyway = request_form(POLICY, Wish(bundle="logs", ticket="INC-7"))
    assert block(given_anyway, "ticket")["optional"] is True


def test_the_durations_end_with_the_most_and_the_usual_one_is_chosen():
    menu = element(request_form(POLICY, Wish(bundle="logs")), "duration")
    assert [option["value"] for option in menu["options"]] == ["15m", "30m", "1h"]
    assert menu["initial_option"]["value"] == "30m"
    assert menu["options"][-1]["text"]["text"] == "1h (the most)"
    wish = Wish(bundle="logs", duration=timedelta(minutes=37))
    odd = element(request_form(POLICY, wish), "duration")
    assert odd["initial_option"]["value"] == "37m"
    long = request_form(POLICY, Wish(bundle="logs", duration=timedelta(hours=9)))
    assert element(long, "duration")["initial_option"]["value"] == "30m"


def test_the_reason_must_be_as_long_as_the_bundle_says():
    assert element(request_form(POLICY, Wish(bundle="deploy")), "reason")["min_length"] == 15
    strict = a_policy(a_bundle("x", reason_min=9_999))
    view = request_form(strict, Wish(bundle="x"))
    view_must_fit(view)
    assert element(view, "reason")["min_length"] == REASON_TEXT


@pytest.mark.parametrize("count", [1, 10, 11, 99, SCOPES_TICKED, SCOPES_TICKED + 1])
def test_bundles_with_many_scopes_can_be_narrowed_as_far_as_a_form_can_hold_them(count):
    scopes = tuple(ScopeText(f"s{n}:" + "x" * 240, "Do it" * (n % 2)) for n in range(count))
    policy = a_policy(a_bundle("big", scopes=scopes))
    view = request_form(policy, Wish(bundle="big"))
    view_must_fit(view)
    read = read_request_form(sent(view), policy)
    if count > SCOPES_TICKED:
        assert read.scopes is None
        assert not scope_blocks(view)
    else:
        assert read.scopes == tuple(text.scope for text in scopes)
        some = request_form(policy, Wish(bundle="big", scopes=(scopes[-1].scope,)))
        view_must_fit(some)
        # A group of boxes may be left empty only where there are others.
        assert all(shown["optional"] == (count > CHECKBOXES) for shown in scope_blocks(some))
        assert read_request_form(sent(some), policy).scopes == (scopes[-1].scope,)


@pytest.mark.parametrize("count", [OPTIONS - 1, OPTIONS, OPTIONS + 1, 300])
def test_a_menu_that_cannot_hold_all_bundles_holds_the_chosen_one_and_says_so(count):
    policy = a_policy(*(a_bundle(f"bundle-{n}") for n in range(count)))
    last = f"bundle-{count - 1}"
    view = request_form(policy, Wish(bundle=last))
    view_must_fit(view)
    assert read_request_form(sent(view), policy).bundle == last
    told = any("/jit request NAME" in str(b) for b in view["blocks"] if b["type"] == "context")
    assert told == (count > OPTIONS)


def test_a_scope_that_left_the_bundle_meanwhile_is_refused_at_its_field():
    view = sent(request_form(POLICY, Wish(bundle="logs")))
    later = a_policy(a_bundle("logs", scopes=(ScopeText("logs:read"),)))
    with pytest.raises(Invalid, match="any more") as problem:
        read_request_form(view, later)
    assert list(errors_for(problem.value, view)) == ["scopes-0"]


def test_a_form_that_somebody_made_up_is_read_without_harm():
    assert read_request_form({}, POLICY) == Wish(bundle="")
    odd = {"type": "static_select", "selected_option": {"value": "for ever"}}
    view = sent(request_form(POLICY, Wish(bundle="logs")), duration=odd)
    with pytest.raises(Invalid, match="not a duration"):
        read_request_form(view, POLICY)


def test_unticking_everything_is_no_scope_rather_than_every_scope():
    view = request_form(POLICY, Wish(bundle="logs"))
    nothing = sent(view, **{"scopes-0": {"type": "checkboxes", "selected_options": []}})
    assert read_request_form(nothing, POLICY).scopes == ()


@pytest.mark.parametrize("part", ["bundle", "duration", "reason", "ticket"])
def test_a_problem_stands_under_the_part_that_is_wrong(part):
    view = request_form(POLICY, Wish(bundle="deploy"))
    problem = Invalid("this is wrong", field=part, hint="write that")
    assert errors_for(problem, view) == {part: "this is wrong (write that)"}


def test_a_problem_of_a_part_that_the_form_lacks_stands_under_the_first_one():
    view = request_form(POLICY)
    assert errors_for(Invalid("a ticket is needed", field="ticket"), view) == {
        "bundle": "a ticket is needed"
    }
    assert first_block(view) == "bundle"


@given(texts)
def test_a_note_above_the_form_is_shown_as_text(note):
    view_must_fit(request_form(POLICY, WISH, note=note))
