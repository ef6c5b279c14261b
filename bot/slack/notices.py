"""What other channels are told of a request: that a stage begins, and that one waits for long.

There is one card, in the bundle's channel; a notice leads there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bot.core import events as e
from bot.core.durations import spell
from bot.core.request import Request
from bot.slack import words
from bot.slack.mrkdwn import Rendered, link, section
from bot.slack.ways import OfWays, views
from bot.usecases.ports import Found, Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message in a channel of its own.

    Attributes:
        name: Of its receipt.
        channel: "#name" or id.
        is_over: Whether it is not posted any more, though one that stands is kept up to date.
    """

    name: str
    channel: str
    shown: Rendered
    is_over: bool


def notices(story: Story, card: str) -> Iterator[Notice]:
    """Yield what other channels should be told.

    Args:
        card: The address of the card.
    """
    way = 0
    for fact, (request, goes_on) in zip(
        story.history, views(story.history, story.request), strict=True
    ):
        way += isinstance(fact, OfWays)
        for notice in _of_fact(fact, request, story.found, card):
            yield notice if goes_on and not way else _on_way(notice, way, request, goes_on=goes_on)


def _on_way(notice: Notice, way: int, request: Request, *, goes_on: bool) -> Notice:
    """Return `notice` with the number of its way; on one that the request has left it is over."""
    name = f"way:{way}:{notice.name}" if way else notice.name
    if goes_on or request.waits_for is None:  # else it was left before it was complete
        return replace(notice, name=name)
    text = f"🔀 The policy has changed, and this goes another way\n{words.wish(request)}"
    sentence = words.bare(text).replace("\n", ": ")
    return replace(notice, name=name, shown=Rendered(sentence, [section(text)]), is_over=True)


def _of_fact(fact: e.Event, request: Request, found: Found, card: str) -> Iterator[Notice]:
    """Yield what `fact` has to be told elsewhere, in the stages of `request`."""
    match fact:
        case e.Requested() | e.Rerouted() | e.ChainPassed() if request.asked.stages:
            yield from _begun(request, found, 0, card)
        case e.StagePassed(stage=stage) if stage + 1 < len(request.asked.stages):
            yield from _begun(request, found, stage + 1, card)
        case e.Escalated():
            yield from _escalated(request, fact, card)
        case _:
            pass


def _begun(request: Request, found: Found, stage: int, card: str) -> Iterator[Notice]:
    channel = request.asked.stages[stage].channel
    if not channel or channel == request.asked.channel:
        return
    waits = _waits(request, stage)
    text = f"{words.state(request)}\n{words.wish(request)}"
    if stage < request.stage:
        text = f"☑️ Stage {words.stage_name(request, stage)} is complete\n{words.wish(request)}"
    calls = f"\n👉 {words.called(request, found)}" if waits else ""
    shown = _with_link(text, card, more=calls)
    yield Notice(name=f"stage:{stage}", channel=channel, shown=shown, is_over=not waits)


def _escalated(request: Request, fact: e.Escalated, card: str) -> Iterator[Notice]:
    step = request.asked.stages[fact.stage].escalate[fact.number]
    name, waits = words.stage_name(request, fact.stage), _waits(request, fact.stage)
    text = f"⏫ Stage {name} has waited for {spell(step.after)}\n{words.wish(request)}"
    for number, channel in enumerate(step.notify):
        yield Notice(
            name=f"escalated:{fact.stage}.{fact.number}.{number}",
            channel=channel,
            shown=_with_link(text if waits else f"{words.state(request)}\n{text}", card),
            is_over=not waits,
        )


def _waits(request: Request, stage: int) -> bool:
    return request.waits_for is not None and request.stage == stage


def _with_link(text: str, card: str, *, more: str = "") -> Rendered:
    where = link(card, "Open the card")
    sentence = words.bare(text).replace("\n", ": ")
    return Rendered(sentence, [section(f"{text}\n{where}{more}")])
