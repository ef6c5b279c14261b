"""The kinds of values in policy files, each with the sentence that says what it must be."""

import re
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

import re2
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
)

from bot.core.durations import read_duration
from bot.core.policy import Verdict
from bot.core.scopes import Delivery, Risk, is_scope
from bot.core.texts import tidy
from bot.policy_files.problems import quoted, shown, suggestion

# Slack, Block Kit reference: a menu has 100 options at most, an option's text 75 characters, its
# value 150.
MAX_SCOPES: Final = 100
MAX_SCOPE: Final = 150
MAX_TITLE: Final = 75
MAX_WORDS: Final = 500

VERSION: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# RFC 3986, appendix A: unreserved, reserved and "%"; section 4.3: an absolute URI has a scheme.
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")


def _like(pattern: str, what: str) -> AfterValidator:
    shape = re.compile(pattern)

    def check(text: str) -> str:
        if shape.fullmatch(text) is None:
            raise ValueError(f"{quoted(text)} is not {what}")
        return text

    return AfterValidator(check)


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
    return length


def _one_of(*choices: object) -> BeforeValidator:
    """Return a check that takes one of `choices` by its name."""
    named = {str(choice): choice for choice in choices}

    def choose(value: object) -> object:
        if not isinstance(value, str) or value not in named:
            raise ValueError(f"{shown(value)} is not allowed" + suggestion(value, named))
        return named[value]

    return BeforeValidator(choose)


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


def _sha256(text: str) -> str:
    if _SHA256.fullmatch(text) is None:
        # What stands there is not repeated: it may be the secret itself.
        raise ValueError("must be a SHA-256 in hex: 64 of 0-9 and a-f")
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


Name = Annotated[str, _like(r"[a-z][a-z0-9-]{0,62}", "a name: small letters, digits and dashes")]
Names = Annotated[list[Name], Field(min_length=1)]
UserId = Annotated[str, _like(r"[UW][A-Z0-9]{2,20}", "a Slack user id such as U012AB3CD")]
UsergroupId = Annotated[str, _like(r"S[A-Z0-9]{2,20}", "a Slack user group id such as S012AB3CD")]
Channel = Annotated[
    str,
    BeforeValidator(_channel),
    _like(r"#[^\sA-Z#@\"'<>,:]{1,80}|[CG][A-Z0-9]{2,20}", 'a channel: "#name" or an id'),
]
Uri = Annotated[str, AfterValidator(_uri)]
Scope = Annotated[str, AfterValidator(_scope)]
Words = Annotated[str, _words(MAX_WORDS)]
Title = Annotated[str, _words(MAX_TITLE)]
Length = Annotated[timedelta, BeforeValidator(_length)]
Count = Annotated[int, Field(ge=1)]
Environment = Annotated[str, _one_of("dev", "staging", "production")]
Access = Annotated[str, _one_of("read", "write", "admin")]
RiskName = Annotated[Risk, _one_of(*Risk)]
DeliveryName = Annotated[Delivery, _one_of(*Delivery)]
Distinct = Annotated[str, _one_of("chain")]
Decision = Annotated[Verdict, _one_of(*Verdict)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
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
