"""Questions to the solver about requests that are not known, and the request that answers one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import z3

from bot.core.scopes import Bundle
from bot.policy_lint.asked import COUNT_AT_MOST, Asked
from bot.policy_lint.findings import Example
from bot.policy_lint.levels import Said
from bot.policy_lint.terms import Term, lifted

# For one question, in z3's own count, so that every machine gives up at the same ones; most take
# some hundreds. And in time, for what it does not count well.
EFFORT: Final = 50_000_000
PATIENCE_MS: Final = 30_000
SOMEBODY: Final = "U0SOMEBODY"
_REASON: Final = "what policy lint asks for"


class Undecided(Exception):
    """The solver gave up; never leaves the lint."""


class Solver:
    """Answers questions about one request; what all requests have in common is told once.

    Args:
        asked: Everything that will be asked about was read of it.
        besides: What holds of the requests that are meant.
        effort: As EFFORT.
    """

    def __init__(self, asked: Asked, *besides: Term, effort: int = EFFORT) -> None:
        self.asked = asked
        self._solver = z3.Solver()
        self._solver.set("timeout", PATIENCE_MS, "rlimit", effort)
        self._solver.add(*map(lifted, (*asked.domain(), *besides)))

    def is_possible(self, *terms: Term) -> bool:
        """Return whether there is a request of which all of `terms` are true.

        Raises:
            Undecided: The solver gave up.
        """
        if any(term is False for term in terms):
            return False
        self._solver.push()
        self._solver.add(*map(lifted, terms))
        try:
            return self._is_satisfied()
        finally:
            self._solver.pop()

    def example(self, said: Said, *terms: Term) -> Example | None:
        """Return a request of which all of `terms` are true, as plain as there is; else None.

        Args:
            said: What it is put to.

        Raises:
            Undecided: The solver gave up.
        """
        found = self.examples((said,), *terms)
        return found[0] if found else None

    def examples(self, put_to: Sequence[Said], *terms: Term) -> Sequence[Example]:
        """Return one request as each of several policies sees it; () if there is none.

        Raises:
            Undecided: The solver gave up.
        """
        if any(term is False for term in terms):
            return ()
        self._solver.push()
        self._solver.add(*map(lifted, terms))
        try:
            if not self._is_satisfied():
                return ()
            for plain in self._plainest(put_to[-1].bundle):
                self._add_if_possible(plain)
            self._is_satisfied()
            model = self._solver.model()
            return [_example(self.asked, model, said) for said in put_to]
        finally:
            self._solver.pop()

    def _is_satisfied(self) -> bool:
        answer = self._solver.check()
        if answer == z3.unknown:
            raise Undecided(self._solver.reason_unknown())
        return bool(answer == z3.sat)

    def _add_if_possible(self, plain: Term) -> None:
        if self._solver.check(plain) == z3.sat:
            self._solver.add(plain)

    def _plainest(self, bundle: Bundle) -> Sequence[Term]:
        asked = self.asked
        wanted = [
            lifted(asked.by_person),
            z3.Not(asked.ticket_unknown),
            asked.active_grants == 0,
            asked.requests_today == 0,
            asked.auto_today == 0,
            *(z3.Not(term) for _, term in asked.groups),
            asked.duration == _seconds(bundle.default_duration),
            asked.duration >= _seconds(timedelta(minutes=1)),
        ]
        wanted.append(asked.is_user(SOMEBODY))
        if asked.reads("request.reason"):
            wanted.append(asked.reason == z3.StringVal(_reason(bundle)))
        if asked.reads("request.ticket"):
            usual = bundle.ticket.example if bundle.ticket is not None else ""
            wanted.append(asked.ticket == z3.StringVal(usual))
        return wanted


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())


def _reason(bundle: Bundle) -> str:
    return _REASON.ljust(bundle.reason_min, ".")


def _example(asked: Asked, model: Any, said: Said) -> Example:
    policy, bundle = said.policy, said.bundle

    def count(term: Term) -> int:
        return min(int(model.eval(term, model_completion=True).as_long()), COUNT_AT_MOST)

    def words(name: str, term: Term, usual: str) -> str:
        found: str = model.eval(term, model_completion=True).as_string()
        return found if asked.reads(name) else usual

    def is_so(term: Term) -> bool:
        return bool(z3.is_true(model.eval(lifted(term), model_completion=True)))

    groups = [each.name for each in policy.groups_read_for(bundle.name) if is_so(asked.is_in(each))]
    usual = bundle.ticket.example if bundle.ticket is not None else ""
    return Example(
        user=asked.user_in(model, otherwise=SOMEBODY),
        bundle=bundle.name,
        groups=tuple(groups),
        duration=timedelta(seconds=int(model.eval(asked.duration).as_long())),
        at=_moment(asked, model),
        reason=words("request.reason", asked.reason, _reason(bundle)),
        ticket=words("request.ticket", asked.ticket, usual),
        active_grants=count(asked.active_grants),
        requests_today=count(asked.requests_today),
        auto_today=count(asked.auto_today),
        ticket_unknown=is_so(asked.ticket_unknown),
        client=asked.client_of(model.eval(asked.client, model_completion=True).as_long()),
    )


def _moment(asked: Asked, model: Any) -> datetime:
    """Return when the request of `model` is asked."""
    if asked.reads("now.time"):
        since = int(model.eval(asked.now, model_completion=True).as_long())
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)
    open_ones = {
        each
        for each, term in asked.windows.items()
        if z3.is_true(model.eval(term, True))  # noqa: FBT003 - z3's signature
    }
    moments = asked.moments.of(list(asked.windows))
    fitting = [
        at for at in moments if {each for each in asked.windows if each.is_open(at)} == open_ones
    ]
    return fitting[0] if fitting else asked.moments.start
