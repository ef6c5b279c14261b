"""What one entry says of another, over all files."""

import pytest

from bot.core.sources import Manager, Provider, Rota
from tests.policy_files.folders import BUNDLES, GROUPS, RULES, bundle, loaded, problems, rule


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"bundles": bundle("owner: leeds")},
            (
                "p/bundles.yaml:9:12: bundles.billing-read.owner: there is no group 'leeds' (did"
                " you mean 'leads'?)"
            ),
        ),
        (
            {"bundles": bundle("owner: nobody")},
            (
                "p/bundles.yaml:9:12: bundles.billing-read.owner: there is no group 'nobody' (there"
                " is engineers, leads)"
            ),
        ),
        (
            {"rules": RULES.replace("[engineers]", "[leads, enginers]")},
            (
                "p/rules.yaml:8:25: rules[0].requesters[1]: there is no group 'enginers' (did you"
                " mean 'engineers'?)"
            ),
        ),
        (
            {"rules": RULES.replace("approvers: [leads]", "approvers: [leads, sre]")},
            (
                "p/rules.yaml:4:46: chains.one-lead.stages[0].approvers[1]: there is no group 'sre'"
                " (there is engineers, leads)"
            ),
        ),
        (
            {"rules": RULES.replace("chain: one-lead", "chain: one-leed")},
            (
                "p/rules.yaml:10:12: rules[0].chain: there is no chain 'one-leed' (did you mean"
                " 'one-lead'?)"
            ),
        ),
        (
            {"rules": RULES.replace("[billing-read]", "[billing-red]")},
            (
                "p/rules.yaml:7:22: rules[0].bundles.name[0]: there is no bundle 'billing-red' (did"
                " you mean 'billing-read'?)"
            ),
        ),
        (
            {
                "rules": RULES
                + "guardrails:\n  - {id: a, bundles: {name: [x]}, requesters: [y], deny: true}\n"
            },
            (
                "p/rules.yaml:12:30: guardrails[0].bundles.name[0]: there is no bundle 'x' (there"
                " is billing-read)|p/rules.yaml:12:48: guardrails[0].requesters[0]: there is no"
                " group 'y' (there is engineers, leads)"
            ),
        ),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest(tmp_path, changed, problem):
    assert problems(tmp_path, **changed) == problem.split("|")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "groups:\n  leads: {users: [U0DAN]}\n",
            "p/more.yaml:3:3: groups.leads: 'leads' is defined at p/groups.yaml:4 already",
        ),
        (
            "chains:\n  one-lead:\n    stages: [{name: lead, approvers: [leads]}]\n",
            "p/rules.yaml:3:3: chains.one-lead: 'one-lead' is defined at p/more.yaml:3 already",
        ),
        (
            "rules:\n  - bundles: {}\n    id: by-a-lead\n    decision: deny\n",
            "p/rules.yaml:6:9: rules[0].id: 'by-a-lead' is defined at p/more.yaml:4 already",
        ),
        (
            (
                "guardrails:\n  - {id: a, bundles: {}, deny: true}\n"
                "  - {id: a, bundles: {}, min_approvals: 1}\n"
            ),
            "p/more.yaml:4:10: guardrails[1].id: 'a' is defined at p/more.yaml:3 already",
        ),
    ],
)
def test_a_name_that_is_given_twice_is_refused_with_both_places(tmp_path, more, problem):
    assert problems(tmp_path, more=f"version: 1\n{more}") == [problem]


def test_bundles_clients_and_defaults_are_given_once_too(tmp_path):
    client = "{secret_sha256: " + "a" * 64 + ", resources: [https://a]}"
    clients = f"version: 1\nclients: {{api: {client}}}\n"
    defaults = "version: 1\ndefaults: {max_duration: 8h}\n"
    found = problems(tmp_path, a=clients + defaults[11:], b=clients, c=defaults, d=BUNDLES)
    assert found == [
        "p/b.yaml:2:11: clients.api: 'api' is defined at p/a.yaml:2 already",
        "p/c.yaml:2:1: defaults: 'defaults' is defined at p/a.yaml:3 already",
        "p/d.yaml:3:3: bundles.billing-read: 'billing-read' is defined at p/bundles.yaml:3 already",
    ]


def test_a_rule_and_a_guardrail_may_share_a_name(tmp_path):
    rules = f"{RULES}guardrails:\n  - {{id: by-a-lead, bundles: {{}}, min_approvals: 1}}\n"
    assert loaded(tmp_path, rules=rules).policy.guardrails_of["billing-read"][0].id == "by-a-lead"


def test_a_stage_that_wants_more_people_than_are_listed_is_refused(tmp_path):
    rules = RULES.replace("approvers: [leads]", "approvers: [leads, more], quorum: 4")
    groups = f"{GROUPS}  more: {{users: [U0CLEO, U0DAN]}}\n"
    assert problems(tmp_path, rules=rules, groups=groups) == [
        (
            "p/rules.yaml:4:61: chains.one-lead.stages[0].quorum: 4 must approve, but the groups"
            " list 3 people"
        )
    ]
    assert loaded(tmp_path, rules=rules.replace("quorum: 4", "quorum: 3"), groups=groups)


def test_who_is_in_a_slack_user_group_is_not_counted(tmp_path):
    assert loaded(
        tmp_path,
        rules=RULES.replace("approvers: [leads]", "approvers: [leads, engineers], quorum: 9"),
    )


def test_a_bundle_keeps_to_the_longest_duration_of_the_defaults_of_any_file(tmp_path):
    assert problems(tmp_path, more="version: 1\ndefaults: {max_duration: 45m}\n") == [
        (
            "p/bundles.yaml:11:19: bundles.billing-read.max_duration: 1h is longer than"
            " defaults.max_duration, 45m"
        )
    ]


def test_structure_and_references_of_all_files_are_told_at_once(tmp_path):
    found = problems(
        tmp_path,
        bundles=bundle("owner: leeds"),
        groups=f"{GROUPS}  broken: {{users: []}}\n",
        rules=RULES.replace("one-lead\n", "one-leed\n") + "rulez: []\n",
    )
    assert found == [
        (
            "p/bundles.yaml:9:12: bundles.billing-read.owner: there is no group 'leeds' (did you"
            " mean 'leads'?)"
        ),
        "p/groups.yaml:5:19: groups.broken.users: must not be empty",
        (
            "p/rules.yaml:10:12: rules[0].chain: there is no chain 'one-leed' (did you mean"
            " 'one-lead'?)"
        ),
        "p/rules.yaml:11:1: rulez: unknown key 'rulez' (did you mean 'rules'?)",
    ]


def test_a_name_of_a_broken_entry_is_known(tmp_path):
    assert problems(tmp_path, groups=GROUPS.replace("S0ENGINEERS", "engineers")) == [
        (
            "p/groups.yaml:3:26: groups.engineers.usergroup: 'engineers' is not a Slack user group"
            " id such as S012AB3CD"
        )
    ]


def test_a_broken_rule_does_not_hide_what_is_wrong_with_the_next(tmp_path):
    broken = rule("id: broken", "bundles: {}", "decision: dney")
    more = "  - {id: next, bundles: {name: [x]}, decision: deny}\n"
    assert problems(tmp_path, rules=broken + more) == [
        "p/rules.yaml:8:15: rules[0].decision: 'dney' is not allowed (did you mean 'deny'?)",
        (
            "p/rules.yaml:9:33: rules[1].bundles.name[0]: there is no bundle 'x' (there is"
            " billing-read)"
        ),
    ]


def test_what_a_file_that_is_no_yaml_may_declare_is_not_called_unknown(tmp_path):
    found = problems(tmp_path, groups="a: [", bundles=bundle("risk: huge"))
    assert [problem.partition(": ")[0] for problem in found] == [
        "p/bundles.yaml:8:11",
        "p/groups.yaml:2:1",
    ]


def test_a_name_that_is_suggested_cannot_forge_a_line_of_the_log(tmp_path):
    found = problems(tmp_path, groups='version: 1\ngroups: {"x\\n": {users: [U0BEN]}}\n')
    assert "p/bundles.yaml:9:12: bundles.billing-read.owner: there is no group 'leads'" in found[0]
    assert all(problem.isprintable() for problem in found)


def conditioned(when, during="hours"):
    return f"""{RULES}    during: {during}
    when:
      - {when}
windows:
  hours: {{days: [mon], tz: UTC}}
"""


@pytest.mark.parametrize(
    ("during", "when", "problem"),
    [
        (
            "hour",
            "'true'",
            "11:13: rules[0].during: there is no window 'hour' (did you mean 'hours'?)",
        ),
        (
            "hours",
            "user.id == '' || 'enginers' in user.groups",
            "13:26: rules[0].when[0]: there is no group 'enginers' (did you mean 'engineers'?)",
        ),
        (
            "hours",
            "|\n        true &&\n        'hour' in now.windows",
            "15:9: rules[0].when[0]: there is no window 'hour' (did you mean 'hours'?)",
        ),
        (
            "hours",
            "\"!('x' in user.groups) && true\"",
            "13:12: rules[0].when[0]: there is no group 'x' (there is engineers, leads)",
        ),
        (
            "hours",
            "'user.id == ''x'' && user.grups == []'",
            "13:30: rules[0].when[0]: there is no 'user.grups' (did you mean 'user.groups'?)",
        ),
        (
            "hours",
            ">-\n        user.id == 'x' &&\n        request.duration > 2",
            (
                "15:26: rules[0].when[0]: '>' does not fit (duration, int); write a duration as"
                " duration('2h')"
            ),
        ),
    ],
)
def test_a_condition_that_is_wrong_is_refused_at_its_place(tmp_path, during, when, problem):
    rules = conditioned(when, during)
    assert problems(tmp_path, rules=rules) == [f"p/rules.yaml:{problem}"]


def test_all_that_is_wrong_with_a_condition_is_told(tmp_path):
    rules = conditioned("user.a == 'x' || user.b == 'y'")
    assert [line.split(":")[2] for line in problems(tmp_path, rules=rules)] == ["9", "26"]


def test_conditions_and_windows_are_part_of_the_policy(tmp_path):
    rules = conditioned("user.id == 'U0ANNA'")
    policy = loaded(tmp_path, rules=rules).policy
    (rule,) = policy.rules_of["billing-read"]
    assert [condition.text for condition in rule.when] == ["user.id == 'U0ANNA'"]
    assert rule.during == policy.windows["hours"]
    other = conditioned("user.id == 'U0BEN'")
    assert loaded(tmp_path, rules=other).policy.digest != policy.digest
    later = rules.replace("[mon]", "[tue]")
    assert loaded(tmp_path, rules=later).policy.digest != policy.digest


def test_a_union_is_made_of_its_parts(tmp_path):
    groups = GROUPS.replace("  eng", "  all: {any_of: [engineers, some]}\n  eng")
    groups += "  some: {any_of: [leads], min_members: 2}\n"
    found = loaded(tmp_path, groups=groups).policy.groups
    assert found["all"].any_of == (found["engineers"], found["some"])
    assert found["some"].any_of == (found["leads"],)
    assert found["some"].min_members == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            ["a: {any_of: [a]}"],
            ["5:16: groups.a.any_of[0]: the group would be a part of itself: a > a"],
        ),
        (
            ["a: {any_of: [leads, b]}", "b: {any_of: [a]}"],
            [
                "5:23: groups.a.any_of[1]: the group would be a part of itself: a > b > a",
                "6:16: groups.b.any_of[0]: the group would be a part of itself: b > a > b",
            ],
        ),
        (
            ["a: {any_of: [leeds]}"],
            ["5:16: groups.a.any_of[0]: there is no group 'leeds' (did you mean 'leads'?)"],
        ),
        (
            ["a: {users: [U0BEN], min_members: 2}"],
            ["5:36: groups.a.min_members: 2 are expected, but 1 people are listed"],
        ),
        (
            ["a: {any_of: [leads], min_members: 3}"],
            ["5:37: groups.a.min_members: 3 are expected, but 2 people are listed"],
        ),
    ],
)
def test_a_union_that_is_wrong_is_refused_at_its_place(tmp_path, more, told):
    groups = GROUPS + "".join(f"  {line}\n" for line in more)
    found = problems(tmp_path, groups=groups)
    assert found == [f"p/groups.yaml:{line}" for line in told]


def test_more_than_a_union_lists_cannot_approve(tmp_path):
    groups = GROUPS + "  both: {any_of: [leads]}\n"
    rules = RULES.replace("[leads]}", "[both], quorum: 3}")
    assert problems(tmp_path, groups=groups, rules=rules) == [
        (
            "p/rules.yaml:4:54: chains.one-lead.stages[0].quorum: 3 must approve, but the groups"
            " list 2 people"
        )
    ]


FROM_ELSEWHERE = """\
  oncall: {on_call: {provider: pagerduty, schedule: PSRE123, level: 2}, min_members: 1}
  policy: {on_call: {provider: pagerduty, escalation_policy: PESC}}
  manager: {manager: {profile_field: Xf0123ABCD}}
  boss: {manager: {of: {U0ANNA: U0BEN}}}
"""


def test_people_on_call_and_managers_are_groups_like_others(tmp_path):
    rules = RULES.replace("[leads]}", "[oncall, policy, manager, boss], at_least: {oncall: 1}}")
    policy = loaded(tmp_path, groups=GROUPS + FROM_ELSEWHERE, rules=rules).policy
    found = policy.groups
    rota = Rota(provider=Provider.PAGERDUTY, schedule="PSRE123", level=2)
    assert (found["oncall"].on_call, found["oncall"].min_members) == (rota, 1)
    assert found["policy"].on_call == Rota(provider=Provider.PAGERDUTY, escalation_policy="PESC")
    assert found["manager"].manager == Manager(profile_field="Xf0123ABCD")
    assert found["boss"].manager == Manager(of={"U0ANNA": "U0BEN"})
    (rule,) = policy.rules_of["billing-read"]
    assert rule.chain is not None
    assert [group.name for group in rule.chain.stages[0].approvers] == [
        *("oncall", "policy", "manager", "boss"),
    ]


def test_nobody_can_ask_as_their_own_manager(tmp_path):
    rules = RULES.replace("requesters: [engineers]", "requesters: [engineers, boss]")
    rules += "    when: [\"!('manager' in user.groups)\"]\n"
    rules = rules.replace("[leads]}", "[leads], when: [\"'boss' in user.groups\"]}")
    found = problems(tmp_path, groups=GROUPS + FROM_ELSEWHERE, rules=rules)
    assert [line.split(": ", 1)[1] for line in found] == [
        "chains.one-lead.stages[0].when[0]: 'boss' is their manager, and nobody is their own",
        "rules[0].requesters[1]: 'boss' is their manager, and nobody is their own",
        "rules[0].when[0]: 'manager' is their manager, and nobody is their own",
    ]
