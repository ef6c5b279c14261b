"""Conditions in CEL: what counts as true, what is refused, what is read."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.conditions import (
    VARIABLES,
    NoCondition,
    activation_of,
    compile_condition,
)

VALUES = {
    "user.id": "U0ANNA",
    "user.groups": ["engineers", "sre"],
    "user.active_grants": 2,
    "user.requests_today": 0,
    "request.duration": timedelta(minutes=90),
    "request.reason": "Zoë looks into OPS-12",
    "request.ticket": "OPS-12",
    "bundle.name": "billing-read",
    "bundle.environment": "staging",
    "bundle.access": "read",
    "bundle.risk_level": 2,
    "bundle.labels": {"team": "billing"},
    "bundle.scopes": ["invoices:read", "refunds:read"],
    "now.time": datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    "now.windows": ["working-hours"],
}


def value(text, **over):
    return compile_condition(text).value(activation_of({**VALUES, **over}))


@pytest.mark.parametrize(
    "text",
    [
        "request.duration <= duration('2h')",
        "duration('1h30m') == request.duration",
        "request.duration > duration('2h') || bundle.risk_level < 3",
        "now.time + duration('24h') > timestamp('2026-03-30T01:29:59Z')",
        "request.ticket.matches('^[A-Z]{2,8}-[0-9]+$')",
        "request.reason.startsWith('Zoë') && request.reason.contains('OPS-')",
        "request.reason.endsWith('12') && size('Zoë') == 3",
        "'sre' in user.groups && !('contractors' in user.groups)",
        "user.groups.exists(g, g.startsWith('s')) && user.groups.all(g, size(g) > 2)",
        "user.groups.filter(g, g != 'sre') == ['engineers']",
        "user.groups.exists_one(g, g == 'sre')",
        "user.groups.map(g, g + 's') == ['engineerss', 'sres']",
        "has(bundle.labels.team) && !has(bundle.labels.owner)",
        "bundle.labels.owner == 'x' || bundle.risk_level == 2",
        "bundle.risk_level == 2 || bundle.labels.owner == 'x'",
        "bundle.environment in ['staging', 'dev'] ? user.active_grants < 3 : false",
        "bundle.scopes.all(s, s.endsWith(':read'))",
        "'working-hours' in now.windows && user.requests_today == 0",
        "9007199254740992 + user.active_grants - 1 == 9007199254740993",
    ],
)
def test_the_language_works_as_its_specification_says(text):
    assert value(text) is True
    assert value(f"!({text})") is False


@pytest.mark.parametrize(
    "text",
    [
        "bundle.labels.owner == 'x'",
        "bundle.labels['owner'] != 'x'",
        "10 / user.requests_today == 1",
        "9223372036854775806 + user.active_grants > 0",
        "user.groups.exists(g, bundle.labels[g] == 'x')",
    ],
)
def test_what_fails_is_neither_true_nor_false_but_words(text):
    for each in (text, f"!({text})"):
        found = value(each)
        assert isinstance(found, str)
        assert found.startswith("it cannot be evaluated: ")


def test_a_fact_that_was_not_looked_up_is_a_failure():
    known = {name: value for name, value in VALUES.items() if name != "user.active_grants"}
    condition = compile_condition("user.active_grants < 3")
    assert isinstance(condition.value(activation_of(known)), str)


def test_a_text_that_is_no_unicode_is_a_failure():
    known = {**VALUES, "request.reason": "a\ud800"}
    found = compile_condition("request.reason != ''").value(activation_of(known))
    assert isinstance(found, str)


def test_an_evaluation_is_bounded():
    many = [f"g{number}" for number in range(500)]
    found = value("user.groups.all(a, user.groups.all(b, a + b != ''))", **{"user.groups": many})
    assert isinstance(found, str)


def test_a_pattern_that_would_explode_elsewhere_is_quick():
    assert (
        value("request.reason.matches('^(a+)+$')", **{"request.reason": "a" * 400 + "b"}) is False
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("user.grups == []", [(1, 1, "there is no 'user.grups' (did you mean 'user.groups'?)")]),
        (
            "'é' == 'x' && request.reson == ''",
            [(1, 15, "there is no 'request.reson' (did you mean 'request.reason'?)")],
        ),
        (
            "user == 'x'",
            [
                (
                    1,
                    1,
                    (
                        "there is no 'user' (there is user.id, user.groups, user.active_grants,"
                        " user.requests_today)"
                    ),
                )
            ],
        ),
        (
            "request.duration <= 2",
            [
                (
                    1,
                    18,
                    "'<=' does not fit (duration, int); write a duration as duration('2h')",
                )
            ],
        ),
        (
            "a ==\n  b.c && user.id",
            [
                (1, 1, "there is no 'a'"),
                (2, 3, "there is no 'b.c'"),
                (2, 7, "'&&' does not fit (bool, string)"),
            ],
        ),
        ("user.id", [(1, 1, "a condition is true or false, and this is a string")]),
        ("1 + 2", [(1, 1, "a condition is true or false, and this is an int")]),
        ("user.id ==", [(1, 11, "it ends too early")]),
        ("", [(1, 1, "it ends too early")]),
        (
            "user.id.startswith('U')",
            [(1, 9, "there is no 'startswith' (did you mean 'startsWith'?)")],
        ),
        (
            "string(1) == '1'",
            [
                (
                    1,
                    1,
                    (
                        "'string' cannot be used; there is size, startsWith, endsWith, contains,"
                        " duration, timestamp, matches, exists, all, exists_one, filter, map, has"
                    ),
                )
            ],
        ),
        (
            "user.id == 'é' && now.time.getHours('Europe/Berlin') > 9",
            [
                (
                    1,
                    28,
                    (
                        "'getHours' cannot be used; there is size, startsWith, endsWith, contains,"
                        " duration, timestamp, matches, exists, all, exists_one, filter, map, has"
                    ),
                )
            ],
        ),
        (
            "request.duration < duration('2x')",
            [(1, 29, "'2x' does not fit duration: String to Duration conversion failed")],
        ),
        (
            "true || request.reason.matches('(')",
            [(1, 32, "'(' does not fit matches: invalid regular expression: missing ): (")],
        ),
        (
            "request.reason.matches(request.ticket)",
            [(1, 31, "what matches takes must be written out, in quotes")],
        ),
        (
            "1 / 0 == 1",
            [(1, 1, "tried on a sample request: it cannot be evaluated: divide by zero")],
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, faults):
    with pytest.raises(NoCondition) as caught:
        compile_condition(text)
    assert [(fault.line, fault.column, fault.what) for fault in caught.value.faults] == faults


def test_the_variables_that_are_read_are_known():
    condition = compile_condition("user.active_grants < 3 || user.id == request.ticket")
    assert condition.reads == {"user.active_grants", "user.id", "request.ticket"}
    every = " && ".join(f"{name} == {name}" for name in VARIABLES)
    assert compile_condition(every).reads == set(VARIABLES)


def test_groups_and_windows_that_are_named_are_known():
    condition = compile_condition("'a' in user.groups ||\n 'b' in now.windows")
    named = [(mention.variable, mention.name, mention.place) for mention in condition.mentions]
    assert named == [("user.groups", "a", (1, 1)), ("now.windows", "b", (2, 2))]
    assert not condition.all_groups


@pytest.mark.parametrize(
    "text",
    [
        "user.groups.exists(g, g == 'a')",
        "'a' in user.groups && size(user.groups) == 1",
        "user.groups == ['a']",
        "user.id in user.groups",
    ],
)
def test_what_does_not_name_its_groups_may_depend_on_all(text):
    assert compile_condition(text).all_groups
