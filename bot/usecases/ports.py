"""What the use cases need from the outside, and what it must promise.

Each port has an in-memory twin that ships with the product and passes the same contract tests.
All times are aware UTC datetimes. Stores raise `Unavailable` when nothing was done, and
`OutcomeUnknown` when a change may or may not have been stored.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NewType, Protocol, TypeAlias

from bot.core.account import Account
from bot.core.events import Event
from bot.core.identity import Actor, RequestId
from bot.core.policy import Group
from bot.core.request import Request
from bot.core.sources import Rota
from bot.core.states import Timer
from bot.core.tickets import Ticket

CommitId = NewType("CommitId", str)
TokenHash = NewType("TokenHash", str)  # SHA-256 of a token, in hex


class Queue(StrEnum):
    """Due work: safety jobs can never be starved by messages, nor either by slow trackers."""

    SAFETY = "s"
    MESSAGES = "m"
    WATCHES = "w"


# The job "make Slack match this request"; it has no timer of its own.
SHOW = "show"
# The job "tell of the misuse that was seen of this grant"; see `Jobs.owe`.
MISUSE = "misuse"
JobKind: TypeAlias = Timer | str

QUEUE_OF: Mapping[str, Queue] = {
    Timer.LAPSE: Queue.SAFETY,
    Timer.END: Queue.SAFETY,
    Timer.START: Queue.SAFETY,
    Timer.CLAIM: Queue.SAFETY,
    Timer.ESCALATE: Queue.SAFETY,
    Timer.REMIND: Queue.MESSAGES,
    Timer.WARN: Queue.MESSAGES,
    Timer.SCRUB: Queue.MESSAGES,
    Timer.REVIEW_REMIND: Queue.MESSAGES,
    Timer.REVIEW_OVERDUE: Queue.SAFETY,
    SHOW: Queue.MESSAGES,
    Timer.WATCH: Queue.WATCHES,
    Timer.IDLE: Queue.SAFETY,
    Timer.SUM: Queue.MESSAGES,
    MISUSE: Queue.SAFETY,
}


@dataclass(frozen=True, slots=True)
class JobId:
    """One job: what to do, to which request. Written "kind:request"."""

    kind: str
    request: RequestId

    def __str__(self) -> str:
        return f"{self.kind}:{self.request}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that this process holds under a lease.

    Attributes:
        fence: Differs for each claim; a holder whose lease was taken over is told LOST.
        payload: As it was when claimed; an ack of an older payload leaves the job due.
        attempt: Claims of this job so far, from 1.
        now: The server's time at the claim.
        due: When it was due.
    """

    id: JobId
    fence: int
    payload: str
    attempt: int
    now: datetime
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """What stands under a token's hash while the token may be used.

    Attributes:
        answer: The members of an active introspection answer (RFC 7662, section 2.2).
        kid: The key that signed it; a token of a key that has left the keyring is inactive.
    """

    request: RequestId
    kid: str
    answer: Mapping[str, Any]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedToken:
    """A token that may be used no more though its `exp` has not come.

    Attributes:
        at: When it ended.
    """

    jti: str
    audience: str
    at: datetime
    expires_at: datetime


# Where something stands in an order of the store's; later is greater.
Place: TypeAlias = tuple[int, int]
BEGINNING: Final[Place] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One snapshot to store.

    Attributes:
        record: The new snapshot.
        expected: The version that it replaces; 0 when it is new.
    """

    record: Request | Account
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One atomic change: all of it is stored, or none.

    Attributes:
        id: Derived from the delivery; a commit whose id was stored before is answered "done".
        subject: The request that the commit id is kept with.
        events: Appended to the history of their own request and to the one log.
        timers: Due times to set; None stops the timer.
        opens: Until when the request may be decided, or its grant be started by the requester;
            None removes the permission.
        tokens: Tokens that may be used from now on; None ends one.
        ended: Tokens that end in it before their time, for those who verify by themselves.
        needs_open: Requests that must still be open (see `opens`), or nothing is stored.
        show: Requests whose messages in Slack must be made to match.
    """

    id: CommitId
    subject: RequestId
    writes: Sequence[Write] = ()
    events: Sequence[Event] = ()
    timers: Mapping[JobId, datetime | None] = field(default_factory=dict)
    opens: Mapping[RequestId, datetime | None] = field(default_factory=dict)
    tokens: Mapping[TokenHash, TokenRecord | None] = field(default_factory=dict)
    ended: Sequence[EndedToken] = ()
    needs_open: Sequence[RequestId] = ()
    show: Sequence[RequestId] = ()


class Committed(StrEnum):
    """How a commit went."""

    STORED = "stored"
    DONE_BEFORE = "done_before"


class Ledger(Protocol):
    """Requests, accounts, their histories and the one log."""

    async def load(self, id_: RequestId) -> Request | None:
        """Return the latest snapshot, or None if there never was one."""

    async def load_all(
        self, requests: Sequence[RequestId], accounts: Sequence[str]
    ) -> tuple[Sequence[Request | None], Sequence[Account]]:
        """Return the latest snapshots of both, in the order asked, in one round trip.

        A request that never was is None; an account that never was is empty, of version 0.
        """

    async def commit(self, change: Commit) -> Committed:
        """Store all of `change` in one step.

        The server's clock decides whether a request is still open, to the millisecond.

        Raises:
            Conflict: A stored version is not the expected one: load, decide again.
            TooLate: A request in `needs_open` is open no more.
            Unavailable: Nothing was stored (also when the store is full; a commit that only
                ends things is stored even then).
            OutcomeUnknown: It may have been stored; committing the same again is safe.
        """

    async def history(self, id_: RequestId) -> Sequence[Event]:
        """Return all events of a request and its grant, first first."""

    async def log(self, after: str = "", *, limit: int = 100) -> Sequence[tuple[str, Event]]:
        """Return (cursor, event) of all requests after the cursor `after`, in order."""


class Listings(Protocol):
    """Pages of requests, newest first."""

    async def of_bundle(self, bundle: str, *, limit: int = 20) -> Sequence[Request]:
        """Return the requests for `bundle`, the newest first."""

    async def of_person(self, who: Actor, *, limit: int = 20) -> Sequence[Request]:
        """Return the requests that `who` made, the newest first."""

    async def live(self) -> Sequence[Request]:
        """Return every request whose grant works now, those that end first first."""

    async def count_live(self) -> int:
        """Return how many grants work now."""

    async def count_pending(self) -> int:
        """Return how many requests wait for people."""


class Jobs(Protocol):
    """Due work, claimed under a lease; the server's clock decides what is due."""

    async def claim(
        self, queue: Queue, *, limit: int, lease: timedelta, only: JobId | None = None
    ) -> Sequence[Job]:
        """Return due jobs, now leased to the caller; none if there are none.

        Args:
            only: Claim just this one, if it is due and not leased.
        """

    async def owe(self, id_: JobId, *, payload: str) -> None:
        """Set a job that is due now; one that is owed already is left to its time.

        Whoever holds it at this moment finds it set anew, if `payload` is new.

        Raises:
            Unavailable: It may not have been set.
        """

    async def next_due(self, queue: Queue) -> datetime | None:
        """Return when the next job becomes due or its lease ends; None if there is no job."""

    async def renew(self, job: Job, *, lease: timedelta) -> bool:
        """Return whether `job` is still the caller's; if so its lease starts anew."""

    async def finish(self, job: Job) -> bool:
        """Remove `job`; if it was enqueued again since it was claimed, it is due at once instead.

        Returns whether it was still the caller's.
        """

    async def postpone(self, job: Job, *, delay: timedelta, was_done: bool = False) -> bool:
        """Give `job` back, due again after `delay`. Returns whether it was still the caller's.

        Args:
            was_done: It went well and is owed again: its attempts are counted anew.
        """


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known to stand in Slack under one name, e.g. "card" or "dm:3".

    Attributes:
        channel, ts: Where; together they are the message's key.
        digest: Of what it shows; "" when a message was posted and is not filled in yet.
    """

    name: str
    channel: str
    ts: str
    digest: str


class Receipts(Protocol):
    """What was shown of a request."""

    async def of(self, id_: RequestId) -> Mapping[str, Receipt]:
        """Return all receipts of a request, by name."""

    async def keep(self, job: Job, receipt: Receipt, *, lease: timedelta) -> bool:
        """Store `receipt` and renew the lease, both or (when `job` was lost) none.

        Returns whether `job` is still the caller's.
        """


class TokenIndex(Protocol):
    """Tokens that may be used, by hash. An entry dies at its token's `exp` by itself."""

    async def find(self, hash_: TokenHash) -> TokenRecord | None:
        """Return the token's record, or None when it may not be used.

        Raises:
            Unavailable: The store did not answer.
        """

    async def living(self) -> Collection[tuple[TokenHash, TokenRecord]]:
        """Return all tokens that may be used; for operators, as it looks at every one.

        One that comes or goes meanwhile may be in it or not.

        Raises:
            Unavailable: The store did not answer.
        """


class EndedTokens(Protocol):
    """The tokens that ended before their time (see `Commit.ended`), in the order of the commits."""

    async def after(
        self, place: Place, *, limit: int, wait: timedelta
    ) -> Sequence[tuple[Place, EndedToken]]:
        """Return those after `place`, the first first; BEGINNING is before all of them.

        Args:
            wait: How long to wait for the first if there is none yet, a second at most.

        Raises:
            Unavailable: The store did not answer.
        """

    async def forget(self, places: Sequence[Place]) -> None:
        """Remove those at `places`; the caller says which nobody can use any more.

        Raises:
            Unavailable: They may be there still.
        """


class Changes(Protocol):
    """Which requests change, as the one log tells it."""

    async def after(self, cursor: str, *, wait: timedelta) -> tuple[str, frozenset[RequestId]]:
        """Return the requests that changed after `cursor`, and the next cursor.

        Args:
            cursor: "" for the end of the log: then nothing has changed, and nothing is waited for.
            wait: How long to wait for the first change.

        Raises:
            Unavailable: The store did not answer.
        """


class Once(Protocol):
    """Remembers for a while that something happened."""

    async def first(self, name: str, *, within: timedelta) -> bool:
        """Return whether this is the first call with `name` in the last `within`."""


class Signer(Protocol):
    """Signing keys."""

    @property
    def active_kid(self) -> str:
        """The key that signs new tokens."""

    def knows(self, kid: str) -> bool:
        """Return whether the key is in the ring: tokens of a key that left are dead."""

    def sign(self, claims: Mapping[str, Any], *, kid: str) -> str:
        """Return a JWT of type at+jwt (RFC 9068); the same arguments give the same bytes.

        Raises:
            Unavailable: The key has left the ring.
        """

    def signed(self, token: str, *, issuer: str) -> Mapping[str, Any]:
        """Return the claims of an access token that we signed for `issuer`, whatever its time.

        Raises:
            Invalid: It is not such a token.
        """


class Standing(StrEnum):
    """Whether a person may use the bot at all; only MEMBER may."""

    MEMBER = "member"
    GUEST = "guest"
    BOT = "bot"
    DEACTIVATED = "deactivated"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


class Directory(Protocol):
    """People, user groups and channels, as Slack has them."""

    async def standing(self, who: Actor, *, fresh: bool = False) -> Standing:
        """Return whether `who` may use the bot.

        Args:
            fresh: Ask Slack now, whatever is cached.

        Raises:
            Unavailable: Slack did not answer: the caller must refuse.
        """

    async def groups_of(
        self, who: Actor, groups: Sequence[Group], *, about: Actor, fresh: bool = False
    ) -> frozenset[str]:
        """Return the names of those of `groups` that `who` is in.

        Args:
            about: Whose request it is about: a manager is theirs.
            fresh: Ask now who is in them, whatever is cached.

        Raises:
            Unavailable: A group could not be read, or has fewer members than its `min_members`:
                unknown is not empty.
        """

    async def members_of(self, group: Group, *, about: Actor) -> frozenset[str]:
        """Return the Slack user ids of everybody in `group`.

        Whoever is on call, and a manager, is in it only while they may use the bot.

        Args:
            about: As for `groups_of`.

        Raises:
            Unavailable: It could not be read: unknown is not empty.
        """

    async def email(self, who: Actor) -> str:
        """Return the e-mail address of `who`, "" where Slack does not say.

        Raises:
            Unavailable: Slack did not answer.
        """

    async def channel_problem(self, channel: str) -> str:
        """Return why cards cannot go to `channel` ("#name" or id), "" if they can.

        The bot must be in a private channel, and no channel shared with other companies will do.

        Raises:
            Unavailable: Slack did not answer.
        """


class AddressBook(Protocol):
    """People by their e-mail addresses."""

    async def person(self, email: str) -> Actor | None:
        """Return whose address this is; None if nobody's who may use the bot.

        Raises:
            Unavailable: Slack did not answer.
        """


class Zones(Protocol):
    """Where people are, in time."""

    async def zone(self, who: Actor) -> tzinfo:
        """Return the time zone of `who`; UTC where nobody knows it.

        Raises:
            Unavailable: Slack did not answer.
        """


class Tickets(Protocol):
    """One tracker."""

    async def find(self, ticket: str, *, people: bool) -> Ticket | None:
        """Return the ticket called `ticket` as it stands now; None if there is none.

        Whatever characters `ticket` holds, nothing else of the tracker is asked for.

        Args:
            people: Whether its assignees are wanted; where not, they may be left out.

        Raises:
            Unavailable: The tracker did not answer, or not with a ticket.
        """

    def link(self, ticket: str) -> str:
        """Return where people read `ticket`, "" where nobody knows; it is of our configuration."""


class OnCall(Protocol):
    """A service that knows who is on call."""

    async def who(self, rota: Rota) -> frozenset[str]:
        """Return whoever is on call of `rota` now: Slack user ids and e-mail addresses.

        Raises:
            Unavailable: It did not answer, or knows no such rota: unknown is not nobody.
        """


# Who is in groups of which that stands elsewhere, by name; None where it cannot be read.
Found: TypeAlias = Mapping[str, frozenset[str] | None]
NOTHING_FOUND: Final[Found] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that Slack shows of one request.

    Attributes:
        found: Who is on call, and who the manager is, in the groups that are waited for.
        token: The token itself, only while it is to be read in the direct message.
        now: When this was put together.
    """

    request: Request
    history: Sequence[Event]
    token: str | None
    now: datetime
    found: Found = field(default_factory=dict)


class Messenger(Protocol):
    """Makes Slack match a story."""

    def show(self, story: Story, receipts: Mapping[str, Receipt]) -> AsyncGenerator[Receipt, None]:
        """Post and update what differs from `receipts`, yielding a receipt after each call.

        The caller stores each receipt before it asks for the next. A token only ever goes into a
        message whose receipt was yielded before. What is as it should be is not sent again.

        Raises:
            Busy: Slack asks to wait.
            Unavailable: Slack did not answer, or refused.
        """


class Metrics(Protocol):
    """Numbers for operators."""

    def count(self, name: str, **labels: str) -> None:
        """Add one to the counter `name`."""

    def observe(self, name: str, value_s: float, **labels: str) -> None:
        """Record a duration in seconds."""


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the store's time as well as it is known here, UTC."""

    def agrees(self) -> bool:
        """Return whether the store's clock and ours agree well enough to grant anything."""
