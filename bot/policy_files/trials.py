"""Tests of policies, tried: what each case gets, and where that is not what it expects."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.core.decision import Allow, Facts, NeedApproval, checked
from bot.core.durations import spell
from bot.core.emergency import in_emergency
from bot.core.errors import BotError, Invalid, NotAllowed
from bot.core.explaining import Explanation, explained, presumed_groups
from bot.core.identity import person
from bot.core.machine import Machine
from bot.core.policy import Chain, Policy, Verdict
from bot.core.scopes import Bundle, Starts
from bot.core.starting import start_of
from bot.core.tickets import SeenTicket
from bot.policy_files.cases import Case
from bot.policy_files.problems import Problem

# In files people are not told apart by their workspace.
HOME = "T0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a case went.

    Attributes:
        reached: The ids of rules and guardrails that had a part in it.
    """

    case: Case
    failures: tuple[Problem, ...]
    reached: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Got:
    """What a case got, in the words of `expect`."""

    outcome: Verdict
    rule: str | None = None
    guardrail: str | None = None
    chain: str | None = None
    approvals: int = 0
    at_least: Mapping[str, int] = field(default_factory=dict)
    channel: str = ""
    review_by: list[str] | None = None
    starts: Starts | None = None
    skipped: list[str] = field(default_factory=list)
    audit: list[str] = field(default_factory=list)
    reasons: tuple[str, ...] = ()


def try_case(case: Case, policy: Policy) -> Trial:
    """Return how `case` goes under `policy`."""
    try:
        found = _explained(case, policy)
    except (Invalid, NotAllowed) as problem:
        reasons = (str(problem), *_in_words_of_files(case, policy, problem))
        got = _Got(outcome=Verdict.DENY, reasons=reasons)
        return Trial(case=case, failures=tuple(_failures(case, got)), reached=frozenset())
    return Trial(
        case=case,
        failures=tuple(_failures(case, _got(found, case))),
        reached=frozenset(tried.id for tried in found.tried if tried.matched),
    )


def _in_words_of_files(case: Case, policy: Policy, problem: BotError) -> Iterator[str]:
    """Yield which key the case runs into: people are told of limits, authors of keys."""
    given, most = case.given, policy.bundles[case.given.bundle].max_duration
    is_too_long = isinstance(problem, Invalid) and problem.field == "duration"
    if is_too_long and given.duration is not None and given.duration > most:
        yield f"{spell(given.duration)} is longer than the bundle's max_duration {spell(most)}"


def _explained(case: Case, policy: Policy) -> Explanation:
    """Return the decision on the case's request.

    Raises:
        Invalid: It does not keep to its bundle's own limits.
        NotAllowed: It is break-glass, which the bundle does not have.
    """
    given = case.given
    if given.break_glass:
        policy = in_emergency(policy, policy.bundles[given.bundle])
    bundle = policy.bundles[given.bundle]
    example = bundle.ticket.example if bundle.ticket is not None else ""
    machine = Machine(client=given.client, owner="") if given.client is not None else None
    ask = checked(
        bundle,
        by=machine.actor if machine and given.is_service else person(given.user, home=HOME),
        scopes=given.scopes,
        duration=given.duration,
        reason=given.reason,
        ticket=example if given.ticket is None else given.ticket,
        machine=machine,
    )
    wanted = case.as_of + given.start_in if given.start_in is not None else None
    start = start_of(bundle, wanted, now=case.as_of)
    facts = Facts(
        now=start or case.as_of,
        groups=presumed_groups(policy, ask.by.id, given.groups),
        active_grants=given.active_grants,
        requests_today=given.requests_today,
        auto_today=given.auto_today,
        ticket=_unknown(bundle) if given.tracker_down else None,
    )
    return explained(ask, policy, facts)


def _unknown(bundle: Bundle) -> SeenTicket | None:
    """Return what is known of a ticket while its tracker does not answer."""
    tracker = bundle.ticket.tracker if bundle.ticket is not None else None
    if tracker is None:
        return None
    return SeenTicket(tracker=tracker, unknown="the tracker does not answer")


def _got(found: Explanation, case: Case) -> _Got:
    bundle = found.ask.bundle
    decision, channel, glass = found.decision, bundle.channel, bundle.glass
    starts = Starts.REVEAL if bundle.claim_within is not None else Starts.APPROVAL
    audit = [shadow.id for shadow in decision.shadows]
    if isinstance(decision, Allow):
        broken = glass if case.given.break_glass else None
        return _Got(
            outcome=Verdict.BREAK_GLASS if broken else Verdict.AUTO_APPROVE,
            review_by=list(broken.review_by) if broken else None,
            rule=decision.rule,
            channel=channel,
            starts=starts,
            audit=audit,
            reasons=decision.reasons,
        )
    if isinstance(decision, NeedApproval):
        return _Got(
            outcome=Verdict.REQUIRE,
            rule=decision.rule,
            chain=decision.chain.name,
            approvals=decision.approvals,
            at_least=_shares(decision.chain),
            channel=channel,
            starts=starts,
            skipped=[stage.name for stage in decision.optional if not stage.is_asked],
            audit=audit,
            reasons=decision.reasons,
        )
    return _Got(
        outcome=Verdict.DENY,
        rule=decision.rule or decision.guardrail or None,
        guardrail=decision.guardrail or None,
        channel=channel,
        audit=audit,
        reasons=decision.reasons,
    )


def _shares(chain: Chain) -> Mapping[str, int]:
    """Return how many people must come from which groups, over all stages."""
    found: Counter[str] = Counter()
    for stage in chain.stages:
        found.update({share.group: share.people for share in stage.at_least})
    return dict(found)


def _failures(case: Case, got: _Got) -> Iterator[Problem]:
    reasons = "; ".join(got.reasons)
    for key in sorted(case.expect.model_fields_set):
        wanted = getattr(case.expect, key)
        if key == "because":
            if wanted not in reasons:
                what = f"{case.name}: {wanted!r} is not among the reasons: {reasons}"
                yield case.problem("expect", key, what=what)
            continue
        found = getattr(got, key)
        if found != wanted:
            what = f"{case.name}: expected {key} {wanted}, got {found} ({reasons})"
            yield case.problem("expect", key, what=what)
