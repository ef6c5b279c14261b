"""Every kind of bad input, in a whole folder: refused at its place, with all else that is wrong.

What each key takes is tried in the other modules here; this one is the list of what attacks or
slips there are.
"""

import time
from datetime import timedelta

import pytest

from bot.core.conditions import activation_of
from bot.core.decision import ticket_for
from bot.core.errors import Invalid
from tests.policy_files.folders import BUNDLES, GROUPS, RULES, bundle, loaded, problems, rule

DURATION = "is not a duration; write 30m, 2h, 1h30m or 7d"
CAP = "p/bundles.yaml:11:19: bundles.billing-read.max_duration"
GROUP = "p/groups.yaml:5"


def stages(text):
    return RULES.replace("[{name: lead, approvers: [leads]}]", text)


def condition(text):
    return RULES + f'    when: ["{text}"]\n'


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param(
            {"bundles": bundle("ownr: leads")},
            [
                (
                    "p/bundles.yaml:13:5: bundles.billing-read.ownr: unknown key 'ownr'"
                    " (did you mean 'owner'?)"
                )
            ],
            id="an unknown key",
        ),
        pytest.param(
            {"groups": GROUPS + "  x: {any_of: [y]}\n  y: {any_of: [x]}\n"},
            [
                f"{GROUP}:16: groups.x.any_of[0]: the group would be a part of itself: x > y > x",
                (
                    "p/groups.yaml:6:16: groups.y.any_of[0]: the group would be a part of itself:"
                    " y > x > y"
                ),
            ],
            id="a cycle of groups",
        ),
        pytest.param(
            {"groups": GROUPS + "  x: {users: []}\n"},
            [f"{GROUP}:14: groups.x.users: must not be empty"],
            id="a group of nobody",
        ),
        pytest.param(
            {"groups": GROUPS + "  x: {any_of: []}\n"},
            [f"{GROUP}:15: groups.x.any_of: must not be empty"],
            id="a union of nothing",
        ),
        pytest.param(
            {"groups": GROUPS + "  x: {}\n"},
            [
                (
                    f"{GROUP}:3: groups.x: a group has exactly one of `users`, `usergroup`,"
                    " `any_of`, `on_call` and `manager`"
                )
            ],
            id="a group that says nothing",
        ),
        pytest.param(
            {"groups": GROUPS + "  leads: {users: [U0EVA]}\n"},
            [f"{GROUP}:3: groups.leads: the key 'leads' is given on line 4 already"],
            id="a name twice in a file",
        ),
        pytest.param(
            {"more": "version: 1\ngroups:\n  leads: {users: [U0EVA]}\n"},
            ["p/more.yaml:3:3: groups.leads: 'leads' is defined at p/groups.yaml:4 already"],
            id="a name twice over two files",
        ),
        pytest.param(
            {"bundles": bundle("max_duration: -1h")},
            [f"{CAP}: '-1h' {DURATION}"],
            id="a negative duration",
        ),
        pytest.param(
            {"bundles": bundle("max_duration: 0s")},
            [f"{CAP}: must be longer than nothing"],
            id="a duration of nothing",
        ),
        pytest.param(
            {"bundles": bundle("max_duration:")},
            [f"p/bundles.yaml:11:18: bundles.billing-read.max_duration: nothing {DURATION}"],
            id="a duration that is left open",
        ),
        pytest.param(
            {"bundles": BUNDLES.replace("    max_duration: 1h\n", "")},
            ["p/bundles.yaml:3:3: bundles.billing-read: the key 'max_duration' is missing"],
            id="a duration that is not there",
        ),
        pytest.param(
            {"bundles": bundle("max_duration: 9999d")},
            [f"{CAP}: 9999d is longer than 366d, which is the most"],
            id="an absurd duration",
        ),
        pytest.param(
            {"bundles": bundle("max_duration: 99999999999999d")},
            [f"{CAP}: '99999999999999d' {DURATION}"],
            id="a duration beyond all bounds",
        ),
        pytest.param(
            {"bundles": bundle("max_duration: 3600")},
            [f"{CAP}: 3600 {DURATION}"],
            id="a duration without a unit",
        ),
        pytest.param(
            {"rules": stages("[]")},
            ["p/rules.yaml:4:13: chains.one-lead.stages: must not be empty"],
            id="a chain without stages",
        ),
        pytest.param(
            {"rules": stages("[{name: lead, approvers: []}]")},
            ["p/rules.yaml:4:38: chains.one-lead.stages[0].approvers: must not be empty"],
            id="a stage without people",
        ),
        pytest.param(
            {"rules": stages("[{name: lead}]")},
            ["p/rules.yaml:4:14: chains.one-lead.stages[0]: the key 'approvers' is missing"],
            id="a stage that names nobody",
        ),
        pytest.param(
            {"rules": condition("user.grups == []")},
            [
                (
                    "p/rules.yaml:11:13: rules[0].when[0]: there is no 'user.grups'"
                    " (did you mean 'user.groups'?)"
                )
            ],
            id="an undeclared name in a condition",
        ),
        pytest.param(
            {"rules": condition("request.duration <= 7200")},
            [
                (
                    "p/rules.yaml:11:30: rules[0].when[0]: '<=' does not fit (duration, int);"
                    " write a duration as duration('2h')"
                )
            ],
            id="a type error in a condition",
        ),
        pytest.param(
            {"rules": condition("request.duration")},
            [
                (
                    "p/rules.yaml:11:13: rules[0].when[0]: a condition is true or false, and this"
                    " is a duration"
                )
            ],
            id="a condition that is none",
        ),
        pytest.param(
            {"rules": condition("'sre' in user.groups")},
            [
                (
                    "p/rules.yaml:11:13: rules[0].when[0]: there is no group 'sre'"
                    " (there is engineers, leads)"
                )
            ],
            id="an undeclared group in a condition",
        ),
        pytest.param(
            {"rules": rule("{id: a, when: !!python/object/apply:os.system [ls]}")},
            [
                (
                    "p/rules.yaml:6:19: rules[0].when: the tag"
                    " 'tag:yaml.org,2002:python/object/apply:os.system' is refused; take it out"
                )
            ],
            id="a tag",
        ),
        pytest.param(
            {"groups": "version: 1\ngroups:\n  a: &a {users: [U0BEN]}\n  b: *a\n"},
            [
                "p/groups.yaml:3:6: groups.a: the anchor &a is refused; take it out",
                "p/groups.yaml:4:6: groups.b: the alias *a is refused; write it out",
            ],
            id="an anchor and an alias",
        ),
        pytest.param(
            {"groups": b"version: 1 # " + b"x" * 10_000_000},
            ["p/groups.yaml: the file is larger than 1 MB"],
            id="ten megabytes",
        ),
    ],
)
def test_it_is_refused_with_exactly_these_words(tmp_path, changed, told):
    assert problems(tmp_path, **changed) == told


# A billion laughs: nine lines that stand for 9 to the 9th words.
BOMB = "version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "changed",
    [
        {"bomb": BOMB},
        {"bomb": "version: 1\na: " + "[" * 100_000},
        {"bomb": "version: 1\na: " + "{a: " * 100_000},
        {"bomb": b"\xff" * 900_000},
    ],
    ids=["a billion laughs", "deep lists", "deep mappings", "no text"],
)
def test_what_would_eat_time_or_memory_is_refused_soon(tmp_path, changed):
    begun = time.perf_counter()
    found = problems(tmp_path, **changed)
    assert time.perf_counter() - begun < 5
    assert all(line.startswith("p/bomb.yaml:") for line in found)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*a){20}$"])
def test_a_pattern_that_explodes_elsewhere_is_bounded_in_tickets_and_conditions(tmp_path, pattern):
    text = bundle(f"ticket: {{pattern: '{pattern}', example: {'a' * 20}}}")
    policy = loaded(tmp_path, bundles=text, rules=condition(f"request.reason.matches('{pattern}')"))
    evil = "a" * 60 + "!"
    begun = time.perf_counter()
    with pytest.raises(Invalid):
        ticket_for(policy.policy.bundles["billing-read"], evil)
    (rule_,) = policy.policy.rules_of["billing-read"]
    values = {"request.reason": evil, "request.duration": timedelta(hours=1)}
    assert rule_.when[0].value(activation_of(values)) in (True, False)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("pattern", ["((a{1000}){1000}){10}", "a{1,100000}", "(?=a)", "(a", "\\1"])
def test_a_pattern_that_re2_does_not_take_is_refused_at_its_place(tmp_path, pattern):
    (told,) = problems(tmp_path, bundles=bundle(f"ticket: {{pattern: '{pattern}', example: a}}"))
    assert told.startswith("p/bundles.yaml:13:23: bundles.billing-read.ticket.pattern: ")
    assert "is not an RE2 pattern: " in told


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"top": "version: 1\ndefaults: {max_duration: 367d}\n"}, "p/top.yaml:2:26"),
        ({"bundles": bundle("limits: {cool_down: 367d}")}, "p/bundles.yaml:13:25"),
        ({"bundles": bundle("extend: {total: 367d}")}, "p/bundles.yaml:13:21"),
        ({"rules": RULES + "    max_duration: 367d\n"}, "p/rules.yaml:11:19"),
        (
            {"rules": stages("[{name: a, approvers: [leads]}]\n    expire_after: 367d")},
            "p/rules.yaml:5:19",
        ),
    ],
)
def test_nothing_lasts_for_longer_than_a_year(tmp_path, changed, place):
    (told,) = problems(tmp_path, **changed)
    assert told.startswith(f"{place}: ")
    assert told.endswith(": 367d is longer than 366d, which is the most")
