"""What each API wants of a token (RFC 9728).

An API is described under its own name, host and path: `https://api.example/v1` at
`/.well-known/oauth-protected-resource/api.example/v1`, which is what challenges name. Gateways of
the API can pass `/.well-known/oauth-protected-resource/v1` of its own host on to there; here that
short form is answered too as long as one API alone has this path.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from aiohttp import hdrs, web

from bot.core.client import Resource
from bot.http.answers import answer

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_CACHED: Final[Mapping[str, str]] = {hdrs.CACHE_CONTROL: "public, max-age=3600"}
# RFC 3986, section 3.3: what a segment of a path may hold, "%" being kept as it stands.
_IN_PATHS: Final = "/:@!$&'()*+,;=~%"


class ProtectedResources:
    """Describes the APIs that are declared.

    Args:
        resources: Returns them, by URI.
    """

    def __init__(self, issuer: str, *, resources: Callable[[], Mapping[str, Resource]]) -> None:
        self._issuer = issuer
        self._resources = resources

    def url(self, uri: str) -> str:
        """Return where the API `uri` is described, "" if it is not declared."""
        return f"{self._issuer}{WELL_KNOWN}{_place(uri)}" if uri in self._resources() else ""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the description of an API.

        Raises:
            HTTPNotFound: There is none of that name, or several.
        """
        asked = "/" + request.match_info.get("place", "")
        resources = self._resources()
        named = [uri for uri in resources if unquote(_place(uri)) == asked]
        found = named or [uri for uri in resources if unquote(_path(uri)) == asked.rstrip("/")]
        if len(found) != 1:
            raise web.HTTPNotFound(text=f"add the API's host and path: {WELL_KNOWN}/HOST/PATH")
        return answer(self.content(resources[found[0]]), headers=_CACHED)

    def content(self, resource: Resource) -> Mapping[str, Any]:
        """Return the members (RFC 9728, section 2)."""
        return {
            "resource": resource.uri,
            "authorization_servers": [self._issuer],
            "scopes_supported": sorted(resource.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": resource.title,
        }


def _place(uri: str) -> str:
    """Return the path under which `uri` is described; plain HTTP and other schemes are named."""
    scheme, _, rest = uri.partition(":")
    name = rest.removeprefix("//")
    return quote(f"/{name}" if scheme == "https" else f"/{scheme}/{name}", safe=_IN_PATHS)


def _path(uri: str) -> str:
    return urlsplit(uri).path.rstrip("/")
