"""What a client asks for, as its form says it: RFC 6749, 8707, 9396, and plain names for curl."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NoReturn

from bot.core.durations import read_duration
from bot.core.scopes import is_scope
from bot.core.texts import LONGEST_REASON, LONGEST_TICKET
from bot.core.wanted import Wanted
from bot.http.answers import InvalidRequest, OAuthError

# The one type of RFC 9396 that we know.
DETAILS_TYPE: Final = "access_bundle"
_DETAILS_AT_MOST: Final = 8192  # characters
_KEYS: Final = frozenset({"type", "bundle", "scopes", "duration", "reason", "ticket"})
# The longest list of scopes, in characters; no policy file comes near it.
_SCOPE_AT_MOST: Final = 4096
# What OpenID Connect asks for; we give no id_token, so it changes nothing.
_OPENID: Final = "openid"
_NAME_AT_MOST: Final = 63
_SECONDS_AT_MOST: Final = 366 * 86_400


def read_wanted(form: Mapping[str, str]) -> Wanted:
    """Return what the parameters ask for.

    Raises:
        OAuthError: A scope or a detail is wrong.
        InvalidRequest: A plain parameter is wrong, or says something else than the details.
    """
    details = _details(form.get("authorization_details", ""))
    plain = {name: form[name] for name in ("bundle", "reason", "ticket") if name in form}
    if "duration" in form:
        plain["duration"] = str(_duration(form["duration"]))
    given = {**plain, **details}
    for name in plain.keys() & details.keys():
        if plain[name] != details[name]:
            raise InvalidRequest(f"{name} is not what the authorization_details say")
    return Wanted(
        bundle=_short(given, "bundle", _NAME_AT_MOST),
        scopes=_scopes(form.get("scope", ""), details.get("scopes")),
        resource=form.get("resource", ""),
        duration=timedelta(seconds=int(given["duration"])) if "duration" in given else None,
        reason=_short(given, "reason", LONGEST_REASON),
        ticket=_short(given, "ticket", LONGEST_TICKET),
    )


def _short(given: Mapping[str, str], name: str, most: int) -> str:
    text = given.get(name, "")
    if len(text) > most:
        raise InvalidRequest(f"{name} has {most} characters at most")
    return text


def _duration(text: str) -> int:
    """Return the seconds that `text` says: 900, or 15m."""
    try:
        seconds = int(text) if text.isascii() and text.isdecimal() else 0
        length = timedelta(seconds=seconds) if seconds else read_duration(text)
    except (ValueError, OverflowError):
        raise InvalidRequest("duration is a number of seconds, or such as 15m") from None
    whole = int(length.total_seconds())
    if not 0 < whole <= _SECONDS_AT_MOST:
        raise InvalidRequest("duration is too short or too long")
    return whole


def _scopes(text: str, detailed: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if len(text) > _SCOPE_AT_MOST:
        raise OAuthError("invalid_scope", "the scope is too long")
    named = text.split(" ") if text else []
    if not all(map(is_scope, named)):
        raise OAuthError(
            "invalid_scope", "scopes are separated by one space each (RFC 6749, section 3.3)"
        )
    scopes = tuple(dict.fromkeys(scope for scope in named if scope != _OPENID))
    if detailed is None:
        return scopes or None
    if scopes and set(scopes) != set(detailed):
        raise InvalidRequest("scope is not what the authorization_details say")
    return detailed


def _details(text: str) -> dict[str, Any]:
    """Return the members of the one authorization detail (RFC 9396, section 2), {} for none."""
    if not text:
        return {}
    if len(text) > _DETAILS_AT_MOST:
        _wrong(f"they have {_DETAILS_AT_MOST} characters at most")
    try:
        content = json.loads(text, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError):
        _wrong("they are not JSON, or a member is repeated")
    if not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], dict):
        _wrong("they are a list of one object")
    detail = content[0]
    if detail.get("type") != DETAILS_TYPE:
        _wrong(f'the type must be "{DETAILS_TYPE}"')
    unknown = sorted(detail.keys() - _KEYS)
    if unknown:
        _wrong(f"there is no member {unknown[0][:40]!a}; there is {', '.join(sorted(_KEYS))}")
    return {name: _member(name, value) for name, value in detail.items() if name != "type"}


def _member(name: str, value: object) -> Any:
    if name == "duration":
        if type(value) is not int or not 0 < value <= _SECONDS_AT_MOST:
            _wrong("duration is a number of seconds")
        return str(value)
    if name == "scopes":
        if not isinstance(value, list) or not value or len(value) > _SCOPE_AT_MOST:
            _wrong("scopes is a list of scopes")
        if not all(isinstance(each, str) and is_scope(each) for each in value):
            _wrong("scopes is a list of scopes")
        return tuple(dict.fromkeys(value))
    if not isinstance(value, str) or not value:
        _wrong(f"{name} is a text")
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is repeated")
    return found


def _wrong(sentence: str) -> NoReturn:
    # RFC 9396, section 5.
    raise OAuthError("invalid_authorization_details", f"authorization_details: {sentence}")
