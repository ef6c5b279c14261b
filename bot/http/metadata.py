"""Where everything is: the server's metadata (RFC 8414, section 3).

The same object is served under the name that OpenID Connect Discovery gives it, since many
verifiers look only there. Nothing in it comes from the request.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from bot.core.client import Resource
from bot.core.jwk import ALGORITHMS
from bot.http.answers import answer
from bot.http.clients import METHODS
from bot.http.machine_forms import DETAILS_TYPE

_CACHED: Final[Mapping[str, str]] = {hdrs.CACHE_CONTROL: "public, max-age=3600"}
_ASSERTIONS: Final = sorted({name for names in ALGORITHMS.values() for name in names})
# RFC 8414, section 3.1: inserted between the host and the path of the issuer; OpenID Connect
# Discovery 1.0, section 4: put after the path.
_INSERTED: Final = "/.well-known/oauth-authorization-server"
_APPENDED: Final = "/.well-known/openid-configuration"


class Metadata:
    """What the server says of itself.

    Args:
        resources: Returns the APIs that are declared, by URI.
        scopes: Returns every scope that can be asked for.
        grants: The grant types of the token endpoint.
    """

    def __init__(
        self,
        issuer: str,
        *,
        resources: Callable[[], Mapping[str, Resource]],
        scopes: Callable[[], frozenset[str]],
        grants: Sequence[str],
    ) -> None:
        self._issuer = issuer
        self._resources = resources
        self._scopes = scopes
        self._grants = grants

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it is served; also as if the issuer had no path, for a proxy that takes it off."""
        path = urlsplit(self._issuer).path
        return tuple({_INSERTED + path: 1, path + _APPENDED: 1, _INSERTED: 1, _APPENDED: 1})

    async def answer(self, _: web.Request) -> web.Response:
        """Answer with the metadata."""
        return answer(self.content(), headers=_CACHED)

    def content(self) -> Mapping[str, Any]:
        """Return the members (RFC 8414, section 2)."""
        at = self._issuer
        scopes = {scope for each in self._resources().values() for scope in each.scopes}
        listed = {
            "scopes_supported": sorted(scopes | self._scopes()),
            "protected_resources": [*self._resources()],
        }
        return {
            "issuer": at,
            "jwks_uri": f"{at}/.well-known/jwks.json",
            **_endpoint("token", f"{at}/oauth/token"),
            "grant_types_supported": list(self._grants),
            **_endpoint("backchannel_authentication", f"{at}/oauth/backchannel"),
            "backchannel_token_delivery_modes_supported": ["poll"],
            "backchannel_user_code_parameter_supported": False,
            "authorization_details_types_supported": [DETAILS_TYPE],
            **_endpoint("introspection", f"{at}/oauth/introspect"),
            **_endpoint("revocation", f"{at}/oauth/revoke"),
            # REQUIRED, though there is no authorization endpoint; issuers without one say this.
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **{name: value for name, value in listed.items() if value},
        }


def _endpoint(name: str, url: str) -> Mapping[str, Any]:
    """Return the members about an endpoint at which clients authenticate."""
    return {
        f"{name}_endpoint": url,
        f"{name}_endpoint_auth_methods_supported": list(METHODS),
        f"{name}_endpoint_auth_signing_alg_values_supported": _ASSERTIONS,
    }
