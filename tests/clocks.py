from datetime import datetime, timedelta

from tests.builders import T0


class ManualClock:
    """A clock that stands still until somebody waits."""

    def __init__(self, at: datetime = T0) -> None:
        self.at = at
        self.agreeing = True

    def now(self) -> datetime:
        return self.at

    def agrees(self) -> bool:
        return self.agreeing

    async def wait(self, length: timedelta) -> None:
        self.at += length
