"""What OAuth clients do: ask for a token, for themselves or in the name of a person."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.core.client import Client
from bot.core.decision import Ask, Decision, NeedApproval, Reject, checked
from bot.core.errors import BotError, NotAllowed, WrongState
from bot.core.identity import Actor, request_id
from bot.core.machine import Machine
from bot.core.policy import Policy
from bot.core.request import Request
from bot.core.wanted import Wanted, bundle_for
from bot.usecases.requests import Requests
from bot.usecases.tokens import Mint

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A token for the client that asked.

    Attributes:
        token: The signed token.
    """

    request: Request
    token: str


class Machines:
    """The use cases of OAuth clients that ask for tokens.

    Args:
        policy: Returns the policy in force.
        alarm: Returns the channel that is told when somebody says that it was not them.
        draw: Returns a text that nobody can guess; another one each time.
    """

    def __init__(
        self,
        requests: Requests,
        mint: Mint,
        *,
        policy: Callable[[], Policy],
        alarm: Callable[[], str],
        draw: Callable[[], str],
    ) -> None:
        self._requests = requests
        self._mint = mint
        self._policy = policy
        self._alarm = alarm
        self._draw = draw

    async def at_once(self, client: Client, wanted: Wanted, *, address: str) -> Handed:
        """Return a token for `client` itself, if policy approves that without asking anybody.

        Nothing is recorded where it does not.

        Raises:
            Invalid: A part of `wanted` is wrong.
            NotAllowed: Policy says no, people would have to decide, or a limit is reached.
            Unavailable: Nothing was recorded; with OutcomeUnknown that is not known.
        """
        policy = self._policy()
        machine = Machine(client=client.id, owner=client.owner, address=address)
        ask = _ask(client, wanted, policy, by=machine.actor, machine=machine)
        outcome = await self._requests.record(
            request_id(self._draw()), ask, policy, accept=_only_at_once
        )
        grant = outcome.request.working_grant
        if grant is None:
            raise WrongState("what was granted has ended already")
        return Handed(request=outcome.request, token=self._mint.token(grant.token))

    async def went_out(self, handed: Handed) -> None:
        """Record that the client has got its token; the token works in any case."""
        grant = handed.request.grant
        try:
            if grant is not None:
                await self._requests.deliver(handed.request.id, grant.token.jti)
        except BotError as problem:
            log.warning("handing.not_told", request=handed.request.id, code=problem.code)


def _ask(client: Client, wanted: Wanted, policy: Policy, *, by: Actor, machine: Machine) -> Ask:
    return checked(
        bundle_for(client, policy, wanted),
        by=by,
        scopes=wanted.scopes or None,
        duration=wanted.duration,
        reason=wanted.reason or client.reason,
        ticket=wanted.ticket,
        machine=machine,
    )


def _not_denied(decision: Decision) -> None:
    """Return if policy does not say no.

    A client may ask again and again, so its denials are told to it and to the log alone.
    """
    if isinstance(decision, Reject):
        log.info("machine.denied", rule=decision.rule, guardrail=decision.guardrail)
        raise NotAllowed("; ".join(decision.reasons))


def _only_at_once(decision: Decision) -> None:
    _not_denied(decision)
    if isinstance(decision, NeedApproval):
        raise NotAllowed(
            f"people must approve this: {'; '.join(decision.reasons)}",
            hint="ask at the backchannel_authentication_endpoint (CIBA), and poll",
        )
