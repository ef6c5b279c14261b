"""What a decision costs under a large policy, in ratios to floors of the same run.

Run: .venv/bin/python benchmarks/policy.py
It loads 1,000 bundles with 10,000 rules, and 100,000 people in 2,000 groups, from files as the bot
does, and a policy of the same 10 rules for one bundle alone. A decision must cost no more than
twice as much under the large one, and 100 us; the floor is an empty CEL evaluation, which a
condition can never be cheaper than.
"""

import gc
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.core.conditions import activation_of, compile_condition
from bot.core.decision import Ask, Facts, decide_ask
from bot.core.identity import person
from bot.core.policy import Policy
from bot.policy_files import load_policies

BUNDLES, RULES, GROUPS, CHAINS, FILES = 1_000, 10_000, 2_000, 50, 100
PEOPLE = 100_000
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
RATIO_AT_MOST = 2.0
DECISION_US_AT_MOST = 100.0

HEAD = """\
version: 1
windows:
  hours: {days: [mon, tue, wed, thu, fri], start: "09:00", end: "18:00", tz: Europe/Berlin}
  freeze: {dates: 2026-12-19..2027-01-03, tz: Europe/Berlin}
guardrails:
  - {id: human, bundles: {environment: [production]}, min_approvals: 1}
  - {id: freeze, bundles: {access: [write, admin]}, during: freeze, deny: true}
  - {id: contractors, bundles: {risk: [critical]}, requesters: [g1999], deny: true}
"""


def group(number: int) -> str:
    each = PEOPLE // GROUPS
    people = ", ".join(f"U{who:08d}" for who in range(number * each, (number + 1) * each))
    return f"  g{number}: {{users: [{people}]}}\n"


def chains() -> str:
    return "".join(
        f"  c{number}: {{stages: [{{name: s, approvers: [g{number}, g{number + 1}]}}]}}\n"
        for number in range(CHAINS)
    )


def bundle(number: int) -> str:
    environment = ("dev", "staging", "production")[number % 3]
    access = ("read", "write", "admin")[number % 3]
    risk = ("low", "medium", "high", "critical")[number % 4]
    return (
        f"  b{number}: {{title: Bundle {number}, scopes: [s{number}:read, s{number}:write],"
        f" environment: {environment}, access: {access}, risk: {risk}, owner: g{number},"
        f" max_duration: {2 + number % 20}h, default_duration: 1h, channel: '#c{number % 40}',"
        f" labels: {{team: t{number % 100}}}}}\n"
    )


def rule(number: int) -> str:
    """Return rule `number` of a bundle's ten; only the last of them fits our requester."""
    decision = ("auto_approve", "require", "require", "deny")[number % 4]
    last = number // BUNDLES == RULES // BUNDLES - 1
    requester = "g7" if last or number % 3 else f"g{number % GROUPS}"
    barred = 8 if last else 7
    chain = f"\n    chain: c{number % CHAINS}" if decision == "require" else ""
    return (
        f"  - id: r{number}\n    bundles: {{name: [b{number % BUNDLES}]}}\n"
        f"    requesters: [{requester}, g{(number * 7) % 1000 + 10}]\n"
        f"    when:\n      - request.duration <= duration('{1 + number % 24}h')\n"
        f"      - \"!('g{barred}' in user.groups)\"\n"
        f"    decision: {decision}{chain}\n"
    )


def write(folder: Path, bundles: range, rules: list[int], *, files: int) -> None:
    (folder / "base.yaml").write_text(f"{HEAD}chains:\n{chains()}")
    for part in range(4):  # a file holds 1 MB at most
        groups = "".join(map(group, range(GROUPS)[part::4]))
        (folder / f"groups{part}.yaml").write_text(f"version: 1\ngroups:\n{groups}")
    for part in range(files):
        text = "version: 1\nbundles:\n" + "".join(map(bundle, bundles[part::files]))
        text += "rules:\n" + "".join(map(rule, rules[part::files]))
        (folder / f"part{part:03d}.yaml").write_text(text)


def loaded(bundles: range, rules: list[int], *, files: int) -> tuple[Policy, float]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, bundles, rules, files=files)
        begun = time.perf_counter()
        policy = load_policies(folder, default_resource="https://jit.example").policy
        return policy, time.perf_counter() - begun


def per_call_us(call: Callable[[], object], *, calls: int = 5_000) -> float:
    """Return what a call costs in time of the processor, so that a busy machine does not count."""
    begun = time.thread_time()
    for _ in range(calls):
        call()
    return (time.thread_time() - begun) / calls * 1e6


def decision(policy: Policy) -> Callable[[], object]:
    chosen = policy.bundles["b0"]
    ask = Ask(
        by=person("U0ANNA", home="T0DEMO"),
        bundle=chosen,
        scopes=chosen.scopes,
        duration=timedelta(minutes=30),
        reason="looking into incident 4711",
    )
    facts = Facts(now=NOW, groups=frozenset({"g7", "g1500"}))
    return lambda: decide_ask(ask, policy, facts)


def memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> int:
    before = memory_mib()
    large, took_s = loaded(range(BUNDLES), list(range(RULES)), files=FILES)
    print(
        f"load of {BUNDLES} bundles, {RULES} rules, {PEOPLE} people:"
        f" {took_s:.1f} s, {memory_mib() - before} MiB at the most"
    )
    small, _ = loaded(range(1), [number * BUNDLES for number in range(10)], files=1)
    assert len(large.rules_of["b0"]) == len(small.rules_of["b0"]) == 10
    true, nothing = compile_condition("true"), activation_of({})
    deeds: dict[str, Callable[[], object]] = {
        "empty CEL evaluation": lambda: true.value(nothing),
        "decision, 10 rules": decision(small),
        "decision, 10,000 rules": decision(large),
    }
    gc.collect()
    gc.freeze()
    turns: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(7):  # by turns, so that a busy machine slows all alike
        for name, deed in deeds.items():
            turns[name].append(per_call_us(deed))
    costs = {name: statistics.median(found) for name, found in turns.items()}
    floor, few, many = costs.values()
    for name, cost in costs.items():
        print(f"{name:24} {cost:7.2f} us   {cost / floor:6.1f} x the floor")
    print(f"10,000 rules against 10: {many / few:.2f} (at most {RATIO_AT_MOST})")
    return 0 if many / few <= RATIO_AT_MOST and many <= DECISION_US_AT_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
