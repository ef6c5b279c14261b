"""A small policy folder, and what the lint finds in it after a change."""

from datetime import UTC, datetime

from bot.policy_files import load_policies, read_folder
from bot.policy_lint.comparing import compare
from bot.policy_lint.linting import lint
from bot.policy_lint.solving import EFFORT
from tests.policy_files.folders import RESOURCE, put

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)

BUNDLES = """\
version: 1
bundles:
  deploy:
    title: Deploy
    scopes: [ci:deploy]
    environment: production
    access: write
    risk: high
    owner: leads
    channel: "#access"
    max_duration: 2h
    default_duration: 1h
  logs:
    title: Logs
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: leads
    channel: "#access"
    max_duration: 8h
    default_duration: 1h
"""
GROUPS = """\
version: 1
groups:
  engineers: {usergroup: S0ENGINEERS}
  sre: {usergroup: S0SRE}
  leads: {users: [U0BEN, U0CLEO, U0DAN]}
windows:
  night: {start: "22:00", end: "06:00", tz: Europe/Berlin}
"""
RULES = """\
version: 1
chains:
  lead: {stages: [{name: lead, approvers: [leads], quorum: 2}]}
rules:
  - id: deploy-by-leads
    bundles: {name: [deploy]}
    requesters: [engineers]
    decision: require
    chain: lead
  - id: logs-at-once
    bundles: {environment: [staging]}
    requesters: [engineers]
    max_duration: 2h
    decision: auto_approve
"""
RIGHT = {"bundles": BUNDLES, "groups": GROUPS, "rules": RULES}
# What `RIGHT` itself has to say.
USUAL = ("not known here is who is in", "no data on which scopes are used")


def folder(tmp_path, **changed):
    files = {f"{name}.yaml": text for name, text in (RIGHT | changed).items()}
    return put(tmp_path, files)


def linted(tmp_path, *, snapshot=None, usage=None, effort=EFFORT, **changed):
    """Return what is found besides the usual."""
    found = lint(
        read_folder(folder(tmp_path, **changed)),
        now=NOW,
        default_resource=RESOURCE,
        snapshot=snapshot or {},
        usage=usage,
        effort=effort,
    )
    return [each for each in found.findings if not each.sentence.startswith(USUAL)]


def told(findings):
    return [f"{each.place}: {each.level}: {each.sentence} [{each.check}]" for each in findings]


def more_rules(*rules, rails=()):
    """Return RULES with `rules` after its own, each a mapping in YAML's flow style."""
    text = RULES + "".join(f"  - {rule}\n" for rule in rules)
    return text + "".join(("guardrails:\n", *(f"  - {rail}\n" for rail in rails)) if rails else ())


def compared(tmp_path, old=None, *, effort=EFFORT, **changed):
    """Return what differs between the right files, changed by `old`, and those by `changed`."""
    before, after = (
        load_policies(folder(tmp_path, **files), default_resource=RESOURCE).policy
        for files in (old or {}, changed)
    )
    return compare(before, after, now=NOW, effort=effort)
