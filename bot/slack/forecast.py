"""The answer to `/jit why`: what policy would say, and how every rule fares."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from bot.core.decision import Allow, NeedApproval
from bot.core.durations import spell
from bot.core.explaining import Explanation, Fate, Tried
from bot.core.policy import Stage
from bot.slack import glass, words
from bot.slack.mrkdwn import (
    BLOCK_WEIGHT,
    MESSAGE_BLOCKS,
    MESSAGE_WEIGHT,
    NAME_TEXT,
    Rendered,
    code,
    context,
    counted,
    moment,
    packed,
    quoted,
    section,
)
from bot.usecases.ports import NOTHING_FOUND, Found

_MARK: Final[Mapping[Fate, str]] = {
    Fate.DECIDES: "👉",
    Fate.APPLIES: "🛡️",
    Fate.IS_NOT_ABOUT_IT: "▫️",
    Fate.FAILS: "⚠️",
    Fate.IS_NOT_REACHED: "·",
    Fate.WOULD_HAVE: "👻",
    Fate.WOULD_NOT: "👻",
}
_WHY_TEXT: Final = 300  # characters
# Room for what stands around the list.
_AROUND: Final = 3 * BLOCK_WEIGHT + 1000


def why_text(
    found: Explanation, people: Found = NOTHING_FOUND, *, start: datetime | None = None
) -> Rendered:
    """Return what policy would say to an ask, and why.

    Args:
        people: Who is on call, and who the manager is, in the groups that would decide.
        start: When it is to start; None for as soon as it is approved.
    """
    bundle, length = found.ask.bundle, spell(found.ask.duration)
    title = quoted(bundle.title, limit=NAME_TEXT) or code(bundle.name)
    later = f" from *{moment(start)}*" if start is not None else ""
    head = f"*{title}* for *{length}*{later}: {_verdict(found, people)}"
    lines, hidden = packed(
        [*_optional(found), *(line for tried in found.tried for line in _lines(tried))],
        room=MESSAGE_WEIGHT - _AROUND,
        blocks=MESSAGE_BLOCKS - 3,
    )
    more = f"{counted(hidden, 'more line')} do not fit. " if hidden else ""
    missing = "" if found.ask.reason else "Rules that read your reason have seen none. "
    missing += "What is in audit mode could not be looked at. " if found.unseen else ""
    ask = f"Ask with `/jit request {bundle.name} {length} why…`"
    besides = [section(glass.in_short(bundle))] if bundle.glass is not None else []
    begins = words.begins(bundle)
    besides += [section(begins)] if begins else []
    return Rendered(
        words.bare(head),
        [
            section(head),
            *lines,
            *besides,
            context(f"{more}{missing}Limits are counted when you ask. {ask}"),
        ],
    )


def _verdict(found: Explanation, people: Found) -> str:
    decision = found.decision
    if isinstance(decision, Allow):
        return f"you would get it at once, by rule {code(decision.rule)}"
    if isinstance(decision, NeedApproval):
        stages = decision.chain.stages
        needs = "; then ".join(
            f"{stage.quorum} of {_approvers(stage, people)}"
            for stage in stages[: words.GROUPS_NAMED]
        )
        return f"people would decide, {needs}, by rule {code(decision.rule)}"
    return f"you would not get it: {quoted(decision.reasons[0], limit=_WHY_TEXT)}"


def _approvers(stage: Stage, people: Found) -> str:
    return words.groups_now([each.name for each in stage.approvers], stage.approvers, people)


def _optional(found: Explanation) -> Iterator[str]:
    decision = found.decision
    if isinstance(decision, NeedApproval):
        yield from map(words.optional_stage, decision.optional)


def _lines(tried: Tried) -> Iterator[str]:
    kind = "guardrail" if tried.is_guardrail else "rule"
    why = f": {quoted(tried.why, limit=_WHY_TEXT)}" if tried.why else ""
    yield f"{_MARK[tried.fate]} {kind} {code(tried.id)} {tried.fate}{why}"
    if tried.fate is not Fate.IS_NOT_REACHED:
        for each in tried.conditions:
            yield f"      {code(each.text)} is {quoted(each.words, limit=_WHY_TEXT)}"
