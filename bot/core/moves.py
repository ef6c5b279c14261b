"""Moves: what an actor may wish to do to a request or its grant; a wish may be refused."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from bot.core.events import Requested, Rerouted
from bot.core.usage import Misdeed, Usage


@dataclass(frozen=True, slots=True)
class Approve:
    """Say yes; `seen` is the digest of the card that was read, "" when no card was."""

    seen: str = ""


@dataclass(frozen=True, slots=True)
class Narrow:
    """Say yes to less: to these scopes only, for this long; `seen` as in `Approve`."""

    seen: str
    scopes: tuple[str, ...]
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Question:
    """Ask the requester something before deciding."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the question `number` (from 0)."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Deny:
    """Say no, and why."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take one's own request back."""


@dataclass(frozen=True, slots=True)
class Lapse:
    """Nobody decided in time."""


@dataclass(frozen=True, slots=True)
class Remind:
    """Remind those who can still act in a stage; see `Reminded`."""

    stage: int
    number: int
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Escalate:
    """Let an escalation of a stage apply; see `Escalated`."""

    stage: int
    number: int


@dataclass(frozen=True, slots=True)
class Reroute:
    """Put the request, as it stood at `version`, on the way that today's policy wants."""

    version: int
    way: Rerouted


@dataclass(frozen=True, slots=True)
class CloseByPolicy:
    """Say no, as the policy that came into force since says no; see `Denied`."""

    reason: str
    rule: str
    digest: str


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a grant whose time has come."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Begin one's own grant now."""


@dataclass(frozen=True, slots=True)
class Forfeit:
    """Nobody has begun the grant in time."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """The token with this jti has reached the requester."""

    jti: str


@dataclass(frozen=True, slots=True)
class Scrub:
    """Take the token with this jti out of its message."""

    jti: str


@dataclass(frozen=True, slots=True)
class Reveal:
    """Look at the token."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Have one more token beside, or after, the one with this jti."""

    jti: str


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell that the end is near."""


@dataclass(frozen=True, slots=True)
class Extend:
    """Go on, as the approved request `extension` says."""

    extension: Requested


@dataclass(frozen=True, slots=True)
class End:
    """The time is over."""


@dataclass(frozen=True, slots=True)
class Revoke:
    """End it before its time."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndWithTicket:
    """The ticket is closed, or gone; `why` says so."""

    why: str


@dataclass(frozen=True, slots=True)
class EndUnused:
    """It was not used for so long that it ends; `why` says so."""

    why: str


@dataclass(frozen=True, slots=True)
class TellMisuse:
    """Tell of misuse."""

    what: Misdeed


@dataclass(frozen=True, slots=True)
class SumUp:
    """Tell what a grant was used for that is over."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Disown:
    """Say that the client that asks in one's name does not act for one."""


@dataclass(frozen=True, slots=True)
class SignOff:
    """Find that the glass was broken for good reason."""

    comment: str


@dataclass(frozen=True, slots=True)
class RaiseConcern:
    """Doubt that the glass was broken for good reason; `ends` ends the grant as well."""

    comment: str
    ends: bool = False


@dataclass(frozen=True, slots=True)
class RemindReview:
    """Remind those who may review."""


@dataclass(frozen=True, slots=True)
class MarkOverdue:
    """Nobody reviewed in time."""


# On a request that is still to be decided.
PendingMove: TypeAlias = (
    Approve
    | Narrow
    | Question
    | Answer
    | Deny
    | Cancel
    | Lapse
    | Remind
    | Escalate
    | Reroute
    | CloseByPolicy
)
# On a grant.
# About the use of a grant: notes, which are taken in any state.
UseMove: TypeAlias = TellMisuse | SumUp
BeginningMove: TypeAlias = Start | Claim | Forfeit
GrantMove: TypeAlias = (
    BeginningMove
    | Deliver
    | Scrub
    | Reveal
    | Renew
    | Warn
    | Extend
    | End
    | Revoke
    | EndWithTicket
    | EndUnused
)
# On the review of a break-glass grant.
ReviewMove: TypeAlias = SignOff | RaiseConcern | RemindReview | MarkOverdue
Move: TypeAlias = PendingMove | GrantMove | UseMove | ReviewMove | Disown
