"""Which bundle a client means, by its name or by scopes alone."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.core.client import Client
from bot.core.errors import Invalid, NotAllowed
from bot.core.policy import Policy
from bot.core.scopes import Bundle

# So much of what was sent is said back, in characters.
_QUOTED: Final = 60


class Unlisted(NotAllowed):
    """The client is not one that may ask for this at all."""

    code = "unlisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client asks for, not yet checked.

    Attributes:
        bundle: "" where scopes alone are named.
        scopes: None for all of the bundle's.
        resource: The audience that it expects (RFC 8707); "" for the bundle's, whatever that is.
        duration: None for the bundle's default.
        reason: "" for what the policy files say in its place.
        code: The binding message; "" for none.
        patience: How long it will wait for people; None for as long as the chain does.
    """

    bundle: str = ""
    scopes: tuple[str, ...] | None = None
    resource: str = ""
    duration: timedelta | None = None
    reason: str = ""
    ticket: str = ""
    code: str = ""
    patience: timedelta | None = None


def bundle_for(client: Client, policy: Policy, wanted: Wanted) -> Bundle:
    """Return the bundle that `wanted` is about: of those with all of the scopes, the smallest.

    Of several that are as small and as harmless it is the one that the client lists first.

    Nothing is said of bundles that the client is not listed for.

    Raises:
        Unlisted: It may not ask for the bundle, or for any.
        Invalid: No bundle of its has these scopes, or is for that resource.
    """
    mine = [policy.bundles[name] for name in client.bundles if name in policy.bundles]
    if not mine:
        raise Unlisted(f"{client.id} may not ask for any bundle; see its entry in the policy files")
    if wanted.bundle:
        mine = [bundle for bundle in mine if bundle.name == wanted.bundle]
        if not mine:
            raise Unlisted(f"{client.id} may not ask for the bundle {wanted.bundle[:_QUOTED]!a}")
    elif not wanted.scopes:
        raise Invalid("say which bundle, or which scopes", field="bundle")
    mine = [bundle for bundle in mine if wanted.resource in ("", bundle.resource)]
    if not mine:
        raise Invalid(f"nothing of this is for {wanted.resource[:_QUOTED]!a}", field="resource")
    return _smallest(mine, wanted.scopes or ())


def _smallest(bundles: list[Bundle], scopes: tuple[str, ...]) -> Bundle:
    for scope in scopes:
        if not any(scope in bundle.scope_names for bundle in bundles):
            raise Invalid(f"there is no scope {scope[:_QUOTED]!a} to ask for", field="scopes")
    fitting = [bundle for bundle in bundles if set(scopes) <= set(bundle.scope_names)]
    if not fitting:
        raise Invalid("no bundle has all of these scopes; ask for fewer at once", field="scopes")
    return min(fitting, key=lambda bundle: (len(bundle.scopes), bundle.risk))
