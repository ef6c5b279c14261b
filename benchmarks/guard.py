"""How much the guard adds to verifying a token: `python benchmarks/guard.py`.

The floor is PyJWT's own verification of the same token with a prepared key and the same claims.
Both take turns in one process, and the ratio is the median over the rounds.
"""

import asyncio
import statistics
import sys
import time
from pathlib import Path

import jwt

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.guard import Guard
from tests.guard.issuer import AUDIENCE, NAME, IssuerStandIn
from tests.http.house import key

ROUNDS, EACH = 41, 300
AT_MOST = 1.2


def floor_s(token: str, public) -> float:
    """Return the seconds that one verification by PyJWT takes."""
    required = ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"]
    began = time.perf_counter()
    for _ in range(EACH):
        jwt.decode(
            token,
            public,
            algorithms=["RS256"],
            audience=AUDIENCE,
            issuer=NAME,
            options={"require": required},
        )
    return (time.perf_counter() - began) / EACH


async def guard_s(token: str, guard: Guard) -> float:
    """Return the seconds that one verification by the guard takes, its scopes and use included."""
    began = time.perf_counter()
    for _ in range(EACH):
        await guard.verify(token, scopes=("invoices:read",), address="192.0.2.1")
    return (time.perf_counter() - began) / EACH


async def main() -> None:
    public = key(1).public_key()
    async with IssuerStandIn().served() as issuer, Guard(**issuer.options()) as guard:
        token = issuer.token()
        issuer.ended = {f"G-{number}.1": 2**33 for number in range(2)}
        await guard_s(token, guard)
        rounds = [(floor_s(token, public), await guard_s(token, guard)) for _ in range(ROUNDS)]
    floors, guards = zip(*rounds, strict=True)
    ratio = statistics.median(mine / floor for floor, mine in rounds)
    print(f"PyJWT alone   {statistics.median(floors) * 1e6:7.1f} us")
    print(f"guard.verify  {statistics.median(guards) * 1e6:7.1f} us")
    print(f"ratio         {ratio:7.2f}    (at most {AT_MOST})")
    if ratio > AT_MOST:
        sys.exit(1)


if __name__ == "__main__":
    asyncio.run(main())
