"""Tests of policies: policies/tests/*.yaml, each case a request and the decision that it must get.

as_of: "2026-11-23T10:00:00+01:00"
tests:
  - name: an engineer reads staging at once
    given: {groups: [engineers], bundle: staging-logs, duration: 10m}
    expect: {outcome: auto_approve, rule: staging-at-once}
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bot.core.policy import Policy
from bot.policy_files.documents import Model
from bot.policy_files.explain import problems_of
from bot.policy_files.folder import Folder, read_folder
from bot.policy_files.kinds import (
    Channel,
    Length,
    Name,
    Names,
    Outcome,
    Scope,
    StartsName,
    UserId,
    Version,
)
from bot.policy_files.load import WrongFiles
from bot.policy_files.positions import Source
from bot.policy_files.problems import Path as At
from bot.policy_files.problems import Problem, quoted, shown, suggestion


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        example = "2026-11-23T10:00:00+01:00"
        raise ValueError(f"{shown(value)} is not a time with its zone; write {example}")
    return at


AsOf = Annotated[datetime, BeforeValidator(_time)]
Number = Annotated[int, Field(ge=0)]


class Given(Model):
    """Who asks for what, and how things stand.

    A `client` asks in the name of the `user`, or for itself where none is given.
    """

    user: UserId = "U0SOMEBODY"
    client: Name | None = None
    groups: list[Name] = Field(default_factory=list)
    bundle: Name
    scopes: Annotated[list[Scope], Field(min_length=1)] | None = None
    duration: Length | None = None
    reason: str = "a reason that is long enough for every bundle"
    ticket: str | None = None
    as_of: AsOf | None = None
    start_in: Length | None = None
    break_glass: bool = False
    active_grants: Number = 0
    requests_today: Number = 0
    auto_today: Number = 0
    tracker_down: bool = False

    @property
    def is_service(self) -> bool:
        """Whether a client asks for itself."""
        return self.client is not None and "user" not in self.model_fields_set

    @model_validator(mode="after")
    def _is_somebody(self) -> "Given":
        if self.is_service and self.groups:
            raise ValueError("a client alone is in no group; name the `user` whom it asks for")
        if self.client is not None and self.break_glass:
            raise ValueError("no client can break the glass; take `client` or `break_glass` out")
        return self


class Expect(Model):
    """What must come of it; what is left out is not looked at."""

    outcome: Outcome
    rule: Name | None = None
    guardrail: Name | None = None
    chain: Name | None = None
    approvals: Number | None = None
    at_least: dict[Name, Number] | None = None
    channel: Channel | None = None
    review_by: Names | None = None
    starts: StartsName | None = None
    because: str | None = None
    skipped: list[Name] | None = None
    audit: list[Name] | None = None


class CaseEntry(Model):
    """One case."""

    name: str
    given: Given
    expect: Expect


class CaseFile(Model):
    """One file of cases."""

    version: Version = 1
    as_of: AsOf | None = None
    tests: Annotated[list[CaseEntry], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case at its place."""

    name: str
    given: Given
    expect: Expect
    as_of: datetime
    source: Source
    path: At

    def problem(self, *part: str | int, what: str) -> Problem:
        """Return the problem `what` with a part of the case."""
        path = (*self.path, *part)
        while path not in self.source.places:
            path = path[:-1]
        return self.source.problem(path, what)


def load_cases(folder: Path, policy: Policy) -> tuple[Case, ...]:
    """Return the cases in the folder `tests` of a policy folder; none if there is no such folder.

    Raises:
        WrongFiles: With everything that is wrong in any of the files.
    """
    return cases_in(read_folder(folder), policy)


def cases_in(folder: Folder, policy: Policy) -> tuple[Case, ...]:
    """Return the cases of a folder that was read; see `load_cases`."""
    sources = folder.sources(of_tests=True)
    cases: list[Case] = []
    problems = [problem for source in sources for problem in source.problems]
    for source in sources:
        if not source.problems:
            _read(source, cases, problems)
    for case in cases:
        problems += _unknown(case, policy)
    if problems:
        raise WrongFiles(*sorted(problems))
    return tuple(cases)


def _read(source: Source, cases: list[Case], problems: list[Problem]) -> None:
    """Add what a file says to `cases`, or what is wrong with it to `problems`."""
    try:
        file = CaseFile.model_validate(source.content)
    except ValidationError as error:
        problems.extend(problems_of(error, source, (), CaseFile))
        return
    for place, test in enumerate(file.tests):
        path: At = ("tests", place)
        as_of = test.given.as_of or file.as_of
        if as_of is None:
            what = "say `as_of`, here or once for the file"
            problems.append(source.problem((*path, "given"), what))
            continue
        cases.append(
            Case(
                name=test.name,
                given=test.given,
                expect=test.expect,
                as_of=as_of,
                source=source,
                path=path,
            )
        )


def _unknown(case: Case, policy: Policy) -> Iterator[Problem]:
    """Yield a problem for every name that the policy does not have."""
    given, expect = case.given, case.expect
    rules = {rule.id for rules in policy.rules_of.values() for rule in rules}
    rails = {rail.id for rails in policy.guardrails_of.values() for rail in rails}
    audited = {each.one.id for found in policy.audited_of.values() for each in found}
    named = [
        (("given", "bundle"), "bundle", given.bundle, policy.bundles),
        *(
            (("given", "groups", place), "group", name, policy.groups)
            for place, name in enumerate(given.groups)
        ),
        (("expect", "rule"), "rule or guardrail", expect.rule, rules | rails),
        (("expect", "guardrail"), "guardrail", expect.guardrail, rails),
        *(
            (("expect", "audit", place), "rule or guardrail in audit mode", name, audited)
            for place, name in enumerate(expect.audit or ())
        ),
        *(
            (("expect", "review_by", place), "group", name, policy.groups)
            for place, name in enumerate(expect.review_by or ())
        ),
        *(
            (("expect", "at_least", name), "group", name, policy.groups)
            for name in expect.at_least or ()
        ),
    ]
    for part, kind, name, known in named:
        if name is not None and name not in known:
            near = suggestion(name, sorted(known))
            yield case.problem(*part, what=f"there is no {kind} {quoted(name)}{near}")
