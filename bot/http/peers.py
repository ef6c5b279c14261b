"""From where a call came, and to what, as gateways that are trusted say it.

Anybody can send a header. One counts only where the peer at the other end of the connection is a
gateway of ours (`JIT_TRUSTED_GATEWAYS`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from multidict import MultiMapping

Network: TypeAlias = IPv4Network | IPv6Network

# nginx and Traefik, Apache and others; the first that is there counts.
_METHODS: Final = ("X-Forwarded-Method", "X-Original-Method")
_URIS: Final = ("X-Forwarded-Uri", "X-Original-URI", "X-Original-URL")
# So much of what is said of a call is kept, in characters.
_KEPT: Final = 200
_NOT_PLAIN: Final = re.compile(r"[^\x21-\x7E]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The call that a gateway asks about.

    Attributes:
        method, path: "" where nobody says; the path has no query, which may hold anything.
        address: From where it came, "" where nobody says who can be believed.
    """

    method: str = ""
    path: str = ""
    address: str = ""


_UNKNOWN: Final = Call()


class Peers:
    """Knows which peers are gateways of ours."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._is_trusted = lru_cache(maxsize=1024)(self._looked_up)

    def call(self, headers: MultiMapping[str], *, remote: str | None, path: str = "") -> Call:
        """Return what the headers of a request say of the call that it is about.

        Args:
            remote: The address of whoever sent the request.
            path: Where the call is to if no header says it.
        """
        if not self._trusted or not self._is_trusted(remote or ""):
            return _UNKNOWN
        method = next((each for name in _METHODS if (each := headers.get(name))), "")
        uri = next((each for name in _URIS if (each := headers.get(name))), path)
        return Call(
            method=_plain(method), path=_plain(uri.partition("?")[0]), address=self._from(headers)
        )

    def _from(self, headers: MultiMapping[str]) -> str:
        """Return the last address that none of our gateways has; each adds whom it was asked by."""
        said = ",".join(headers.getall("X-Forwarded-For", ())).split(",")
        found = ""
        for each in reversed(said):
            address = read_address(each.strip())
            if address is None:
                return found
            found = str(address)
            if not self._is_trusted(found):
                return found
        return found

    def _looked_up(self, peer: str) -> bool:
        address = read_address(peer)
        return address is not None and any(address in network for network in self._trusted)


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address in `text`, None if it is none; an IPv4 one in IPv6 form as IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub("?", text)[:_KEPT]
