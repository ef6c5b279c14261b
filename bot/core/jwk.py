"""Which algorithms a public key is for (RFC 7518, section 3.1; RFC 8037)."""

from collections.abc import Mapping
from typing import Any, Final

# By the kind of key, or by its curve; what is not here is not taken.
ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "PS256"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "Ed25519": ("EdDSA",),
}


def algorithms_of(key: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the algorithms that `key` (JWK, RFC 7517) is for, () for a kind that we do not take.

    A key that names its algorithm (`alg`) is for that one alone.
    """
    able = ALGORITHMS.get(str(key.get("crv", key.get("kty"))), ())
    named = key.get("alg")
    return able if named is None else tuple(each for each in able if each == named)
