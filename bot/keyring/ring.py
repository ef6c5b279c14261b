"""A ring of RSA keys: one signs, all of them are published.

RS256 everywhere: every resource server must support it (RFC 9068, section 2.1), and it is
deterministic, so a token can be made again from its claims and need not be stored.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm

from bot.core.errors import Invalid, Misconfigured, Unavailable

ALGORITHM: Final = "RS256"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105  RFC 9068, section 2.1
# RFC 7518, section 3.3: "A key of size 2048 bits or larger MUST be used".
KEY_BITS: Final = 2048
# Longer than any token of ours; what is longer is not even decoded.
_LONGEST_TOKEN: Final = 8192
# RFC 7515, section 7.1: the compact serialization, three parts without padding.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_HEADER: Final = frozenset({"alg", "kid", "typ"})


class Keyring:
    """The port Signer over RSA keys held in memory.

    Args:
        keys: The oldest first.
        active: Which of them signs new tokens; None for the last.
    """

    def __init__(self, keys: Sequence[RSAPrivateKey], active: int | None = None) -> None:
        self.hold(keys, active)

    @classmethod
    def of(cls, *keys: RSAPrivateKey) -> "Keyring":
        """Return a ring of `keys`, the oldest first."""
        return cls(keys)

    @property
    def active_kid(self) -> str:
        """The key that signs new tokens."""
        return self._active

    def hold(self, keys: Sequence[RSAPrivateKey], active: int | None = None) -> None:
        """Hold these from now on, and no others; see the class for what they are."""
        if not keys:
            raise Misconfigured("the ring has no signing key; `jit keys init` makes one")
        self._keys = {thumbprint(key): key for key in keys}
        self._active = thumbprint(keys[-1 if active is None else active])

    def knows(self, kid: str) -> bool:
        """Return whether the key is in the ring: tokens of a key that left are dead."""
        return kid in self._keys

    def kids(self) -> frozenset[str]:
        """Return the names of all keys: tokens of any other are dead."""
        return frozenset(self._keys)

    def sign(self, claims: Mapping[str, Any], *, kid: str) -> str:
        """Return a JWT of type at+jwt (RFC 9068); equal claims give the same bytes.

        Raises:
            Unavailable: The key has left the ring.
        """
        key = self._keys.get(kid)
        if key is None:
            raise Unavailable("the key that signed this token is no longer in use")
        header = {"kid": kid, "typ": TOKEN_TYPE}
        return jwt.encode(dict(sorted(claims.items())), key, algorithm=ALGORITHM, headers=header)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys, the active one first (RFC 7517, section 5)."""
        newest_first = [kid for kid in reversed(self._keys) if kid != self._active]
        return {"keys": [_public(kid, self._keys[kid]) for kid in (self._active, *newest_first)]}

    def verify(
        self, token: str, *, issuer: str, now: datetime, leeway: timedelta = timedelta(0)
    ) -> Mapping[str, Any]:
        """Return the claims of an access token that this ring signed for `issuer`.

        The audience is the caller's to check. Only our own three header members are accepted:
        a header that brings a key, or says where to get one, is refused.

        Raises:
            Invalid: It is not such a token, or it is not its time.
        """
        claims = self._checked(token, issuer)
        begins, ends = claims["iat"], claims["exp"]
        if not (type(begins) is type(ends) is int):
            raise Invalid("this is not a token of ours", field="token")
        if not (now - leeway).timestamp() < ends:
            raise Invalid("this token has expired", field="token")
        if begins > (now + leeway).timestamp():
            raise Invalid("this token is from the future", field="token")
        return claims

    def signed(self, token: str, *, issuer: str) -> Mapping[str, Any]:
        """Return the claims of an access token that this ring signed for `issuer`.

        Whether it is its time, or still good, is not looked at; see `verify` for what is refused.

        Raises:
            Invalid: It is not such a token.
        """
        return self._checked(token, issuer)

    def _checked(self, token: str, issuer: str) -> Mapping[str, Any]:
        try:
            key = self._key_for(token)
            return jwt.decode(
                token,
                key.public_key(),
                algorithms=[ALGORITHM],
                issuer=issuer,
                # The caller's `now` decides about time.
                options={
                    "require": ["aud", "exp", "iat", "iss", "jti", "sub"],
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as problem:
            raise Invalid("this is not a token of ours", field="token") from problem

    def _key_for(self, token: str) -> RSAPrivateKey:
        if len(token) > _LONGEST_TOKEN or _COMPACT.fullmatch(token) is None:
            raise jwt.DecodeError("not a compact JWS")
        header = jwt.get_unverified_header(token)
        if set(header) != _HEADER or header["typ"] != TOKEN_TYPE:
            raise jwt.DecodeError("not our header")
        key = self._keys.get(header["kid"])
        if key is None:
            raise jwt.InvalidKeyError("not in the ring")
        return key

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._keys)}, active {self._active}>"


class MemorySigner:
    """Signer in memory: quick, deterministic, and safe for nothing but tests.

    Args:
        kids: Names of the keys; the last signs new tokens.
    """

    def __init__(self, *kids: str) -> None:
        self.kids = list(kids)

    @property
    def active_kid(self) -> str:
        """See `Signer.active_kid`."""
        return self.kids[-1]

    def knows(self, kid: str) -> bool:
        """See `Signer.knows`."""
        return kid in self.kids

    def sign(self, claims: Mapping[str, Any], *, kid: str) -> str:
        """See `Signer.sign`; the third part is a digest of the others, and proves nothing."""
        if not self.knows(kid):
            raise Unavailable("the key that signed this token is no longer in use")
        parts = [{"alg": "none", "kid": kid, "typ": TOKEN_TYPE}, claims]
        signed = ".".join(
            _base64url(json.dumps(part, separators=(",", ":"), sort_keys=True).encode())
            for part in parts
        )
        return f"{signed}.{_base64url(hashlib.sha256(signed.encode()).digest())}"

    def signed(self, token: str, *, issuer: str) -> Mapping[str, Any]:
        """See `Keyring.signed`."""
        try:
            head, body, _ = token.split(".")
            kid = json.loads(_bytes(head))["kid"]
            claims: dict[str, Any] = json.loads(_bytes(body))
            good = self.sign(claims, kid=kid) == token and claims["iss"] == issuer
        except (ValueError, KeyError, TypeError, Unavailable):
            good, claims = False, {}
        if not good:
            raise Invalid("this is not a token of ours", field="token")
        return claims


def _members(key: RSAPrivateKey) -> dict[str, str]:
    """Return the public members that RFC 7638, section 3.2, makes the thumbprint of."""
    full = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"e": full["e"], "kty": "RSA", "n": full["n"]}


def thumbprint(key: RSAPrivateKey) -> str:
    """Return the name of a key (`kid`): its thumbprint (RFC 7638)."""
    canonical = json.dumps(_members(key), separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _public(kid: str, key: RSAPrivateKey) -> dict[str, str]:
    return {"kid": kid, "use": "sig", "alg": ALGORITHM, **_members(key)}
