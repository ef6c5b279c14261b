"""What `jit policy compare` finds: looser, stricter, added, removed, and what is the same."""

import pytest

from tests.policy_lint.small import BUNDLES, GROUPS, RULES, compared, more_rules

GLASS = (
    "    break_glass: {who: [sre], max_duration: 15m, notify: ['#x', '#y'],"
    " review_by: [leads], review_within: 4h}\n"
)


def with_glass(glass):
    return BUNDLES.replace("  logs:\n", f"{glass}  logs:\n")


def words(found):
    return [f"{each.shift} {each.bundle}: {each.what}" for each in found.changes]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"rules": "# a comment\n" + RULES},
        {"rules": RULES.replace("deploy-by-leads", "deploy-by-two-leads")},
        {"groups": GROUPS.replace("engineers: {", "engineers: {min_members: 2, ")},
        {"bundles": BUNDLES.replace("title: Deploy", "title: Roll out")},
        {"bundles": BUNDLES.replace("default_duration: 1h", "default_duration: 30m")},
        {"rules": more_rules(rails=["{id: r, bundles: {}, max_duration: 1d}"])},
    ],
)
def test_what_changes_no_answer_is_the_same(tmp_path, changed):
    found = compared(tmp_path, **changed)
    assert words(found) == []
    assert found.same == ("deploy", "logs")


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (
            {"rules": RULES.replace("quorum: 2", "quorum: 1")},
            "looser deploy: require(2) by deploy-by-leads -> require(1) by deploy-by-leads",
        ),
        (
            {"rules": RULES.replace("max_duration: 2h", "max_duration: 1h")},
            "stricter logs: auto_approve by logs-at-once -> deny",
        ),
        (
            {"rules": RULES.replace("max_duration: 2h", "max_duration: 3h")},
            "looser logs: deny -> auto_approve by logs-at-once",
        ),
        (
            {"rules": RULES.replace("approvers: [leads]", "approvers: [leads, sre]")},
            "looser deploy: require(2) by deploy-by-leads -> require(2) by deploy-by-leads",
        ),
        (
            {"bundles": BUNDLES.replace("max_duration: 2h", "max_duration: 3h")},
            "looser deploy: deny -> require(2) by deploy-by-leads",
        ),
        (
            {"bundles": BUNDLES.replace("max_duration: 2h", "max_duration: 2h\n    reason_min: 5")},
            "looser deploy: deny -> require(2) by deploy-by-leads",
        ),
        (
            {"rules": more_rules(rails=["{id: r, bundles: {}, requesters: [sre], deny: true}"])},
            "stricter deploy: require(2) by deploy-by-leads -> deny",
        ),
        (
            {"bundles": BUNDLES.replace("environment: production", "environment: staging")},
            None,
        ),
    ],
)
def test_a_change_is_shown_by_a_request_that_the_engine_decides_otherwise(tmp_path, changed, what):
    found = compared(tmp_path, **changed)
    assert found.changes == () if what is None else what in words(found)
    assert all(each.shown is None or each.shown.confirmed for each in found.changes)


def test_more_people_in_a_group_that_asks_is_looser_and_says_who(tmp_path):
    rules = RULES.replace("requesters: [engineers]", "requesters: [leads]")
    assert words(compared(tmp_path, rules=rules)) != []
    groups = GROUPS.replace("U0DAN]", "U0DAN, U0EVA]")
    found = compared(tmp_path, {"rules": rules}, rules=rules, groups=groups)
    looser = [each for each in found.changes if each.shift == "looser"]
    assert {each.bundle for each in looser} == {"deploy", "logs"}
    assert {each.shown.example.user for each in looser} == {"U0EVA"}


def test_a_window_that_moves_is_seen_though_its_name_stays(tmp_path):
    rules = RULES.replace("max_duration: 2h", "during: night")
    groups = GROUPS.replace("22:00", "21:00")
    found = compared(tmp_path, {"rules": rules}, rules=rules, groups=groups)
    assert words(found) == ["looser logs: deny -> auto_approve by logs-at-once"]
    assert found.changes[0].shown.example.at.hour in (19, 20)


def test_added_and_removed_bundles_are_listed(tmp_path):
    more = BUNDLES.replace("  logs:", "  dumps:")
    found = compared(tmp_path, bundles=more)
    assert (found.added, found.removed) == (("dumps",), ("logs",))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[ci:deploy]", "[ci:deploy, ci:admin]", "looser deploy: scopes: +ci:admin"),
        ("[ci:deploy]", "[ci:roll]", "stricter deploy: scopes: -ci:deploy"),
        (
            "max_duration: 2h",
            "max_duration: 2h\n    limits: {per_user_per_day: 3}",
            "stricter deploy: limits.per_user_per_day: no limit -> 3",
        ),
        (
            "max_duration: 2h",
            "max_duration: 2h\n    limits: {cool_down: 5m}",
            "stricter deploy: limits.cool_down: 0s -> 5m",
        ),
        (
            "max_duration: 2h",
            "max_duration: 2h\n    delivery: message",
            "looser deploy: delivery: reveal -> message",
        ),
        (
            "max_duration: 2h",
            "max_duration: 2h\n    ticket: {pattern: 'A-[0-9]+', example: A-1}",
            "stricter deploy: ticket: one is needed now",
        ),
        (
            "max_duration: 2h",
            "max_duration: 2h\n    extend: {times: 1, total: 3h}",
            "stricter deploy: extend.times: no limit -> 1",
        ),
        (
            "max_duration: 2h",
            "max_duration: 2h\n    idle_end: 30m",
            "stricter deploy: idle_end: no limit -> 30m",
        ),
        (
            "max_duration: 2h",
            "max_duration: 2h\n    resource: https://ci.example",
            "looser deploy: resource: https://jit.example -> https://ci.example",
        ),
    ],
)
def test_what_a_bundle_says_of_itself_is_compared_too(tmp_path, old, new, what):
    changed = BUNDLES.replace(old, new, 1)
    assert what in words(compared(tmp_path, bundles=changed))
    back = compared(tmp_path, {"bundles": changed})
    assert any(each.bundle == "deploy" for each in back.changes)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("who: [sre]", "who: [sre, leads]", "looser deploy: by break-glass: deny -> break_glass"),
        ("max_duration: 15m", "max_duration: 5m", "stricter deploy: by break-glass: break_glass"),
        ("['#x', '#y']", "['#x']", "looser deploy: break_glass.notify: -#y"),
        ("review_by: [leads]", "review_by: [sre]", "looser deploy: break_glass.review_by: +sre"),
        ("within: 4h", "within: 8h", "looser deploy: break_glass.review_within: 4h -> 8h"),
    ],
)
def test_break_glass_is_compared_as_such(tmp_path, old, new, what):
    before, after = with_glass(GLASS), with_glass(GLASS.replace(old, new))
    assert before != after
    found = compared(tmp_path, {"bundles": before}, bundles=after)
    assert any(line.startswith(what) for line in words(found)), words(found)


def test_break_glass_that_comes_or_goes_is_told(tmp_path):
    assert words(compared(tmp_path, bundles=with_glass(GLASS))) == [
        "looser deploy: break_glass: there was none"
    ]
    assert words(compared(tmp_path, {"bundles": with_glass(GLASS)})) == [
        "stricter deploy: break_glass: there is none any more"
    ]


def test_bundles_that_the_solver_gives_up_on_are_named(tmp_path):
    found = compared(tmp_path, effort=1)
    assert (found.undecided, found.same, found.changes) == (("deploy", "logs"), (), ())
