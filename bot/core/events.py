"""What happened to a request and its grant: facts, past tense, never edited."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypedDict

from bot.core.emergency import Emergency
from bot.core.identity import Actor, GrantId, RequestId
from bot.core.known import InForce, Known, Members, OptionalStage, Shadow
from bot.core.machine import Machine
from bot.core.policy import Group, Stage, groups_in
from bot.core.scopes import Delivery, Risk, ScopeText
from bot.core.tickets import SeenTicket
from bot.core.usage import Misdeed, Usage
from bot.core.votes import Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpec:
    """All that makes one token: signing it again gives the same bytes.

    Attributes:
        jti: Unique per issuer (RFC 7519, section 4.1.7).
        issued_at, expires_at: Whole seconds, UTC.
        actor: The client that acts for the subject (RFC 8693, section 4.1); "" where nobody does.
    """

    kid: str
    issuer: str
    jti: str
    audience: str
    subject: str
    client: str
    scopes: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact about one request.

    Attributes:
        at: When it happened, UTC.
        by: Who caused it.
    """

    request: RequestId
    at: datetime
    by: Actor


class Common(TypedDict):
    """What every fact has; see `Fact`."""

    request: RequestId
    at: datetime
    by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A chain that a request was put on before, as it stands.

    Attributes:
        digest, rule: The policy that put it there, and the rule.
        stages: Where a name means other people than in today's chain, it has "@" and the digest.
    """

    digest: str
    rule: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested(Fact):
    """Somebody asked for a bundle; everything that was decided on is kept here.

    Attributes:
        longest: The most that the bundle allowed when this was asked.
        active_total, active_per_user: The bundle's caps on live grants when this was asked.
        cool_down: How long a denial by people keeps the requester from asking again.
        longest_in_all: The most that a grant may last with this extension, from its start.
        rule, reasons, digest: The decision: which rule, why, of which policy.
        stages: Who must approve; empty when policy decided at once.
        deadline: When the request lapses if nobody has decided.
        left_out: Scopes of the bundle that the requester did without.
        extends: The request whose grant this one would prolong.
        seen: What the tracker said of the ticket; None where no tracker was asked.
        emergency: Set if and only if it is break-glass.
        has_glass: Whether the bundle could be had by break-glass, too.
        known: What was decided on besides; None in records from before it was kept.
        members: Who was in the groups that have, or could come to have, a say in the chain.
        idle_end: The grant ends when it was not used for so long; None if that does not matter.
        machine: The client that asks, in the name of `by` or for itself; None where a person does.
        optional: What came of the stages that could be skipped.
        shadows: What rules and guardrails in audit mode would have done.
        slice: The digest of all that decided: the bundle, its rules, and what they name.
        owed: Chains that must be complete as well, after `stages`: what the request was asked
            under demanded more there than the policy that changed it since.
        claim_within: How long after the approval the requester may start the grant; None where it
            starts by itself.
        start_at: When it is to start; None for as soon as it is approved.
        token_max: How long one token of the grant may live; None for as long as the grant.
    """

    bundle: str
    title: str
    risk: Risk
    resource: str
    delivery: Delivery
    channel: str
    owner: str
    scopes: tuple[ScopeText, ...]
    left_out: int
    duration: timedelta
    longest: timedelta
    active_total: int | None
    reason: str
    ticket: str
    rule: str
    reasons: tuple[str, ...]
    digest: str
    stages: tuple[Stage, ...]
    deadline: datetime
    extends: RequestId | None = None
    active_per_user: int | None = None
    cool_down: timedelta | None = None
    longest_in_all: timedelta | None = None
    seen: SeenTicket | None = None
    emergency: Emergency | None = None
    has_glass: bool = False
    known: Known | None = None
    members: tuple[Members, ...] = ()
    idle_end: timedelta | None = None
    optional: tuple[OptionalStage, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    slice: str = ""
    owed: tuple[Owed, ...] = ()
    machine: Machine | None = None
    claim_within: timedelta | None = None
    start_at: datetime | None = None
    token_max: timedelta | None = None

    @property
    def asker(self) -> Actor:
        """Whose asks this one is counted among: a client's own, whomever it names."""
        return self.machine.actor if self.machine is not None else self.by

    def decided_for(self, now: datetime) -> datetime:
        """Return the moment that policy decides about, if it decides at `now`."""
        return now if self.start_at is None else max(now, self.start_at)

    @property
    def voices(self) -> tuple[Group, ...]:
        """Every group that has, or can come to have, a say in it by the chain or in the review."""
        besides = self.emergency.groups if self.emergency is not None else ()
        owed = [stage for chain in self.owed for stage in chain.stages]
        return (*groups_in((*self.stages, *owed)), *besides)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted(Fact):
    """An approver said yes in a stage (counted from 0).

    Attributes:
        groups: Names of the groups with a say that the approver was in at that moment.
    """

    stage: int
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed(Fact):
    """An approver agreed to less than was asked; from now on that is what is asked.

    Attributes:
        scopes, duration: What is left of it.
        dropped: Scopes that are asked for no more.
        was: The duration before.
    """

    scopes: tuple[ScopeText, ...]
    duration: timedelta
    dropped: tuple[str, ...]
    was: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted(Fact):
    """Today's policy asks for more than the request waited for: it goes this way from now on.

    Attributes:
        rule, reasons, digest, slice, optional, shadows, members, deadline, owed: As of `Requested`,
            under today's policy.
        stages: Who must approve now.
        votes: Those given before that count in them, each in its stage.
        spare: Those that do not, as whoever gave them has no say in them.
        what: What is different, in words.
    """

    rule: str
    reasons: tuple[str, ...]
    digest: str
    slice: str
    stages: tuple[Stage, ...]
    deadline: datetime
    owed: tuple[Owed, ...] = ()
    optional: tuple[OptionalStage, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    members: tuple[Members, ...] = ()
    votes: tuple[Vote, ...] = ()
    spare: tuple[Vote, ...] = ()
    what: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPassed(Fact):
    """All stages passed, and the first chain that the request still owes goes on.

    Attributes:
        votes, spare: As of `Rerouted`, in that chain.
    """

    votes: tuple[Vote, ...] = ()
    spare: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Fact):
    """An approver has a question `number` (from 0) for the requester."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Fact):
    """The requester answered the question `number`."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePassed(Fact):
    """The quorum of a stage is reached."""

    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded(Fact):
    """Those who can still act in a stage were reminded, for the time `number` (from 0).

    Attributes:
        people: Slack user ids; empty when all of its groups were, as nobody knew them one by one.
    """

    stage: int
    number: int
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated(Fact):
    """A stage has waited for long: its escalation `number` (from 0) applies from now on."""

    stage: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(Fact):
    """All stages passed, or policy approved at once.

    Attributes:
        under: The policy in force then; None where policy approved, and in older records.
    """

    under: InForce | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassBroken(Fact):
    """The requester broke the glass: nobody was asked, and somebody else must review it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disowned(Fact):
    """The person in whose name a client asked says that it does not act for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied(Fact):
    """An approver, or policy, said no; one no is enough.

    Attributes:
        rule, digest: Which rule ("" for none) of which policy, where that has changed since the
            request was asked; "" otherwise.
    """

    reason: str
    rule: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Fact):
    """The requester took it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed(Fact):
    """Nobody decided in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted(Fact):
    """Access is owed; the grant exists.

    Attributes:
        starts_at: When it starts by itself, where that is not at once.
        claim_by: Until when the requester may start it, where it does not start by itself.
    """

    grant: GrantId
    starts_at: datetime | None = None
    claim_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Fact):
    """The grant works from now on.

    Attributes:
        ends_at: The end of the grant, where its token dies before; None where they end together.
    """

    token: TokenSpec
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclaimed(Fact):
    """The requester did not start the grant in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(Fact):
    """The requester has the token, in a message or waiting behind a button."""

    jti: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed(Fact):
    """The token was taken out of the message again."""

    jti: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Fact):
    """The requester was reminded that the end is near.

    Attributes:
        ends_at: The end, where it is not that of the newest token.
    """

    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended(Fact):
    """The grant goes on with a new token; the old one lives to its own end.

    Attributes:
        ends_at: As in `Started`.
    """

    token: TokenSpec
    extension: RequestId
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed(Fact):
    """The requester has a further token, as tokens die before the grant ends."""

    token: TokenSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Fact):
    """The grant reached its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(Fact):
    """Somebody ended the grant before its time, or before it began."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed(Fact):
    """The requester looked at the token in a modal."""

    jti: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misused(Fact):
    """A token was misused; a later fact of the same kind tells the new count."""

    what: Misdeed


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSummed(Fact):
    """The grant is over, and this is what it was used for.

    Attributes:
        begun: When the grant started.
    """

    bundle: str
    resource: str
    begun: datetime
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewReminded(Fact):
    """Those who may review a break-glass grant were reminded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOverdue(Fact):
    """Nobody signed a break-glass grant off in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned(Fact):
    """A reviewer raised a concern; the review stays open."""

    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed(Fact):
    """A reviewer signed a break-glass grant off."""

    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Fact):
    """Somebody tried what they may not do."""

    move: str
    why: str


Event: TypeAlias = (
    Requested
    | Narrowed
    | Voted
    | Rerouted
    | ChainPassed
    | Asked
    | Answered
    | StagePassed
    | Reminded
    | Escalated
    | Approved
    | GlassBroken
    | Disowned
    | Denied
    | Cancelled
    | Lapsed
    | Granted
    | Started
    | Unclaimed
    | Delivered
    | Scrubbed
    | Warned
    | Extended
    | Renewed
    | Ended
    | Revoked
    | Revealed
    | Misused
    | UsageSummed
    | ReviewReminded
    | ReviewOverdue
    | Concerned
    | Reviewed
    | Refused
)

# The names that the log and exports use; a name, once released, keeps its meaning.
# Each brings one more token.
Tokened: TypeAlias = Started | Extended | Renewed

WIRE: Final[Mapping[type[Event], str]] = {
    Requested: "request.requested",
    Narrowed: "request.narrowed",
    Voted: "request.voted",
    Rerouted: "request.rerouted",
    ChainPassed: "request.chain_passed",
    Asked: "request.asked",
    Answered: "request.answered",
    StagePassed: "request.stage_passed",
    Reminded: "request.reminded",
    Escalated: "request.escalated",
    Approved: "request.approved",
    GlassBroken: "request.glass_broken",
    Disowned: "request.disowned",
    Denied: "request.denied",
    Cancelled: "request.cancelled",
    Lapsed: "request.lapsed",
    Granted: "grant.granted",
    Started: "grant.started",
    Unclaimed: "grant.unclaimed",
    Delivered: "grant.delivered",
    Scrubbed: "grant.scrubbed",
    Warned: "grant.warned",
    Extended: "grant.extended",
    Renewed: "grant.renewed",
    Ended: "grant.ended",
    Revoked: "grant.revoked",
    Revealed: "grant.revealed",
    Misused: "grant.misused",
    UsageSummed: "grant.usage_summed",
    ReviewReminded: "review.reminded",
    ReviewOverdue: "review.overdue",
    Concerned: "review.concern_raised",
    Reviewed: "review.signed_off",
    Refused: "move.refused",
}
