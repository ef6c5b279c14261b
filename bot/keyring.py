"""Signing keys: a folder of RSA keys, the newest signs, all of them are published.

RS256 everywhere: every resource server must support it (RFC 9068, section 2.1), and it is
deterministic, so a token can be made again from its claims and need not be stored.
"""

import base64
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from bot.core.errors import Invalid, Misconfigured, Unavailable

ALGORITHM: Final = "RS256"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105  RFC 9068, section 2.1
# RFC 7518, section 3.3: "A key of size 2048 bits or larger MUST be used".
KEY_BITS: Final = 2048
_EXPONENT: Final = 65537
# Longer than any token of ours; what is longer is not even decoded.
_LONGEST_TOKEN: Final = 8192
# RFC 7515, section 7.1: the compact serialization, three parts without padding.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_HEADER: Final = frozenset({"alg", "kid", "typ"})
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class Keyring:
    """The port Signer over RSA keys held in memory; the last key signs new tokens."""

    def __init__(self, keys: Sequence[RSAPrivateKey]) -> None:
        if not keys:
            raise Misconfigured("the ring has no signing key; `jit keys init` makes one")
        self._keys = {_thumbprint(key): key for key in keys}
        self._active = _thumbprint(keys[-1])

    @classmethod
    def of(cls, *keys: RSAPrivateKey) -> "Keyring":
        """Return a ring of `keys`, the oldest first."""
        return cls(keys)

    @classmethod
    def load(cls, folder: Path) -> "Keyring":
        """Return the ring of the *.pem files in `folder`; the greatest file name is the newest.

        Raises:
            Misconfigured: With every problem found: no key, a key that is not RSA or is too
                small, or files that others could read or change.
        """
        problems = _folder_problems(folder)
        keys = []
        for path in sorted(folder.glob("*.pem")):
            try:
                keys.append(_read_key(path))
            except Misconfigured as problem:
                problems.extend(problem.problems)
        if problems:
            raise Misconfigured(*problems)
        if not keys:
            raise Misconfigured(f"{folder} holds no signing key; `jit keys init` makes one")
        return cls(keys)

    @property
    def active_kid(self) -> str:
        """The key that signs new tokens."""
        return self._active

    def knows(self, kid: str) -> bool:
        """Return whether the key is in the ring: tokens of a key that left are dead."""
        return kid in self._keys

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
        return {"keys": [_public(kid, key) for kid, key in reversed(self._keys.items())]}

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


def make_key(folder: Path, *, name: str) -> Path:
    """Return the path of a new key `name`.pem in `folder`, readable by its owner alone.

    The folder is made if it is missing. The file appears whole or not at all, and never replaces
    another.

    Raises:
        Misconfigured: There is a key of that name, or the folder cannot be written.
    """
    path = folder / f"{name.removesuffix('.pem')}.pem"
    if path.parent != folder:
        raise Misconfigured(f"{name!r} is not a file name")
    pem = generate_private_key(_EXPONENT, KEY_BITS).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_whole(path, pem)
    except FileExistsError as problem:
        taken = problem.filename2 or problem.filename
        raise Misconfigured(f"{taken} exists already") from problem
    except OSError as problem:
        raise Misconfigured(f"cannot write a key to {folder}: {problem.strerror}") from problem
    return path


def _write_whole(path: Path, content: bytes) -> None:
    # mkstemp gives mode 0600; a link, unlike a rename, never replaces what is there.
    number, made = tempfile.mkstemp(dir=path.parent, prefix=".key-", suffix=".tmp")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(number)
        os.link(made, path)
    finally:
        Path(made).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _folder_problems(folder: Path) -> list[str]:
    try:
        mode = folder.stat().st_mode
    except OSError as problem:
        return [f"the key folder {folder} cannot be read: {problem.strerror}"]
    if not stat.S_ISDIR(mode):
        return [f"{folder} is not a folder of keys"]
    if mode & _WRITE_BY_OTHERS:
        return [f"others can write to {folder}: chmod go-w {folder}"]
    return []


def _read_key(path: Path) -> RSAPrivateKey:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read()
    except OSError as problem:
        raise Misconfigured(f"{path} cannot be read: {problem.strerror}") from problem
    if mode & _OTHERS:
        raise Misconfigured(f"others can use {path}: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as problem:
        raise Misconfigured(f"{path} is encrypted; keys are kept without a password") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise Misconfigured(f"{path} is not a private key in PEM form") from problem
    if not isinstance(key, RSAPrivateKey):
        raise Misconfigured(f"{path} is not an RSA key")
    if key.key_size < KEY_BITS:
        raise Misconfigured(f"{path} has {key.key_size} bits; a key needs {KEY_BITS} or more")
    return key


def _members(key: RSAPrivateKey) -> dict[str, str]:
    """Return the public members that RFC 7638, section 3.2, makes the thumbprint of."""
    full = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"e": full["e"], "kty": "RSA", "n": full["n"]}


def _thumbprint(key: RSAPrivateKey) -> str:
    canonical = json.dumps(_members(key), separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _public(kid: str, key: RSAPrivateKey) -> dict[str, str]:
    return {"kid": kid, "use": "sig", "alg": ALGORITHM, **_members(key)}
