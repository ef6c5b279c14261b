"""What a gateway's line asks: which scopes, of which API."""

from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from bot.core.enforcement import Need
from bot.core.scopes import is_scope

# More than any line of a configuration has; what is longer came from elsewhere.
LONGEST: Final = 4096
_FIELDS_AT_MOST: Final = 64
_KNOWN: Final = ("scope", "resource", "any")
_SWITCH: Final = {"": False, "0": False, "1": True}


class Misasked(Exception):
    """The gateway asks for what cannot be decided; `str(problem)` says how to ask."""


@lru_cache(maxsize=1024)
def read_need(query: str) -> Need:
    """Return what the query string asks for; there are few of them, one for each line.

    Other parameters are left alone: some gateways pass on the query of the call.

    Raises:
        Misasked: It is malformed, says no scope, or says something twice.
    """
    given = _read(query)
    scopes = tuple(dict.fromkeys(given.get("scope", "").split(" ")))
    if scopes == ("",):
        raise Misasked("say which scope is needed: ?scope=invoices:read")
    if not all(map(is_scope, scopes)):
        raise Misasked("the scopes are malformed (RFC 6749, section 3.3)")
    if given.get("any", "") not in _SWITCH:
        raise Misasked("any is 1 where one of the scopes will do")
    return Need(
        scopes=scopes, any_of=_SWITCH[given.get("any", "")], resource=given.get("resource", "")
    )


def _read(query: str) -> dict[str, str]:
    if len(query) > LONGEST:
        raise Misasked("the question is too long")
    try:
        fields = parse_qsl(
            query.encode("ascii").decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_AT_MOST,
        )
    except ValueError:
        raise Misasked("the question cannot be read") from None
    known = [(name, value) for name, value in fields if name in _KNOWN]
    found = dict(known)
    if len(found) != len(known):
        raise Misasked("a parameter is repeated")
    return found
