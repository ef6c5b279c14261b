"""What `jit request show` prints: all that is known of one request, for whoever reviews it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bot.core import events as e
from bot.core.durations import spell
from bot.core.emergency import Emergency
from bot.core.grant import Grant
from bot.core.known import Known, Members
from bot.core.machine import Machine
from bot.core.policy import Group, Stage, groups_in
from bot.core.request import Request, evolve, replay
from bot.core.review import Review
from bot.store.records import write_event

_WIDTH: Final = 10
# What every event has, and what is told elsewhere or says little.
_TOLD_ELSEWHERE: Final = frozenset({"type", "request", "at", "by", "scopes"})

_NOT_KEPT: Final = "not kept"
_UNREAD: Final = "could not be read"


def request_lines(history: Sequence[e.Event]) -> Iterator[str]:
    """Yield what is known of a request, line by line.

    Args:
        history: All its events, first first.
    """
    request, asked = replay(history), _asked(history)
    yield _line("request", f"{request.id}, {request.state}")
    yield _line("grant", _grant(request))
    yield _line("by", str(asked.by))
    if asked.machine is not None:
        yield from _machine_lines(asked.machine)
    yield _line("bundle", f"{asked.bundle} ({asked.title}), {asked.risk} risk")
    yield _line("scopes", _scopes(asked))
    start = f", from {asked.start_at.isoformat()}" if asked.start_at is not None else ""
    yield _line("for", f"{spell(asked.duration)} at {asked.resource}{start}")
    if request.asked != asked:
        yield _line("narrowed", f"{_scopes(request.asked)} for {spell(request.asked.duration)}")
    if asked.extends is not None:
        yield _line("extends", asked.extends)
    yield _line("reason", _one_line(asked.reason))
    yield _line("ticket", asked.ticket or "-")
    yield _line("asked", f"{asked.at.isoformat()} in {asked.channel}")
    yield _line("rule", f"{asked.rule or 'none'} of policy {asked.digest}")
    yield _line("", f"slice {asked.slice or _NOT_KEPT}, which is all that decided about it")
    for reason in asked.reasons:
        yield _line("", reason)
    for shadow in asked.shadows:
        yield _line("", f"{shadow.words}")
    yield from _facts_lines(asked.known)
    for way in _ways(history):
        yield from _way_lines(way)
    for vote, name in _votes(history):
        groups = f" as one of {', '.join(vote.groups)}" if vote.groups else ""
        whose = f" for {vote.on_behalf_of}, who was away," if vote.on_behalf_of is not None else ""
        yield _line("yes", f"{vote.by}{whose} in stage {name}{groups}")
    for event in history:
        yield from _verdict_lines(event)
    if asked.emergency is not None:
        yield from _glass_lines(asked.emergency, request.review)
    for token in request.grant.tokens if request.grant is not None else ():
        ends = token.expires_at.isoformat()
        yield _line("token", f"{token.jti} until {ends}, signed with {token.kid}")
    for event in history:
        yield f"  {event.at.isoformat()}  {e.WIRE[type(event)]}  {event.by}{_details(event)}"


def _machine_lines(machine: Machine) -> Iterator[str]:
    yield _line("client", f"{machine.client}, owned by {machine.owner}, who could approve nothing")
    code = f", code {machine.code}" if machine.code else ""
    yield _line("", f"called from {machine.address}{code}")


def _line(name: str, text: str) -> str:
    return f"{name:{_WIDTH}} {text}"


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def _asked(history: Sequence[e.Event]) -> e.Requested:
    """Return the ask as it was, before anybody narrowed it."""
    return replay(history[:1]).asked


def _grant(request: Request) -> str:
    grant = request.grant
    if grant is None:
        return "none"
    return f"{grant.id}, {grant.state}{_term(grant)}"


def _term(grant: Grant) -> str:
    if grant.tokens:
        return f", until {grant.ends_at.isoformat()}"
    if grant.never_started:
        return ", never started"
    if grant.claim_by is not None:
        return f", approved, not started; claim by {grant.claim_by.isoformat()}"
    starts = grant.starts_at.isoformat() if grant.starts_at is not None else "at once"
    return f", approved, not started; starts {starts}"


def _scopes(asked: e.Requested) -> str:
    left_out = f" ({asked.left_out} left out)" if asked.left_out else ""
    return ", ".join(text.scope for text in asked.scopes) + left_out


def _facts_lines(known: Known | None) -> Iterator[str]:
    if known is None:
        yield _line("facts", _NOT_KEPT)
        return
    groups = ", ".join(known.groups) or "none"
    looked_up = ", ".join(known.looked_up) or "none"
    yield _line("facts", f"in groups: {groups} (of those looked at: {looked_up})")
    counts = {
        "active grants": known.active_grants,
        "requests of 24 hours": known.requests_today,
        "of these approved by policy": known.auto_today,
    }
    for name, count in counts.items():
        yield _line("", f"{name}: {'not looked at' if count is None else count}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A chain that the request was on.

    Attributes:
        why: The fact that put it there.
        asked: What was asked, with that chain.
    """

    why: e.Requested | e.Rerouted | e.ChainPassed
    asked: e.Requested


def _ways(history: Sequence[e.Event]) -> Iterator[_Way]:
    """Yield the chains that the request was on, first first."""
    request = replay(history[:1])
    for number, fact in enumerate(history):
        request = evolve(request, fact) if number else request
        if isinstance(fact, e.Requested | e.Rerouted | e.ChainPassed):
            yield _Way(why=fact, asked=request.asked)


def _votes(history: Sequence[e.Event]) -> Iterator[tuple[e.Voted, str]]:
    """Yield every yes with the name of the stage that it was said in."""
    request = replay(history[:1])
    for fact in history[1:]:
        if isinstance(fact, e.Voted):
            yield fact, request.asked.stages[fact.stage].name
        request = evolve(request, fact)


def _way_lines(way: _Way) -> Iterator[str]:
    why, asked = way.why, way.asked
    if isinstance(why, e.Rerouted):
        yield _line("tightened", f"{why.at.isoformat()}: {'; '.join(why.what) or 'by others'}")
        yield _line("", f"rule {why.rule} of policy {why.digest}, slice {why.slice}")
        for vote in why.votes:
            yield _line("", f"of before the yes of {vote.by} counted")
        for vote in why.spare:
            yield _line("", f"of before the yes of {vote.by} did not count in it")
    elif isinstance(why, e.ChainPassed):
        what = f"what rule {asked.rule} of policy {asked.digest} had asked for"
        yield _line("then", f"{why.at.isoformat()}: {what}")
    yield from _chain_lines(asked)
    for owed in asked.owed if isinstance(why, e.Rerouted) else ():
        yield _line("", f"and then what rule {owed.rule} of policy {owed.digest} had asked for")


def _verdict_lines(event: e.Event) -> Iterator[str]:
    """Yield which policy was in force when it was approved, or ended by it."""
    if isinstance(event, e.Approved) and event.under is not None:
        laxer = "; it asks for less, so what it was asked under was kept"
        under = f"rule {event.under.rule} of policy {event.under.digest}"
        yield _line("approved", f"under {under}{laxer if event.under.is_laxer else ''}")
    if isinstance(event, e.Denied) and event.digest:
        yield _line("closed", f"by {event.rule or 'no rule'} of policy {event.digest}")


def _chain_lines(asked: e.Requested) -> Iterator[str]:
    if not asked.stages:
        names = list(dict.fromkeys([*_names(asked.voices), asked.owner]))
        groups = f"group{'s' if len(names) > 1 else ''} {', '.join(names)}"
        yield _line("chain", f"nobody was asked; {groups} could end it")
        return
    for number, stage in enumerate(asked.stages, start=1):
        shares = "".join(f", {each.people} from {each.group}" for each in stage.at_least)
        yield _line(
            "chain" if number == 1 else "", f"{number}. {stage.name}: {stage.quorum}{shares}"
        )
        for say in _says(asked, stage):
            yield _line("", f"   {say['group']}{say['when']}: {_people(say)}")
    for line in _away_lines(asked):
        yield _line("", line)
    for optional in asked.optional:
        did = "asked" if optional.is_asked else "skipped"
        yield _line(
            "", f"stage {optional.name} was {did}{f': {optional.why}' if optional.why else ''}"
        )
    yield _line("", "each of these but who asked could have said no while their stage was open")


def _away_lines(asked: e.Requested) -> Iterator[str]:
    """Yield who of these was away when it was asked; the log tells who went away later."""
    if not asked.delegation:
        yield "nobody could stand in for who was away"
    for each in asked.away:
        instead = f"{each.stand_in.id} stood in" if each.stand_in is not None else "nobody stood in"
        until = each.until.isoformat()
        yield f"{each.who.id} was away until {until}" + (f"; {instead}" if asked.delegation else "")


def _names(groups: Iterable[Group]) -> list[str]:
    return [group.name for group in groups]


def _glass_lines(emergency: Emergency, review: Review | None) -> Iterator[str]:
    skipped = ", ".join(_names(emergency.skipped)) or "nobody"
    yield _line("glass", f"broken; {skipped} would have been asked")
    yield _line("", f"told in: {', '.join(emergency.told) or 'no channel'}")
    for channel in emergency.unreachable:
        yield _line("", f"known not to be told: {channel.channel}, {channel.why}")
    if review is None:
        yield _line("review", "none, as it was denied even so")
        return
    by = ", ".join(_names(emergency.review_by))
    yield _line("review", f"{review.state}, until {review.until.isoformat()}, by one of {by}")
    for concern in review.concerns:
        yield _line("", f"concern of {concern.by}: {_one_line(concern.text)}")
    if review.close is not None:
        yield _line("", f"signed off by {review.close.by}: {_one_line(review.close.reason)}")


def _says(asked: e.Requested, stage: Stage) -> list[dict[str, Any]]:
    """Return every group that had, or could have come to have, a say in `stage`."""
    first = {group.name for group in stage.approvers}
    after = {
        group.name: spell(step.after)
        for step in reversed(stage.escalate)
        for group in step.add_approvers
    }
    return [
        {
            "group": group.name,
            "when": "" if group.name in first else f" (after {after[group.name]})",
            **_say(group, asked),
        }
        for group in groups_in([stage])
    ]


def _say(group: Group, asked: e.Requested) -> dict[str, Any]:
    kept = next((each for each in asked.members if each.group == group.name), None)
    if kept is None:
        return {"people": None, "count": None, "unknown": _NOT_KEPT}
    people = [who for who in kept.people if who != asked.by.id]
    return {"people": people, "count": kept.count, "unknown": _unknown(kept)}


def _unknown(kept: Members) -> str:
    if kept.count is None:
        return _UNREAD
    left = kept.count - len(kept.people)
    return f"{left} more, whose ids were not kept" if left else ""


def _people(say: Mapping[str, Any]) -> str:
    known = ", ".join(say["people"] or ())
    if not say["unknown"]:
        return known or "nobody"
    return f"{known} and {say['unknown']}" if known else str(say["unknown"])


def _details(event: e.Event) -> str:
    """Return what an event says besides who and when, as "key=value"."""
    if isinstance(event, e.Requested):
        return ""
    said = json.loads(write_event(event))
    if isinstance(event, e.Tokened):
        said = {"jti": event.token.jti}
    parts = [
        f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in said.items()
        if key not in _TOLD_ELSEWHERE and value not in ("", [], None)
    ]
    return f"  {' '.join(parts)}" if parts else ""


def request_json(history: Sequence[e.Event]) -> Mapping[str, Any]:
    """Return what is known of a request, for programs."""
    request, asked = replay(history), _asked(history)
    grant = request.grant
    return {
        "request": request.id,
        "state": request.state,
        "by": str(asked.by),
        "client": None if asked.machine is None else _machine_json(asked.machine),
        "bundle": asked.bundle,
        "scopes": [text.scope for text in asked.scopes],
        "duration": spell(asked.duration),
        "start_at": _iso(asked.start_at),
        "approved_scopes": [text.scope for text in request.asked.scopes],
        "approved_duration": spell(request.asked.duration),
        "resource": asked.resource,
        "extends": asked.extends,
        "reason": asked.reason,
        "ticket": asked.ticket,
        "at": asked.at.isoformat(),
        "rule": asked.rule or None,
        "reasons": list(asked.reasons),
        "policy": asked.digest,
        "slice": asked.slice,
        "facts": _facts_json(asked.known),
        "chain": _chain_json(request.asked),
        "ways": [_way_json(way) for way in _ways(history)],
        "optional_stages": [
            {"stage": each.name, "asked": each.is_asked, "why": each.why}
            for each in request.asked.optional
        ],
        "audit_mode": [shadow.words for shadow in asked.shadows],
        "owner": asked.owner,
        "break_glass": None
        if asked.emergency is None
        else _glass_json(asked.emergency, request.review),
        "votes": [
            {
                "by": str(vote.by),
                "on_behalf_of": str(vote.on_behalf_of) if vote.on_behalf_of is not None else None,
                "stage": name,
                "groups": list(vote.groups),
            }
            for vote, name in _votes(history)
        ],
        "delegation": asked.delegation,
        "away": [
            {
                "who": each.who.id,
                "stand_in": each.stand_in.id if each.stand_in is not None else None,
                "until": each.until.isoformat(),
            }
            for each in asked.away
        ],
        "approved_under": next(
            (
                {"rule": each.under.rule, "policy": each.under.digest, "laxer": each.under.is_laxer}
                for each in history
                if isinstance(each, e.Approved) and each.under is not None
            ),
            None,
        ),
        "closed_by": next(
            (
                {"rule": each.rule or None, "policy": each.digest}
                for each in history
                if isinstance(each, e.Denied) and each.digest
            ),
            None,
        ),
        "grant": None if grant is None else _grant_json(grant),
        "events": [json.loads(write_event(event)) for event in history],
    }


def _machine_json(machine: Machine) -> Mapping[str, Any]:
    return {
        "id": machine.client,
        "owner": machine.owner,
        "address": machine.address,
        "code": machine.code,
    }


def _chain_json(asked: e.Requested) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "stage": stage.name,
            "quorum": stage.quorum,
            "at_least": {share.group: share.people for share in stage.at_least},
            "could_say_no": [
                {**say, "when": say["when"].strip(" ()") or "at once"}
                for say in _says(asked, stage)
            ],
        }
        for stage in asked.stages
    ]


def _way_json(way: _Way) -> Mapping[str, Any]:
    why, asked = way.why, way.asked
    return {
        "since": why.at.isoformat(),
        "rule": asked.rule or None,
        "policy": asked.digest,
        "what": list(why.what) if isinstance(why, e.Rerouted) else [],
        "counted": [str(vote.by) for vote in ([] if isinstance(why, e.Requested) else why.votes)],
        "chain": _chain_json(asked),
        "owed": [{"rule": owed.rule, "policy": owed.digest} for owed in asked.owed],
    }


def _grant_json(grant: Grant) -> Mapping[str, Any]:
    return {
        "id": grant.id,
        "state": grant.state,
        "starts_at": _iso(grant.starts_at),
        "claim_by": _iso(grant.claim_by),
        "tokens": [each.jti for each in grant.tokens],
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _glass_json(emergency: Emergency, review: Review | None) -> Mapping[str, Any]:
    return {
        "skipped": _names(emergency.skipped),
        "told": list(emergency.told),
        "not_told": {each.channel: each.why for each in emergency.unreachable},
        "review_by": _names(emergency.review_by),
        "review": None if review is None else _review_json(review),
    }


def _review_json(review: Review) -> Mapping[str, Any]:
    close = review.close
    return {
        "state": review.state,
        "until": review.until.isoformat(),
        "concerns": [
            {"by": str(each.by), "at": each.at.isoformat(), "comment": each.text}
            for each in review.concerns
        ],
        "signed_off": None
        if close is None
        else {"by": str(close.by), "at": close.at.isoformat(), "comment": close.reason},
    }


def _facts_json(known: Known | None) -> Mapping[str, Any] | None:
    if known is None:
        return None
    return {
        "groups": list(known.groups),
        "looked_up": list(known.looked_up),
        "active_grants": known.active_grants,
        "requests_today": known.requests_today,
        "auto_today": known.auto_today,
    }
