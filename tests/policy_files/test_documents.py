"""What one entry alone can get wrong: the exact sentence at the exact place."""

from base64 import urlsafe_b64encode

import pytest

from bot.core.policy import Guardrail, Rule
from bot.core.scopes import TicketRule, Tracker
from tests.policy_files.folders import BUNDLES, GROUPS, RULES, bundle, loaded, problems, rule

WHERE = "p/bundles.yaml"
AT = "bundles.billing-read"
# Of an RSA key with 1024 bits.
SHORT_MODULUS = urlsafe_b64encode(b"\xc1" + b"\x01" * 127).rstrip(b"=").decode()

ONE_SOURCE = "a group has exactly one of `users`, `usergroup`, `any_of`, `on_call` and `manager`"


def test_the_right_files_are_right(tmp_path):
    assert list(loaded(tmp_path).policy.bundles) == ["billing-read"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "enviroment: production",
            "13:5: {at}.enviroment: unknown key 'enviroment' (did you mean 'environment'?)",
        ),
        ("zzz: 1", "13:5: {at}.zzz: unknown key 'zzz'"),
        ("extend: {}", "13:13: {at}.extend: `extend` needs `times` or `total`"),
        ("extend: {times: -1}", "13:21: {at}.extend.times: must be 0 or more, not -1"),
        (
            "extend: {total: 90}",
            "13:21: {at}.extend.total: 90 is not a duration; write 30m, 2h, 1h30m or 7d",
        ),
        ("provider: aws", "13:5: {at}.provider: 'provider' is not supported yet"),
        (
            "limits: {cool_down: 0m}",
            "13:25: {at}.limits.cool_down: must be longer than nothing",
        ),
        (
            "limits: {auto_per_da: 1}",
            (
                "13:14: {at}.limits.auto_per_da: unknown key 'auto_per_da' (did you"
                " mean 'auto_per_day'?)"
            ),
        ),
        ("limits: {active_total: 0}", "13:28: {at}.limits.active_total: must be 1 or more, not 0"),
        (
            "limits: {active_total: '3'}",
            "13:28: {at}.limits.active_total: must be a whole number, not '3'",
        ),
        ("limits: 3", "13:13: {at}.limits: must be a mapping, not 3"),
        (
            "environment: prodction",
            "6:18: {at}.environment: 'prodction' is not allowed (did you mean 'production'?)",
        ),
        (
            "environment: no",
            "6:18: {at}.environment: 'no' is not allowed (there is dev, staging, production)",
        ),
        ("access: Read", "7:13: {at}.access: 'Read' is not allowed (did you mean 'read'?)"),
        ("risk: 2", "8:11: {at}.risk: 2 is not allowed (there is low, medium, high, critical)"),
        ("risk: hihg", "8:11: {at}.risk: 'hihg' is not allowed (did you mean 'high'?)"),
        (
            "delivery: email",
            "13:15: {at}.delivery: 'email' is not allowed (there is message, reveal)",
        ),
        (
            "starts: claim",
            "13:13: {at}.starts: 'claim' is not allowed (there is approval, reveal)",
        ),
        (
            "claim_within: 1h",
            ("13:19: {at}.claim_within: nobody starts it; write `starts: reveal`, or take it out"),
        ),
        (
            "starts: reveal\n    claim_within: 60",
            "14:19: {at}.claim_within: 60 is not a duration; write 30m, 2h, 1h30m or 7d",
        ),
        (
            "starts: reveal\n    start_within: 1d",
            (
                "14:19: {at}.start_within: who asks starts it anyway, by `starts: reveal`;"
                " take one of them out"
            ),
        ),
        (
            "start_within: 0m",
            "13:19: {at}.start_within: must be longer than nothing",
        ),
        (
            "owner: Leads",
            "9:12: {at}.owner: 'Leads' is not a name: small letters, digits and dashes",
        ),
        (
            "channel: #access",
            '10:13: {at}.channel: nothing is left, as # begins a comment; write "#name" in quotes',
        ),
        ("channel: access", "10:14: {at}.channel: 'access' is not a channel: \"#name\" or an id"),
        (
            'channel: "#Access"',
            "10:14: {at}.channel: '#Access' is not a channel: \"#name\" or an id",
        ),
        ("channel: U0ANNA", "10:14: {at}.channel: 'U0ANNA' is not a channel: \"#name\" or an id"),
        (
            "max_duration: 90",
            "11:19: {at}.max_duration: 90 is not a duration; write 30m, 2h, 1h30m or 7d",
        ),
        (
            "max_duration: PT1H",
            "11:19: {at}.max_duration: 'PT1H' is not a duration; write 30m, 2h, 1h30m or 7d",
        ),
        (
            "max_duration:",
            "11:18: {at}.max_duration: nothing is not a duration; write 30m, 2h, 1h30m or 7d",
        ),
        ("default_duration: 0m", "12:23: {at}.default_duration: must be longer than nothing"),
        (
            "default_duration: 2h",
            "12:23: {at}.default_duration: 2h is longer than max_duration, 1h",
        ),
        (
            "max_duration: 25h",
            "11:19: {at}.max_duration: 1d1h is longer than defaults.max_duration, 1d",
        ),
        ("reason_min: 0", "13:17: {at}.reason_min: must be 1 or more, not 0"),
        ("reason_min: 501", "13:17: {at}.reason_min: must be 500 or less, not 501"),
        ("reason_min: true", "13:17: {at}.reason_min: must be a whole number, not true"),
        ("title: 2024", "4:12: {at}.title: must be text, not 2024; put it in quotes"),
        ("title: [a]", "4:12: {at}.title: must be text, not a list"),
        ("title: ' '", "4:12: {at}.title: must not be blank"),
        (f"title: {'x' * 76}", "4:12: {at}.title: must have 75 characters at most, and has 76"),
        ("labels: {team: 1}", "13:20: {at}.labels.team: must be text, not 1; put it in quotes"),
        ("scopes: []", "5:13: {at}.scopes: must not be empty"),
        ("scopes: {}", "5:13: {at}.scopes: must not be empty"),
        (
            "scopes: a:b",
            "5:13: {at}.scopes: must be a list of scopes, or a mapping of scopes to their words",
        ),
        (
            "scopes: [a, a:*]",
            "5:17: {at}.scopes[1]: the scope 'a:*' has a wildcard in it; name each scope",
        ),
        (
            "scopes: ['*']",
            "5:14: {at}.scopes[0]: the scope '*' has a wildcard in it; name each scope",
        ),
        (
            "scopes: {a:*: All of a}",
            "5:14: {at}.scopes.'a:*': the scope 'a:*' has a wildcard in it; name each scope",
        ),
        (
            "scopes: ['a b']",
            (
                "5:14: {at}.scopes[0]: 'a b' is not a scope: printable ASCII without"
                " spaces, quotes, backslashes"
            ),
        ),
        (
            "scopes: [ä]",
            (
                "5:14: {at}.scopes[0]: 'ä' is not a scope: printable ASCII without"
                " spaces, quotes, backslashes"
            ),
        ),
        (
            "scopes: ['']",
            (
                "5:14: {at}.scopes[0]: '' is not a scope: printable ASCII without"
                " spaces, quotes, backslashes"
            ),
        ),
        ("scopes: [a, 7]", "5:17: {at}.scopes[1]: must be text, not 7; put it in quotes"),
        ("scopes: [a, b, a]", "5:13: {at}.scopes: the scope 'a' is given twice"),
        (
            f"scopes: [{'x' * 151}]",
            "5:14: {at}.scopes[0]: a scope must have 150 characters at most",
        ),
        (
            f"scopes: [{', '.join(f's{n}' for n in range(101))}]",
            "5:13: {at}.scopes: must hold 100 at most",
        ),
        ("scopes: {a: }", "5:17: {at}.scopes.a: must be text, not nothing"),
        (
            "resource: billing",
            (
                "13:15: {at}.resource: 'billing' is not an absolute URI such as"
                " https://billing.example"
            ),
        ),
        (
            "resource: https://",
            (
                "13:15: {at}.resource: 'https://' is not an absolute URI such as"
                " https://billing.example"
            ),
        ),
        (
            "resource: https://[::1",
            (
                "13:15: {at}.resource: 'https://[::1' is not an absolute URI"
                " such as https://billing.example"
            ),
        ),
        (
            "resource: https://a b",
            (
                "13:15: {at}.resource: 'https://a b' is not an absolute URI"
                " such as https://billing.example"
            ),
        ),
        (
            "resource: https://a/#x",
            (
                "13:15: {at}.resource: 'https://a/#x' has a fragment, and a"
                " resource has none (RFC 8707)"
            ),
        ),
        (
            'ticket: {pattern: "(", example: a}',
            "13:23: {at}.ticket.pattern: '(' is not an RE2 pattern: missing ): (",
        ),
        (
            r'ticket: {pattern: ")\x1f", example: a}',
            r"13:23: {at}.ticket.pattern: ')\x1f' is not an RE2 pattern: unexpected ): )\x1f",
        ),
        (
            'ticket: {pattern: "(?=a)a", example: a}',
            (
                "13:23: {at}.ticket.pattern: '(?=a)a' is not"
                " an RE2 pattern: invalid perl operator: (?="
            ),
        ),
        (
            'ticket: {pattern: "[A-Z]+-[0-9]+", example: "OPS-1 2"}',
            "13:49: {at}.ticket.example: 'OPS-1 2' does not match the pattern in full",
        ),
        (
            "ticket: {pattern: a, example: a, tracker: gira}",
            "13:47: {at}.ticket.tracker: 'gira' is not allowed (did you mean 'jira'?)",
        ),
        (
            "ticket: {pattern: a, example: a, tracker: url, project: []}",
            "13:61: {at}.ticket.project: must not be empty",
        ),
        (
            "ticket: {pattern: a, example: a, project: [OPS]}",
            "13:47: {at}.ticket.project: only a tracker can tell; say which, in `tracker`",
        ),
        (
            "ticket: {pattern: a, example: a, assigned: true}",
            "13:48: {at}.ticket.assigned: only a tracker can tell; say which, in `tracker`",
        ),
        (
            "ticket: {pattern: a, example: a, tracker: github}",
            ("13:13: {at}.ticket: a ticket of github is OWNER/REPO#NUMBER, such as acme/shop#7"),
        ),
        (
            "on_tracker_down: ask",
            (
                "13:22: {at}.on_tracker_down: no tracker is asked here;"
                " say which, in `ticket.tracker`"
            ),
        ),
        (
            "end_with_ticket: true",
            (
                "13:22: {at}.end_with_ticket: no tracker is asked here;"
                " say which, in `ticket.tracker`"
            ),
        ),
        (
            "delegation: no",
            "13:17: {at}.delegation: must be true or false, not 'no'",
        ),
        (
            "delegation: 0",
            "13:17: {at}.delegation: must be true or false, not 0",
        ),
        (
            "on_tracker_down: no",
            "13:22: {at}.on_tracker_down: 'no' is not allowed (there is deny, ask)",
        ),
        ('ticket: {pattern: "[A-Z]+"}', "13:5: {at}.ticket: the key 'example' is missing"),
    ],
)
def test_a_bundle_that_is_wrong_is_refused_at_the_place(tmp_path, line, problem):
    assert problems(tmp_path, bundles=bundle(line)) == [f"{WHERE}:{problem.format(at=AT)}"]


def test_all_that_is_wrong_with_a_bundle_is_told_at_once(tmp_path):
    wrong = BUNDLES.replace("risk: medium", "risk: huge").replace("    owner: leads\n", "")
    assert problems(tmp_path, bundles=wrong.replace("1h", "1x")) == [
        "p/bundles.yaml:3:3: bundles.billing-read: the key 'owner' is missing",
        (
            "p/bundles.yaml:8:11: bundles.billing-read.risk: 'huge' is not allowed (there is low,"
            " medium, high, critical)"
        ),
        (
            "p/bundles.yaml:10:19: bundles.billing-read.max_duration: '1x' is not a duration; write"
            " 30m, 2h, 1h30m or 7d"
        ),
    ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("x: {}", f"5:3: groups.x: {ONE_SOURCE}"),
        (
            "x: {users: [U0BEN], usergroup: S0SRE}",
            f"5:3: groups.x: {ONE_SOURCE}",
        ),
        ("x: {users: []}", "5:14: groups.x.users: must not be empty"),
        (
            "x: {users: [U0BEN, ben]}",
            "5:22: groups.x.users[1]: 'ben' is not a Slack user id such as U012AB3CD",
        ),
        (
            "x: {usergroup: '@sre'}",
            "5:18: groups.x.usergroup: '@sre' is not a Slack user group id such as S012AB3CD",
        ),
        (
            "x: {on_call: {provider: url, schedule: sre}, users: [U0BEN]}",
            f"5:3: groups.x: {ONE_SOURCE}",
        ),
        (
            "x: {on_call: {schedule: sre}}",
            "5:7: groups.x.on_call: the key 'provider' is missing",
        ),
        (
            "x: {on_call: {provider: pagrduty, schedule: sre}}",
            (
                "5:27: groups.x.on_call.provider: 'pagrduty' is not allowed"
                " (did you mean 'pagerduty'?)"
            ),
        ),
        (
            "x: {on_call: {provider: pagerduty}}",
            "5:16: groups.x.on_call: `on_call` needs `schedule` or `escalation_policy`",
        ),
        (
            "x: {on_call: {provider: opsgenie}}",
            "5:16: groups.x.on_call: `on_call` needs `schedule`",
        ),
        (
            "x: {on_call: {provider: url, escalation_policy: P1}}",
            "5:16: groups.x.on_call: `escalation_policy` is for pagerduty; say `schedule`",
        ),
        (
            "x: {on_call: {provider: opsgenie, schedule: sre, level: 2}}",
            "5:16: groups.x.on_call: a schedule of Opsgenie has no levels; take `level` out",
        ),
        (
            "x: {on_call: {provider: url, schedule: sre, level: 6}}",
            "5:54: groups.x.on_call.level: must be 5 or less, not 6",
        ),
        (
            "x: {on_call: {provider: url, schedule: ../sre}}",
            (
                "5:42: groups.x.on_call.schedule: '../sre' is not a schedule: letters, digits,"
                " dots, dashes and _"
            ),
        ),
        (
            "x: {on_call: {provider: url, shedule: sre}}",
            ("5:32: groups.x.on_call.shedule: unknown key 'shedule' (did you mean 'schedule'?)"),
        ),
        (
            "x: {manager: {}}",
            "5:16: groups.x.manager: `manager` has exactly one of `profile_field` and `of`",
        ),
        (
            "x: {manager: {profile_field: Manager}}",
            (
                "5:32: groups.x.manager.profile_field: 'Manager' is not a profile field such as"
                " Xf0123ABCD"
            ),
        ),
        ("x: {manager: {of: {}}}", "5:21: groups.x.manager.of: must not be empty"),
        (
            "x: {manager: {of: {U0BEN: U0BEN}}}",
            "5:21: groups.x.manager.of: 'U0BEN' cannot be their own manager",
        ),
        (
            "x: {manager: {of: {U0ANNA: ben}}}",
            "5:30: groups.x.manager.of.U0ANNA: 'ben' is not a Slack user id such as U012AB3CD",
        ),
        (
            "x: {manager: {of: {anna: U0BEN}}}",
            "5:22: groups.x.manager.of.anna: 'anna' is not a Slack user id such as U012AB3CD",
        ),
        (
            "x: {any_of: [leads], users: [U0BEN]}",
            f"5:3: groups.x: {ONE_SOURCE}",
        ),
        ("x: {any_of: []}", "5:15: groups.x.any_of: must not be empty"),
        (
            "x: {min_members: -1, users: [U0BEN]}",
            "5:20: groups.x.min_members: must be 0 or more, not -1",
        ),
        ("x: {user: [U0BEN]}", "5:7: groups.x.user: unknown key 'user' (did you mean 'users'?)"),
        ("x: [U0BEN]", "5:3: groups.x: must be a mapping, not a list"),
        (
            "X Y: {users: [U0BEN]}",
            "5:3: groups.'X Y': 'X Y' is not a name: small letters, digits and dashes",
        ),
    ],
)
def test_a_group_that_is_wrong_is_refused_at_the_place(tmp_path, entry, problem):
    assert problems(tmp_path, groups=f"{GROUPS}  {entry}\n") == [f"p/groups.yaml:{problem}"]


@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        ("{stages: []}", "3:22: chains.one-lead.stages: must not be empty"),
        ("{expire_after: 1h}", "3:3: chains.one-lead: the key 'stages' is missing"),
        (
            "{stages: [{name: a, approvers: [leads], quorum: 0}]}",
            "3:61: chains.one-lead.stages[0].quorum: must be 1 or more, not 0",
        ),
        (
            "{stages: [{name: a, approvers: [leads], quorum: 11}]}",
            "3:61: chains.one-lead.stages[0].quorum: must be 10 or less, not 11",
        ),
        (
            "{stages: [{name: a, approvers: []}]}",
            "3:44: chains.one-lead.stages[0].approvers: must not be empty",
        ),
        (
            "{stages: [{name: a, approvers: [leads], escalate: []}]}",
            "3:63: chains.one-lead.stages[0].escalate: must not be empty",
        ),
        (
            "{stages: [{name: a, approvers: [leads], when: []}]}",
            "3:59: chains.one-lead.stages[0].when: must not be empty",
        ),
        (
            '{stages: [{name: a, approvers: [leads], when: "true"}]}',
            "3:59: chains.one-lead.stages[0].when: must be a list, not 'true'",
        ),
        (
            "{stages: [{name: a, approvers: [leads], when: [request.duraton > duration('1h')]}]}",
            (
                "3:60: chains.one-lead.stages[0].when[0]: there is no 'request.duraton'"
                " (did you mean 'request.duration'?)"
            ),
        ),
        (
            "{stages: [{name: a, approvers: [leads], when: [request.duration > 3]}]}",
            (
                "3:77: chains.one-lead.stages[0].when[0]: '>' does not fit (duration, int); write"
                " a duration as duration('2h')"
            ),
        ),
        (
            "{stages: [{name: a, approvers: [leads], when: [\"'enginers' in user.groups\"]}]}",
            (
                "3:61: chains.one-lead.stages[0].when[0]: there is no group 'enginers'"
                " (did you mean 'engineers'?)"
            ),
        ),
        (
            "{stages: [{name: a, approvers: [leads], when: [\"'night' in now.windows\"]}]}",
            "3:61: chains.one-lead.stages[0].when[0]: there is no window 'night'",
        ),
        (
            "{stages: [{name: a, approvers: [leads], at_least: {leads: 0}}]}",
            "3:71: chains.one-lead.stages[0].at_least.leads: must be 1 or more, not 0",
        ),
        (
            "{stages: [{name: a, approvers: [leads], at_least: {engineers: 1}}]}",
            "3:63: chains.one-lead.stages[0].at_least: 'engineers' is not among the approvers",
        ),
        (
            "{stages: [{name: a, approvers: [leads], at_least: {leads: 2}}]}",
            "3:63: chains.one-lead.stages[0].at_least: asks for 2 people, and the quorum is 1",
        ),
        (
            "{stages: [{name: a, approvers: [leads], channel: deploys}]}",
            (
                "3:62: chains.one-lead.stages[0].channel: 'deploys' is not a channel: \"#name\" or"
                " an id"
            ),
        ),
        (
            "{stages: [{name: a, approvers: [leads], remind: [10m, 10m]}]}",
            "3:61: chains.one-lead.stages[0].remind: 10m must be later than 10m before it",
        ),
        (
            "{stages: [{name: a, approvers: [leads], remind: [10]}]}",
            (
                "3:62: chains.one-lead.stages[0].remind[0]: 10 is not a duration; write 30m, 2h,"
                " 1h30m or 7d"
            ),
        ),
        (
            "{stages: [{name: a, approvers: [leads], escalate: [{after: 1m}]}]}",
            (
                "3:64: chains.one-lead.stages[0].escalate[0]: an escalation needs `add_approvers`"
                " or `notify`"
            ),
        ),
        (
            (
                "{stages: [{name: a, approvers: [leads],"
                ' escalate: [{after: 1m, stand_in_for: leads, notify: ["#a"]}]}]}'
            ),
            (
                "3:64: chains.one-lead.stages[0].escalate[0]: `stand_in_for` needs"
                " `add_approvers`: say who stands in"
            ),
        ),
        (
            (
                "{stages: [{name: a, approvers: [leads],"
                " escalate: [{after: 1m, stand_in_for: leads, add_approvers: [leads]}]}]}"
            ),
            "3:63: chains.one-lead.stages[0].escalate: 'leads' has no place in `at_least`",
        ),
        (
            (
                "{stages: [{name: a, approvers: [leads], escalate:"
                " [{after: 2m, add_approvers: [leads]}, {after: 1m, add_approvers: [leads]}]}]}"
            ),
            "3:63: chains.one-lead.stages[0].escalate: 1m must be later than 2m before it",
        ),
        (
            (
                "{stages: [{name: a, approvers: [leads], escalate:"
                " [{after: 2m, add_approvers: [leds]}]}]}"
            ),
            (
                "3:92: chains.one-lead.stages[0].escalate[0].add_approvers[0]: there is no group"
                " 'leds' (did you mean 'leads'?)"
            ),
        ),
        (
            "{stages: [{name: a, approvers: [leads], remind: [1h]}], expire_after: 1h}",
            ("3:3: chains.one-lead: stage 'a' has `remind` at 1h, and the request ends after 1h"),
        ),
        (
            "{stages: [{name: a, approvers: [leads]}], distinct: stage}",
            "3:65: chains.one-lead.distinct: 'stage' is not allowed (there is chain)",
        ),
        (
            "{stages: [{name: a, aprovers: [leads], approvers: [leads]}]}",
            (
                "3:33: chains.one-lead.stages[0].aprovers: unknown key 'aprovers' (did you mean"
                " 'approvers'?)"
            ),
        ),
        (
            "{stages: [{name: a, approvers: [leads]}], denials: 2}",
            "3:64: chains.one-lead.denials: must be 1 or less, not 2",
        ),
    ],
)
def test_a_chain_that_is_wrong_is_refused_at_the_place(tmp_path, chain, problem):
    rules = RULES.replace(
        "one-lead:\n    stages: [{name: lead, approvers: [leads]}]", f"one-lead: {chain}"
    )
    assert problems(tmp_path, rules=rules) == [f"p/rules.yaml:{problem}"]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ["id: a", "bundles: {}", "requesters: [leads]", "decision: require"],
            "6:5: rules[0]: `decision: require` needs a chain",
        ),
        (
            [
                "id: a",
                "bundles: {}",
                "requesters: [leads]",
                "decision: auto_approve",
                "chain: one-lead",
            ],
            "10:12: rules[0].chain: `decision: auto_approve` asks nobody; take the chain out",
        ),
        (
            ["id: a", "bundles: {}", "decision: deny", "chain: one-lead"],
            "9:12: rules[0].chain: `decision: deny` asks nobody; take the chain out",
        ),
        (
            ["id: a", "bundles: {}", "decision: auto_approve"],
            "6:5: rules[0]: say whose requests: only a rule that denies is for everybody",
        ),
        (
            ["id: a", "bundles: {}", "requesters: []", "decision: deny"],
            "8:17: rules[0].requesters: must not be empty",
        ),
        (
            ["id: a", "bundles: {}", "decision: allow"],
            (
                "8:15: rules[0].decision: 'allow' is not allowed (there is auto_approve, require,"
                " deny)"
            ),
        ),
        (
            ["id: a", "bundles: {name: []}", "decision: deny"],
            "7:21: rules[0].bundles.name: must not be empty",
        ),
        (
            ["id: a", "bundles: {labels: {}}", "decision: deny"],
            "7:23: rules[0].bundles.labels: must not be empty",
        ),
        (
            ["id: a", "bundles: {enviroment: [dev]}", "decision: deny"],
            (
                "7:15: rules[0].bundles.enviroment: unknown key 'enviroment' (did you mean"
                " 'environment'?)"
            ),
        ),
        (
            ["id: a", "bundles: {environment: prod}", "decision: deny"],
            "7:28: rules[0].bundles.environment: must be a list, not 'prod'",
        ),
        (
            ["id: a", "bundles: {name: [billing-*]}", "decision: deny"],
            (
                "7:22: rules[0].bundles.name[0]: 'billing-*' is not a name: small letters, digits"
                " and dashes"
            ),
        ),
        (
            ["id: a", "bundles: {}", "decision: deny", "when: []"],
            "9:11: rules[0].when: must not be empty",
        ),
        (
            ["id: a", "bundles: {}", "decision: deny", "when: x"],
            "9:11: rules[0].when: must be a list, not 'x'",
        ),
        (
            ["id: a", "bundles: {}", "decision: deny", "when: [true]"],
            "9:12: rules[0].when[0]: must be text, not true; put it in quotes",
        ),
        (
            ["id: a", "bundles: {}", "decision: deny", f"when: ['{'x' * 1001}']"],
            "9:12: rules[0].when[0]: must have 1000 characters at most, and has 1001",
        ),
        (
            ["id: a", "bundles: {}", "decision: deny", "mode: audits"],
            "9:11: rules[0].mode: 'audits' is not allowed (did you mean 'audit'?)",
        ),
        (["bundles: {}", "decision: deny"], "6:5: rules[0]: the key 'id' is missing"),
        (["id: a", "decision: deny"], "6:5: rules[0]: the key 'bundles' is missing"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_at_the_place(tmp_path, lines, problem):
    assert problems(tmp_path, rules=rule(*lines)) == [f"p/rules.yaml:{problem}"]


@pytest.mark.parametrize(
    ("guardrail", "problem"),
    [
        (
            "{id: a, bundles: {}}",
            (
                "12:5: guardrails[0]: a guardrail needs `deny: true`, `max_duration` or"
                " `min_approvals`"
            ),
        ),
        (
            "{id: a, bundles: {}, deny: false}",
            (
                "12:5: guardrails[0]: a guardrail needs `deny: true`, `max_duration` or"
                " `min_approvals`"
            ),
        ),
        (
            "{id: a, bundles: {}, deny: yes}",
            "12:32: guardrails[0].deny: must be true or false, not 'yes'",
        ),
        (
            "{id: a, bundles: {}, min_approvals: 0}",
            "12:41: guardrails[0].min_approvals: must be 1 or more, not 0",
        ),
        ("{id: a, deny: true}", "12:5: guardrails[0]: the key 'bundles' is missing"),
        (
            "{id: a, bundles: {}, deny: true, even_break_glass: yes}",
            "12:56: guardrails[0].even_break_glass: must be true or false, not 'yes'",
        ),
        (
            "{id: a, bundles: {}, even_break_glass: true}",
            (
                "12:5: guardrails[0]: a guardrail needs `deny: true`, `max_duration` or"
                " `min_approvals`"
            ),
        ),
        ("deny", "12:5: guardrails[0]: must be a mapping, not 'deny'"),
    ],
)
def test_a_guardrail_that_is_wrong_is_refused_at_the_place(tmp_path, guardrail, problem):
    rules = f"{RULES}guardrails:\n  - {guardrail}\n"
    assert problems(tmp_path, rules=rules) == [f"p/rules.yaml:{problem}"]


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ("{days: [mon]}", "3:3: windows.w: the key 'tz' is missing"),
        ("{tz: UTC}", "3:3: windows.w: say `days`, `start` and `end`, or `dates`"),
        (
            "{tz: Europe/Berln, days: [mon]}",
            (
                "3:11: windows.w.tz: 'Europe/Berln' is not a time zone such as Europe/Berlin or UTC"
                " (did you mean 'Europe/Berlin'?)"
            ),
        ),
        (
            "{tz: ../../etc/passwd, days: [mon]}",
            (
                "3:11: windows.w.tz: '../../etc/passwd' is not a time zone such as Europe/Berlin or"
                " UTC"
            ),
        ),
        (
            "{tz: UTC, days: [monday]}",
            "3:23: windows.w.days[0]: 'monday' is not allowed (did you mean 'mon'?)",
        ),
        ("{tz: UTC, days: []}", "3:22: windows.w.days: must not be empty"),
        (
            "{tz: UTC, start: 9:00}",
            (
                "3:23: windows.w.start: '9:00' is not a time of day; write 09:00, or 24:00 for"
                " midnight"
            ),
        ),
        (
            "{tz: UTC, end: 24:01}",
            "3:21: windows.w.end: '24:01' is not a time of day; write 09:00, or 24:00 for midnight",
        ),
        (
            "{tz: UTC, end: 1800}",
            "3:21: windows.w.end: 1800 is not a time of day; write 09:00, or 24:00 for midnight",
        ),
        ("{tz: UTC, start: 24:00}", "3:23: windows.w.start: must come before 24:00"),
        (
            "{tz: UTC, start: 09:00, end: 09:00}",
            "3:3: windows.w: `start` and `end` are the same; leave both out for the whole day",
        ),
        (
            "{tz: UTC, dates: 2026-02-30..2026-03-01}",
            (
                "3:23: windows.w.dates: '2026-02-30..2026-03-01' is not a range of dates; write"
                " 2026-12-19..2027-01-03"
            ),
        ),
        (
            "{tz: UTC, dates: 2026-03-01..2026-02-01}",
            "3:23: windows.w.dates: 2026-03-01 is after 2026-02-01",
        ),
        (
            "{tz: UTC, dates: 2026-03-01}",
            (
                "3:23: windows.w.dates: '2026-03-01' is not a range of dates; write"
                " 2026-12-19..2027-01-03"
            ),
        ),
    ],
)
def test_a_window_that_is_wrong_is_refused_at_the_place(tmp_path, window, problem):
    text = f"version: 1\nwindows:\n  w: {window}\n"
    assert problems(tmp_path, more=text) == [f"p/more.yaml:{problem}"]


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        (
            f"{{secret_sha256: {'A' * 64}, resources: [https://a]}}",
            "3:24: clients.api.secret_sha256: must be a SHA-256 in hex: 64 of 0-9 and a-f",
        ),
        (
            f"{{secret_sha256: {'a' * 63}, resources: [https://a]}}",
            "3:24: clients.api.secret_sha256: must be a SHA-256 in hex: 64 of 0-9 and a-f",
        ),
        (
            f"{{secret_sha256: {'a' * 64}, resources: []}}",
            "3:101: clients.api.resources: must not be empty",
        ),
        (
            f"{{secret_sha256: {'a' * 64}, resources: [https://a#b]}}",
            (
                "3:102: clients.api.resources[0]: 'https://a#b' has a fragment, and a resource has"
                " none (RFC 8707)"
            ),
        ),
        (
            f"{{secret_sha256: {'a' * 64}}}",
            "3:3: clients.api: a client needs `resources`, `bundles`, or both",
        ),
        (
            "{resources: [https://a]}",
            "3:3: clients.api: a client needs `secret_sha256` or `jwks`; see `jit clients add`",
        ),
        (
            f"{{secret_sha256: {'a' * 64}, bundles: [read]}}",
            (
                "3:3: clients.api: a client that asks for bundles needs an `owner`: who answers"
                " for it?"
            ),
        ),
        (
            f"{{secret_sha256: {'a' * 64}, bundles: [billing-read], owner: Anna}}",
            "3:122: clients.api.owner: 'Anna' is not a group's name or a Slack user id",
        ),
        (
            f"{{secret_sha256: {'a' * 64}, bundles: [billing-reed], owner: U0ANNA}}",
            (
                "3:100: clients.api.bundles[0]: there is no bundle 'billing-reed' (did you mean"
                " 'billing-read'?)"
            ),
        ),
        (
            f"{{secret_sha256: {'a' * 64}, bundles: [billing-read], owner: leeds}}",
            "3:122: clients.api.owner: there is no group 'leeds' (did you mean 'leads'?)",
        ),
        (
            f"{{secret_sha256: [{'a' * 64}, {'b' * 63}], resources: [https://a]}}",
            "3:91: clients.api.secret_sha256[1]: must be a SHA-256 in hex: 64 of 0-9 and a-f",
        ),
        (
            "{secret_sha256: [], resources: [https://a]}",
            "3:24: clients.api.secret_sha256: must not be empty",
        ),
        (
            "{jwks: [{kty: oct, k: c2VjcmV0}], resources: [https://a]}",
            (
                "3:16: clients.api.jwks[0]: this is a private key: give the public one, and make a"
                " new pair"
            ),
        ),
        (
            "{jwks: [{kty: EC, crv: secp256k1, x: AA, y: AA}], resources: [https://a]}",
            (
                "3:16: clients.api.jwks[0]: must be a public RSA, P-256, P-384 or Ed25519 key"
                " (RFC 7517)"
            ),
        ),
        (
            "{jwks: [{kty: OKP, crv: Ed25519, x: AA}], resources: [https://a]}",
            "3:16: clients.api.jwks[0]: this is not a public key in JWK form (RFC 7517)",
        ),
        (
            f"{{jwks: [{{kty: RSA, n: {SHORT_MODULUS}, e: AQAB}}], resources: [https://a]}}",
            "3:16: clients.api.jwks[0]: the key has 1024 bits; it needs 2048 or more",
        ),
    ],
)
def test_a_client_that_is_wrong_is_refused_at_the_place(tmp_path, client, problem):
    text = f"version: 1\nclients:\n  api: {client}\n"
    assert problems(tmp_path, clients=text) == [f"p/clients.yaml:{problem}"]


def test_a_secret_that_stands_in_the_place_of_its_hash_is_not_repeated(tmp_path):
    text = "version: 1\nclients: {api: {secret_sha256: s3cr3t-s3cr3t, resources: [https://a]}}\n"
    assert "s3cr3t" not in "".join(problems(tmp_path, clients=text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("groups: {}\n", "1:1: the key 'version' is missing"),
        ("version: 2\n", "1:10: version: version 2 is not known; this is for version 1"),
        ("version: '1'\n", "1:10: version: must be a whole number, not '1'"),
        ("version: true\n", "1:10: version: must be a whole number, not true"),
        ("version: 1\nrulez: []\n", "2:1: rulez: unknown key 'rulez' (did you mean 'rules'?)"),
        ("version: 1\nwindows: []\n", "2:10: windows: must be a mapping, not a list"),
        ("version: 1\nauditors: x\n", "2:1: auditors: 'auditors' is not supported yet"),
        ("version: 1\nrules: {}\n", "2:8: rules: must be a list, not a mapping"),
        ("version: 1\ngroups:\n", "2:8: groups: must be a mapping, not nothing"),
        ("version: 1\ngroups: [a]\n", "2:9: groups: must be a mapping, not a list"),
        ("- version\n", "1:1: must be a mapping, not a list"),
        ("version\n", "1:1: must be a mapping, not 'version'"),
        ("version: 1\ndefaults: 3\n", "2:1: defaults: must be a mapping, not 3"),
        (
            "version: 1\ndefaults: {max_duration: 1}\n",
            "2:26: defaults.max_duration: 1 is not a duration; write 30m, 2h, 1h30m or 7d",
        ),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_at_the_place(tmp_path, text, problem):
    assert problems(tmp_path, more=text) == [f"p/more.yaml:{problem}"]


def test_what_is_long_is_clipped_where_it_is_repeated(tmp_path):
    (problem,) = problems(tmp_path, bundles=bundle(f"risk: {'x' * 100_000}"))
    assert len(problem) < 300


def test_a_bundle_says_which_tracker_is_asked_and_what_follows(tmp_path):
    tracked = "ticket: {pattern: 'OPS-[0-9]+', example: OPS-7, tracker: jira, project: [OPS, PAY]}"
    [plain] = loaded(tmp_path, bundles=bundle(tracked)).policy.bundles.values()
    assert plain.ticket == TicketRule(
        pattern="OPS-[0-9]+", example="OPS-7", tracker=Tracker.JIRA, projects=("OPS", "PAY")
    )
    more = tracked.replace("project: [OPS, PAY]", "assigned: true")
    lines = f"{more}\n    on_tracker_down: ask\n    end_with_ticket: true"
    [strict] = loaded(tmp_path, bundles=bundle(lines)).policy.bundles.values()
    assert strict.ticket == TicketRule(
        pattern="OPS-[0-9]+",
        example="OPS-7",
        tracker=Tracker.JIRA,
        assigned=True,
        people_if_down=True,
        ends_grant=True,
    )
    denies = bundle(f"{tracked}\n    on_tracker_down: deny")
    [same] = loaded(tmp_path, bundles=denies).policy.bundles.values()
    assert same.ticket == plain.ticket


def test_rules_in_audit_mode_are_apart_and_know_their_place(tmp_path):
    always = "bundles: {}, deny: true"
    rules = f"""{RULES}\
  - {{id: a, bundles: {{}}, decision: deny, mode: audit}}
  - {{id: last, bundles: {{}}, decision: deny, mode: enforce}}
guardrails: [{{id: a, {always}}}, {{id: b, {always}, mode: audit}}]
"""
    policy = loaded(tmp_path, rules=rules).policy
    assert [rule.id for rule in policy.rules_of["billing-read"]] == ["by-a-lead", "last"]
    assert [rail.id for rail in policy.guardrails_of["billing-read"]] == ["a"]
    audited = policy.audited_of["billing-read"]
    assert [(each.one.id, type(each.one), each.after) for each in audited] == [
        ("b", Guardrail, 0),
        ("a", Rule, 1),
    ]


def test_conditions_of_stages_stand_with_their_chain(tmp_path):
    rules = RULES.replace("[leads]}", "[leads], when: [\"'engineers' in user.groups\"]}")
    policy = loaded(tmp_path, rules=rules).policy
    (rule,) = policy.rules_of["billing-read"]
    assert rule.chain is not None
    [condition] = rule.chain.conditions[0]
    assert condition.text == "'engineers' in user.groups"
    assert [group.name for group in policy.groups_read_for("billing-read")] == ["engineers"]
