"""What people read when a changed policy puts a request on another way."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from bot.core import events as e
from bot.core.policy import Stage
from bot.core.request import Request, replay
from bot.core.votes import Vote
from bot.slack import words
from bot.slack.mrkdwn import code, counted, mention, quoted

OfWays: TypeAlias = e.Rerouted | e.ChainPassed

_WHAT_TEXT: Final = 250
# Of what is owed: chains in a line of the thread and on the card, stages, and shares of a stage.
_OWED_IN_LINE: Final = 1
_OWED_ON_CARD: Final = 3
_STAGES_TOLD: Final = 2
_SHARES_TOLD: Final = 2


def way_line(event: OfWays) -> str:
    """Return the line of the thread that tells `event`."""
    if isinstance(event, e.ChainPassed):
        return "☑️ All that today's policy asks for is there; what was asked for before goes on"
    what = quoted("; ".join(event.what), limit=_WHAT_TEXT)
    return f"🔀 *Today's policy asks for more*, so it goes another way{f': {what}' if what else ''}"


def besides(event: e.Event) -> str:
    """Return which approvals of before count, and what is owed, as lines of their own."""
    if not isinstance(event, e.Rerouted | e.ChainPassed):
        return ""
    lines = []
    if event.votes:
        lines.append(f"Of before {_votes(event.votes)} counts")
    if event.spare:
        lines.append(f"Of before {_votes(event.spare)} does not count in it")
    if isinstance(event, e.Rerouted):
        lines += owed_lines(event.owed, most=_OWED_IN_LINE)
    return "".join(f"\n{line}" for line in lines)


def _votes(votes: Sequence[Vote]) -> str:
    who = ", ".join(mention(vote.by) for vote in votes[: words.VOTERS_NAMED])
    left = len(votes) - words.VOTERS_NAMED
    return f"the approval of {who}{f' and {left} more' if left > 0 else ''}"


def owed_lines(owed: Sequence[e.Owed], *, most: int = _OWED_ON_CARD) -> Iterator[str]:
    """Yield what must be complete as well, after what is voted on; `most` chains of it."""
    for chain in owed[:most]:
        needs = "; then ".join(map(_needs, chain.stages[:_STAGES_TOLD]))
        left = len(chain.stages) - _STAGES_TOLD
        more = f"; then {counted(left, 'more stage')}" if left > 0 else ""
        yield f"🔗 and what rule {code(chain.rule, limit=60)} asked for before: {needs}{more}"
    if len(owed) > most:
        yield f"🔗 and {len(owed) - most} more that were asked for before"


def _needs(stage: Stage) -> str:
    shares = "".join(
        f", {each.people} of {code(each.group, limit=60)} at least"
        for each in stage.at_least[:_SHARES_TOLD]
    )
    return f"{stage.quorum} of {words.groups(group.name for group in stage.approvers)}{shares}"


def rerouted_dm(event: e.Rerouted, request: Request) -> str:
    """Return what the requester reads."""
    what = quoted("; ".join(event.what), limit=_WHAT_TEXT)
    waits = f" It waits for {words.missing_votes(request)}." if request.waits_for else ""
    count = f" {counted(len(event.votes), 'approval')} of before counts." if event.votes else ""
    return (
        f"🔀 Today's policy asks for more for {words.wanted(request)} ({request.id}): {what}."
        f"{count}{waits} You need not ask again."
    )


def views(history: Sequence[e.Event], request: Request) -> list[tuple[Request, bool]]:
    """Return for each fact the request in whose stages it counts, and whether they still do.

    On an earlier way it is the request as it stood when that ended: a stage's number means
    another stage on the next.
    """
    turns = [number for number, fact in enumerate(history) if isinstance(fact, OfWays)]
    found: list[tuple[Request, bool]] = []
    for begin, end in pairwise((0, *turns)):
        past = replay(history[:end]) if end else request
        found += [(past, False)] * (end - begin)
    return [*found, *[(request, True)] * (len(history) - len(found))]
