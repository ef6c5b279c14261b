"""What gateways are told of a person's token, from the approval to the end of the grant."""

from tests.journeys.town import BILLING, becomes, granted


async def passes(town, token, scope, *, resource=BILLING):
    """Return the status, and whose call the gateway was told it is."""
    async with town.session.get(
        f"{town.url}/forward-auth",
        params={"scope": scope, "resource": resource},
        headers={"Authorization": f"Bearer {token}", "X-JIT-Subject": "root"},
    ) as answer:
        return answer.status, answer.headers["X-JIT-Subject"]


async def test_a_gateway_lets_through_what_was_granted_until_somebody_ends_it(web_town):
    anna, ben = web_town.people("Anna", "Ben")
    card, token = await granted(anna, "read", "to look at bill 4711", by=ben)
    assert await passes(web_town, token, "invoices:read") == (200, "person:T0DEMO:U0ANNA")
    assert await passes(web_town, token, "refunds:write") == (403, "person:T0DEMO:U0ANNA")
    assert await passes(web_town, token, "invoices:read", resource="https://x.example") == (401, "")
    await ben.clicks("revoke", await becomes(ben, card, "*Works* until"))
    await becomes(ben, card, "*Ended early*")
    assert await passes(web_town, token, "invoices:read") == (401, "")
