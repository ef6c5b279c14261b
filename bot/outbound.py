"""Questions to services that operators name: over HTTPS, without redirects, to public addresses.

* Hosts that the operator lists may have private addresses and speak plain HTTP; nobody else may.
* A name is looked up once for a connection, and the addresses that were looked at are those that
  are connected to: a name that changes its mind in between changes nothing.
* Three seconds and 64 kB are all that an answer may take. Nothing is asked again, but for the one
  time that aiohttp tries by itself when a connection breaks (all questions are GET).
* Whatever goes wrong is `Unavailable`, with a sentence that names the host and nothing else of
  the URL, as that may hold a credential.

Addresses that are not public: https://www.iana.org/assignments/iana-ipv4-special-registry and
https://www.iana.org/assignments/iana-ipv6-special-registry, as Python's `ipaddress` has them.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import Any, Final

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.core.errors import Unavailable

WITHIN_S: Final = 3.0
MAX_BYTES: Final = 64 * 1024
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
# RFC 6052, section 2.1, and RFC 8215: the last 32 bits are the IPv4 address that is meant.
_TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_OK: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_TOO_MANY: Final = 429
_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said.

    Attributes:
        status: 2xx or 4xx (but not 429); anything else is raised as Unavailable.
        body: The JSON of a 2xx; None with any other status.
    """

    status: int
    body: Any


class Outbound:
    """Asks services; see `open_outbound`.

    Args:
        listed: Host names, in lower case, that may have private addresses and speak plain HTTP.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, listed: frozenset[str], within_s: float
    ) -> None:
        self._session = session
        self._listed = listed
        self._within_s = within_s

    async def get_json(self, url: str, *, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
        """Return what `url`, percent-encoded as it is to be sent, answers.

        Raises:
            Unavailable: It may not be asked, or there is no usable answer.
        """
        asked, host = self._allowed(url)
        # Nothing compressed, so that what is counted is what is unpacked.
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        try:
            async with (
                asyncio.timeout(self._within_s),
                self._session.get(asked, headers=sent, allow_redirects=False) as answer,
            ):
                return await _read(answer, host)
        except TimeoutError:
            raise Unavailable(f"{host} did not answer within {self._within_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            # The cause may quote the URL or a header.
            raise Unavailable(f"{host} did not answer ({type(problem).__name__})") from None

    def _allowed(self, url: str) -> tuple[URL, str]:
        """Return `url` as the connector will read it, and its host.

        Raises:
            Unavailable: It may not be asked.
        """
        try:
            asked = URL(url, encoded=True)  # or dots that were encoded would be dots again
            host = (asked.raw_host or "").lower()
            asked.port  # noqa: B018  reading a port that is none raises
        except ValueError:
            raise Unavailable("a URL in the configuration is not one") from None
        if not host or asked.user is not None:
            raise Unavailable("a URL in the configuration has no host, or a password")
        if asked.scheme != "https" and not (asked.scheme == "http" and host in self._listed):
            raise Unavailable(f"{host} is not asked: its URL is not https")
        if _is_number(host):
            _check(host, host, self._listed)
        return asked, host


class _Checked(AbstractResolver):
    """Looks names up, and gives nobody an address that is not public."""

    def __init__(self, names: AbstractResolver, listed: frozenset[str]) -> None:
        self._names = names
        self._listed = listed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`.

        Raises:
            OSError: There is no such name.
            Unavailable: One of the addresses is not public, and the host is not listed.
        """
        found = await self._names.resolve(host, port, family)
        for address in found:
            _check(host, address["host"], self._listed)
        return found

    async def close(self) -> None:
        """End the look-ups."""
        await self._names.close()


@asynccontextmanager
async def open_outbound(
    listed: frozenset[str] = frozenset(),
    *,
    names: AbstractResolver | None = None,
    within_s: float = WITHIN_S,
) -> AsyncGenerator[Outbound, None]:
    """Give an `Outbound` while the context lasts.

    Args:
        listed: Host names that may have private addresses and speak plain HTTP.
        names: How names are looked up; the system's way when left out.
        within_s: Seconds for a whole answer, the look-up of the name included.
    """
    allowed = frozenset(host.lower() for host in listed)
    resolver = _Checked(names or aiohttp.ThreadedResolver(), allowed)
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,  # a proxy of the environment would look the name up again
    ) as session:
        yield Outbound(session, listed=allowed, within_s=within_s)


async def _read(answer: aiohttp.ClientResponse, host: str) -> Answer:
    if answer.status in _REDIRECT:
        raise Unavailable(f"{host} sends us elsewhere, and we do not follow")
    if answer.status == _TOO_MANY:
        raise Unavailable(f"{host} asks to wait")
    if answer.status >= _FAULT:
        raise Unavailable(f"{host} has a fault ({answer.status})")
    if answer.status not in _OK:
        return Answer(answer.status, None)
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > MAX_BYTES:
            answer.close()
            raise Unavailable(f"{host} answered with more than {MAX_BYTES // 1024} kB")
    try:
        return Answer(answer.status, orjson.loads(bytes(body)))
    except orjson.JSONDecodeError:
        raise Unavailable(f"{host} did not answer with JSON") from None


def _is_number(host: str) -> bool:
    """Return whether `host` is an address in any spelling: the connector looks up only names."""
    last = host.rstrip(".").rpartition(".")[2]
    return ":" in host or last.isdigit() or last.startswith("0x")


def _check(host: str, address: str, listed: frozenset[str]) -> None:
    """Check that what answers at `address` may be asked.

    Raises:
        Unavailable: It is not public, and `host` is not listed.
    """
    if host.lower() in listed:
        return
    try:
        public = _is_public(ip_address(address))
    except ValueError:
        raise Unavailable(f"{host} is not asked: it is no address in its usual form") from None
    if not public:
        raise Unavailable(f"{host} is not asked: its address is private (see JIT_ALLOW_PRIVATE)")


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        meant = address.ipv4_mapped or address.sixtofour
        if any(address in network for network in _TRANSLATED):
            meant = IPv4Address(int(address) & 0xFFFF_FFFF)
        if meant is not None:
            return _is_public(meant)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
