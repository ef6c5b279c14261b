"""The kinds of values in policy files, each with the sentence that says what it must be."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import re2
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    no_info_after_validator_function,
    no_info_before_validator_function,
)

from bot.core.conditions import compile_condition
from bot.core.durations import read_duration, spell
from bot.core.policy import Verdict
from bot.core.scopes import Delivery, Risk, Starts, Tracker, is_scope
from bot.core.sources import Provider
from bot.core.texts import tidy
from bot.core.windows import MINUTES_OF_DAY
from bot.policy_files.problems import quoted, shown, suggestion

# Slack, Block Kit reference: a menu has 100 options at most, an option's text 75 characters, its
# value 150.
MAX_SCOPES: Final = 100
MAX_SCOPE: Final = 150
MAX_TITLE: Final = 75
MAX_WORDS: Final = 500
# Nothing in a policy is meant to last longer; what says so is a slip.
LONGEST: Final = timedelta(days=366)
# In characters; what is longer is a program, not a condition.
MAX_CONDITION: Final = 1000

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

VERSION: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# RFC 3986, appendix A: unreserved, reserved and "%"; section 4.3: an absolute URI has a scheme.
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]|24(?=:00)):([0-5][0-9])", re.ASCII)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")


@dataclass(frozen=True, slots=True)
class _Like:
    """Takes a text that matches `pattern` in full."""

    pattern: str
    what: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return {"type": "string", "pattern": f"^({self.pattern})$", "description": self.what}

    def _checked(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(f"{quoted(text)} is not {self.what}")
        return text


class _OneOf:
    """Takes one of `choices` by its name."""

    def __init__(self, *choices: object) -> None:
        self._named = {str(choice): choice for choice in choices}

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_before_validator_function(self._chosen, handler(source))

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return {"enum": list(self._named)}

    def _chosen(self, value: object) -> object:
        if not isinstance(value, str) or value not in self._named:
            raise ValueError(f"{shown(value)} is not allowed" + suggestion(value, self._named))
        return self._named[value]


def _words(most: int) -> AfterValidator:
    """Return a check that makes one line of a text, which must not be blank or too long."""

    def check(text: str) -> str:
        line = " ".join(tidy(text).split())
        if not line:
            raise ValueError("must not be blank")
        if len(line) > most:
            raise ValueError(f"must have {most} characters at most, and has {len(line)}")
        return line

    return AfterValidator(check)


def _length(value: object) -> timedelta:
    if not isinstance(value, str) or len(value) > MAX_TITLE:
        raise ValueError(f"{shown(value)} is not a duration; write 30m, 2h, 1h30m or 7d")
    length = read_duration(value)
    if not length:
        raise ValueError("must be longer than nothing")
    if length > LONGEST:
        raise ValueError(f"{spell(length)} is longer than {spell(LONGEST)}, which is the most")
    return length


def _channel(value: object) -> object:
    if value is None:
        raise ValueError('nothing is left, as # begins a comment; write "#name" in quotes')
    return value


def _scope(text: str) -> str:
    if "*" in text:
        raise ValueError(f"the scope {quoted(text)} has a wildcard in it; name each scope")
    if not is_scope(text):
        raise ValueError(
            f"{quoted(text)} is not a scope: printable ASCII without spaces, quotes, backslashes"
        )
    if len(text) > MAX_SCOPE:
        raise ValueError(f"a scope must have {MAX_SCOPE} characters at most")
    return text


def _uri(text: str) -> str:
    if "#" in text:
        raise ValueError(f"{quoted(text)} has a fragment, and a resource has none (RFC 8707)")
    if _URI.fullmatch(text) is None or not _is_split(text):
        raise ValueError(f"{quoted(text)} is not an absolute URI such as https://billing.example")
    return text


def _is_split(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.hostname) or parts.scheme not in ("http", "https")


def sha256(text: str) -> str:
    """Return `text` if it is a SHA-256 in hex.

    Raises:
        ValueError: It is none.
    """
    if _SHA256.fullmatch(text) is None:
        # What stands there is not repeated: it may be the secret itself.
        raise ValueError("must be a SHA-256 in hex: 64 of 0-9 and a-f")
    return text


def _clock(text: object) -> int:
    """Return how many minutes after midnight "HH:MM" is."""
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{shown(text)} is not a time of day; write 09:00, or 24:00 for midnight")
    return int(found[1]) * 60 + int(found[2])


def _before_midnight(minutes: int) -> int:
    if minutes >= MINUTES_OF_DAY:
        raise ValueError("must come before 24:00")
    return minutes


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, no path at all, a folder of zones
        near = suggestion(text, available_timezones())
        what = f"{quoted(text)} is not a time zone such as Europe/Berlin or UTC{near}"
        raise ValueError(what) from None
    return text


def _dates(text: object) -> tuple[date, date]:
    """Return the first and the last day of "2026-12-19..2027-01-03"."""
    parts = text.split("..") if isinstance(text, str) else []
    try:
        first, last = (date.fromisoformat(part) for part in parts)
    except ValueError:
        example = "2026-12-19..2027-01-03"
        raise ValueError(f"{shown(text)} is not a range of dates; write {example}") from None
    if last < first:
        raise ValueError(f"{first} is after {last}")
    return first, last


def _condition(text: str) -> str:
    if len(text) > MAX_CONDITION:
        raise ValueError(f"must have {MAX_CONDITION} characters at most, and has {len(text)}")
    compile_condition(text)
    return text


def _version(number: int) -> int:
    if number != VERSION:
        raise ValueError(f"version {number} is not known; this is for version {VERSION}")
    return number


def _shape_of_scopes(value: object) -> str | None:
    if isinstance(value, list):
        return A_LIST
    return A_MAPPING if isinstance(value, dict) else None


def _pattern(text: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error as problem:
        why = problem.args[0].decode() if isinstance(problem.args[0], bytes) else problem
        raise ValueError(f"{quoted(text)} is not an RE2 pattern: {why}") from problem
    return text


Name = Annotated[str, _Like(r"[a-z][a-z0-9-]{0,62}", "a name: small letters, digits and dashes")]
Names = Annotated[list[Name], Field(min_length=1)]
UserId = Annotated[str, _Like(r"[UW][A-Z0-9]{2,20}", "a Slack user id such as U012AB3CD")]
UsergroupId = Annotated[str, _Like(r"S[A-Z0-9]{2,20}", "a Slack user group id such as S012AB3CD")]
Owner = Annotated[
    str, _Like(r"[a-z][a-z0-9-]{0,62}|[UW][A-Z0-9]{2,20}", "a group's name or a Slack user id")
]
ProfileFieldId = Annotated[str, _Like(r"Xf[A-Z0-9]{2,20}", "a profile field such as Xf0123ABCD")]
Schedule = Annotated[
    str,
    _Like(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", "a schedule: letters, digits, dots, dashes and _"),
]
ProviderName = Annotated[Provider, _OneOf(*Provider)]
Channel = Annotated[
    str,
    BeforeValidator(_channel),
    _Like(r"#[^\sA-Z#@\"'<>,:]{1,80}|[CG][A-Z0-9]{2,20}", 'a channel: "#name" or an id'),
]
Uri = Annotated[str, AfterValidator(_uri)]
Scope = Annotated[str, AfterValidator(_scope)]
Words = Annotated[str, _words(MAX_WORDS)]
Title = Annotated[str, _words(MAX_TITLE)]
Length = Annotated[
    timedelta,
    BeforeValidator(_length),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
            "description": "a duration: 30m, 2h, 1h30m or 7d",
            "examples": ["30m", "2h", "7d"],
        }
    ),
]
Count = Annotated[int, Field(ge=1)]
Clock = Annotated[
    int,
    BeforeValidator(_clock),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
            "description": "a time of day: 09:00, or 24:00 for midnight",
        }
    ),
]
Start = Annotated[Clock, AfterValidator(_before_midnight)]
Zone = Annotated[str, AfterValidator(_zone)]
Dates = Annotated[
    tuple[date, date],
    BeforeValidator(_dates),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[.][.][0-9]{4}-[0-9]{2}-[0-9]{2}$",
            "description": "the first and the last day: 2026-12-19..2027-01-03",
        }
    ),
]
Day = Annotated[str, _OneOf(*DAYS)]
When = Annotated[list[Annotated[str, AfterValidator(_condition)]], Field(min_length=1)]
Environment = Annotated[str, _OneOf("dev", "staging", "production")]
Access = Annotated[str, _OneOf("read", "write", "admin")]
RiskName = Annotated[Risk, _OneOf(*Risk)]
DeliveryName = Annotated[Delivery, _OneOf(*Delivery)]
StartsName = Annotated[Starts, _OneOf(*Starts)]
TrackerName = Annotated[Tracker, _OneOf(*Tracker)]
IfDown = Annotated[str, _OneOf("deny", "ask")]
Distinct = Annotated[str, _OneOf("chain")]
Decision = Annotated[Verdict, _OneOf(Verdict.AUTO_APPROVE, Verdict.REQUIRE, Verdict.DENY)]
Mode = Annotated[str, _OneOf("enforce", "audit")]
Outcome = Annotated[Verdict, _OneOf(*Verdict)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Sha256 = Annotated[str, AfterValidator(sha256)]
Version = Annotated[int, AfterValidator(_version)]
Labels = dict[str, str]

# Tags that pydantic puts into the place of an error; no key of a file is taken for one.
A_LIST: Final = "a list"
A_MAPPING: Final = "a mapping"
Scopes = Annotated[
    Annotated[list[Scope], Field(min_length=1, max_length=MAX_SCOPES), Tag(A_LIST)]
    | Annotated[dict[Scope, Words], Field(min_length=1, max_length=MAX_SCOPES), Tag(A_MAPPING)],
    Discriminator(
        _shape_of_scopes,
        custom_error_type="scopes_type",
        custom_error_message="must be a list of scopes, or a mapping of scopes to their words",
    ),
]
