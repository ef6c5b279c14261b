"""The whole lint: every check on every bundle, rule and group."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from bot.policy_files import Folder, Places, load_folder
from bot.policy_lint.breadth import overbroad, unused
from bot.policy_lint.evidence import Snapshot, Usage
from bot.policy_lint.findings import Check, Finding, Level, Linted
from bot.policy_lint.moments import Moments
from bot.policy_lint.people import People, of_chains, of_members
from bot.policy_lint.proofs import (
    BundleProofs,
    emergency_proofs,
    in_emergencies,
    needs_a_human,
)
from bot.policy_lint.rule_proofs import of_rules
from bot.policy_lint.solving import EFFORT, Undecided


@dataclass(slots=True)
class _Tally:
    findings: list[Finding] = field(default_factory=list)
    proved: int = 0


def lint(
    folder: Folder,
    *,
    now: datetime,
    default_resource: str,
    snapshot: Snapshot,
    usage: Usage | None = None,
    effort: int = EFFORT,
) -> Linted:
    """Return what is found in the policy files of `folder`.

    Args:
        now: From when on it may be asked for.
        default_resource: The audience of bundles that name no resource.
        snapshot: Who is in groups that the files do not list.
        usage: Which scopes were used; None where nobody says.
        effort: When the solver gives up, see `solving`.

    Raises:
        WrongFiles, Misconfigured: As `load_policies`.
    """
    loaded = load_folder(folder, default_resource=default_resource)
    policy, places, moments = loaded.policy, Places(folder), Moments(now)
    tally = _Tally()
    proofs = [
        BundleProofs(policy, bundle, places=places, moments=moments, effort=effort)
        for bundle in policy.bundles.values()
    ]
    people = People(policy, snapshot)
    for each in proofs:
        _of_bundle(each, places, tally)
        if each.bundle.glass is not None:
            broken = emergency_proofs(
                policy, each.bundle, places=places, moments=moments, effort=effort
            )
            _asked(partial(in_emergencies, broken, places=places), broken, places, tally)
    tally.findings += of_rules(policy, proofs, places)
    tally.findings += of_chains(proofs, people, places)
    tally.findings += of_members(policy, people, places)
    tally.findings += overbroad(policy, frozenset(loaded.resources), places)
    tally.findings += unused(policy, usage, places)
    return Linted(
        findings=tuple(sorted(tally.findings, key=lambda each: each.order)),
        bundles=len(proofs),
        proved=tally.proved,
        guarded=sum(needs_a_human(each.bundle) for each in proofs),
    )


def _of_bundle(proofs: BundleProofs, places: Places, tally: _Tally) -> None:
    is_proved = _asked(proofs.automatic, proofs, places, tally)
    tally.proved += is_proved and needs_a_human(proofs.bundle)
    _asked(proofs.unobtainable, proofs, places, tally)


def _asked(
    question: Callable[[], Iterator[Finding]], proofs: BundleProofs, places: Places, tally: _Tally
) -> bool:
    """Add what is found; return whether nothing was."""
    try:
        found = list(question())
    except Undecided:
        name = proofs.bundle.name
        found = [
            Finding(
                level=Level.WARNING,
                check=Check.UNDECIDED,
                place=places.of("bundles", name),
                sentence=f"{name}: the solver gave up, so nothing is known",
            )
        ]
    tally.findings += found
    return not found
