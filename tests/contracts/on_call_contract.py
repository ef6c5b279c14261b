"""What every service that knows who is on call promises. Fixture `house`."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bot.core.errors import Unavailable
from bot.core.sources import Rota
from bot.usecases.ports import OnCall

DAN, BEN = "dan@acme.example", "ben@acme.example"


@dataclass(frozen=True, kw_only=True)
class House:
    """A service.

    Attributes:
        rota: One that it knows.
        unknown: One that it does not know.
        roster: Puts people on call of `rota`, by e-mail address.
        go_away: From then on it does not answer.
    """

    on_call: OnCall
    rota: Rota
    unknown: Rota
    roster: Callable[..., None]
    go_away: Callable[[], None]


class OnCallContract:
    async def test_who_is_on_call_now(self, house: House) -> None:
        for people in ((DAN,), (BEN, DAN), (BEN,), ()):
            house.roster(*people)
            assert await house.on_call.who(house.rota) == set(people)

    async def test_a_rota_that_it_does_not_know_is_not_nobody(self, house: House) -> None:
        with pytest.raises(Unavailable):
            await house.on_call.who(house.unknown)

    async def test_without_an_answer_nobody_knows(self, house: House) -> None:
        house.roster(DAN)
        assert await house.on_call.who(house.rota) == {DAN}
        house.go_away()
        with pytest.raises(Unavailable):
            await house.on_call.who(house.rota)
