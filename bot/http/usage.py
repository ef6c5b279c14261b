"""What enforcement points report: `POST /v1/usage`, in JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Final, Literal, TypeVar

import orjson
from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.core.client import Client
from bot.core.scopes import is_scope
from bot.http.answers import InvalidRequest, answer
from bot.http.clients import Clients
from bot.http.forms import SCOPE_AT_MOST, SCOPES_AT_MOST, read_body
from bot.usecases.intake import Intake, Report, Reported
from bot.usecases.ports import Clock
from bot.usecases.use import UseOutcome

T = TypeVar("T")

# A use is about 150 bytes.
REPORT_AT_MOST: Final = 256 * 1024
USES_AT_MOST: Final = 500
ALIVE_AT_MOST: Final = 50
COUNT_AT_MOST: Final = 1_000_000
# How old a use may be that is reported, and how far the point's clock may be ahead of ours.
REPORTED_WITHIN: Final = timedelta(days=1)
AHEAD_AT_MOST: Final = timedelta(minutes=1)
# Members by which a client may prove who it is that signs; see `Clients.caller`.
_CREDENTIALS: Final = ("client_id", "client_secret", "client_assertion", "client_assertion_type")


def _scopes(text: str) -> str:
    scopes = text.split(" ") if text else []
    fits = len(scopes) <= SCOPES_AT_MOST
    if not fits or not all(is_scope(scope) and len(scope) <= SCOPE_AT_MOST for scope in scopes):
        raise ValueError(f"must be at most {SCOPES_AT_MOST} scopes, separated by single spaces")
    return text


def _time(value: object) -> datetime:
    """Return the time that is given as a NumericDate (RFC 7519, section 2) or as in RFC 3339."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        at = datetime.fromisoformat(str(value))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError("must be seconds since 1970, or a time with its zone as in RFC 3339")


def _address(text: str) -> str:
    try:
        return str(ip_address(text)) if text else ""
    except ValueError:
        raise ValueError("must be an IP address") from None


class _Strict(BaseModel):
    # What a later version of a point says besides is no mistake of it.
    model_config = ConfigDict(strict=True, extra="ignore")


class _Use(_Strict):
    jti: Annotated[str, Field(min_length=1, max_length=64)]
    scope: Annotated[str, AfterValidator(_scopes)] = ""
    outcome: Literal["allowed", "beyond", "ended"]
    at: Annotated[datetime, BeforeValidator(_time)]
    count: Annotated[int, Field(ge=1, le=COUNT_AT_MOST)] = 1
    address: Annotated[str, AfterValidator(_address)] = ""


class _Report(_Strict):
    batch: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{8,64}$")]
    point: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]
    uses: Annotated[list[_Use], Field(max_length=USES_AT_MOST)] = []
    alive: Annotated[list[str], Field(max_length=ALIVE_AT_MOST)] = []


class Usage:
    """The endpoint for what enforcement points report."""

    def __init__(self, intake: Intake, *, clients: Clients, clock: Clock) -> None:
        self._intake = intake
        self._clients = clients
        self._clock = clock

    async def report(self, request: web.Request) -> web.Response:
        """Take a report down, and answer how much of it; the same batch counts once."""
        content = await _read_json(request)
        credentials = {
            name: value
            for name in _CREDENTIALS
            if isinstance(value := content.get(name), str) and value
        }
        client = await self._clients.caller(request, credentials)
        taken = await self._intake.take(self._read(content, client), caller=client)
        return answer({"recorded": taken.recorded, "unknown": taken.unknown})

    def _read(self, content: dict[str, object], client: Client) -> Report:
        """Return what is reported.

        Raises:
            InvalidRequest: A part of it is not what it must be.
        """
        try:
            read = _Report.model_validate(content)
        except ValidationError as problem:
            raise InvalidRequest(_sentence(problem)) from None
        foreign = [each for each in read.alive if each not in client.resources]
        if foreign:
            raise InvalidRequest("alive names a resource that this client does not answer for")
        return Report(
            id=read.batch,
            point=read.point,
            uses=[self._use(number, each) for number, each in enumerate(read.uses)],
            alive=tuple(dict.fromkeys(read.alive)),
        )

    def _use(self, number: int, read: _Use) -> Reported:
        now = self._clock.now()
        if not now - REPORTED_WITHIN <= read.at <= now + AHEAD_AT_MOST:
            raise InvalidRequest(f"uses[{number}].at must lie within the last 24 hours")
        return Reported(
            jti=read.jti,
            scopes=tuple(dict.fromkeys(read.scope.split(" "))) if read.scope else (),
            outcome=UseOutcome(read.outcome),
            at=read.at,
            count=read.count,
            address=read.address,
        )


async def _read_json(request: web.Request) -> dict[str, object]:
    """Return the object in the body of `request`.

    Raises:
        InvalidRequest: There is none.
        HTTPRequestEntityTooLarge, HTTPRequestTimeout: See `read_body`.
    """
    if request.content_type != "application/json":
        raise InvalidRequest("the body must be of type application/json")
    body = await read_body(request.clone(client_max_size=REPORT_AT_MOST))
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidRequest("the body is not JSON") from None
    if not isinstance(content, dict):
        raise InvalidRequest("the body must be a JSON object")
    return content


# What pydantic calls a mistake, and what is said of it.
_SAID: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "string_too_short": "must have {min_length} characters or more",
    "string_too_long": "must have {max_length} characters or fewer",
    "string_pattern_mismatch": "must match {pattern}",
    "too_long": "must have {max_length} entries or fewer",
    "value_error": "{error}",
}


def _sentence(problem: ValidationError) -> str:
    """Return what is wrong first: "uses[3].count must be 1 or more"."""
    first = problem.errors(include_url=False, include_input=False)[0]
    path = ""
    for part in first["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return f"{path} {_SAID[first['type']].format(**first.get('ctx', {}))}"
