"""The commands `jit policy lint` and `jit policy compare`, as people and as CI call them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.lint_cli import code_of
from bot.policy_files import Place
from bot.policy_lint.findings import Check, Finding, Level, Linted

SHIPPED = Path(__file__).parents[1] / "policies"
MORNING = "2026-11-23T10:00:00+01:00"
QUICK = """\
rules:
  - id: quick-fix
    bundles: { name: [deploy-production] }
    requesters: [sre]
    max_duration: 10m
    decision: auto_approve

"""


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
    file.write_text(text.replace(old, new, 1))


@pytest.fixture
def laxer(folder):
    """Return the shipped policies with a rule by which an SRE deploys alone."""
    change(folder / "rules.yaml", "rules:\n", QUICK)
    change(
        folder / "rules.yaml",
        "bundles: { environment: [production] }\n    min_approvals: 1",
        "bundles: { name: [billing-read] }\n    min_approvals: 1",
    )
    return folder


def test_the_shipped_policies_pass_check_test_and_lint():
    for words in (("check",), ("test", "--require-coverage"), ("lint", "--at", MORNING)):
        done = jit(words[0], SHIPPED, *words[1:])
        assert done.exit_code == 0, done.output
    assert "0 errors, 0 warnings" in done.output
    assert done.output.endswith(
        "for 4 of 4 that must have one it is proved that another human is needed\n"
    )


def test_a_way_to_production_without_another_human_fails_and_shows_the_request(laxer):
    done = jit("lint", laxer, "--at", MORNING)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    (at,) = [
        number for number, line in enumerate(lines) if "[no-human]" in line and "error" in line
    ]
    assert lines[at].startswith("policies/bundles.yaml:")
    assert "deploy-production can be had with nobody else involved" in lines[at]
    assert lines[at + 1].startswith("    U0SOMEBODY (in sre) asks for deploy-production for 2m")
    assert lines[at + 1].endswith("auto_approve by quick-fix [confirmed]")
    assert "for 3 of 4 that must have one" in lines[-1]


def test_lint_speaks_json_to_programs(laxer):
    done = jit("lint", laxer, "--json", "--at", MORNING)
    assert done.exit_code == 1
    told = json.loads(done.output)
    (error,) = [each for each in told["findings"] if each["level"] == "error"]
    assert (error["check"], error["file"]) == ("no-human", "policies/bundles.yaml")
    assert error["line"] > error["column"] == 3
    example = error["example"]
    assert example["confirmed"] is True
    assert example["request"]["groups"] == ["sre"]
    assert (told["proved"], told["need_a_human"]) == (3, 4)


def test_warnings_fail_where_that_is_asked_for(folder):
    change(folder / "groups.yaml", "min_members: 1", "min_members: 0")
    assert jit("lint", folder).exit_code == 0
    done = jit("lint", folder, "--strict")
    assert (done.exit_code, "bar nobody" in done.output) == (1, True)


def test_files_that_are_wrong_are_told_and_nothing_is_found_out(folder):
    change(folder / "rules.yaml", "during: night", "during: nigth")
    for words in (("lint", folder), ("compare", SHIPPED, folder), ("compare", folder, SHIPPED)):
        done = jit(*words)
        assert done.exit_code == 2
        assert "there is no window 'nigth' (did you mean 'night'?)" in done.output


def test_who_is_in_groups_and_what_is_used_can_be_said(folder, tmp_path):
    members, usage = tmp_path / "members.json", tmp_path / "usage.json"
    members.write_text('{"sre": ["U0DAN"], "billing-leads": [], "security": ["U0EVA"]}')
    use = {"used": 0, "grants": 4, "data": True}
    usage.write_text(json.dumps({"billing-read": {"refunds:read": use}}))
    done = jit("lint", folder, "--members", members, "--usage", usage)
    assert done.exit_code == 1
    assert "chain one-billing-lead can never be completed" in done.output
    assert "scope refunds:read was in 4 grants and never used" in done.output
    assert "billing-read: no data on the use of invoices:read, customers:read" in done.output


@pytest.mark.parametrize(
    ("option", "text", "what"),
    [
        ("--members", '{"sr": []}', "there is no group 'sr' (did you mean 'sre'?)"),
        ("--members", '{"sre": "U0DAN"}', "must be JSON, {group: [Slack user ids]}: at sre"),
        ("--members", "x", "must be JSON"),
        (
            "--usage",
            '{"billing-read": []}',
            "must be JSON, {bundle: {scope: {used, grants, data}}}",
        ),
        ("--usage", None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_said_besides_must_be_right(tmp_path, option, text, what):
    file = tmp_path / "said.json"
    if text is not None:
        file.write_text(text)
    done = jit("lint", SHIPPED, option, file)
    assert (done.exit_code, what in done.output) == (2, True), done.output


def test_compare_tells_what_is_looser_with_a_request_and_fails(laxer):
    same = jit("compare", SHIPPED, SHIPPED)
    assert (same.exit_code, same.output) == (
        0,
        "0 bundles looser, 0 stricter, 5 the same, 0 added, 0 removed\n",
    )
    done = jit("compare", SHIPPED, laxer, "--at", MORNING)
    assert done.exit_code == 1
    first, second, *_, last = done.output.splitlines()
    assert first.startswith("LOOSER   deploy-production: ")
    assert first.endswith(" -> auto_approve by quick-fix")
    assert second.startswith("    U0SOMEBODY (in ")
    assert second.endswith("[confirmed]")
    assert last.startswith("1 bundle looser, 0 stricter, 4 the same")
    stricter = jit("compare", laxer, SHIPPED)
    assert (stricter.exit_code, "STRICTER deploy-production" in stricter.output) == (0, True)


def test_compare_speaks_json_to_programs(laxer):
    told = json.loads(jit("compare", SHIPPED, laxer, "--json").output)
    assert [each["shift"] for each in told["changes"]] == ["looser"]
    assert told["changes"][0]["example"]["confirmed"] is True
    assert len(told["same"]) == 4


@pytest.mark.parametrize("words", [("lint",), ("compare", str(SHIPPED))])
def test_without_the_solver_the_command_says_how_to_install_it(words):
    program = "import sys; sys.modules['z3'] = None; from bot.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, "policy", *words, str(SHIPPED)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == ('jit: this needs z3-solver; type: pip install "jit-access-bot[lint]"\n')


def test_nothing_but_these_commands_loads_the_solver():
    program = "import sys; import bot.cli; sys.exit('z3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("levels", "strict", "code"),
    [
        ({"info": "unused"}, True, 0),
        ({"warning": "fails"}, False, 0),
        ({"warning": "fails"}, True, 1),
        ({"warning": "undecided"}, False, 2),
        ({"warning": "undecided"}, True, 2),
        ({"warning": "undecided", "error": "no-human"}, False, 1),
    ],
)
def test_the_exit_code_tells_an_answer_from_none(levels, strict, code):
    place = Place("p/rules.yaml", 1, 1)
    findings = tuple(
        Finding(level=Level(level), check=Check(check), place=place, sentence="so it is")
        for level, check in levels.items()
    )
    found = Linted(findings=findings, bundles=1, proved=0, guarded=1)
    assert code_of(found, strict=strict) == code
