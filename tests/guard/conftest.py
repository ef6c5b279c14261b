from collections.abc import AsyncIterator

import pytest

from bot.guard import Guard
from tests.guard.issuer import IssuerStandIn


@pytest.fixture
async def issuer() -> AsyncIterator[IssuerStandIn]:
    async with IssuerStandIn().served() as issuer:
        yield issuer


@pytest.fixture
async def guard(issuer: IssuerStandIn) -> AsyncIterator[Guard]:
    async with Guard(**issuer.options()) as guard:
        yield guard
