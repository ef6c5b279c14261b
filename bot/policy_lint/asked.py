"""One request that is not known yet, about one bundle: what may be true of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import z3

from bot.core.conditions import GROUPS_VARIABLE, WINDOWS_VARIABLE
from bot.core.policy import Group, Policy
from bot.core.scopes import Bundle
from bot.core.texts import LONGEST_REASON, LONGEST_TICKET
from bot.core.windows import Window
from bot.policy_lint.alike import Alike
from bot.policy_lint.moments import Moments
from bot.policy_lint.terms import Items, Term, Value, both, either, lifted, negation

SECOND: Final = 1_000_000  # in microseconds
# Nobody holds or asks for so many; it keeps counts small enough to be added.
COUNT_AT_MOST: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(length: timedelta) -> int:
    """Return `length` as a term."""
    return length // timedelta(microseconds=1)


def instant(at: datetime) -> int:
    """Return `at` as a term: microseconds since 1970."""
    return microseconds(at - _EPOCH)


class Asked:
    """The request, whatever policy it is put to.

    Of people, groups and windows only what is read gets a variable.

    Args:
        moments: When it may be asked.
        put_to: The policies that it is put to, each with its bundle.
    """

    def __init__(self, moments: Moments, *put_to: tuple[Policy, Bundle]) -> None:
        self._moments = moments
        reads = [policy.facts_read_for(bundle.name) for policy, bundle in put_to]
        groups = [each for policy, bundle in put_to for each in policy.groups_read_for(bundle.name)]
        self._alike = Alike(groups)
        # Where conditions read who asks, as a text; else as a number of people who are alike.
        self._is_text = any("user.id" in each for each in reads)
        self._groups: dict[object, tuple[Group, Term]] = {}
        self._windows: dict[Window, Term] = {}
        self._read: set[str] = set()
        self.approximated: set[str] = set()
        self._clients: dict[str, int] = {}
        self.client = z3.Int("client")
        self.duration = z3.Int("duration")
        self.user = z3.String("user") if self._is_text else z3.Int("user")
        self.reason = z3.String("reason")
        self.ticket = z3.String("ticket")
        self.now = z3.Int("now")
        self.active_grants = z3.Int("active grants")
        self.requests_today = z3.Int("requests today")
        self.auto_today = z3.Int("automatic today")
        self.ticket_unknown = z3.Bool("ticket unknown")

    @property
    def by_person(self) -> Term:
        """Whether a person asks, and no client."""
        return self.client == 0

    def is_client(self, name: str) -> Term:
        """Return whether the client `name` asks."""
        return self.client == self._clients.setdefault(name, len(self._clients) + 1)

    def client_of(self, number: int) -> str:
        """Return the client that `client` stands for, "" for a person."""
        return next((name for name, known in self._clients.items() if known == number), "")

    def is_in(self, group: Group) -> Term:
        """Return whether who asks is in `group`; nobody is their own manager."""
        if group.manager is not None:
            return False
        if group.users and not group.any_of:
            if self._is_text:
                return either(*map(self.is_user, sorted(group.users)))
            return either(*(self.user == number for number in self._alike.numbers_in(group)))
        if group.any_of:
            return either(*map(self.is_in, group.any_of))
        source = group.source("")
        if source not in self._groups:
            self._groups[source] = (group, z3.Bool(f"in {group.name} {len(self._groups)}"))
        return self._groups[source][1]

    def is_user(self, user: str) -> Term:
        """Return whether who asks is `user`, or somebody who is alike."""
        if self._is_text:
            return self.user == z3.StringVal(user)
        return self.user == self._alike.number_of(user)

    def is_none_of(self, users: Iterable[str]) -> Term:
        """Return whether who asks is none of `users`, among whom are all that groups list."""
        if self._is_text:
            return both(*(negation(self.is_user(each)) for each in sorted(users)))
        return self.user == 0

    def user_in(self, model: z3.ModelRef, *, otherwise: str) -> str:
        """Return who asks in `model`.

        Args:
            otherwise: Who is meant where no group lists them, and nothing reads who they are.
        """
        found = model.eval(self.user, model_completion=True)
        if self._is_text:
            return str(found.as_string())
        return self._alike.somebody(found.as_long()) or otherwise

    def is_open(self, window: Window) -> Term:
        """Return whether `window` is open when it is asked."""
        if window not in self._windows:
            self._windows[window] = z3.Bool(f"open {window.name} {len(self._windows)}")
        return self._windows[window]

    def read(self, name: str) -> None:
        """Have the variable `name` count as one that something depends on."""
        self._read.add(name)

    def reads(self, name: str) -> bool:
        """Return whether something depends on the variable `name`."""
        return name in self._read

    def variable(self, name: str, policy: Policy, bundle: Bundle) -> Value | None:
        """Return what the variable `name` of conditions comes to; None if there is no such."""
        known = constants(bundle)
        if name in known:
            return Value(known[name])
        if name == GROUPS_VARIABLE:
            groups = policy.groups_read_for(bundle.name)
            return Value(Items(tuple((each.name, self.is_in(each)) for each in groups)))
        if name == WINDOWS_VARIABLE:
            windows = policy.windows.values()
            return Value(Items(tuple((each.name, self.is_open(each)) for each in windows)))
        unknown = {
            "user.id": self.user,
            "user.active_grants": self.active_grants,
            "user.requests_today": self.requests_today,
            "request.duration": self.duration * SECOND,
            "request.reason": self.reason,
            "request.ticket": self.ticket,
            "now.time": self.now,
        }
        if name not in unknown:
            return None
        self.read(name)
        return Value(unknown[name])

    def domain(self) -> Sequence[Term]:
        """Return what is true of every request, as far as anything read depends on it."""
        counts = (self.active_grants, self.requests_today, self.auto_today)
        bounds = [both(count >= 0, count <= COUNT_AT_MOST) for count in counts]
        if not self._is_text:
            bounds.append(both(self.user >= 0, self.user <= self._alike.most))
        # A client that nothing names has nothing but what is said of all of them.
        some_client = both(self.client >= 0, self.client <= len(self._clients))
        always = [self.duration >= 1, some_client, *bounds]
        return [*always, *self._texts(), *self._at_some_moment()]

    def _texts(self) -> Iterator[Term]:
        """Yield that texts were made fit to be kept: neither too long, nor blank at an end."""
        for name, text, most in (
            ("request.reason", self.reason, LONGEST_REASON),
            ("request.ticket", self.ticket, LONGEST_TICKET),
        ):
            if self.reads(name):
                shown = z3.Range("!", "~")
                inner = z3.Star(z3.Range(" ", "~"))
                tidy = z3.Union(z3.Re(""), shown, z3.Concat(shown, inner, shown))
                yield both(z3.InRe(text, tidy), z3.Length(text) <= most)
        if self._is_text:
            letters = z3.Union(z3.Range("A", "Z"), z3.Range("0", "9"))
            yield z3.InRe(self.user, z3.Concat(z3.Union(z3.Re("U"), z3.Re("W")), z3.Plus(letters)))

    def _at_some_moment(self) -> Iterator[Term]:
        windows = list(self._windows)
        if not self.reads("now.time"):
            if windows:
                yield either(*(self._opened(at) for at in self._moments.of(windows)))
            return
        spans = [
            both(self.now >= instant(at), self.now < instant(until), self._opened(at))
            for at, until in self._moments.spans(windows)
        ]
        # Later than that windows were not looked at, so they may be as they like.
        yield either(*spans, self.now >= instant(self._moments.end))

    def _opened(self, at: datetime) -> Term:
        return both(
            *(term if each.is_open(at) else negation(term) for each, term in self._windows.items())
        )

    @property
    def groups(self) -> Sequence[tuple[Group, Term]]:
        """The groups of which somebody else says who is in them."""
        return list(self._groups.values())

    @property
    def windows(self) -> Mapping[Window, Term]:
        """The windows that something depends on."""
        return self._windows

    @property
    def moments(self) -> Moments:
        """When it may be asked."""
        return self._moments


def constants(bundle: Bundle) -> Mapping[str, Any]:
    """Return the variables of conditions that the bundle fixes."""
    return {
        "bundle.name": bundle.name,
        "bundle.environment": bundle.environment,
        "bundle.access": bundle.access,
        "bundle.risk_level": int(bundle.risk),
        "bundle.labels": dict(bundle.labels),
        "bundle.scopes": Items(tuple((scope, True) for scope in bundle.scope_names)),
    }


def limits_of(asked: Asked, bundle: Bundle) -> Term:
    """Return whether the request keeps to the bundle's own limits; see `decision.checked`."""
    kept = [asked.duration <= int(bundle.max_duration.total_seconds())]
    if asked.reads("request.reason"):
        kept.append(z3.Length(asked.reason) >= max(bundle.reason_min, 1))
    return lifted(both(*kept))
