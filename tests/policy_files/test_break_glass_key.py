"""The key `break_glass` of a bundle: what it becomes, and what is refused at which place."""

from datetime import timedelta

import pytest

from bot.core.scopes import Glass
from tests.policy_files.folders import BUNDLES, GROUPS, RULES, loaded, problems

WHOLE = {
    "who": "[engineers]",
    "max_duration": "30m",
    "notify": '["#incidents"]',
    "review_by": "[leads]",
    "review_within": "24h",
}


def glass(**changed):
    """Return BUNDLES with a break-glass, whose keys stand from line 14 on."""
    keys = {**WHOLE, **changed}
    lines = [f"      {key}: {value}" for key, value in keys.items() if value is not None]
    return "\n".join([f"{BUNDLES}    break_glass:", *lines]) + "\n"


def test_it_is_loaded_with_what_is_meant_where_nothing_is_said(tmp_path):
    policy = loaded(tmp_path, bundles=glass()).policy
    assert policy.bundles["billing-read"].glass == Glass(
        who=("engineers",),
        max_duration=timedelta(minutes=30),
        reason_min=30,
        notify=("#incidents",),
        review_by=("leads",),
        review_within=timedelta(hours=24),
        unreviewed=1,
    )
    assert loaded(tmp_path).policy.bundles["billing-read"].glass is None


def test_it_is_part_of_what_the_digest_is_over(tmp_path):
    two = [loaded(tmp_path, bundles=glass(unreviewed=n)).policy.digest for n in (1, 2)]
    assert two[0] != two[1]


def test_a_guardrail_holds_in_an_emergency_only_if_it_says_so(tmp_path):
    rails = (
        RULES
        + "guardrails:\n"
        + "".join(
            f"  - {{id: {name}, bundles: {{}}, deny: true{more}}}\n"
            for name, more in (("a", ""), ("b", ", even_break_glass: true"))
        )
    )
    found = loaded(tmp_path, rules=rails).policy.guardrails_of["billing-read"]
    assert [rail.even_break_glass for rail in found] == [False, True]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"who": None}, "13:5: {at}: the key 'who' is missing"),
        ({"notify": None}, "13:5: {at}: the key 'notify' is missing"),
        ({"notify": "[]"}, "16:15: {at}.notify: must not be empty"),
        ({"review_by": None}, "13:5: {at}: the key 'review_by' is missing"),
        ({"review_by": "[]"}, "17:18: {at}.review_by: must not be empty"),
        ({"review_within": None}, "13:5: {at}: the key 'review_within' is missing"),
        (
            {"max_duration": "61m"},
            "15:21: {at}.max_duration: 1h1m is longer than the bundle's max_duration, 1h",
        ),
        ({"max_duration": "0m"}, "15:21: {at}.max_duration: must be longer than nothing"),
        ({"reason_min": "0"}, "19:19: {at}.reason_min: must be 1 or more, not 0"),
        ({"reason_min": "501"}, "19:19: {at}.reason_min: must be 500 or less, not 501"),
        ({"unreviewed": "0"}, "19:19: {at}.unreviewed: must be 1 or more, not 0"),
        ({"who": "[enginers]"}, "14:13: {at}.who[0]: there is no group 'enginers'"),
        ({"review_by": "[led]"}, "17:19: {at}.review_by[0]: there is no group 'led'"),
        ({"revew_by": "[leads]"}, "19:7: {at}.revew_by: unknown key 'revew_by'"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(tmp_path, changed, problem):
    [told] = problems(tmp_path, bundles=glass(**changed))
    said = problem.format(at="bundles.billing-read.break_glass")
    assert told.startswith(f"p/bundles.yaml:{said}")


def test_one_person_alone_cannot_both_break_and_review(tmp_path):
    groups = GROUPS + "  ben: {users: [U0BEN]}\n"
    alone = glass(who="[leads]", review_by="[ben]")
    [told] = problems(tmp_path, bundles=alone, groups=groups)
    assert told.startswith("p/bundles.yaml:17:18: bundles.billing-read.break_glass.review_by: ")
    assert told.endswith(": U0BEN may break the glass, and nobody else is there to review it")
    loaded(tmp_path, bundles=glass(who="[engineers]", review_by="[ben]"), groups=groups)
    loaded(tmp_path, bundles=glass(who="[ben]", review_by="[leads]"), groups=groups)


def test_a_rule_cannot_say_it(tmp_path):
    rules = RULES.replace("decision: require", "decision: break_glass")
    assert any("'break_glass' is not allowed" in each for each in problems(tmp_path, rules=rules))
