"""The command `jit policy`, as people and as CI call it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.policy_files import schema_text

SHIPPED = Path(__file__).parents[1] / "policies"
MORNING = "2026-11-23T10:00:00+01:00"


def jit(*words):
    return CliRunner().invoke(main, ["policy", *map(str, words)])


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "policies"
    shutil.copytree(SHIPPED, copy)
    return copy


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_shipped_policies_pass_check_and_their_tests_with_full_coverage():
    checked = jit("check", SHIPPED)
    assert (checked.exit_code, "all right" in checked.output) == (0, True)
    tested = jit("test", SHIPPED, "--require-coverage")
    assert tested.exit_code == 0, tested.output
    assert tested.output.endswith("never: -\n")


def test_check_tells_all_problems_with_their_places_and_fails(folder):
    change(folder / "rules.yaml", "during: night", "during: nigth")
    change(folder / "bundles.yaml", "environment: staging", "environment: stagin")
    found = jit("check", folder)
    assert found.exit_code == 1
    told = found.output.splitlines()
    assert told[0].endswith("'stagin' is not allowed (did you mean 'staging'?)")
    assert told[1].endswith("there is no window 'nigth' (did you mean 'night'?)")
    assert told[1].startswith("policies/rules.yaml:")
    assert told[-1] == "2 problems"


def test_check_speaks_json_to_programs(folder):
    assert json.loads(jit("check", folder, "--json").output)["problems"] == []
    change(folder / "rules.yaml", "during: night", "during: nigth")
    found = jit("check", folder, "--json")
    assert found.exit_code == 1
    (problem,) = json.loads(found.output)["problems"]
    assert problem["file"] == "policies/rules.yaml"
    assert problem["path"] == "guardrails[3].during"
    assert problem["line"] > problem["column"] > 1


def test_a_folder_that_is_not_there_is_a_problem_too(tmp_path):
    for words in ((), ("--json",)):
        found = jit("check", tmp_path / "none", *words)
        assert found.exit_code == 1
        assert "cannot be read" in found.output


def test_a_case_that_gets_what_it_does_not_expect_fails_at_its_place(folder):
    change(
        folder / "tests/shipped.yaml",
        "expect: { outcome: auto_approve, rule: staging-at-once }",
        "expect: { outcome: auto_approve, rule: staging-for-longer }",
    )
    found = jit("test", folder)
    assert found.exit_code == 1
    (line,) = [line for line in found.output.splitlines() if line.startswith("FAIL")]
    assert line.startswith("FAIL policies/tests/shipped.yaml:10:44: tests[0].expect.rule: ")
    assert "expected rule staging-for-longer, got staging-at-once" in line
    others = (folder / "tests/shipped.yaml").read_text().count("- name:") - 1
    assert f"{others} passed, 1 failed" in found.output
    told = json.loads(jit("test", folder, "--json").output)
    assert [bool(case["failures"]) for case in told["cases"]] == [True] + [False] * others


def test_a_case_that_expects_more_of_a_group_fails_and_says_what_it_got(folder):
    change(folder / "tests/shipped.yaml", "at_least: { sre: 1 }", "at_least: { sre: 2 }")
    found = jit("test", folder)
    assert found.exit_code == 1
    assert "expected at_least {'sre': 2}, got {'sre': 1}" in found.output


def test_a_rule_that_no_case_reaches_is_named_and_can_be_made_a_failure(folder):
    cases = folder / "tests/shipped.yaml"
    text = cases.read_text()
    cases.write_text(text[: text.index("  - name: at night")])
    found = jit("test", folder)
    assert (found.exit_code, "short-at-night" in found.output) == (0, True)
    assert jit("test", folder, "--require-coverage").exit_code == 1


def test_without_any_case_the_test_fails(folder):
    shutil.rmtree(folder / "tests")
    assert jit("test", folder).exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("outcome: auto_approve", "outcome: allow", "'allow' is not allowed"),
        ("outcome: auto_approve", "outcom: auto_approve", "unknown key 'outcom'"),
        ("bundle: staging-logs, duration: 15m", "bundle: staging", "no bundle 'staging'"),
        ("rule: staging-at-once", "rule: staging", "no rule or guardrail 'staging'"),
        ("groups: [engineers], bundle: staging", "groups: [x], bundle: staging", "no group 'x'"),
        (
            "client: cron, bundle",
            "client: cron, groups: [sre], bundle",
            "a client alone is in no group; name the `user` whom it asks for",
        ),
        (
            "client: cron, bundle: deploy-production",
            "client: cron, bundle: deploy-production, break_glass: true",
            "no client can break the glass; take `client` or `break_glass` out",
        ),
        ("duration: 15m", "duration: 15", "15 is not a duration"),
        ("auto_today: 30", "break_glass: yes", "must be true or false, not 'yes'"),
        ("outcome: break_glass", "outcome: break-glass", "'break-glass' is not allowed"),
        ("at_least: { sre: 1 }", "at_least: { srs: 1 }", "there is no group 'srs'"),
        ("review_by: [security]", "review_by: [guards]", "there is no group 'guards'"),
        (
            "audit: [shorter-exports]",
            "audit: [shorter-export]",
            "there is no rule or guardrail in audit mode 'shorter-export' (did you mean",
        ),
        (MORNING, "2026-11-23T10:00:00", "is not a time with its zone"),
        (f'as_of: "{MORNING}"', "", "say `as_of`, here or once for the file"),
    ],
)
def test_a_case_that_is_wrong_itself_is_refused_with_its_place(folder, old, new, told):
    change(folder / "tests/shipped.yaml", old, new)
    found = jit("test", folder)
    assert found.exit_code == 1
    first = found.output.splitlines()[0]
    assert first.startswith("policies/tests/shipped.yaml:")
    assert told in found.output


def test_explain_knows_programs():
    words = ("deploy-production", "--policies", SHIPPED, "--client", "ci", "--at", MORNING)
    told = jit("explain", *words, "--duration", "1h", "--ticket", "OPS-1").output
    assert "client ci for ci (in no group) asks for deploy-production for 1h" in told
    assert "REQUIRE: rule ci-deploys-by-a-lead says require" in told
    told = jit("explain", *words, "--user", "U0DAN", "--duration", "1h", "--json").output
    assert (json.loads(told)["user"], json.loads(told)["client"]) == ("U0DAN", "ci")


def test_explain_says_who_decides_and_what_every_condition_came_to():
    words = ("customer-export", "--policies", SHIPPED, "--groups", "security", "--at", MORNING)
    told = jit("explain", *words, "--duration", "30m").output
    assert "REQUIRE: rule export-by-billing-and-security says require" in told
    assert "1. billing: 1 of billing-leads (S0BILLING)" in told
    assert "request.duration <= duration('30m') is true" in told
    assert "+ guardrail critical-needs-two-people" in told
    found = json.loads(jit("explain", *words, "--json").output)
    assert (found["outcome"], found["chain"]) == ("require", "billing-then-security")
    assert found["groups"] == ["employees", "security"]
    denied = jit("explain", "deploy-production", "--policies", SHIPPED, "--active-grants", "5")
    assert "DENY: guardrail few-at-once forbids it" in denied.output
    assert "user.active_grants >= 5 is true" in denied.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("billing-red",), "there is no bundle 'billing-red' (did you mean 'billing-read'?)"),
        (("billing-read", "--groups", "srx"), "there is no group 'srx' (did you mean 'sre'?)"),
        (("billing-read", "--duration", "2h"), "billing-read can be had for 1h at most"),
        (("billing-read", "--duration", "x"), "'x' is not a duration"),
        (("billing-read", "--at", "2026-01-01T00:00"), "has no zone"),
        (("billing-read", "--at", "noon"), "is not a time"),
    ],
)
def test_explain_refuses_what_it_does_not_know(words, told):
    found = jit("explain", *words, "--policies", SHIPPED)
    assert found.exit_code != 0
    assert told in found.output


def test_simulate_shows_who_would_get_what():
    words = ("--policies", SHIPPED, "--at", MORNING)
    told = jit("simulate", *words).output.splitlines()
    assert told[0].split()[0] == "staging-logs"
    assert next(line for line in told if line.startswith("nobody")).split()[1:] == ["no"] * 5
    rows = json.loads(
        jit("simulate", *words, "--who", "anna=engineers,sre", "--who", "U0BEN", "--json").output
    )
    assert rows["anna"]["staging-logs"] == {"outcome": "auto_approve", "rule": "staging-at-once"}
    assert rows["U0BEN"]["staging-logs"]["outcome"] == "deny"
    one = jit("simulate", *words, "--who", "sre", "--bundle", "deploy-production").output
    assert one.splitlines()[1].split() == ["sre", "no"]
    assert jit("simulate", *words, "--who", "a=nobody").exit_code != 0


def test_the_schema_that_is_shipped_is_that_of_the_models():
    shipped = (SHIPPED / ".schema/policy.schema.json").read_text()
    assert shipped == schema_text(), "run `jit policy schema --write`"
    assert jit("schema").output == shipped


def test_every_shipped_file_names_the_schema_for_editors():
    for path in SHIPPED.glob("*.yaml"):
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=.schema/policy.schema.json"


def test_the_schema_is_written_where_editors_look(tmp_path):
    assert jit("schema", tmp_path, "--write").exit_code == 0
    assert (tmp_path / ".schema/policy.schema.json").read_text() == schema_text()


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_edge_of_the_calendar_is_refused_with_a_sentence(at):
    found = jit("explain", "deploy-production", "--policies", SHIPPED, "--at", at)
    assert found.exit_code == 2
    assert "out of range" in found.output


def test_a_count_below_nothing_is_refused():
    words = ("--policies", SHIPPED, "--active-grants", "-5")
    assert jit("explain", "deploy-production", *words).exit_code == 2


def test_a_tracker_that_is_not_set_is_a_warning_only_where_settings_are_known(folder, monkeypatch):
    assert "warning" not in jit("check", folder).output
    monkeypatch.setenv("JIT_GITHUB_TOKEN", "hush")
    checked = jit("check", folder)
    assert (
        checked.exit_code,
        "looks its tickets up in url: set JIT_TICKET_URL" in checked.output,
    ) == (
        0,
        True,
    )
    [warning] = json.loads(jit("check", folder, "--json").stdout)["warnings"]
    assert "billing-refund" in warning
    monkeypatch.setenv("JIT_TICKET_URL", "https://desk.example/{ticket}")
    assert "warning" not in jit("check", folder).output


def test_explain_names_the_way_of_break_glass_and_can_be_asked_about_it():
    words = ("deploy-production", "--policies", SHIPPED, "--groups", "sre", "--at", MORNING)
    assert "break-glass: sre, for 15m at most; told in #general" in jit("explain", *words).output
    told = json.loads(jit("explain", *words, "--json").output)
    assert told["break_glass"]["review_by"] == ["security"]
    assert told["outcome"] == "deny"
    told = json.loads(jit("explain", *words, "--break-glass", "--json").output)
    assert (told["outcome"], told["rule"]) == ("break_glass", "BREAK-GLASS")
    assert {each["id"] for each in told["tried"]} == {
        "no-production-for-contractors",
        "BREAK-GLASS",
    }
    found = jit("explain", "billing-read", "--policies", SHIPPED, "--break-glass")
    assert found.exit_code == 1
    assert "cannot be had by break-glass" in found.output


def test_simulate_shows_who_could_break_which_glass():
    told = json.loads(jit("simulate", "--policies", SHIPPED, "--break-glass", "--json").output)
    assert told["sre"] == {"deploy-production": {"outcome": "break_glass", "rule": "BREAK-GLASS"}}
    assert told["engineers"]["deploy-production"]["outcome"] == "deny"
    assert "break glass" in jit("simulate", "--policies", SHIPPED, "--break-glass").output


@pytest.mark.parametrize(
    ("length", "line", "asked", "why"),
    [
        (
            "20m",
            "  stage security is skipped: `request.duration > duration('30m')` is not so",
            False,
            "`request.duration > duration('30m')` is not so",
        ),
        ("40m", "  stage security is asked, as its conditions hold", True, ""),
    ],
)
def test_explain_says_which_optional_stages_are_skipped(length, line, asked, why):
    words = ("billing-read", "--policies", SHIPPED, "--groups", "engineers", "--at", MORNING)
    found = jit("explain", *words, "--duration", length)
    assert line in found.output.splitlines()
    told = json.loads(jit("explain", *words, "--duration", length, "--json").output)
    assert told["optional_stages"] == [{"name": "security", "asked": asked, "why": why}]
    assert len(told["stages"]) == 1 + asked


def test_explain_says_what_audit_mode_would_have_done():
    words = ("customer-export", "--policies", SHIPPED, "--groups", "engineers", "--at", MORNING)
    words = (*words, "--duration", "20m")
    found = jit("explain", *words)
    assert found.output.startswith("U0SOMEBODY")
    assert "REQUIRE: rule export-by-billing-and-security" in found.output
    last = found.output.splitlines()[-1]
    assert last.startswith("  ~ guardrail shorter-exports (policies/rules.yaml:")
    assert last.endswith(") is in audit mode: it would have denied it, as it allows 15m at most")
    told = json.loads(jit("explain", *words, "--json").output)
    assert told["audit_mode"] == [
        "guardrail shorter-exports (audit) would have denied it, as it allows 15m at most"
    ]


def test_a_case_says_what_is_skipped_and_what_audit_mode_would_have_done(folder):
    change(folder / "tests/shipped.yaml", "skipped: [security]", "skipped: []")
    change(folder / "tests/shipped.yaml", "audit: [shorter-exports]", "audit: []")
    found = jit("test", folder)
    failed = [line for line in found.output.splitlines() if line.startswith("FAIL")]
    assert "expected skipped [], got ['security']" in failed[0]
    assert "expected audit [], got ['shorter-exports']" in failed[1]
