"""What operators read in the admin channel about the policy files."""

from collections.abc import Sequence
from typing import Final

from bot.core.differences import Differences
from bot.core.known import Failure
from bot.slack.mrkdwn import Rendered, code, counted, quoted, section

# So many problems are told, and so many names; `jit policy check` tells the rest.
PROBLEMS_TOLD: Final = 5
NAMES_TOLD: Final = 5
_PROBLEM_TEXT: Final = 400
_STRICTER: Final = (
    "The stricter answer counted: a rule denies, a guardrail holds, a stage is asked. This is told"
    " once an hour; the log has every time."
)


def short(digest: str) -> str:
    """Return as much of a policy's digest as people compare."""
    return digest[:12]


def refused_note(problems: Sequence[str], *, in_force: str) -> Rendered:
    """Return that files are refused, and why.

    Args:
        in_force: The digest of the policy that goes on.
    """
    goes_on = f"The policy {code(short(in_force))} of before goes on."
    head = f"🚨 *The policy files are refused.* {goes_on}"
    told = [f"• {code(problem, limit=_PROBLEM_TEXT)}" for problem in problems[:PROBLEMS_TOLD]]
    left = len(problems) - len(told)
    more = [f"… and {left} more; {code('jit policy check')} tells them all"] if left else []
    return Rendered(
        f"🚨 The policy files are refused: {quoted(problems[0])}",
        [section("\n".join([head, *told, *more]))],
    )


def mended_note(*, in_force: str) -> Rendered:
    """Return that the files which were refused are right again."""
    text = f"✅ *The policy files are right again*; they were refused. {_now(in_force)}"
    return Rendered("✅ The policy files are right again", [section(text)])


def changed_note(found: Differences, *, old: str, new: str) -> Rendered:
    """Return that a new policy is in force, and what differs.

    Args:
        old, new: Digests.
    """
    if old == new:
        text = f"🔁 *The policy files were read again*; what they decide is the same. {_now(new)}"
        return Rendered("🔁 The policy files were read again", [section(text)])
    kinds = [("bundle", found.bundles), ("rule", found.rules), ("group", found.groups)]
    parts = [_counted(word, names) for word, names in kinds if names]
    differs = f"Changed: {', '.join(parts)}" if parts else "Only its order or its limits changed"
    text = f"🔁 *A new policy is in force*: {code(short(old))} → {code(short(new))}. {differs}."
    return Rendered("🔁 A new policy is in force", [section(text)])


def failed_note(failure: Failure) -> Rendered:
    """Return that a condition could not be evaluated when somebody asked."""
    where = f" ({code(failure.where)})" if failure.where else ""
    lines = [
        f"⚠️ *A condition cannot be evaluated*: that of {code(failure.one)}{where}.",
        f"• {code(failure.why, limit=_PROBLEM_TEXT)}",
        _STRICTER,
    ]
    return Rendered(
        f"⚠️ A condition cannot be evaluated: {quoted(failure.one)}",
        [section("\n".join(lines))],
    )


def _now(digest: str) -> str:
    return f"In force is {code(short(digest))}."


def _counted(word: str, names: Sequence[str]) -> str:
    told = [code(name, limit=60) for name in names[:NAMES_TOLD]]
    more = [f"{len(names) - NAMES_TOLD} more"] if len(names) > NAMES_TOLD else []
    return f"{counted(len(names), word)} ({', '.join([*told, *more])})"
