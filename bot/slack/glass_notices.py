"""What the channels of `break_glass.notify` are told: loudly, with the buttons of the review."""

from collections.abc import Iterator

from bot.core import events as e
from bot.core.request import Request
from bot.slack import glass, words
from bot.slack.cards import why
from bot.slack.mrkdwn import NAME_TEXT, Block, Rendered, actions, link, quoted, section
from bot.slack.notices import Notice
from bot.usecases.ports import Story


def glass_notices(story: Story, card: str) -> Iterator[Notice]:
    """Yield what every one of these channels should be told.

    Args:
        card: The address of the card, "" where none stands.
    """
    request = story.request
    for fact in story.history:
        match fact:
            case e.GlassBroken():
                shown = _alarm(story, card)
                # The card itself stands in its own channel.
                yield from _each("glass", request, shown, besides=request.asked.channel)
            case e.ReviewReminded():
                text = "🔔 A break-glass still waits for its review"
                yield from _each("glass:reminder", request, _owed(story, text, card))
            case e.ReviewOverdue():
                text = "🚨 *OVERDUE*: a break-glass was not reviewed in time"
                yield from _each("glass:overdue", request, _owed(story, text, card))
            case _:
                pass


def untold_line(problem: str) -> Rendered:
    """Return the line of the thread that tells of a channel that could not be told."""
    said = quoted(problem, limit=NAME_TEXT)
    return Rendered(f"Cannot be told: {said}", [section(f"⚠️ *Cannot be told*: {said}")])


def _each(name: str, request: Request, shown: Rendered, *, besides: str = "") -> Iterator[Notice]:
    emergency, review = request.asked.emergency, request.review
    is_over = name != "glass" and review is not None and not review.is_open
    for number, channel in enumerate(emergency.notify if emergency is not None else ()):
        if channel != besides:
            yield Notice(name=f"{name}:{number}", channel=channel, shown=shown, is_over=is_over)


def _alarm(story: Story, card: str) -> Rendered:
    request = story.request
    text = f"{glass.MARK}\n{words.wish(request)}  ·  {words.risk(request.asked.risk)}"
    told = section("\n".join(glass.on_card(request)))
    return _with_review(story, text, [why(request), told], card)


def _owed(story: Story, text: str, card: str) -> Rendered:
    request = story.request
    lines = section("\n".join(glass.review_lines(request)))
    return _with_review(story, f"{text}\n{words.wish(request)}", [lines], card)


def _with_review(story: Story, text: str, blocks: list[Block], card: str) -> Rendered:
    request = story.request
    parts = [words.state(request), request.id, *([link(card, "Open the card")] if card else [])]
    calls = glass.called(request, story.found)
    below = "  ·  ".join(parts) + (f"\n👉 {calls}" if calls else "")
    row = actions(*glass.review_buttons(request))
    sentence = words.bare(text).replace("\n", ": ")
    return Rendered(sentence, [section(text), *blocks, section(below), *row])
