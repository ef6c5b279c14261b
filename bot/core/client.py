"""OAuth clients, which ask about tokens or for some; and the APIs that tokens are for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client of `policies/clients.yaml`.

    Attributes:
        secrets_sha256: SHA-256 of its secrets, in hex; any of them will do, so that one can be
            changed without a gap. The secrets themselves are kept nowhere.
        keys: Public keys by which it may prove who it is (JWK, RFC 7517).
        resources: The audiences that it answers for (RFC 8707 resource URIs).
        bundles: What it may ask for.
        owner: Who answers for it, and may not approve what it asks for: a group's name, or a
            Slack user id; "" for a client that asks for nothing.
        reason: What it asks for things for, where it does not say itself.
    """

    id: str
    secrets_sha256: frozenset[str] = frozenset()
    keys: tuple[Mapping[str, Any], ...] = ()
    resources: frozenset[str] = frozenset()
    bundles: tuple[str, ...] = ()
    owner: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One API of `policies/resources.yaml`.

    Attributes:
        uri: Its name in tokens (`aud`; RFC 8707).
        owner: The group that answers for it; "" if nobody is named.
        scopes: What each of its scopes allows, in words.
        token_max: How long a token for it may live; None for as long as the grant.
    """

    uri: str
    title: str
    owner: str = ""
    scopes: Mapping[str, str] = field(default_factory=dict)
    token_max: timedelta | None = None
