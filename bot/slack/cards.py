"""The card of a request: `render(state) -> blocks`, and the same state always gives the same bytes.

An approver should know in five seconds who wants what, for how long, why, and how bad it can get.
"""

from collections.abc import Iterator
from typing import Final

from bot.core.durations import spell
from bot.core.grant import Close
from bot.core.identity import BOT, Kind
from bot.core.request import Request
from bot.core.states import GrantState, RequestState
from bot.slack import clients, glass, words
from bot.slack.beginnings import giving_up_button
from bot.slack.buttons import Action, button_value, ending_button
from bot.slack.elsewhere import unknown
from bot.slack.mrkdwn import (
    BLOCK_WEIGHT,
    MESSAGE_BLOCKS,
    MESSAGE_WEIGHT,
    Block,
    Rendered,
    actions,
    button,
    code,
    context,
    counted,
    mention,
    moment,
    packed,
    quotation,
    quoted,
    section,
    weight,
)
from bot.slack.ways import owed_lines
from bot.usecases.ports import NOTHING_FOUND, Found

# The stages that a card tells one by one.
STAGES_TOLD: Final = 8
_SAID_TEXT: Final = 1000


def request_card(request: Request, found: Found = NOTHING_FOUND) -> Rendered:
    """Return the card, with buttons only while they work."""
    return _card(request, found, live=True)


def record_card(request: Request) -> Rendered:
    """Return all that the card says, without buttons."""
    return _card(request, NOTHING_FOUND, live=False)


def retired_card(request: Request) -> Rendered:
    """Return what a second copy of the card is turned into."""
    said = f"This is a copy of the card of {request.id}; the other one in this channel is kept."
    return Rendered(said, [context(f"{said} Nothing is lost.")])


def summary(request: Request) -> str:
    """Return everything that matters in one sentence, for notifications and screen readers."""
    asked = request.asked
    why = quoted(asked.reason)
    return words.bare(
        f"{_loud(request)}{words.state(request)}: {words.wish(request)} "
        f"({words.risk(asked.risk)}, {counted(len(asked.scopes), 'scope')}), "
        f"{request.id}. Why: {why}"
    )


def head(request: Request) -> Block:
    """Return the first block: where it stands, and who wants what."""
    risk = words.risk(request.asked.risk)
    return section(f"{_loud(request)}{words.state(request)}\n{words.wish(request)}  ·  {risk}")


def _loud(request: Request) -> str:
    return f"{glass.MARK}  ·  " if request.asked.emergency is not None else ""


def why(request: Request) -> Block:
    """Return the block with the reason and the ticket."""
    asked = request.asked
    ticket = words.ticket(asked)
    return section(
        "*Why*"
        + (quotation(asked.reason) or "\n_no readable reason_")
        + (f"\n*Ticket*  {ticket}" if ticket else "")
    )


def _card(request: Request, found: Found, *, live: bool) -> Rendered:
    decision, _ = packed(_decision(request, found), room=MESSAGE_WEIGHT // 2, blocks=4)
    above = [head(request), *clients.on_card(request), why(request)]
    below = [*decision, context(_small_print(request))]
    row = actions(*_buttons(request, whole=True)) if live else []
    scopes, hidden = _scopes(request, beside=[*above, *below, *row])
    if hidden and live:
        row = actions(*_buttons(request, whole=False))
    return Rendered(summary(request), [*above, *scopes, *below, *row])


def _scopes(request: Request, *, beside: list[Block]) -> tuple[list[Block], int]:
    """Return the sections that list every scope, and how many scopes found no room."""
    lines = [words.scope_line(text) for text in request.asked.scopes]
    found, hidden = packed(
        [words.allows(request), *lines],
        room=MESSAGE_WEIGHT - weight(beside) - 2 * BLOCK_WEIGHT,
        blocks=MESSAGE_BLOCKS - len(beside) - 1,
    )
    if not hidden:
        return found, 0
    return [*found, section(f"⚠️ *{hidden} of {len(lines)} scopes are not shown here*")], hidden


def _decision(request: Request, found: Found) -> Iterator[str]:
    """Yield who must decide, who did, and how it went on."""
    asked = request.asked
    rule = f"rule {code(asked.rule)}" if asked.rule else "no rule applied"
    if asked.emergency is not None:
        yield from glass.on_card(request)
    elif asked.stages:
        yield f"*Approval*  {rule}"
        yield from _stages(request, found)
        yield from owed_lines(asked.owed)
        yield from map(words.optional_stage, asked.optional[:STAGES_TOLD])
        yield from unknown(request, found)
    else:
        yield f"*Decided by policy*  {rule}{quotation('; '.join(asked.reasons), limit=_SAID_TEXT)}"
    yield from _outcome(request)
    yield from _grant(request)


def _stages(request: Request, found: Found) -> Iterator[str]:
    stages = request.asked.stages
    for number, stage in enumerate(stages[:STAGES_TOLD]):
        votes = request.votes_in(number)
        mark = "☑️" if number < request.stage else "▫️"
        mark = "👉" if stage is request.waits_for and number == request.stage else mark
        said = f": {words.approved_by(request, number)}" if votes else ""
        name, needs = words.stage_name(request, number), words.stage_needs(request, number, found)
        yield f"{mark} {name}  {len(votes)} of {stage.quorum} from {needs}{said}"
    if len(stages) > STAGES_TOLD:
        yield f"and {counted(len(stages) - STAGES_TOLD, 'more stage')}"


def _outcome(request: Request) -> Iterator[str]:
    close = request.close
    if close is None:
        return
    if request.state is RequestState.APPROVED and request.asked.emergency is None:
        yield f"✅ Approved {words.closed_by(close)}"
    if request.state is RequestState.DENIED and close.by != BOT:
        yield from _said("❌", close)


def _grant(request: Request) -> Iterator[str]:
    grant = request.grant
    if grant is None:
        return
    if grant.extensions:
        times = counted(len(grant.extensions), "time")
        yield f"🔁 Extended {times}, last by {code(grant.extensions[-1])}"
    if grant.state is GrantState.REVOKED and grant.close is not None:
        yield from _said("🛑", grant.close)


def _said(mark: str, close: Close) -> Iterator[str]:
    """Yield what somebody gave as the reason; who and when stands in the first line."""
    said = quotation(close.reason, limit=_SAID_TEXT)
    if said and close.by == BOT:
        yield f"{mark} Why{said}"
    elif said:
        yield f"{mark} {mention(close.by)} says{said}"


def _small_print(request: Request) -> str:
    asked = request.asked
    parts = [str(request.id), f"{code(asked.bundle)}", f"asked {moment(asked.at)}"]
    if asked.extends is not None:
        parts.append(f"prolongs {asked.extends}")
    if asked.claim_within is not None and request.grant is None:
        parts.append(f"begins when it is started, within {spell(asked.claim_within)} of approval")
    if request.waits_for is not None:
        parts.append(f"decide before {moment(asked.deadline)}")
    return "  ·  ".join(parts)


def _buttons(request: Request, *, whole: bool) -> Iterator[Block]:
    """Yield the buttons that work now.

    Args:
        whole: Whether the card shows all that is asked for; it cannot be approved unseen.
    """
    value, about = button_value(request), f"{request.id}: {request.asked.title}"
    pending = request.waits_for is not None
    if not whole:
        reads = f"Show all scopes of {about}"
        yield button(Action.SHOW_ALL, "Show all", value=value, describes=reads)
    elif pending:
        reads = f"Approve {about}"
        yield button(Action.APPROVE, "Approve", value=value, style="primary", describes=reads)
        reads = f"Approve less than all of {about}"
        yield button(Action.NARROW, "Approve with changes", value=value, describes=reads)
    if pending:
        yield button(Action.DENY, "Deny", value=value, style="danger", describes=f"Deny {about}")
        if request.requester.kind is Kind.PERSON:
            reads = f"Ask the requester about {about}"
            yield button(Action.QUESTION, "Ask a question", value=value, describes=reads)
        reads = f"What is behind {about}"
        yield button(Action.DETAILS, "Details", value=value, describes=reads)
    yield from glass.review_buttons(request)
    if request.waiting_grant is not None:
        yield giving_up_button(Action.REVOKE, "End before it begins", request)
    if request.working_grant is not None:
        yield ending_button(Action.REVOKE, "End access", request)
