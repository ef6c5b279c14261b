"""What a group may hold in a policy file; see `documents.py`."""

from typing import Annotated, ClassVar, Final

from pydantic import Field, field_validator, model_validator

from bot.core.sources import Provider
from bot.policy_files.documents import Model
from bot.policy_files.kinds import (
    Names,
    ProfileFieldId,
    ProviderName,
    Schedule,
    UsergroupId,
    UserId,
)
from bot.policy_files.problems import quoted

MAX_LEVEL: Final = 5


class OnCall(Model):
    """Whoever is on call now."""

    provider: ProviderName
    schedule: Schedule | None = None
    escalation_policy: Schedule | None = None
    level: Annotated[int, Field(ge=1, le=MAX_LEVEL)] = 1

    @model_validator(mode="after")
    def _is_one_rota(self) -> "OnCall":
        if self.escalation_policy is not None and self.provider is not Provider.PAGERDUTY:
            raise ValueError("`escalation_policy` is for pagerduty; say `schedule`")
        if (self.schedule is None) == (self.escalation_policy is None):
            either = " or `escalation_policy`" if self.provider is Provider.PAGERDUTY else ""
            raise ValueError(f"`on_call` needs `schedule`{either}")
        if self.level > 1 and self.provider is Provider.OPSGENIE:
            raise ValueError("a schedule of Opsgenie has no levels; take `level` out")
        return self


class Manager(Model):
    """The manager of whoever asks."""

    profile_field: ProfileFieldId | None = None
    of: Annotated[dict[UserId, UserId], Field(min_length=1)] | None = None

    @field_validator("of")
    @classmethod
    def _are_others(cls, of: dict[str, str] | None) -> dict[str, str] | None:
        own = next((user for user, manager in (of or {}).items() if user == manager), None)
        if own is not None:
            raise ValueError(f"{quoted(own)} cannot be their own manager")
        return of

    @model_validator(mode="after")
    def _has_one_source(self) -> "Manager":
        if (self.profile_field is None) == (self.of is None):
            raise ValueError("`manager` has exactly one of `profile_field` and `of`")
        return self


class Group(Model):
    """People by name."""

    SOURCES: ClassVar[tuple[str, ...]] = ("users", "usergroup", "any_of", "on_call", "manager")
    """Of these a group has one."""

    users: Annotated[list[UserId], Field(min_length=1)] | None = None
    usergroup: UsergroupId | None = None
    any_of: Names | None = None
    on_call: OnCall | None = None
    manager: Manager | None = None
    min_members: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _has_one_source(self) -> "Group":
        if sum(getattr(self, source) is not None for source in self.SOURCES) != 1:
            *most, last = (f"`{source}`" for source in self.SOURCES)
            raise ValueError(f"a group has exactly one of {', '.join(most)} and {last}")
        return self
