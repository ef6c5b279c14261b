"""What a chain may hold in a policy file; see `documents.py`."""

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bot.core.durations import spell
from bot.policy_files.documents import Model
from bot.policy_files.kinds import Channel, Count, Distinct, Length, Name, Names, When
from bot.policy_files.problems import quoted

MAX_QUORUM: Final = 10
MAX_STAGES: Final = 10


class Escalation(Model):
    """What happens when a stage has waited for long."""

    after: Length
    add_approvers: Names | None = None
    stand_in_for: Name | None = None
    notify: Annotated[list[Channel], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _does_something(self) -> "Escalation":
        if self.add_approvers is None and self.notify is None:
            raise ValueError("an escalation needs `add_approvers` or `notify`")
        if self.stand_in_for is not None and self.add_approvers is None:
            raise ValueError("`stand_in_for` needs `add_approvers`: say who stands in")
        return self


class Stage(Model):
    """One step of a chain."""

    name: Name
    approvers: Names
    when: When | None = None
    quorum: Annotated[int, Field(ge=1, le=MAX_QUORUM)] = 1
    at_least: Annotated[dict[Name, Count], Field(min_length=1, default_factory=dict)]
    channel: Channel | None = None
    remind: Annotated[list[Length], Field(min_length=1, default_factory=list)]
    escalate: Annotated[list[Escalation], Field(min_length=1, default_factory=list)]

    @field_validator("at_least")
    @classmethod
    def _fits(cls, shares: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        approvers, quorum = info.data.get("approvers"), info.data.get("quorum")
        foreign = [name for name in shares if approvers is not None and name not in approvers]
        if foreign:
            raise ValueError(f"{quoted(foreign[0])} is not among the approvers")
        if quorum is not None and sum(shares.values()) > quorum:
            raise ValueError(f"asks for {sum(shares.values())} people, and the quorum is {quorum}")
        return shares

    @field_validator("remind")
    @classmethod
    def _grows(cls, times: list[timedelta]) -> list[timedelta]:
        return _growing(times)

    @field_validator("escalate")
    @classmethod
    def _stands_in(cls, steps: list[Escalation], info: ValidationInfo) -> list[Escalation]:
        _growing([step.after for step in steps])
        shares = info.data.get("at_least", {})
        for step in steps:
            if step.stand_in_for is not None and step.stand_in_for not in shares:
                raise ValueError(f"{quoted(step.stand_in_for)} has no place in `at_least`")
        return steps


def _growing(times: list[timedelta]) -> list[timedelta]:
    for earlier, later in pairwise(times):
        if later <= earlier:
            raise ValueError(f"{spell(later)} must be later than {spell(earlier)} before it")
    return times


class Chain(Model):
    """Stages that all must pass, in order."""

    stages: Annotated[list[Stage], Field(min_length=1, max_length=MAX_STAGES)]
    expire_after: Length = timedelta(hours=4)
    denials: Annotated[int, Field(ge=1, le=1)] = 1
    distinct: Distinct = "chain"

    @model_validator(mode="after")
    def _has_time_for_all(self) -> "Chain":
        for stage in self.stages:
            for what, times in (
                ("remind", stage.remind),
                ("escalate", [step.after for step in stage.escalate]),
            ):
                if times and times[-1] >= self.expire_after:
                    raise ValueError(
                        f"stage {quoted(stage.name)} has `{what}` at {spell(times[-1])}, "
                        f"and the request ends after {spell(self.expire_after)}"
                    )
        return self
