"""Small policy folders: what is right, to which a test adds what it is about."""

from pathlib import Path
from textwrap import dedent

import pytest

from bot.core.errors import Misconfigured
from bot.policy_files import Loaded, load_policies

RESOURCE = "https://jit.example"

BUNDLES = """\
version: 1
bundles:
  billing-read:
    title: Read billing
    scopes: [invoices:read, refunds:read]
    environment: production
    access: read
    risk: medium
    owner: leads
    channel: "#access"
    max_duration: 1h
    default_duration: 30m
"""
GROUPS = """\
version: 1
groups:
  engineers: {usergroup: S0ENGINEERS}
  leads: {users: [U0BEN, U0CLEO]}
"""
RULES = """\
version: 1
chains:
  one-lead:
    stages: [{name: lead, approvers: [leads]}]
rules:
  - id: by-a-lead
    bundles: {name: [billing-read]}
    requesters: [engineers]
    decision: require
    chain: one-lead
"""
RIGHT = {"bundles.yaml": BUNDLES, "groups.yaml": GROUPS, "rules.yaml": RULES}


def put(tmp_path: Path, files: dict[str, str | bytes]) -> Path:
    """Return the folder `p` with `files` in it, and nothing else."""
    folder = tmp_path / "p"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in files.items():
        raw = text if isinstance(text, bytes) else dedent(text).encode()
        (folder / name).write_bytes(raw)
    return folder


def loaded(tmp_path: Path, **changed: str) -> Loaded:
    """Return what the right files say, after `changed` (by name without .yaml) took their place."""
    files = RIGHT | {f"{name}.yaml": text for name, text in changed.items()}
    return load_policies(put(tmp_path, files), default_resource=RESOURCE)


def problems(tmp_path: Path, **changed: str | bytes) -> list[str]:
    """Return what is wrong with the right files after `changed` took their place."""
    files = RIGHT | {f"{name}.yaml": text for name, text in changed.items()}
    return all_problems(put(tmp_path, files))


def all_problems(folder: Path) -> list[str]:
    """Return everything that is wrong in `folder`; something must be."""
    with pytest.raises(Misconfigured) as caught:
        load_policies(folder, default_resource=RESOURCE)
    return list(caught.value.problems)


def bundle(line: str) -> str:
    """Return BUNDLES with `line` in the place of the line of that key, or after all of them."""
    key = line.partition(":")[0]
    lines = BUNDLES.splitlines()
    places = [at for at, old in enumerate(lines) if old.startswith(f"    {key}:")]
    lines[places[0] if places else len(lines) :] = [
        f"    {line}",
        *(lines[places[0] + 1 :] if places else ()),
    ]
    return "\n".join(lines) + "\n"


def rule(*lines: str) -> str:
    """Return RULES whose one rule, from line 6 on, is `lines`."""
    head = RULES[: RULES.index("  - id")]
    return head + "  - " + "\n    ".join(lines) + "\n"
