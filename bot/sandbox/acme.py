"""The workspace of the demo: the shipped policies speak of these people, groups and channels."""

from typing import Final

from bot.sandbox.manifest import Manifest
from bot.sandbox.workspace import BOT_USER, Channel, Person, UserGroup, Workspace

OTHER_TEAM: Final = "T0OTHER"

PEOPLE: Final = (
    Person(id="U0ANNA", name="Anna", title="Engineer", manager="U0BEN"),
    Person(id="U0BEN", name="Ben", title="Engineer, billing lead", manager="U0CLEO"),
    Person(id="U0CLEO", name="Cleo", title="Engineer, billing lead, SRE", manager="U0EVA"),
    Person(id="U0DAN", name="Dan", title="Engineer, SRE", manager="U0CLEO"),
    Person(id="U0EVA", name="Eva", title="Security"),
    Person(id="U0FINN", name="Finn", title="Contractor", manager="U0GUS"),
    Person(id="U0GUS", name="Gus", title="Guest", kind="guest"),
    Person(id="U0OLGA", name="Olga", title="Left the company", kind="deactivated"),
    Person(id="U0XENIA", name="Xenia", title="From Other Inc.", kind="external", team=OTHER_TEAM),
)
_STAFF: Final = frozenset(("U0ANNA", "U0BEN", "U0CLEO", "U0DAN", "U0EVA", "U0FINN"))

CHANNELS: Final = (
    Channel(id="C0GENERAL", name="general", members=_STAFF | {"U0GUS", "U0OLGA"}),
    Channel(id="C0ACCESS", name="access-requests", members=_STAFF | {"U0GUS", "U0OLGA"}),
    Channel(
        id="C0DEPLOY",
        name="deploy-approvals",
        members=frozenset(("U0ANNA", "U0BEN", "U0CLEO", "U0DAN")),
    ),
    Channel(
        id="C0SECURITY",
        name="security-approvals",
        kind="private",
        members=frozenset(("U0CLEO", "U0DAN", "U0EVA", BOT_USER)),
    ),
    Channel(id="C0SECRET", name="hidden", kind="private", members=frozenset(("U0EVA", "U0FINN"))),
    Channel(
        id="C0PARTNERS",
        name="partners",
        members=frozenset(("U0ANNA", "U0BEN", "U0XENIA", BOT_USER)),
        shared=True,
    ),
)
GROUPS: Final = (
    UserGroup(
        id="S0ENGINEERS",
        handle="engineers",
        name="Engineers",
        users=("U0ANNA", "U0BEN", "U0CLEO", "U0DAN"),
    ),
    UserGroup(
        id="S0BILLING", handle="billing-leads", name="Billing leads", users=("U0BEN", "U0CLEO")
    ),
    UserGroup(id="S0SRE", handle="sre", name="SRE", users=("U0CLEO", "U0DAN")),
    UserGroup(id="S0SECURITY", handle="security", name="Security", users=("U0EVA",)),
    UserGroup(id="S0CONTRACT", handle="contractors", name="Contractors", users=("U0FINN",)),
)
# Who is on call by schedule, at the service beside the stand-in for Slack.
ON_CALL: Final = {"sre": ("U0DAN",)}


def acme(manifest: Manifest) -> Workspace:
    """Return the workspace as it is in the morning."""
    workspace = Workspace(manifest=manifest, people=PEOPLE, channels=CHANNELS, groups=GROUPS)
    workspace.on_call.update(ON_CALL)
    return workspace
