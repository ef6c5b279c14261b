"""The slice of each bundle: what changes it, and what does not."""

import pytest

from tests.policy_files.folders import BUNDLES, GROUPS, RULES, loaded

OTHER = """\
  other-bundle:
    title: Read logs
    scopes: [logs:read]
    resource: https://logs.example
    environment: staging
    access: read
    risk: low
    owner: owners
    channel: "#access"
    max_duration: 1h
    default_duration: 30m
"""
GROUPS_MORE = f"""{GROUPS}\
  owners: {{users: [U0DAN]}}
  parts: {{any_of: [owners, engineers]}}
  glaziers: {{users: [U0EVA]}}
windows:
  night: {{tz: UTC, start: "22:00", end: "06:00"}}
  day: {{tz: UTC, start: "06:00", end: "22:00"}}
"""
RULES_MORE = f"""{RULES}\
  - {{id: other, bundles: {{name: [other-bundle]}}, requesters: [parts], decision: auto_approve}}
guardrails:
  - {{id: at-night, bundles: {{name: [billing-read]}}, during: night, max_duration: 30m}}
  - {{id: tried, bundles: {{name: [billing-read]}}, requesters: [owners], deny: true, mode: audit}}
"""
BUNDLES_MORE = f"{BUNDLES}{OTHER}"


def slices(tmp_path, *changes):
    files = {"bundles": BUNDLES_MORE, "groups": GROUPS_MORE, "rules": RULES_MORE}
    for name, old, new in changes:
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    return loaded(tmp_path, **files).policy.slices


def differs(tmp_path, *changes):
    before, after = slices(tmp_path), slices(tmp_path, *changes)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("changes", "bundles"),
    [
        # Of the bundle itself, its rules, and what these name.
        ([("bundles", "refunds:read]", "refunds:write]")], {"billing-read"}),
        ([("bundles", "title: Read billing", "title: See billing")], {"billing-read"}),
        ([("rules", "requesters: [engineers]", "requesters: [leads]")], {"billing-read"}),
        (
            [("rules", "{name: lead, approvers", "{name: lead, quorum: 2, approvers")],
            {"billing-read"},
        ),
        (
            [("rules", "[leads]}", "[leads], when: [request.duration > duration('1h')]}")],
            {"billing-read"},
        ),
        ([("rules", "max_duration: 30m", "max_duration: 20m")], {"billing-read"}),
        (
            [("rules", "[owners], deny: true, mode: audit", "[owners], deny: true")],
            {"billing-read"},
        ),
        ([("groups", "U0BEN, U0CLEO", "U0BEN, U0DAN")], {"billing-read"}),
        ([("groups", 'end: "06:00"', 'end: "05:00"')], {"billing-read"}),
        # Of groups that groups are put together from, and of those that audit mode names.
        ([("groups", "S0ENGINEERS", "S0ENGINES")], {"billing-read", "other-bundle"}),
        ([("groups", "users: [U0DAN]", "users: [U0EVA]")], {"billing-read", "other-bundle"}),
        # Of another bundle, and of what nothing names.
        ([("bundles", "logs:read", "logs:write")], {"other-bundle"}),
        ([("groups", "U0EVA", "U0FINN")], set()),
        ([("groups", 'end: "22:00"', 'end: "21:00"')], set()),
        # Layout and comments.
        ([("rules", "rules:", "# what is asked\nrules:")], set()),
        ([("bundles", "scopes: [logs:read]", "scopes:\n      - logs:read")], set()),
    ],
)
def test_the_slice_changes_with_what_decides_about_the_bundle_alone(tmp_path, changes, bundles):
    assert differs(tmp_path, *changes) == bundles


def test_a_condition_that_reads_windows_unnamed_has_all_of_them_in_its_slice(tmp_path):
    wide = ("rules", "chain: one-lead", "chain: one-lead\n    when: [size(now.windows) > 0]")
    before = slices(tmp_path, wide)
    after = slices(tmp_path, wide, ("groups", 'end: "22:00"', 'end: "21:00"'))
    assert before["billing-read"] != after["billing-read"]


def test_the_order_of_rules_counts(tmp_path):
    more = "  - {id: late, bundles: {}, decision: deny}\n"
    first = slices(tmp_path, ("rules", "guardrails:", f"{more}guardrails:"))
    last = slices(tmp_path, ("rules", "rules:\n", f"rules:\n{more}"))
    assert first["billing-read"] != last["billing-read"]


def test_a_resource_counts_where_its_words_are_shown(tmp_path):
    api = "resources:\n  https://logs.example: {title: Logs, scopes: {'logs:read': Read logs}}\n"
    before = slices(tmp_path, ("bundles", "version: 1\n", f"version: 1\n{api}"))
    other = api.replace("Read logs", "See logs")
    after = slices(tmp_path, ("bundles", "version: 1\n", f"version: 1\n{other}"))
    assert {name for name in before if before[name] != after[name]} == {"other-bundle"}
