"""Which grants an operator means."""

from dataclasses import dataclass

from bot.core.grant import Grant
from bot.core.identity import Kind
from bot.core.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Grants by what they are; each part that is "" leaves it open.

    Attributes:
        person: A Slack user id, or the subject of tokens, such as person:T0DEMO:U0ANNA.
        client: The client that the token was issued to, or that asked for it.
        bundle: Its name.
        resource: The audience of the tokens.
    """

    person: str = ""
    client: str = ""
    bundle: str = ""
    resource: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether it leaves everything open."""
        return self == Selection()

    def holds(self, request: Request, grant: Grant) -> bool:
        """Return whether `grant`, of `request`, is meant."""
        asked = request.asked
        people = {asked.by.id, str(asked.by)} if asked.by.kind is Kind.PERSON else set()
        clients = {grant.token.client} | ({asked.by.id} if asked.by.kind is Kind.MACHINE else set())
        return (
            (not self.person or self.person in people)
            and (not self.client or self.client in clients)
            and self.bundle in ("", asked.bundle)
            and self.resource in ("", asked.resource)
        )
