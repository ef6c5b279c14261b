"""What other channels are told of a request: that a stage begins, and that one waits for long.

There is one card, in the bundle's channel; a notice leads there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.core import events as e
from bot.core.durations import spell
from bot.core.request import Request
from bot.slack import words
from bot.slack.mrkdwn import Rendered, link, section
from bot.usecases.ports import Story


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
    request = story.request
    for fact in story.history:
        match fact:
            case e.Requested() if request.asked.stages:
                yield from _begun(story, 0, card)
            case e.StagePassed(stage=stage) if stage + 1 < len(request.asked.stages):
                yield from _begun(story, stage + 1, card)
            case e.Escalated():
                yield from _escalated(request, fact, card)
            case _:
                pass


def _begun(story: Story, stage: int, card: str) -> Iterator[Notice]:
    request = story.request
    channel = request.asked.stages[stage].channel
    if not channel or channel == request.asked.channel:
        return
    waits = _waits(request, stage)
    text = f"{words.state(request)}\n{words.wish(request)}"
    if stage < request.stage:
        text = f"☑️ Stage {words.stage_name(request, stage)} is complete\n{words.wish(request)}"
    calls = f"\n👉 {words.called(request, story.found, story.missing)}" if waits else ""
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
