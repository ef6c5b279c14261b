"""The OAuth client that asks for something: for itself, or in the name of a person."""

from dataclasses import dataclass

from bot.core.identity import Actor, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A client as it was when it asked.

    Attributes:
        client: Its id.
        owner: Who answers for it, and may not approve what it asks for: a group's name, or a
            Slack user id.
        address: Where it called from; what proxies say of that is not believed.
        code: What both sides show, so that people can tell which call they decide on
            (`binding_message`, OpenID Connect CIBA Core 1.0, section 7.1); "" for none.
        handle_sha256: SHA-256, in hex, of what the token is fetched with (`auth_req_id`); "" where
            it is handed out at once.
        alarm: The channel that is told when the person named says that it was not them; "" for
            none.
    """

    client: str
    owner: str
    address: str = ""
    code: str = ""
    handle_sha256: str = ""
    alarm: str = ""

    @property
    def actor(self) -> Actor:
        """The client as somebody who acts."""
        return Actor(Kind.MACHINE, self.client)

    @property
    def owner_group(self) -> str:
        """The group that answers for it, "" where one person does."""
        return self.owner if self.owner[:1].islower() else ""

    @property
    def owner_user(self) -> str:
        """The Slack user id of the one who answers for it, "" where a group does."""
        return "" if self.owner_group else self.owner
