"""What a policy file may hold: closed models, in which a key that is not named is an error.

Every check that one entry alone can fail is here; what one entry says of another is checked in
`references.py`. The sentences of the errors are completed in `explain.py`.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

import re2
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.core.durations import spell
from bot.core.policy import Verdict
from bot.core.scopes import Starts, Tracker
from bot.core.texts import LONGEST_REASON
from bot.core.windows import MINUTES_OF_DAY
from bot.policy_files.kinds import (
    DAYS,
    Access,
    Channel,
    Clock,
    Count,
    Dates,
    Day,
    Decision,
    DeliveryName,
    Environment,
    IfDown,
    Labels,
    Length,
    Mode,
    Name,
    Names,
    Pattern,
    RiskName,
    Scopes,
    Start,
    StartsName,
    Title,
    TrackerName,
    Uri,
    Version,
    When,
    Words,
    Zone,
)
from bot.policy_files.problems import quoted

_OF_GITHUB: Final = re.compile(r"[^/#\s]+/[^/#\s]+#[0-9]+", re.ASCII)


class Model(BaseModel):
    """A closed mapping; nothing in it is made to fit: "1" is no number, and 1 no text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Keys that a later version will know; refused by name."""


class Defaults(Model):
    """What holds for all bundles."""

    LATER = frozenset({"allow_break_glass_in"})

    max_duration: Length = timedelta(hours=24)


class Window(Model):
    """A time that rules and guardrails can be for."""

    tz: Zone
    days: Annotated[list[Day], Field(min_length=1)] = list(DAYS)
    start: Start = 0
    end: Clock = MINUTES_OF_DAY
    dates: Dates | None = None

    @model_validator(mode="after")
    def _is_open_sometimes(self) -> "Window":
        if self.start == self.end:
            raise ValueError("`start` and `end` are the same; leave both out for the whole day")
        if self.model_fields_set <= {"tz"}:
            raise ValueError("say `days`, `start` and `end`, or `dates`")
        return self


class Ticket(Model):
    """What a ticket must look like."""

    pattern: Pattern
    example: Title
    tracker: TrackerName | None = None
    project: Annotated[list[Title], Field(min_length=1)] | None = None
    assigned: bool = False

    @field_validator("example")
    @classmethod
    def _matches(cls, example: str, info: ValidationInfo) -> str:
        pattern = info.data.get("pattern")
        if pattern is not None and not re2.fullmatch(pattern, example):
            raise ValueError(f"{quoted(example)} does not match the pattern in full")
        return example

    @field_validator("project", "assigned")
    @classmethod
    def _is_asked_of_a_tracker(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("tracker", Tracker.URL) is None:
            raise ValueError("only a tracker can tell; say which, in `tracker`")
        return value

    @model_validator(mode="after")
    def _is_one_of_github(self) -> "Ticket":
        if self.tracker is Tracker.GITHUB and not _OF_GITHUB.fullmatch(self.example):
            raise ValueError("a ticket of github is OWNER/REPO#NUMBER, such as acme/shop#7")
        return self


class Limits(Model):
    """Caps across requests."""

    per_user_per_day: Count | None = None
    active_total: Count | None = None
    active_per_user: Count | None = None
    auto_per_day: Count | None = None
    cool_down: Length | None = None


class Extend(Model):
    """How a grant may be prolonged."""

    times: Annotated[int, Field(ge=0)] | None = None
    total: Length | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Extend":
        if self.times is None and self.total is None:
            raise ValueError("`extend` needs `times` or `total`")
        return self


class BreakGlass(Model):
    """How a bundle can be had in an emergency."""

    who: Names
    max_duration: Length
    reason_min: Annotated[int, Field(ge=1, le=LONGEST_REASON)] = 30
    notify: Annotated[list[Channel], Field(min_length=1)]
    review_by: Names
    review_within: Length
    unreviewed: Count = 1


class Bundle(Model):
    """A fixed set of scopes, with limits that no rule can widen."""

    LATER = frozenset(
        {
            "announce",
            "delegation",
            "provider",
        }
    )

    title: Title
    description: Words = ""
    scopes: Scopes
    resource: Uri | None = None
    environment: Environment
    access: Access
    risk: RiskName
    owner: Name
    labels: Labels = {}
    channel: Channel
    max_duration: Length
    default_duration: Length
    reason_min: Annotated[int, Field(ge=1, le=LONGEST_REASON)] = 10
    ticket: Ticket | None = None
    on_tracker_down: IfDown | None = None
    end_with_ticket: bool = False
    limits: Limits = Limits()
    extend: Extend | None = None
    break_glass: BreakGlass | None = None
    idle_end: Length | None = None
    delivery: DeliveryName | None = None
    starts: StartsName = Starts.APPROVAL
    claim_within: Length | None = None
    start_within: Length | None = None

    @field_validator("claim_within")
    @classmethod
    def _is_claimed(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("starts", Starts.REVEAL) is not Starts.REVEAL:
            raise ValueError("nobody starts it; write `starts: reveal`, or take it out")
        return value

    @field_validator("start_within")
    @classmethod
    def _starts_by_itself(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("starts") is Starts.REVEAL:
            raise ValueError("who asks starts it anyway, by `starts: reveal`; take one of them out")
        return value

    @field_validator("scopes")
    @classmethod
    def _are_different(cls, scopes: list[str] | dict[str, str]) -> list[str] | dict[str, str]:
        twice = sorted({scope for scope in scopes if list(scopes).count(scope) > 1})
        if twice:
            raise ValueError(f"the scope {quoted(twice[0])} is given twice")
        return scopes

    @field_validator("on_tracker_down", "end_with_ticket")
    @classmethod
    def _asks_a_tracker(cls, value: Any, info: ValidationInfo) -> Any:
        ticket = info.data.get("ticket")
        if value and "ticket" in info.data and (ticket is None or ticket.tracker is None):
            raise ValueError("no tracker is asked here; say which, in `ticket.tracker`")
        return value

    @field_validator("idle_end")
    @classmethod
    def _ends_before(cls, idle: timedelta | None, info: ValidationInfo) -> timedelta | None:
        most = info.data.get("max_duration")
        if idle is not None and most is not None and idle >= most:
            raise ValueError(
                f"{spell(idle)} is not shorter than max_duration, {spell(most)}, so nothing would"
                " ever end by it"
            )
        return idle

    @field_validator("default_duration")
    @classmethod
    def _is_within(cls, default: timedelta, info: ValidationInfo) -> timedelta:
        most = info.data.get("max_duration")
        if most is not None and default > most:
            raise ValueError(f"{spell(default)} is longer than max_duration, {spell(most)}")
        return default


class Selector(Model):
    """Which bundles; every key that is given must hold."""

    name: Names | None = None
    environment: Annotated[list[Environment], Field(min_length=1)] | None = None
    risk: Annotated[list[RiskName], Field(min_length=1)] | None = None
    access: Annotated[list[Access], Field(min_length=1)] | None = None
    labels: Annotated[Labels, Field(min_length=1)] | None = None


class Rule(Model):
    """For one bundle the first rule that holds decides."""

    id: Name
    bundles: Selector
    decision: Decision
    clients: Names | None = None
    mode: Mode = "enforce"
    requesters: Annotated[Names | None, Field(validate_default=True)] = None
    max_duration: Length | None = None
    during: Name | None = None
    when: When | None = None
    chain: Annotated[Name | None, Field(validate_default=True)] = None
    note: Words = ""

    @field_validator("requesters")
    @classmethod
    def _are_named(cls, groups: list[str] | None, info: ValidationInfo) -> list[str] | None:
        named = groups is not None or info.data.get("clients", "wrong") is not None
        if not named and info.data.get("decision", Verdict.DENY) is not Verdict.DENY:
            raise ValueError("say whose requests: only a rule that denies is for everybody")
        return groups

    @field_validator("chain")
    @classmethod
    def _is_chained(cls, chain: str | None, info: ValidationInfo) -> str | None:
        decision = info.data.get("decision")
        if decision is Verdict.REQUIRE and chain is None:
            raise ValueError("`decision: require` needs a chain")
        if decision not in (None, Verdict.REQUIRE) and chain is not None:
            raise ValueError(f"`decision: {decision}` asks nobody; take the chain out")
        return chain


class Guardrail(Model):
    """Applies whatever the rules say, and can only tighten."""

    id: Name
    bundles: Selector
    mode: Mode = "enforce"
    requesters: Names | None = None
    clients: Names | None = None
    during: Name | None = None
    when: When | None = None
    deny: bool = False
    max_duration: Length | None = None
    min_approvals: Annotated[int, Field(ge=1)] | None = None
    even_break_glass: bool = False
    note: Words = ""

    @model_validator(mode="after")
    def _does_something(self) -> "Guardrail":
        if not self.deny and self.max_duration is None and self.min_approvals is None:
            raise ValueError("a guardrail needs `deny: true`, `max_duration` or `min_approvals`")
        return self


class Document(Model):
    """One file: any of the sections. Their entries are validated one by one, by ENTRIES."""

    LATER = frozenset({"audit_channel", "auditors"})

    version: Version
    admin_channel: Channel | None = None
    defaults: Any = None
    groups: dict[Name, Any] = {}
    windows: dict[Name, Any] = {}
    chains: dict[Name, Any] = {}
    bundles: dict[Name, Any] = {}
    rules: list[Any] = []
    guardrails: list[Any] = []
    clients: dict[Name, Any] = {}
    resources: dict[Uri, Any] = {}
