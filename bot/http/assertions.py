"""A client's signed statement of who it is (RFC 7523, section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from bot.core.jwk import algorithms_of

# Longer than any assertion that a library makes; what is longer is not even decoded.
_LONGEST: Final = 8192
_LONGEST_JTI: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What an assertion says; nothing of it is proven before `is_signed_by`.

    Attributes:
        client: Its issuer and subject, which are the same.
        audience: The one server that it is for.
        begins_at: From when on it holds; when it does not say, since ever.
    """

    text: str
    kid: str | None
    client: str
    audience: str
    jti: str
    expires_at: datetime
    begins_at: datetime

    def is_signed_by(self, key: Mapping[str, Any]) -> bool:
        """Return whether `key` signed it, a public one (JWK, RFC 7517).

        Only the algorithms that the key is for count, whatever the header names; keys and links
        in the header are not looked at.
        """
        if self.kid is not None and key.get("kid", self.kid) != self.kid:
            return False
        for algorithm in algorithms_of(key):
            try:
                jwt.api_jws.decode(
                    self.text, jwt.PyJWK(dict(key), algorithm=algorithm), algorithms=[algorithm]
                )
            except jwt.PyJWTError:
                continue
            return True
        return False


def read_assertion(text: str) -> Assertion | None:
    """Return what `text` says, None if it is no assertion."""
    if len(text) > _LONGEST:
        return None
    try:
        header = jwt.get_unverified_header(text)
        claims = jwt.decode(text, options={"verify_signature": False})
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) == 1:
            audience = audience[0]
        texts = (claims["iss"], audience, claims["jti"])
        if "crit" in header or not all(isinstance(each, str) for each in texts):
            return None
        if claims["iss"] != claims["sub"] or not 0 < len(claims["jti"]) <= _LONGEST_JTI:
            return None
        return Assertion(
            text=text,
            kid=header.get("kid"),
            client=claims["iss"],
            audience=audience,
            jti=claims["jti"],
            expires_at=_time(claims["exp"]),
            begins_at=max(_time(claims.get(name, 0)) for name in ("iat", "nbf")),
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _time(number: object) -> datetime:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError("a NumericDate is a number")
    return datetime.fromtimestamp(number, UTC)
