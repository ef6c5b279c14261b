"""What a decision was based on besides the ask, as it is kept with it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What policy knew of the requester when it decided; None where it was not looked up.

    Attributes:
        groups: Names of the policy's groups that they were in.
        looked_up: Names of all groups that were looked at.
        active_grants, requests_today, auto_today: As in `decision.Facts`.
    """

    groups: tuple[str, ...]
    looked_up: tuple[str, ...]
    active_grants: int | None = None
    requests_today: int | None = None
    auto_today: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Who was in a group with a say when something was asked.

    Attributes:
        people: Slack user ids, sorted; the first ones of a large group, () where it was unknown.
        count: How many there were; None where it could not be read.
    """

    group: str
    people: tuple[str, ...] = ()
    count: int | None = None

    @property
    def all_known(self) -> bool:
        """Whether `people` are all of them."""
        return self.count == len(self.people)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalStage:
    """A stage that is asked only under conditions, and what came of them.

    Attributes:
        is_asked: Whether its people must approve: all conditions hold, or one cannot be evaluated.
        why: The condition that does not hold, or cannot be evaluated; "" if all of them hold.
    """

    name: str
    is_asked: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What a rule or guardrail in audit mode would have done; it did not.

    Attributes:
        would: What, in words that follow "would have".
    """

    id: str
    is_guardrail: bool
    would: str

    @property
    def words(self) -> str:
        """All of it: "guardrail freeze (audit) would have denied it: Ask a manager"."""
        kind = "guardrail" if self.is_guardrail else "rule"
        return f"{kind} {self.id} (audit) would have {self.would}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What the policy in force said when the last approval was given.

    Attributes:
        is_laxer: Whether it asked for less than the request waited for.
    """

    digest: str
    rule: str
    is_laxer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A condition that could not be evaluated, when a request was decided.

    Attributes:
        one: Whose: "rule late", "guardrail freeze", "stage security of chain two".
        where: "file:line" of it, "" where that is not known.
        why: The condition, and what went wrong.
    """

    one: str
    where: str
    why: str
