"""What a person reads when something was refused or went wrong: the one table for Slack."""

from bot.core.errors import BotError, Busy, Conflict, OutcomeUnknown, Refused, Unavailable
from bot.core.identity import RequestId

# What is told of faults of our own; the log has the rest.
FAULT = "Something went wrong on this app's side. See /jit status for what was recorded."


def answer_to(problem: BotError, *, request: RequestId | None = None) -> str:
    """Return the sentences to show for `problem`.

    Args:
        request: Which request it is about, where that is known.
    """
    match problem:
        case OutcomeUnknown():
            which = f" {request}" if request is not None else ""
            return f"It is not known whether this was recorded. See /jit status{which}"
        case Busy():
            return "Slack asks this app to wait. Nothing was recorded; try again in a moment."
        case Unavailable():
            return _sentences(str(problem), problem.hint or "Nothing was recorded; try again.")
        case Refused() | Conflict():
            return _sentences(str(problem), problem.hint)
        case _:
            return FAULT


def _sentences(*texts: str) -> str:
    """Return `texts` as sentences of their own, each with a capital letter and a full stop."""
    whole = [text[0].upper() + text[1:] for text in texts if text]
    return " ".join(text if text[-1] in ".!?" else f"{text}." for text in whole)
