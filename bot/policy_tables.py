"""What `jit policy` prints, as text for people and as JSON for programs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from bot.core.decision import Allow, Decision, Facts, NeedApproval
from bot.core.durations import spell
from bot.core.emergency import RULE
from bot.core.explaining import Explanation, Fate, Tried
from bot.core.known import OptionalStage
from bot.core.policy import Group, Stage
from bot.core.scopes import Glass
from bot.policy_files import Problem, Trial

# By row, then by bundle.
Table: TypeAlias = Mapping[str, Mapping[str, Explanation]]

_MARK: Final[Mapping[Fate, str]] = {
    Fate.DECIDES: ">",
    Fate.APPLIES: "+",
    Fate.FAILS: "!",
    Fate.IS_NOT_ABOUT_IT: "-",
    Fate.IS_NOT_REACHED: " ",
    Fate.WOULD_HAVE: "~",
    Fate.WOULD_NOT: "~",
}


def outcome_of(decision: Decision) -> str:
    """Return the outcome in the words of policy files."""
    if isinstance(decision, Allow):
        return "break_glass" if decision.rule == RULE else "auto_approve"
    return "require" if isinstance(decision, NeedApproval) else "deny"


def explanation_lines(found: Explanation, facts: Facts) -> Iterator[str]:
    """Yield an explanation, line by line."""
    ask, decision = found.ask, found.decision
    groups = ", ".join(sorted(facts.groups)) or "no group"
    by = f"client {ask.machine.client} for " if ask.machine is not None else ""
    yield f"{by}{ask.by.id} (in {groups}) asks for {ask.bundle.name} for {spell(ask.duration)}"
    yield f"at {facts.now.isoformat()}"
    yield f"{outcome_of(decision).upper()}: {decision.reasons[0]}"
    if isinstance(decision, NeedApproval):
        yield f"  chain {decision.chain.name}, within {spell(decision.chain.expire_after)}"
        for number, stage in enumerate(decision.chain.stages, start=1):
            yield f"  {number}. {stage.name}: {stage.quorum} of {_people(stage, ask.by.id)}"
        yield from map(_optional_line, decision.optional)
    for tried in found.tried:
        yield from _tried_lines(tried)
    if ask.bundle.glass is not None:
        yield _glass_line(ask.bundle.glass)


def _optional_line(stage: OptionalStage) -> str:
    if not stage.is_asked:
        return f"  stage {stage.name} is skipped: {stage.why}"
    why = f" all the same: {stage.why}" if stage.why else ", as its conditions hold"
    return f"  stage {stage.name} is asked{why}"


def _glass_line(glass: Glass) -> str:
    return (
        f"  break-glass: {', '.join(glass.who)}, for {spell(glass.max_duration)} at most; told in "
        f"{', '.join(glass.notify)}; signed off by {', '.join(glass.review_by)} within "
        f"{spell(glass.review_within)}"
    )


def _glass_json(glass: Glass) -> Mapping[str, Any]:
    return {
        "who": list(glass.who),
        "max_duration": spell(glass.max_duration),
        "notify": list(glass.notify),
        "review_by": list(glass.review_by),
        "review_within": spell(glass.review_within),
        "unreviewed": glass.unreviewed,
    }


def _people(stage: Stage, about: str) -> str:
    return ", ".join(f"{group.name} ({_members(group, about)})" for group in stage.approvers)


def _members(group: Group, about: str) -> str:
    if group.any_of:
        return " or ".join(part.name for part in group.any_of)
    if group.on_call is not None:
        rota = group.on_call
        return f"on call of {rota.named} at {rota.provider}, level {rota.level}"
    if group.manager is not None:
        return group.manager.of.get(about, "") or "the manager of whoever asks"
    return group.usergroup or ", ".join(sorted(group.users))


def _tried_lines(tried: Tried) -> Iterator[str]:
    kind = "guardrail" if tried.is_guardrail else "rule"
    why = f": {tried.why}" if tried.why else ""
    yield f"  {_MARK[tried.fate]} {kind} {tried.id} ({tried.where}) {tried.fate}{why}"
    for each in tried.conditions:
        yield f"      {each.text} is {each.words}"


def explanation_json(found: Explanation, facts: Facts) -> Mapping[str, Any]:
    """Return an explanation for programs."""
    decision = found.decision
    chain = decision.chain if isinstance(decision, NeedApproval) else None
    return {
        "user": found.ask.by.id,
        "client": found.ask.machine.client if found.ask.machine is not None else None,
        "groups": sorted(facts.groups),
        "bundle": found.ask.bundle.name,
        "duration": spell(found.ask.duration),
        "at": facts.now.isoformat(),
        "outcome": outcome_of(decision),
        "rule": decision.rule or None,
        "reasons": list(decision.reasons),
        "policy": decision.digest,
        "chain": chain.name if chain is not None else None,
        "stages": [
            {
                "name": stage.name,
                "quorum": stage.quorum,
                "approvers": [group.name for group in stage.approvers],
            }
            for stage in (chain.stages if chain is not None else ())
        ],
        "optional_stages": [
            {"name": stage.name, "asked": stage.is_asked, "why": stage.why}
            for stage in (decision.optional if isinstance(decision, NeedApproval) else ())
        ],
        "audit_mode": [shadow.words for shadow in decision.shadows],
        "break_glass": _glass_json(found.ask.bundle.glass) if found.ask.bundle.glass else None,
        "tried": [_tried_json(tried) for tried in found.tried],
    }


def _tried_json(tried: Tried) -> Mapping[str, Any]:
    return {
        "kind": "guardrail" if tried.is_guardrail else "rule",
        "id": tried.id,
        "where": tried.where,
        "fate": tried.fate,
        "why": tried.why,
        "conditions": [{"text": each.text, "value": each.value} for each in tried.conditions],
    }


def table_text(table: Table) -> str:
    """Return who would get what, as columns."""
    bundles = list(next(iter(table.values())))
    lines = [["", *bundles]]
    lines += [
        [name, *(_cell(row[bundle].decision) for bundle in bundles)] for name, row in table.items()
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(decision: Decision) -> str:
    if isinstance(decision, NeedApproval):
        return f"{sum(stage.quorum for stage in decision.chain.stages)} must agree"
    if isinstance(decision, Allow):
        return "break glass" if decision.rule == RULE else "at once"
    return "no"


def table_json(table: Table) -> str:
    """Return who would get what, for programs."""
    rows = {
        name: {
            bundle: {"outcome": outcome_of(each.decision), "rule": each.decision.rule or None}
            for bundle, each in row.items()
        }
        for name, row in table.items()
    }
    return json.dumps(rows, indent=2)


def problem_json(problem: Problem) -> Mapping[str, Any]:
    """Return a problem for programs."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "what": problem.what,
    }


def trials_json(trials: Sequence[Trial], never: Sequence[str]) -> Mapping[str, Any]:
    """Return how tests went, for programs.

    Args:
        never: Rules and guardrails that no case reached.
    """
    return {
        "cases": [
            {"name": trial.case.name, "failures": [problem_json(each) for each in trial.failures]}
            for trial in trials
        ],
        "never_reached": list(never),
    }
