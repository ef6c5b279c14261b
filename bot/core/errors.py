"""Everything that can go wrong on purpose.

* BotError
  + Refused          the rules say no; shown to the person as is
    - NotAllowed     this actor may never do this
    - WrongState     this state does not allow it (any more)
    - TooLate        the time for it is over
    - Invalid        the input is wrong; `field` names the part
    - NotFound       there is nothing by that name
  + Conflict         somebody else wrote first; load and decide again
  + Unavailable      a part that we need did not answer: nothing was done
    - OutcomeUnknown it may or may not have been done
    - Busy           it asks to wait; `wait_s` says how long
  + Misconfigured    an operator must change something before we can run
"""


class BotError(Exception):
    """Never raised directly; `str(error)` is a sentence, `hint` says what to do."""

    code = "error"

    def __init__(self, sentence: str, *, hint: str = "") -> None:
        super().__init__(sentence)
        self.hint = hint


class Refused(BotError):
    """The rules say no."""

    code = "refused"


class NotAllowed(Refused):
    """This actor may never do this."""

    code = "not_allowed"


class WrongState(Refused):
    """The state does not allow this (any more)."""

    code = "wrong_state"


class TooLate(WrongState):
    """The deadline has passed."""

    code = "too_late"


class Invalid(Refused):
    """The input is wrong.

    Attributes:
        field: The part of the form that is wrong: bundle, scopes, duration, reason or ticket.
    """

    code = "invalid"

    def __init__(self, sentence: str, *, field: str, hint: str = "") -> None:
        super().__init__(sentence, hint=hint)
        self.field = field


class NotFound(Refused):
    """There is nothing by that name that this actor may see."""

    code = "not_found"


class Conflict(BotError):
    """Somebody else wrote first."""

    code = "conflict"


class Unavailable(BotError):
    """A part that we need did not answer, and nothing was done."""

    code = "unavailable"


class OutcomeUnknown(Unavailable):
    """A part that we need did not answer in time: it may have been done."""

    code = "outcome_unknown"


class Busy(Unavailable):
    """A part that we need asks to wait.

    Attributes:
        wait_s: Seconds to wait before the next try.
    """

    code = "busy"

    def __init__(self, sentence: str, *, wait_s: float) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


class Misconfigured(BotError):
    """An operator must change something first.

    Attributes:
        problems: Every problem found, a sentence each.
    """

    code = "misconfigured"

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
