"""What `jit policy lint` finds, each with its place, its level and a request that shows it."""

from datetime import UTC, datetime

import pytest

from bot.policy_lint.evidence import Use
from bot.policy_lint.findings import Level
from tests.policy_lint.small import BUNDLES, GROUPS, RULES, linted, more_rules, told

QUICK = (
    "{id: quick-fix, bundles: {environment: [production]}, requesters: [sre], max_duration: 10m,"
    " when: [\"request.reason.startsWith('INC-')\"], decision: auto_approve}"
)


def test_nothing_is_found_where_nothing_is_wrong(tmp_path):
    assert linted(tmp_path) == []


def test_production_without_another_human_is_an_error_with_a_request_that_the_engine_grants(
    tmp_path,
):
    rules = more_rules(QUICK)
    (found,) = linted(tmp_path, rules=rules)
    assert told([found]) == [
        "p/bundles.yaml:3:3: error: deploy can be had with nobody else involved [no-human]"
    ]
    example = found.shown.example
    assert (example.bundle, example.groups) == ("deploy", ("sre",))
    assert example.reason.startswith("INC-")
    assert 1 <= example.duration.total_seconds() <= 600
    assert found.shown.confirmed
    assert found.shown.answers == ("auto_approve by quick-fix",)


@pytest.mark.parametrize(
    "rail",
    [
        "{id: human, bundles: {environment: [production]}, min_approvals: 1}",
        "{id: never, bundles: {risk: [high]}, requesters: [sre], deny: true}",
        "{id: long, bundles: {}, max_duration: 1m, when: [request.duration > duration('1s')]}",
    ],
)
def test_a_guardrail_proves_it_away_only_if_it_holds_for_all(tmp_path, rail):
    found = linted(tmp_path, rules=more_rules(QUICK, rails=[rail]))
    errors = [each for each in found if each.check == "no-human"]
    assert len(errors) == ("long" in rail)


def test_high_risk_outside_of_production_needs_a_human_too(tmp_path):
    bundles = BUNDLES.replace("risk: low", "risk: critical")
    found = linted(tmp_path, bundles=bundles)
    assert [each.shown.example.bundle for each in found if each.check == "no-human"] == ["logs"]


def test_what_is_not_modelled_hides_nothing_and_is_not_called_confirmed_where_it_is_not(tmp_path):
    never = QUICK.replace("request.reason.startsWith('INC-')", "user.id.matches('^$')")
    (found,) = [
        each for each in linted(tmp_path, rules=more_rules(never)) if each.check == "no-human"
    ]
    assert not found.shown.confirmed
    assert str(found.shown).endswith("[not confirmed]")


def test_break_glass_is_listed_apart(tmp_path):
    glass = (
        "    break_glass: {who: [sre], max_duration: 15m, notify: ['#x'],"
        " review_by: [leads], review_within: 4h}\n"
    )
    bundles = BUNDLES.replace("  logs:\n", f"{glass}  logs:\n")
    (found,) = linted(tmp_path, bundles=bundles)
    assert told([found]) == [
        (
            "p/bundles.yaml:13:18: info: deploy can be had by break-glass: by sre, for 15m at most,"
            " signed off afterwards by leads within 4h [no-human]"
        )
    ]
    assert (found.shown.answers, found.shown.confirmed) == (("break_glass",), True)
    always = "{id: no, bundles: {}, deny: true, even_break_glass: true, requesters: [sre]}"
    found = linted(tmp_path, bundles=bundles, rules=more_rules(rails=[always]))
    assert [each.sentence for each in found if each.check == "unobtainable"] == [
        "the glass of deploy can never be broken: guardrails forbid it"
    ]


def test_a_bundle_that_nobody_can_have_is_an_error(tmp_path):
    no = "{id: no, bundles: {name: [deploy]}, deny: true, when: [bundle.risk_level > 2]}"
    found = linted(tmp_path, rules=more_rules(rails=[no]))
    assert told(found) == [
        (
            "p/bundles.yaml:3:3: error: nobody can ever have deploy: every request for it is denied"
            " [unobtainable]"
        ),
        (
            "p/rules.yaml:5:5: warning: rule deploy-by-leads: guardrails stop all that it lets pass"
            " [dead-rule]"
        ),
    ]


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (
            (
                "{id: late, bundles: {name: [deploy]}, requesters: [engineers], max_duration: 1h,"
                " decision: require, chain: lead}"
            ),
            (
                "p/rules.yaml:15:5: error: rule late: it can never decide, as deploy-by-leads above"
                " decides all that it is about [dead-rule]"
            ),
        ),
        (
            (
                "{id: late, bundles: {name: [deploy]}, requesters: [sre], decision: deny,"
                " when: [request.duration > duration('3h')]}"
            ),
            (
                "p/rules.yaml:15:5: error: rule late: it can never decide, as what it asks for"
                " is never so [dead-rule]"
            ),
        ),
        (
            "{id: late, bundles: {risk: [critical]}, requesters: [sre], decision: deny}",
            "p/rules.yaml:15:25: error: rule late: it chooses no bundle [dead-rule]",
        ),
    ],
)
def test_a_rule_that_can_never_decide_is_an_error(tmp_path, rule, what):
    assert what in told(linted(tmp_path, rules=more_rules(rule)))


def test_two_rules_together_can_make_a_third_one_dead(tmp_path):
    found = linted(
        tmp_path,
        rules=more_rules(
            "{id: some, bundles: {name: [logs]}, requesters: [sre], decision: deny,"
            " max_duration: 4h}",
            "{id: others, bundles: {name: [logs]}, requesters: [sre], decision: deny,"
            " when: [request.duration > duration('1h')]}",
            "{id: late, bundles: {name: [logs]}, requesters: [sre], decision: deny}",
        ),
    )
    (dead,) = [each for each in found if each.level is Level.ERROR]
    assert dead.sentence.endswith(
        "as logs-at-once, some, others above decides all that it is about"
    )


@pytest.mark.parametrize(
    "condition",
    [
        "bundle.risk_level > 3",
        "request.duration > duration('8h')",
        "user.active_grants < 0",
        "'leads' in user.groups && user.id == 'U0ANNA'",
        "'night' in now.windows && !('night' in now.windows)",
        "user.groups.exists(g, g == 'nobody')",
        "has(bundle.labels.team)",
    ],
)
def test_a_condition_that_is_never_true_is_told_at_its_place(tmp_path, condition):
    rail = f'{{id: odd, bundles: {{}}, deny: true, when: ["true", "{condition}"]}}'
    found = told(linted(tmp_path, rules=more_rules(rails=[rail])))
    column = 6 + len("{id: odd, bundles: {}, deny: true, when: ['true', ") - 1
    place = f"p/rules.yaml:16:{column}"
    assert found == [f"{place}: warning: guardrail odd: `{condition}` is never true [never-true]"]


def test_windows_that_are_never_open_together_are_found(tmp_path):
    groups = GROUPS + '  noon: {start: "12:00", end: "13:00", tz: Europe/Berlin}\n'
    rail = "{id: odd, bundles: {}, during: noon, deny: true, when: [\"'night' in now.windows\"]}"
    found = linted(tmp_path, groups=groups, rules=more_rules(rails=[rail]))
    assert [each.sentence for each in found] == [
        "guardrail odd: it can never apply, as what it asks for is never so"
    ]
    tokyo = groups.replace('13:00", tz: Europe/Berlin', '15:00", tz: Asia/Tokyo')
    assert tokyo != groups
    overlapping = tokyo.replace('start: "12:00"', 'start: "06:00"')
    assert linted(tmp_path, groups=overlapping, rules=more_rules(rails=[rail])) == []


def test_a_condition_that_can_fail_is_shown_with_a_request_that_it_denies(tmp_path):
    rule = (
        "{id: team, bundles: {name: [logs]}, requesters: [sre], decision: deny,"
        " when: [\"user.requests_today > 2 || bundle.labels.team == 'pay'\"]}"
    )
    groups = GROUPS.replace("S0SRE}", "S0SRE, min_members: 1}")
    (found,) = linted(tmp_path, groups=groups, rules=more_rules(rule))
    assert told([found]) == [
        (
            "p/rules.yaml:15:82: warning: rule team: a condition can fail for logs, and that denies"
            " the request [fails]"
        )
    ]
    assert found.shown.confirmed


def test_who_must_approve_for_themselves_is_told_and_when_escalation_helps(tmp_path):
    chain = (
        "  lead: {stages: [{name: lead, approvers: [leads], quorum: 2, at_least: {one: 1},"
        " escalate: [{after: 5m, add_approvers: [leads], stand_in_for: one}]}]}\n"
    )
    groups = GROUPS.replace("windows:", "  one: {users: [U0BEN]}\nwindows:")
    head, _, tail = RULES.partition("  lead: {")
    rules = head + chain + tail.partition("\n")[2]
    (found,) = linted(
        tmp_path, groups=groups, rules=rules.replace("[leads], quorum", "[leads, one], quorum")
    )
    assert told([found])[0].startswith(
        "p/rules.yaml:9:12: warning: rule deploy-by-leads: chain lead can be completed only after"
        " escalation when U0BEN asks: stage lead needs 2 approvals, and nobody besides you"
    )
    assert (found.shown.example.user, found.shown.confirmed) == ("U0BEN", True)
    stuck = rules.replace("[leads], quorum", "[leads, one], quorum").replace(
        ", escalate: [{after: 5m, add_approvers: [leads], stand_in_for: one}]", ""
    )
    (found,) = linted(tmp_path, groups=groups, rules=stuck)
    assert (found.level, found.check) == ("error", "incompletable")
    assert "chain lead can never be completed when U0BEN asks" in found.sentence


def test_a_chain_that_a_requester_never_gets_to_is_not_blamed(tmp_path):
    groups = GROUPS.replace("[U0BEN, U0CLEO, U0DAN]", "[U0BEN, U0CLEO]")
    found = linted(tmp_path, groups=groups)
    assert [each.sentence.partition(" asks")[0] for each in found] == [
        "rule deploy-by-leads: chain lead can never be completed when U0BEN, U0CLEO"
    ]
    barred = RULES.replace(
        "    chain: lead\n", "    chain: lead\n    when: [\"!('leads' in user.groups)\"]\n"
    )
    assert linted(tmp_path, groups=groups, rules=barred) == []


def test_a_snapshot_says_who_is_in_groups_that_slack_keeps(tmp_path):
    rules = RULES.replace("approvers: [leads]", "approvers: [sre]")
    assert linted(tmp_path, rules=rules) == []
    snapshot = {"sre": frozenset({"U0DAN"}), "engineers": frozenset({"U0DAN"})}
    (found,) = linted(tmp_path, rules=rules, snapshot=snapshot)
    assert "can never be completed when U0DAN asks" in found.sentence
    groups = GROUPS.replace("S0SRE}", "S0SRE, min_members: 3}")
    found = linted(tmp_path, groups=groups, snapshot={"sre": frozenset({"U0DAN"})})
    assert told(found) == [
        (
            "p/groups.yaml:4:40: error: group sre has 1 members, and the policy expects 3 at least"
            " [members]"
        )
    ]


def test_a_manager_that_nobody_named_leaves_a_chain_open(tmp_path):
    groups = GROUPS.replace("windows:", "  boss: {manager: {of: {U0ANNA: U0BEN}}}\nwindows:")
    rules = RULES.replace("approvers: [leads], quorum: 2", "approvers: [boss]")
    (found,) = linted(tmp_path, groups=groups, rules=rules)
    assert "when U0BEN, anybody else asks" in found.sentence


def test_a_group_that_bars_must_not_be_emptied_unseen(tmp_path):
    no = "{id: no-sre, bundles: {}, requesters: [sre], deny: true}"
    assert told(linted(tmp_path, rules=more_rules(rails=[no]))) == [
        (
            "p/groups.yaml:4:3: warning: no-sre denies who is in sre; emptied by mistake, it would"
            " bar nobody: give it `min_members` [members]"
        )
    ]
    groups = GROUPS.replace("S0SRE}", "S0SRE, min_members: 1}")
    assert linted(tmp_path, groups=groups, rules=more_rules(rails=[no])) == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "access: read\n    risk: low",
            "access: admin\n    risk: medium",
            "17:11: warning: logs: admin access is said to be of medium risk only",
        ),
        (
            "environment: staging\n    access: read",
            "environment: production\n    access: write",
            "17:11: warning: logs: writing in production is said to be of low risk",
        ),
        (
            "[logs:read]",
            "[logs:read, ci:deploy]",
            (
                "15:13: warning: logs: it gives all that deploy gives, which is of high risk,"
                " and is said to be of low risk"
            ),
        ),
    ],
)
def test_a_bundle_that_gives_more_than_it_says_is_overbroad(tmp_path, old, new, what):
    assert old in BUNDLES
    found = linted(tmp_path, bundles=BUNDLES.replace(old, new))
    broad = [each for each in found if each.check == "overbroad"]
    (line,) = told(broad)
    assert line.startswith("p/bundles.yaml:")
    assert line.endswith(what.partition(": ")[2] + " [overbroad]")


def test_scopes_that_no_resource_declares_are_told_where_there_are_resources(tmp_path):
    resources = (
        "version: 1\nresources:\n  https://billing.example:\n    title: Billing\n    scopes:\n"
        "      invoices:read: Read invoices\n"
    )
    found = linted(tmp_path, resources=resources)
    assert [(each.level, each.sentence) for each in found] == [
        ("info", f"{name}: no resource declares its scopes, so a misspelt one is not found")
        for name in ("deploy", "logs")
    ]


def test_a_scope_that_was_granted_and_never_used_is_told_and_what_is_not_known(tmp_path):
    usage = {
        "deploy": {"ci:deploy": Use(used=0, grants=7, data=True)},
        "logs": {"logs:read": Use(used=0, grants=7, data=False)},
    }
    assert told(linted(tmp_path, usage=usage)) == [
        (
            "p/bundles.yaml:5:13: warning: deploy: scope ci:deploy was in 7 grants and never used"
            " [unused]"
        ),
        "p/bundles.yaml:15:13: info: logs: no data on the use of logs:read [unused]",
    ]
    used = {
        "deploy": {"ci:deploy": Use(used=1, grants=7, data=True)},
        "logs": {"logs:read": Use(used=0, grants=0, data=True)},
    }
    assert linted(tmp_path, usage=used) == []


def test_times_of_examples_fit_the_windows_that_they_need(tmp_path):
    night = QUICK.replace("max_duration: 10m", "during: night")
    (found,) = [
        each for each in linted(tmp_path, rules=more_rules(night)) if each.check == "no-human"
    ]
    at = found.shown.example.at
    assert at >= datetime(2026, 11, 23, tzinfo=UTC)
    assert at.hour >= 21 or at.hour < 5
    assert found.shown.confirmed


def test_what_the_solver_gives_up_on_is_not_called_proved(tmp_path):
    found = linted(tmp_path, effort=1)
    assert {each.check for each in found} == {"undecided"}
    assert {each.level for each in found} == {"warning"}
    assert told(found)[0] == (
        "p/bundles.yaml:3:3: warning: deploy: the solver gave up, so nothing is known [undecided]"
    )


def test_people_of_a_union_of_lists_are_those_of_its_parts(tmp_path):
    groups = GROUPS.replace("windows:", "  some: {any_of: [leads, sre]}\nwindows:")
    quick = QUICK.replace("[sre]", "[some]").replace("request.reason.startsWith('INC-')", "true")
    rail = "{id: slack, bundles: {}, requesters: [sre], deny: true}"
    found = linted(tmp_path, groups=groups, rules=more_rules(quick, rails=[rail]))
    (error,) = [each for each in found if each.check == "no-human"]
    assert error.shown.example.user in ("U0BEN", "U0CLEO", "U0DAN")
    assert error.shown.example.groups == ("some",)
    assert error.shown.confirmed


@pytest.mark.parametrize(
    "condition",
    ["request.reason.matches('INC')", "!request.reason.matches('^what')", "user.groups[0] != 'x'"],
)
def test_what_is_not_modelled_may_be_so_and_may_not(tmp_path, condition):
    quick = QUICK.replace("request.reason.startsWith('INC-')", condition)
    found = [each for each in linted(tmp_path, rules=more_rules(quick)) if each.check == "no-human"]
    assert len(found) == 1


def test_what_is_not_modelled_can_fail(tmp_path):
    first = "{id: f, bundles: {name: [logs]}, decision: deny, when: [\"user.groups[0] == 'sre'\"]}"
    found = linted(tmp_path, rules=more_rules(first))
    (fails,) = [each for each in found if each.check == "fails"]
    assert fails.shown.confirmed


def test_an_optional_stage_that_is_never_asked_is_told(tmp_path):
    def chain(length):
        stage = f"{{name: more, approvers: [sre], when: [request.duration > duration('{length}')]}}"
        return RULES.replace("quorum: 2}]", f"quorum: 2}}, {stage}]")

    assert linted(tmp_path, rules=chain("1h")) == []
    assert told(linted(tmp_path, rules=chain("2h"))) == [
        (
            "p/rules.yaml:3:101: warning: chain lead: stage more is skipped whatever is asked"
            " [never-true]"
        )
    ]


def test_what_is_in_audit_mode_counts_for_nothing(tmp_path):
    quick = QUICK.replace("decision", "mode: audit, decision")
    rail = "{id: no, bundles: {}, deny: true, when: [bundle.risk_level > 9], mode: audit}"
    assert linted(tmp_path, rules=more_rules(quick, rails=[rail])) == []


def test_somebody_else_is_nobody_whom_a_group_lists(tmp_path):
    boss = "  boss: {manager: {of: {U0BEN: U0CLEO, U0CLEO: U0BEN, U0DAN: U0BEN}}}\n"
    groups = GROUPS.replace("windows:", f"{boss}windows:")
    rules = RULES.replace("approvers: [leads], quorum: 2", "approvers: [boss]")
    assert linted(tmp_path, groups=groups, rules=rules.replace("[engineers]", "[leads]")) == []
    assert len(linted(tmp_path, groups=groups, rules=rules)) == 1
