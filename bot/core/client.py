"""OAuth clients: programs that may ask about tokens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client of `policies/clients.yaml`.

    Attributes:
        secret_sha256: SHA-256 of its secret, in hex; the secret itself is kept nowhere.
        resources: The audiences that it answers for (RFC 8707 resource URIs).
    """

    id: str
    secret_sha256: str
    resources: frozenset[str]
