"""Random policies and random requests, and whether the prover and the engine say the same."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import z3

from bot.core.replaying import Verdict
from bot.policy_files import load_policies
from bot.policy_lint.asked import Asked, instant
from bot.policy_lint.findings import Example
from bot.policy_lint.levels import DENIED, Said
from bot.policy_lint.moments import Moments
from bot.policy_lint.terms import lifted
from bot.policy_lint.trying import tried

START = datetime(2026, 3, 1, tzinfo=UTC)
RESOURCE = "https://jit.example"
# Who is in them stands elsewhere, so a request may be in any of them.
FOREIGN = ("eng", "sre", "sec", "con")
CLIENTS = ("ci", "cd")
USERS = ("U0ANNA", "U0BEN", "U0CLEO")
CONDITIONS = (
    "request.duration <= duration('{n}h')",
    "request.duration + duration('30m') < duration('{n}h')",
    "!('{g}' in user.groups)",
    "'{g}' in user.groups ? user.active_grants == 0 : true",
    "user.requests_today < {n}",
    "user.requests_today + user.active_grants - 1 < {n}",
    "user.groups.exists(g, g.startsWith('{g}'))",
    "user.groups.all(g, g != '{g}')",
    "user.groups.exists_one(g, g == 'eng' || g == 'sre')",
    "user.groups.filter(g, g.endsWith('e')).size() < 2",
    "user.groups.map(g, g + 'x').exists(g, g == '{g}x')",
    "size(user.groups) < 3",
    "bundle.risk_level <= {n}",
    "request.reason.startsWith('INC') || request.duration < duration('1h')",
    "request.reason.contains('x') ? request.duration > duration('30m') : user.active_grants == 0",
    "size(request.reason) > 12",
    "'night' in now.windows || bundle.environment != 'production'",
    "now.windows.all(w, w != 'week')",
    "now.time < timestamp('2026-07-01T00:00:00Z')",
    "bundle.environment in ['dev', 'staging']",
    "has(bundle.labels.team) && bundle.labels['team'] == 'pay'",
    "bundle.labels['team'] == 'pay'",
    "bundle.labels.team == 'web' || request.duration < duration('2h')",
    "!(bundle.labels.team == 'web') || user.requests_today == 0",
    "user.groups.exists_one(g, g == bundle.labels.team)",
    "user.id != 'U0BEN'",
    "user.id.endsWith('O')",
    "request.ticket == '' || request.ticket.startsWith('OPS')",
    "bundle.name.matches('^b[01]$')",
)


def condition(dice):
    text = dice.choice(CONDITIONS)
    return text.replace("{n}", str(dice.randint(1, 4))).replace(
        "{g}", dice.choice((*FOREIGN, "leads"))
    )


def conditions(dice, most):
    texts = [condition(dice) for _ in range(dice.randint(0, most))]
    listed = ", ".join(f'"{text}"' for text in texts)
    return f", when: [{listed}]" if texts else ""


def requesters(dice, least):
    named = dice.sample((*FOREIGN, "leads", "both"), dice.randint(least, 2))
    return f", requesters: [{', '.join(named)}]" if named else ""


def aside(dice):
    """Return dice that throw what `dice` would, which then still will."""
    other = random.Random()
    other.setstate(dice.getstate())
    return other


def clients(dice, likely):
    other = aside(dice)
    return f", clients: [{other.choice(CLIENTS)}]" if other.random() < likely else ""


def bundle(dice, number):
    labels = dice.choice(("", "team: pay", "team: web", "team: sre"))
    limits = dice.choice(("", ", limits: {auto_per_day: 2}"))
    ticket = dice.choice(
        (
            "",
            ", ticket: {pattern: 'OPS-[0-9]+|', example: OPS-1}",
            ", ticket: {pattern: 'OPS-[0-9]+', example: OPS-1, tracker: url}",
            ", ticket: {pattern: 'OPS-[0-9]+', example: OPS-1, tracker: url}, on_tracker_down: ask",
        )
    )
    return (
        f"  b{number}: {{title: t, scopes: [s], risk: {dice.choice(('low', 'medium', 'high'))},"
        f" environment: {dice.choice(('dev', 'staging', 'production'))}, access: read,"
        f" owner: leads, channel: '#c', labels: {{{labels}}}, max_duration: {dice.randint(2, 8)}h,"
        f" default_duration: 1h, reason_min: {dice.choice((1, 10))}{limits}{ticket}}}\n"
    )


def rule(dice, number):
    verdict = dice.choice(("auto_approve", "auto_approve", "require", "require", "deny"))
    chain = f", chain: c{dice.randint(1, 3)}" if verdict == "require" else ""
    mode = ", mode: audit" if dice.random() < 0.1 else ""
    cap = f", max_duration: {dice.randint(1, 5)}h" if dice.random() < 0.4 else ""
    during = f", during: {dice.choice(('night', 'week', 'freeze'))}" if dice.random() < 0.3 else ""
    about = dice.choice(
        ("{}", "{environment: [production]}", "{name: [b1, b2]}", "{risk: [low, medium]}")
    )
    whose = requesters(dice, 0 if verdict == "deny" else 1) + clients(dice, 0.15)
    return (
        f"  - {{id: r{number}, bundles: {about}{whose}, decision: {verdict}"
        f"{chain}{cap}{during}{mode}{conditions(dice, 2)}}}\n"
    )


def guardrail(dice, number):
    about = dice.choice(("{}", "{environment: [production]}", "{labels: {team: pay}}"))
    what = dice.choice(("deny: true", "min_approvals: 2", "max_duration: 2h"))
    during = ", during: night" if dice.random() < 0.3 else ""
    return (
        f"  - {{id: g{number}, bundles: {about}{requesters(dice, 0)}{clients(dice, 0.1)}{during},"
        f" {what}"
        f"{conditions(dice, 2)}}}\n"
    )


def chains(dice):
    """Return three chains, in which some stages may be optional."""
    when = [conditions(dice, 2) if dice.random() < 0.5 else "" for _ in range(4)]
    return (
        f"  c1: {{stages: [{{name: s, approvers: [sre]{when[0]}}}]}}\n"
        f"  c2: {{stages: [{{name: s, approvers: [sre], quorum: 2{when[1]}}}]}}\n"
        f"  c3: {{stages: [{{name: s, approvers: [sre], quorum: 2{when[2]}}},"
        f" {{name: t, approvers: [sec]{when[3]}}}]}}\n"
    )


def policy_text(dice):
    return (
        "version: 1\ngroups:\n"
        + "".join(f"  {name}: {{usergroup: S0{name.upper()}}}\n" for name in FOREIGN)
        + "  leads: {users: [U0BEN, U0CLEO]}\n  both: {any_of: [sre, leads]}\n"
        + "windows:\n  night: {start: '22:00', end: '06:00', tz: Europe/Berlin}\n"
        + "  week: {days: [mon, tue, wed, thu, fri], tz: America/New_York}\n"
        + "  freeze: {dates: 2026-12-19..2027-01-03, tz: Europe/Berlin}\nchains:\n"
        + chains(dice)
        + "bundles:\n"
        + "".join(bundle(dice, number) for number in range(3))
        + "clients:\n"
        + "".join(
            f"  {name}: {{secret_sha256: {'0' * 64}, bundles: [b0, b1, b2], owner: leads}}\n"
            for name in CLIENTS
        )
        + "rules:\n"
        + "".join(rule(dice, number) for number in range(6))
        + "guardrails:\n"
        + "".join(guardrail(dice, number) for number in range(3))
    )


def policy(dice, folder: Path):
    (folder / "p.yaml").write_text(policy_text(dice))
    return load_policies(folder, default_resource=RESOURCE).policy


def request(dice, policy, name):
    """Return a request that keeps to the limits of the bundle `name`."""
    chosen, user = policy.bundles[name], dice.choice(USERS)
    foreign = {group for group in FOREIGN if dice.random() < 0.4}
    groups = foreign | ({"leads"} if user != "U0ANNA" else set())
    groups |= {"both"} if groups & {"sre", "leads"} else set()
    most = int(chosen.max_duration.total_seconds()) // 60
    minutes = [each for each in (1, 30, 31, 59, 60, 61, 119, 120, 121, 240) if each <= most]
    has_tracker = chosen.ticket is not None and chosen.ticket.tracker is not None
    tickets = ("OPS-1",) if has_tracker else ("", "OPS-1")
    read = {group.name for group in policy.groups_read_for(name)}
    return Example(
        user=user,
        bundle=name,
        groups=tuple(sorted(groups & read)),
        duration=timedelta(minutes=dice.choice(minutes)),
        at=START + timedelta(hours=dice.randint(0, 8000), minutes=dice.choice((0, 30))),
        reason=dice.choice(("INC-1 it is down", "x marks it", "a reason of mine", "INC x 123456")),
        ticket=dice.choice(tickets),
        active_grants=dice.randint(0, 2),
        requests_today=dice.randint(0, 4),
        auto_today=dice.randint(0, 3),
        ticket_unknown=has_tracker and dice.random() < 0.3,
        client=aside(dice).choice(("", "", "", "", "", "", "ci", "cd")),
    )


def facts(said: Said, example: Example):
    """Return as terms that the request is `example`."""
    asked = said.asked
    for group in said.policy.groups_read_for(example.bundle):
        yield lifted(asked.is_in(group)) == (group.name in example.groups)
    yield from (term == window.is_open(example.at) for window, term in asked.windows.items())
    yield asked.duration == int(example.duration.total_seconds())
    yield asked.now == instant(example.at)
    yield lifted(asked.by_person) == (not example.client)
    yield from (lifted(asked.is_client(name)) == (name == example.client) for name in CLIENTS)
    yield asked.is_user(example.user)
    yield asked.reason == z3.StringVal(example.reason)
    yield asked.ticket == z3.StringVal(example.ticket)
    yield asked.active_grants == example.active_grants
    yield asked.requests_today == example.requests_today
    yield asked.auto_today == example.auto_today
    yield asked.ticket_unknown == example.ticket_unknown


@dataclass(frozen=True)
class Disagreement:
    example: Example
    engine: Verdict
    prover: int


def expected(verdict: Verdict) -> int:
    return DENIED if verdict.denied else verdict.level


def disagreements(kind: type[Said], folder: Path, *, seed: int, policies: int, requests: int):
    """Yield every request of which engine and prover, which is a `kind`, do not say the same."""
    for number in range(policies):
        dice = random.Random(seed * 1000 + number)
        found = policy(dice, folder)
        for name, chosen in found.bundles.items():
            said = kind(Asked(Moments(START), (found, chosen)), found, chosen)
            level = said.level
            for client in CLIENTS:
                said.asked.is_client(client)
            solver = z3.Solver()
            solver.add(*map(lifted, said.asked.domain()))
            for _ in range(requests):
                example = request(dice, found, name)
                verdict = tried(found, example)
                solver.push()
                solver.add(*facts(said, example))
                assert solver.check() == z3.sat, "the prover leaves out a request that there is"
                says = solver.model().eval(level, model_completion=True).as_long()
                solver.pop()
                if says != expected(verdict):
                    yield Disagreement(example, verdict, says)
