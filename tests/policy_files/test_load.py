"""A folder of files to the policy, whatever is in the folder."""

import os
from datetime import timedelta

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.errors import Misconfigured
from bot.core.policy import Selector, Verdict
from bot.core.scopes import Bundle, Delivery, Limits, Risk, ScopeText, TicketRule
from bot.policy_files import load_policies
from tests.policy_files.folders import (
    BUNDLES,
    GROUPS,
    RESOURCE,
    RIGHT,
    RULES,
    all_problems,
    bundle,
    loaded,
    problems,
    put,
    rule,
)

SECRET = "a" * 64


def test_a_bundle_is_as_it_is_written(tmp_path):
    text = """\
    version: 1
    bundles:
      billing-read:
        title: "  Read\\tbilling "
        description: |
          Invoices
          and refunds.
        scopes: {refunds:read: Read refunds, invoices:read: Read invoices}
        resource: https://billing.example/v1?x=y
        environment: production
        access: admin
        risk: high
        owner: leads
        labels: {team: billing, on: off}
        channel: C0ACCESS
        max_duration: 1h30m
        default_duration: 90s
        reason_min: 15
        ticket: {pattern: '(BILL|OPS)-[0-9]+', example: OPS-1}
        limits: {per_user_per_day: 4, active_total: 3}
        delivery: message
    """
    assert loaded(tmp_path, bundles=text).policy.bundles["billing-read"] == Bundle(
        name="billing-read",
        title="Read billing",
        description="Invoices and refunds.",
        scopes=(
            ScopeText("refunds:read", "Read refunds"),
            ScopeText("invoices:read", "Read invoices"),
        ),
        resource="https://billing.example/v1?x=y",
        environment="production",
        access="admin",
        risk=Risk.HIGH,
        owner="leads",
        labels={"team": "billing", "on": "off"},
        channel="C0ACCESS",
        max_duration=timedelta(minutes=90),
        default_duration=timedelta(seconds=90),
        reason_min=15,
        ticket=TicketRule(pattern="(BILL|OPS)-[0-9]+", example="OPS-1"),
        limits=Limits(per_user_per_day=4, active_total=3),
        delivery=Delivery.MESSAGE,
    )


def test_what_a_bundle_leaves_out_has_a_default(tmp_path):
    plain = loaded(tmp_path).policy.bundles["billing-read"]
    assert plain.scopes == (ScopeText("invoices:read"), ScopeText("refunds:read"))
    assert plain.resource == RESOURCE
    assert (plain.reason_min, plain.ticket, plain.limits) == (10, None, Limits())
    assert (plain.description, plain.labels) == ("", {})


@pytest.mark.parametrize(
    ("lines", "claim", "start"),
    [
        ("starts: approval", None, None),
        ("starts: reveal", timedelta(hours=1), None),
        ("starts: reveal\n    claim_within: 2d", timedelta(days=2), None),
        ("start_within: 7d", None, timedelta(days=7)),
        ("reason_min: 10", None, None),
    ],
)
def test_when_the_time_of_a_grant_begins(tmp_path, lines, claim, start):
    found = loaded(tmp_path, bundles=bundle(lines)).policy.bundles["billing-read"]
    assert (found.claim_within, found.start_within) == (claim, start)


@pytest.mark.parametrize("risk", Risk)
def test_a_token_of_high_or_critical_risk_is_only_revealed(tmp_path, risk):
    chosen = loaded(tmp_path, bundles=bundle(f"risk: {risk}")).policy.bundles["billing-read"]
    high = risk in (Risk.HIGH, Risk.CRITICAL)
    assert chosen.delivery is (Delivery.REVEAL if high else Delivery.MESSAGE)


@pytest.mark.parametrize(
    "uri", ["https://a", "http://127.0.0.1:8080/x?y", "urn:example:billing", "api://billing"]
)
def test_a_resource_is_any_absolute_uri(tmp_path, uri):
    assert (
        loaded(tmp_path, bundles=bundle(f"resource: {uri}")).policy.bundles["billing-read"].resource
        == uri
    )


@pytest.mark.parametrize("channel", ["'#access-requests'", "'#größe_2.0'", "C0ACCESS", "G0OLD"])
def test_a_channel_is_a_name_or_an_id(tmp_path, channel):
    found = loaded(tmp_path, bundles=bundle(f"channel: {channel}")).policy.bundles
    assert found["billing-read"].channel == channel.strip("'")


def test_groups_and_chains_are_as_they_are_written(tmp_path):
    rules = RULES.replace(
        "stages: [",
        "expire_after: 10m\n    stages: [{name: all, approvers: [engineers, leads], quorum: 3}, ",
    )
    policy = loaded(tmp_path, rules=rules).policy
    engineers, leads = policy.groups["engineers"], policy.groups["leads"]
    assert (engineers.usergroup, engineers.users) == ("S0ENGINEERS", frozenset())
    assert (leads.usergroup, leads.users) == ("", {"U0BEN", "U0CLEO"})
    chain = policy.rules_of["billing-read"][0].chain
    assert chain is not None
    assert (chain.name, chain.expire_after) == ("one-lead", timedelta(minutes=10))
    assert [(stage.name, stage.approvers, stage.quorum) for stage in chain.stages] == [
        ("all", (engineers, leads), 3),
        ("lead", (leads,), 1),
    ]


def test_a_rule_is_as_it_is_written(tmp_path):
    rules = rule(
        "id: a",
        "bundles: {name: [billing-read], environment: [dev, production], risk: [medium],"
        " access: [read]}",
        "requesters: [leads, engineers]",
        "max_duration: 15m",
        "decision: auto_approve",
        "note: Only for now.",
    )
    (found,) = loaded(tmp_path, rules=rules).policy.rules_of["billing-read"]
    assert found.bundles == Selector(
        names=frozenset({"billing-read"}),
        environments=frozenset({"dev", "production"}),
        risks=frozenset({Risk.MEDIUM}),
        accesses=frozenset({"read"}),
    )
    assert (found.id, found.verdict, found.chain) == ("a", Verdict.AUTO_APPROVE, None)
    assert found.requesters == ("leads", "engineers")
    assert found.max_duration == timedelta(minutes=15)
    assert (found.note, found.where) == ("Only for now.", "p/rules.yaml:6")


def test_a_guardrail_is_as_it_is_written(tmp_path):
    rules = RULES + (
        "guardrails:\n"
        "  - {id: none-for-all, bundles: {labels: {team: x}}, deny: true}\n"
        "  - {id: capped, bundles: {}, requesters: [leads], max_duration: 5m, min_approvals: 2,"
        " note: So.}\n"
    )
    (found,) = loaded(tmp_path, rules=rules).policy.guardrails_of["billing-read"]
    assert (found.id, found.deny, found.min_approvals) == ("capped", False, 2)
    assert (found.requesters, found.max_duration) == (("leads",), timedelta(minutes=5))
    assert (found.note, found.where) == ("So.", "p/rules.yaml:13")


def test_rules_are_tried_in_the_order_of_file_names_then_of_places(tmp_path):
    def some(*ids):
        rules = "".join(f"  - {{id: {id_}, bundles: {{}}, decision: deny}}\n" for id_ in ids)
        return f"version: 1\nrules:\n{rules}"

    files = {"b.yaml": some("b2", "b1"), "B.yaml": some("upper"), "a.YML": some("a")}
    folder = put(tmp_path, RIGHT | files)
    tried = load_policies(folder, default_resource=RESOURCE).policy.rules_of["billing-read"]
    assert [one.id for one in tried] == ["upper", "a", "b2", "b1", "by-a-lead"]


def test_clients_are_read_and_may_be_left_out(tmp_path):
    client = f"{{secret_sha256: {SECRET}, resources: [https://a, 'urn:b']}}"
    text = f"version: 1\nclients: {{api: {client}}}\n"
    assert loaded(tmp_path).clients == {}
    (client,) = loaded(tmp_path, clients=text).clients.values()
    assert (client.id, client.secrets_sha256) == ("api", {SECRET})
    assert client.resources == {"https://a", "urn:b"}


def test_tests_and_what_is_no_yaml_are_not_read(tmp_path):
    folder = put(tmp_path, RIGHT | {"README.md": "[", "x.yaml.bak": "["})
    (folder / "tests").mkdir()
    (folder / "tests" / "t.yaml").write_text("[")
    assert load_policies(folder, default_resource=RESOURCE).policy.bundles


def test_a_folder_without_files_says_what_to_do(tmp_path):
    folder = put(tmp_path, {"README.md": "x"})
    assert all_problems(folder) == [
        (
            f"the policy folder {folder} holds no *.yaml file; begin with a copy of the shipped"
            " policies/"
        )
    ]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert all_problems(tmp_path / "p") == [
        f"the policy folder {tmp_path / 'p'} cannot be read: No such file or directory"
    ]


def test_files_without_bundles_and_rules_say_what_to_do(tmp_path):
    folder = put(tmp_path, {"a.yaml": "version: 1\n"})
    assert all_problems(folder) == [
        f"{folder} declares no bundle, so there is nothing to ask for; add `bundles:`",
        f"{folder} declares no rule, so everything is denied; add `rules:`",
    ]


def test_an_empty_file_is_refused_beside_others(tmp_path):
    assert problems(tmp_path, more="# nothing yet\n") == [
        "p/more.yaml: the file is empty; begin with `version: 1`, or delete it"
    ]


def test_what_cannot_be_read_does_not_hide_what_is_wrong_with_the_others(tmp_path):
    folder = put(tmp_path, RIGHT | {"bundles.yaml": bundle("risk: huge")})
    (folder / "folder.yaml").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    (folder / "link.yaml").symlink_to(folder / "link.yaml")
    (folder / "gone.yaml").symlink_to(folder / "nothing")
    assert [problem.partition(": ")[0] for problem in all_problems(folder)] == [
        "p/bundles.yaml:8:11",
        "p/folder.yaml",
        "p/gone.yaml",
        "p/link.yaml",
        "p/pipe.yaml",
    ]


def test_a_link_to_a_file_is_read_like_the_file(tmp_path):
    folder = put(tmp_path, {name: text for name, text in RIGHT.items() if name != "rules.yaml"})
    (tmp_path / "elsewhere").write_text(RULES)
    (folder / "rules.yaml").symlink_to(tmp_path / "elsewhere")
    assert load_policies(folder, default_resource=RESOURCE).policy.rules_of["billing-read"]


def test_comments_layout_the_order_of_keys_and_files_do_not_change_the_digest(tmp_path):
    plain = loaded(tmp_path).policy.digest
    assert len(plain) == 64
    turned = yaml.safe_dump(yaml.safe_load(BUNDLES), sort_keys=True, default_flow_style=True)
    groups = "# people\n\n" + GROUPS.replace(
        "users: [U0BEN, U0CLEO]", "users:   ['U0BEN',\n  U0CLEO]"
    )
    assert turned.index("owner") < turned.index("title")  # unlike in BUNDLES
    assert loaded(tmp_path, bundles=turned, groups=groups).policy.digest == plain
    one_file = BUNDLES + GROUPS.partition("\n")[2] + RULES.partition("\n")[2]
    folder = put(tmp_path, {"all.yml": one_file})
    assert load_policies(folder, default_resource=RESOURCE).policy.digest == plain


def test_the_order_of_names_and_labels_does_not_change_the_digest(tmp_path):
    first, second = "  engineers: {usergroup: S0ENGINEERS}\n", "  leads: {users: [U0BEN, U0CLEO]}\n"
    turned = GROUPS.replace(first, "").replace(second, second + first)
    assert turned.index("leads") < turned.index("engineers")
    plain = loaded(tmp_path, bundles=bundle("labels: {a: x, b: y}")).policy.digest
    other = loaded(tmp_path, bundles=bundle("labels: {b: y, a: x}"), groups=turned).policy.digest
    assert other == plain


def test_a_client_or_another_default_resource_does_not_change_the_digest(tmp_path):
    plain = loaded(tmp_path).policy.digest
    client = f"version: 1\nclients: {{api: {{secret_sha256: {SECRET}, resources: [https://a]}}}}\n"
    assert loaded(tmp_path, clients=client).policy.digest == plain
    folder = put(tmp_path, RIGHT)
    assert load_policies(folder, default_resource="https://other").policy.digest == plain


MORE_RULES = RULES + "  - {id: none, bundles: {}, decision: deny}\n"


@pytest.mark.parametrize(
    "changed",
    [
        {"bundles": bundle("default_duration: 29m")},
        {"bundles": bundle("scopes: [refunds:read, invoices:read]")},
        {"bundles": bundle("owner: engineers")},
        {"groups": GROUPS.replace("U0CLEO", "U0DAN")},
        {"rules": RULES.replace("approvers: [leads]", "approvers: [leads], quorum: 2")},
        {"rules": MORE_RULES},
        {"rules": RULES + "guardrails: [{id: a, bundles: {}, deny: true}]\n"},
        {"more": "version: 1\ndefaults: {max_duration: 23h}\n"},
    ],
)
def test_what_the_policy_means_changes_the_digest(tmp_path, changed):
    assert loaded(tmp_path, **changed).policy.digest != loaded(tmp_path).policy.digest


def test_the_order_of_rules_changes_the_digest(tmp_path):
    turned = MORE_RULES.replace(
        "rules:\n", "rules:\n  - {id: none, bundles: {}, decision: deny}\n"
    ).removesuffix("  - {id: none, bundles: {}, decision: deny}\n")
    first = loaded(tmp_path, rules=MORE_RULES).policy
    second = loaded(tmp_path, rules=turned).policy
    assert [one.id for one in first.rules_of["billing-read"]] == ["by-a-lead", "none"]
    assert [one.id for one in second.rules_of["billing-read"]] == ["none", "by-a-lead"]
    assert first.digest != second.digest


def everything_in(value):
    """Yield the path of every value in `value`."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield (key,)
        if isinstance(part, dict | list):
            yield from ((key, *rest) for rest in everything_in(part))


WHOLE = yaml.safe_load(
    BUNDLES
    + "    ticket: {pattern: '[A-Z]+', example: A}\n    limits: {active_total: 1}\n"
    + "    labels: {team: x}\n"
    + GROUPS.partition("\n")[2]
    + RULES.partition("\n")[2]
    + "guardrails: [{id: a, bundles: {risk: [low]}, max_duration: 1h}]\n"
    + f"clients: {{api: {{secret_sha256: {SECRET}, resources: [https://a]}}}}\n"
    + "defaults: {max_duration: 24h}\n"
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["leads", "billing-read", "1h", "[key]", "a list", "a mapping", "id"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


def refusals(folder):
    """Return what is wrong in `folder`, which may be nothing."""
    try:
        load_policies(folder, default_resource=RESOURCE)
    except Misconfigured as refused:
        return list(refused.problems)
    return []


def replaced(whole, path, value):
    first, *rest = path
    part = replaced(whole[first], rest, value) if rest else value
    if isinstance(whole, dict):
        return whole | {first: part}
    return [*whole[:first], part, *whole[first + 1 :]]


in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(st.sampled_from(sorted(everything_in(WHOLE), key=str)), ANYTHING)
def test_whatever_stands_in_the_place_of_a_value_is_loaded_or_refused(tmp_path, path, value):
    text = yaml.safe_dump(replaced(WHOLE, path, value), allow_unicode=True)
    wrong = refusals(put(tmp_path, {"a.yaml": text.encode()}))
    assert all(problem.isprintable() for problem in wrong)


@in_one_folder
@given(st.text(max_size=200).map(str.encode) | st.binary(max_size=200))
def test_whatever_a_file_holds_is_loaded_or_refused(tmp_path, content):
    assert refusals(put(tmp_path, {"a.yaml": content}))


@in_one_folder
@given(st.integers(0, len(RULES)), st.text(max_size=6))
def test_whatever_is_typed_into_a_file_is_loaded_or_refused(tmp_path, place, typed):
    rules = (RULES[:place] + typed + RULES[place:]).encode()
    refusals(put(tmp_path, RIGHT | {"rules.yaml": rules}))


def test_the_admin_channel_may_be_named_in_any_file(tmp_path):
    assert loaded(tmp_path).admin_channel == ""
    top = 'version: 1\nadmin_channel: "#jit-admin"\n'
    found = loaded(tmp_path, top=top)
    assert found.admin_channel == "#jit-admin"
    assert found.policy.digest == loaded(tmp_path, top="version: 1\n").policy.digest


def test_the_admin_channel_is_named_once_over_all_files_and_is_a_channel(tmp_path):
    top = "version: 1\nadmin_channel: {channel}\n"
    one, two = top.format(channel="C0ADMIN"), top.format(channel='"#jit-admin"')
    assert problems(tmp_path, a=one, b=two) == [
        "p/b.yaml:2:1: admin_channel: 'admin_channel' is defined at p/a.yaml:2 already"
    ]
    (tmp_path / "p" / "b.yaml").unlink()
    assert problems(tmp_path, a=top.format(channel="jit-admin")) == [
        "p/a.yaml:2:16: admin_channel: 'jit-admin' is not a channel: \"#name\" or an id"
    ]
