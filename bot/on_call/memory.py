"""An on-call service in memory."""

from bot.core.errors import Unavailable
from bot.core.sources import Rota


class MemoryOnCall:
    """OnCall in memory.

    Attributes:
        rotas: Who is on call, by rota; one that is not here is unknown.
        away: Whether it does not answer now.
    """

    def __init__(self) -> None:
        self.rotas: dict[Rota, frozenset[str]] = {}
        self.away = False

    async def who(self, rota: Rota) -> frozenset[str]:
        """See `OnCall.who`."""
        if self.away or rota not in self.rotas:
            raise Unavailable(f"nobody knows who is on call of {rota.named}")
        return self.rotas[rota]
