"""What the documents say is what the code does."""

import re
from pathlib import Path

import click
import pytest
import yaml

from bot.cli import main
from bot.core.states import GRANT_NEXT, REQUEST_NEXT, REVIEW_NEXT, TIMERS
from bot.core.states import is_terminal as over

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
LIFECYCLE = ROOT / "docs" / "lifecycle.md"


def diagram(title, states):
    """Return the table `states` as a mermaid diagram."""
    lines = [f"## {title}", "", "```mermaid", "stateDiagram-v2"]
    first = next(iter(states))
    lines.append(f"    [*] --> {first}")
    for state, exits in states.items():
        ways = {}
        for event, following in exits.items():
            ways.setdefault(following, []).append(event.__name__)
        lines += [f"    {state} --> {to}: {', '.join(names)}" for to, names in ways.items()]
        if over(state):
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```"])


def timers():
    rows = [f"| {state} | {', '.join(sorted(TIMERS[state]))} |" for state in TIMERS]
    return "\n".join(["## Timers", "", "| state | what the clock does |", "|---|---|", *rows])


def test_the_lifecycle_page_is_drawn_from_the_tables():
    drawn = [diagram("Requests", REQUEST_NEXT), diagram("Grants", GRANT_NEXT)]
    drawn += [diagram("Reviews", REVIEW_NEXT), timers()]
    page = LIFECYCLE.read_text("utf-8")
    for part in drawn:
        assert part in page, f"docs/lifecycle.md must hold:\n\n{part}"


def test_every_command_that_the_readme_and_docs_show_exists():
    shown = set()
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text("utf-8")
        shown |= set(
            re.findall(
                r"(?<![/\w])jit "
                r"((?:serve|demo|keys|clients|grants|manifest|policy|request|log|report)"
                r"(?: [a-z]+)?)",
                text,
            )
        )
    context = click.Context(main)
    for words in shown:
        name, *more = words.split()
        command = main.get_command(context, name)
        assert command is not None, words
        if isinstance(command, click.Group) and more:
            assert command.get_command(context, more[0]) is not None, words


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_target_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)) <= targets


def test_every_setting_that_is_read_is_documented():
    read = set(
        re.findall(
            r'"((?:SLACK|JIT|REDIS)_[A-Z_]+|HOST|PORT)"',
            (ROOT / "bot/config.py").read_text("utf-8"),
        )
    )
    told = (ROOT / "docs/operations.md").read_text("utf-8")
    assert {name for name in read if f"`{name}`" not in told} == set()


def test_the_manifest_asks_for_no_scope_that_reads_messages():
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert not [scope for scope in scopes if "history" in scope or "files" in scope]
    assert "chat:write.public" in scopes
    assert manifest["settings"]["socket_mode_enabled"]


def test_every_test_that_the_page_of_attacks_names_is_there():
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > len(page.splitlines()) / 2
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), f"{file}::{name}"
    rows = [
        line for line in page.splitlines() if line.startswith("| ") and "| Attack |" not in line
    ]
    for row in rows:
        assert "::" in row or "Does not apply" in row, row
