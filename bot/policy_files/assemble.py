"""Declared entries, all of them right, to the core's Policy."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.core import policy as core
from bot.core.client import Client, Resource
from bot.core.conditions import compile_condition
from bot.core.scopes import (
    Bundle,
    Delivery,
    Glass,
    Limits,
    Prolonging,
    Risk,
    ScopeText,
    Starts,
    TicketRule,
)
from bot.core.sources import Manager, Rota
from bot.core.windows import Window
from bot.policy_files import documents, group_documents
from bot.policy_files.chain_documents import Chain, Stage
from bot.policy_files.declared import Declared, Entry
from bot.policy_files.documents import Model
from bot.policy_files.kinds import DAYS
from bot.policy_files.per_bundle import Id, tried_for
from bot.policy_files.slices import slices_of

# How long an approval waits to be started where the bundle does not say.
CLAIM_WITHIN: Final = timedelta(hours=1)


def policy_of(declared: Declared, *, default_resource: str) -> core.Policy:
    """Return the policy; its rules are in the order of file names, then of places.

    Args:
        default_resource: The audience of bundles that name no resource.
    """
    groups = _groups(declared.groups)
    windows = {entry.name: _window(entry) for entry in declared.windows}
    chains = {entry.name: _chain(entry, groups) for entry in declared.chains}
    resources = resources_of(declared)
    bundles = {
        entry.name: _bundle(entry, default_resource, resources) for entry in declared.bundles
    }
    rules = [_rule(entry, chains, windows) for entry in declared.rules]
    guardrails = [_guardrail(entry, windows) for entry in declared.guardrails]
    modes: dict[Id, str] = {(core.Rule, entry.name): entry.model.mode for entry in declared.rules}
    modes |= {(core.Guardrail, entry.name): entry.model.mode for entry in declared.guardrails}
    policy = core.Policy(
        digest=_digest(declared),
        bundles=bundles,
        groups=groups,
        windows=windows,
        **tried_for(bundles, rules, guardrails, modes=modes),
    )
    return replace(policy, slices=slices_of(declared, policy))


def clients_of(declared: Declared) -> Mapping[str, Client]:
    """Return the OAuth clients by id."""
    return {
        entry.name: Client(
            id=entry.name,
            secrets_sha256=frozenset(entry.model.secret_sha256 or ()),
            keys=tuple(entry.model.jwks or ()),
            resources=frozenset(entry.model.resources or ()),
            bundles=tuple(entry.model.bundles or ()),
            owner=entry.model.owner or "",
            reason=entry.model.reason,
        )
        for entry in declared.clients
    }


def resources_of(declared: Declared) -> Mapping[str, Resource]:
    """Return the APIs by URI."""
    return {
        entry.name: Resource(
            uri=entry.name,
            title=entry.model.title,
            owner=entry.model.owner or "",
            scopes=entry.model.scopes,
            token_max=entry.model.token_max,
        )
        for entry in declared.resources
    }


def _groups(entries: Iterable[Entry[group_documents.Group]]) -> dict[str, core.Group]:
    """Return the groups by name; those that are parts of others are made first."""
    declared = {entry.name: entry for entry in entries}
    made: dict[str, core.Group] = {}

    def make(name: str) -> core.Group:
        if name not in made:
            model = declared[name].model
            made[name] = core.Group(
                name=name,
                usergroup=model.usergroup or "",
                users=frozenset(model.users or ()),
                any_of=tuple(make(part) for part in model.any_of or ()),
                on_call=_rota(model.on_call),
                manager=_manager(model.manager),
                min_members=model.min_members,
            )
        return made[name]

    return {name: make(name) for name in declared}


def _rota(model: group_documents.OnCall | None) -> Rota | None:
    if model is None:
        return None
    return Rota(
        provider=model.provider,
        schedule=model.schedule or "",
        escalation_policy=model.escalation_policy or "",
        level=model.level,
    )


def _manager(model: group_documents.Manager | None) -> Manager | None:
    if model is None:
        return None
    return Manager(profile_field=model.profile_field or "", of=model.of or {})


def _window(entry: Entry[documents.Window]) -> Window:
    model = entry.model
    first, last = model.dates or (None, None)
    return Window(
        name=entry.name,
        zone=ZoneInfo(model.tz),
        days=frozenset(DAYS.index(day) for day in model.days),
        start=model.start,
        end=model.end,
        first=first,
        last=last,
    )


def _chain(entry: Entry[Chain], groups: Mapping[str, core.Group]) -> core.Chain:
    stages = tuple(_stage(stage, groups) for stage in entry.model.stages)
    return core.Chain(
        name=entry.name,
        stages=stages,
        expire_after=entry.model.expire_after,
        conditions={
            place: tuple(compile_condition(text) for text in stage.when)
            for place, stage in enumerate(entry.model.stages)
            if stage.when is not None
        },
    )


def _stage(model: Stage, groups: Mapping[str, core.Group]) -> core.Stage:
    return core.Stage(
        name=model.name,
        approvers=tuple(groups[name] for name in model.approvers),
        quorum=model.quorum,
        at_least=tuple(core.Share(name, people) for name, people in model.at_least.items()),
        channel=model.channel or "",
        remind=tuple(model.remind),
        escalate=tuple(
            core.Escalation(
                after=step.after,
                add_approvers=tuple(groups[name] for name in step.add_approvers or ()),
                stand_in_for=step.stand_in_for or "",
                notify=tuple(step.notify or ()),
            )
            for step in model.escalate
        ),
    )


def _bundle(
    entry: Entry[documents.Bundle], default_resource: str, resources: Mapping[str, Resource]
) -> Bundle:
    model = entry.model
    resource = model.resource or default_resource
    api = resources.get(resource)
    return Bundle(
        name=entry.name,
        title=model.title,
        description=model.description,
        scopes=_scopes(model.scopes, api),
        resource=resource,
        token_max=api.token_max if api is not None else None,
        environment=model.environment,
        access=model.access,
        risk=model.risk,
        owner=model.owner,
        labels=model.labels,
        channel=model.channel,
        max_duration=model.max_duration,
        default_duration=model.default_duration,
        reason_min=model.reason_min,
        ticket=_ticket(model),
        limits=Limits(
            per_user_per_day=model.limits.per_user_per_day,
            active_total=model.limits.active_total,
            active_per_user=model.limits.active_per_user,
            auto_per_day=model.limits.auto_per_day,
            cool_down=model.limits.cool_down,
        ),
        prolonging=_prolonging(model.extend),
        delivery=model.delivery or _delivery(model.risk),
        glass=_glass(model.break_glass),
        idle_end=model.idle_end,
        claim_within=_claim_within(model),
        start_within=model.start_within,
    )


def _claim_within(model: documents.Bundle) -> timedelta | None:
    return (model.claim_within or CLAIM_WITHIN) if model.starts is Starts.REVEAL else None


def _glass(model: documents.BreakGlass | None) -> Glass | None:
    if model is None:
        return None
    return Glass(
        who=tuple(model.who),
        max_duration=model.max_duration,
        reason_min=model.reason_min,
        notify=tuple(model.notify),
        review_by=tuple(model.review_by),
        review_within=model.review_within,
        unreviewed=model.unreviewed,
    )


def _ticket(bundle: documents.Bundle) -> TicketRule | None:
    model = bundle.ticket
    if model is None:
        return None
    return TicketRule(
        pattern=model.pattern,
        example=model.example,
        tracker=model.tracker,
        projects=tuple(model.project or ()),
        assigned=model.assigned,
        people_if_down=bundle.on_tracker_down == "ask",
        ends_grant=bundle.end_with_ticket,
    )


def _prolonging(model: documents.Extend | None) -> Prolonging:
    return Prolonging(times=model.times, total=model.total) if model else Prolonging()


def _scopes(scopes: list[str] | dict[str, str], resource: Resource | None) -> tuple[ScopeText, ...]:
    """Return the scopes with their words: the bundle's own, or else those of the API."""
    own = scopes if isinstance(scopes, dict) else {}
    words = {**(resource.scopes if resource is not None else {}), **own}
    return tuple(ScopeText(scope, words.get(scope, "")) for scope in scopes)


def _delivery(risk: Risk) -> Delivery:
    return Delivery.REVEAL if risk >= Risk.HIGH else Delivery.MESSAGE


def _selector(model: documents.Selector) -> core.Selector:
    return core.Selector(
        names=frozenset(model.name or ()),
        environments=frozenset(model.environment or ()),
        risks=frozenset(model.risk or ()),
        accesses=frozenset(model.access or ()),
        labels=model.labels or {},
    )


def _rule(
    entry: Entry[documents.Rule],
    chains: Mapping[str, core.Chain],
    windows: Mapping[str, Window],
) -> core.Rule:
    model = entry.model
    return core.Rule(
        id=model.id,
        bundles=_selector(model.bundles),
        verdict=model.decision,
        requesters=tuple(model.requesters or ()),
        clients=tuple(model.clients or ()),
        max_duration=model.max_duration,
        during=windows[model.during] if model.during is not None else None,
        when=tuple(compile_condition(text) for text in model.when or ()),
        chain=chains[model.chain] if model.chain is not None else None,
        note=model.note,
        where=entry.where,
    )


def _guardrail(entry: Entry[documents.Guardrail], windows: Mapping[str, Window]) -> core.Guardrail:
    model = entry.model
    return core.Guardrail(
        id=model.id,
        bundles=_selector(model.bundles),
        requesters=tuple(model.requesters or ()),
        clients=tuple(model.clients or ()),
        during=windows[model.during] if model.during is not None else None,
        when=tuple(compile_condition(text) for text in model.when or ()),
        deny=model.deny,
        max_duration=model.max_duration,
        min_approvals=model.min_approvals or 0,
        even_break_glass=model.even_break_glass,
        note=model.note,
        where=entry.where,
    )


def _digest(declared: Declared) -> str:
    """Return the SHA-256, in hex, of the policy's canonical JSON.

    Clients are no part of the policy: a new secret changes nothing that was decided.
    """
    canonical = {
        "defaults": _dumped(declared.defaults),
        "groups": _dumped(declared.groups),
        "windows": _dumped(declared.windows),
        "chains": _dumped(declared.chains),
        "bundles": _dumped(declared.bundles),
        "resources": _dumped(declared.resources),
        "rules": [entry.model.model_dump(mode="json") for entry in declared.rules],
        "guardrails": [entry.model.model_dump(mode="json") for entry in declared.guardrails],
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _dumped(entries: Iterable[Entry[Model]]) -> dict[str, Any]:
    return {entry.name: entry.model.model_dump(mode="json") for entry in entries}
