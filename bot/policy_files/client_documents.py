"""What clients and resources may hold in a policy file; see `documents.py`."""

from typing import Annotated, Any, Final

import jwt
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from bot.core.jwk import algorithms_of
from bot.policy_files.documents import Model
from bot.policy_files.kinds import (
    Length,
    Name,
    Names,
    Owner,
    Scope,
    Sha256,
    Title,
    Uri,
    Words,
    sha256,
)

# RFC 7518, sections 6.2.2, 6.3.2 and 6.4: these members are the private part of a key.
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# RFC 7518, section 3.3: "A key of size 2048 bits or larger MUST be used".
_RSA_BITS: Final = 2048


def _secrets(value: object) -> object:
    # One alone is checked here, since a place in a list is none in the file.
    return [sha256(value)] if isinstance(value, str) else value


def _public_key(key: dict[str, Any]) -> dict[str, Any]:
    # What stands there is not repeated: it may be a private key.
    if _PRIVATE & set(key):
        raise ValueError("this is a private key: give the public one, and make a new pair")
    if not algorithms_of(key):
        raise ValueError("must be a public RSA, P-256, P-384 or Ed25519 key (RFC 7517)")
    try:
        public = jwt.PyJWK(key, algorithm=algorithms_of(key)[0]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise ValueError("this is not a public key in JWK form (RFC 7517)") from None
    if key["kty"] == "RSA" and public.key_size < _RSA_BITS:
        raise ValueError(f"the key has {public.key_size} bits; it needs {_RSA_BITS} or more")
    return key


Secrets = Annotated[
    list[Sha256],
    BeforeValidator(_secrets),
    Field(min_length=1, max_length=2),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    "minItems": 1,
                    "maxItems": 2,
                },
            ],
            "description": "the SHA-256 of the secret, in hex; two while a secret is changed",
        }
    ),
]
PublicKey = Annotated[dict[str, Any], AfterValidator(_public_key)]


class Client(Model):
    """A program that may ask about tokens, or for some."""

    secret_sha256: Secrets | None = None
    jwks: Annotated[list[PublicKey], Field(min_length=1)] | None = None
    resources: Annotated[list[Uri], Field(min_length=1)] | None = None
    bundles: Names | None = None
    owner: Annotated[Owner | None, Field(validate_default=True)] = None
    reason: Words = ""

    @field_validator("owner")
    @classmethod
    def _is_owned(cls, owner: str | None, info: ValidationInfo) -> str | None:
        if owner is None and info.data.get("bundles"):
            raise ValueError("a client that asks for bundles needs an `owner`: who answers for it?")
        return owner

    @model_validator(mode="after")
    def _can_do_something(self) -> "Client":
        if self.secret_sha256 is None and self.jwks is None:
            raise ValueError("a client needs `secret_sha256` or `jwks`; see `jit clients add`")
        if self.resources is None and self.bundles is None:
            raise ValueError("a client needs `resources`, `bundles`, or both")
        return self


class Resource(Model):
    """An API that tokens are for."""

    title: Title
    owner: Name | None = None
    scopes: Annotated[dict[Scope, Words], Field(min_length=1)]
    token_max: Length | None = None
