"""What the last grants of a bundle were used for together."""

from collections.abc import Callable
from typing import Final

from bot.core.policy import Policy
from bot.core.reporting import BundleReport, report_of
from bot.usecases.gate import bundle_named
from bot.usecases.ports import Listings
from bot.usecases.usage import Usages

# So many of the last requests for a bundle are looked through.
LOOKED_AT: Final = 200


class Reports:
    """Reports on bundles.

    Args:
        policy: Returns the policy in force.
    """

    def __init__(self, usages: Usages, *, listings: Listings, policy: Callable[[], Policy]) -> None:
        self._usages = usages
        self._listings = listings
        self._policy = policy

    async def of(self, bundle: str) -> BundleReport:
        """Return the report of `bundle` over its last grants that are over.

        Raises:
            Invalid: There is no such bundle.
            Unavailable: The store did not answer.
        """
        declared = bundle_named(self._policy(), bundle)
        found = await self._listings.of_bundle(declared.name, limit=LOOKED_AT)
        over = [
            request
            for request in found
            if request.grant is not None and request.grant.tokens and request.grant.close
        ]
        usages = await self._usages.of(over)
        return report_of(declared.name, usages, scopes=declared.scope_names)
