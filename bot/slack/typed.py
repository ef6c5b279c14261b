"""What each typed command does, and what the person reads."""

from dataclasses import replace
from typing import assert_never

from bot.core.errors import Invalid
from bot.core.identity import RequestId
from bot.core.moves import Cancel, Move, Revoke
from bot.core.starting import start_of
from bot.slack import commands as c
from bot.slack.answers import (
    bundles_text,
    help_text,
    list_text,
    stands_text,
    status_text,
    unknown_text,
)
from bot.slack.api import SlackApi
from bot.slack.forecast import why_text
from bot.slack.forms import START, TICKET, request_form
from bot.slack.glass_forms import glass_form
from bot.slack.moments import read_moment
from bot.slack.mrkdwn import Rendered
from bot.slack.payloads import Typed
from bot.slack.problems import answer_to
from bot.slack.use import report_text
from bot.usecases.emergencies import Emergencies, not_for_later
from bot.usecases.ports import Clock, Zones
from bot.usecases.reports import Reports
from bot.usecases.requests import Requests
from bot.usecases.wishes import Wish


class Commands:
    """Answers commands."""

    def __init__(
        self,
        requests: Requests,
        emergencies: Emergencies,
        reports: Reports,
        *,
        api: SlackApi,
        zones: Zones,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._reports = reports
        self._zones = zones
        self._clock = clock
        self._emergencies = emergencies
        self._api = api

    async def answer(self, typed: Typed) -> Rendered | None:
        """Carry out what was typed; return what to show, None when a form was opened.

        Raises:
            BotError: It was refused, or could not be done.
        """
        await self._requests.admit(typed.by)
        command = c.read_command(typed.text)
        match command:
            case c.Help():
                return help_text()
            case c.Unknown():
                return unknown_text(command)
            case c.Bundles():
                return bundles_text(self._requests.policy)
            case c.List():
                return list_text(await self._requests.mine(typed.by))
            case c.Status(request=id_):
                return await self._status(id_, typed)
            case c.Cancel(request=id_):
                return await self._cancel(id_, typed)
            case c.Revoke(request=id_, reason=reason):
                return await self._move(id_, Revoke(reason), typed)
            case c.Why(wish=wish, start=start):
                return await self._why(await self._from(start, wish, typed), typed)
            case c.BreakGlass(wish=wish, start=start):
                not_for_later(wish.bundle, start)
                prospect = await self._emergencies.prospect(wish.bundle, by=typed.by)
                await self._api.open_view(typed.trigger, glass_form(prospect, wish))
                return None
            case c.Usage(bundle=bundle):
                return report_text(await self._reports.of(bundle))
            case c.Ask(wish=wish, start=start):
                return await self._ask(await self._from(start, wish, typed), typed)
            case _:
                assert_never(command)

    async def _from(self, start: str, wish: Wish, typed: Typed) -> Wish:
        """Return `wish` with the start that was typed.

        Raises:
            Invalid: It is no time, or its bundle cannot be had from then.
            Unavailable: Slack did not say in which time zone that is.
        """
        if not start:
            return wish
        now, zone = self._clock.now(), await self._zones.zone(typed.by)
        wanted = read_moment(start, after=now, zone=zone, field=START, is_end=False)
        bundle = self._requests.policy.bundles.get(wish.bundle)
        if bundle is not None:
            start_of(bundle, wanted, now=now)
        return replace(wish, start=wanted)

    async def _why(self, wish: Wish, typed: Typed) -> Rendered:
        explanation = await self._requests.why(wish, by=typed.by)
        people = await self._requests.who_would_decide(explanation)
        return why_text(explanation, people, start=wish.start)

    async def _status(self, id_: RequestId | None, typed: Typed) -> Rendered:
        if id_ is None:
            return list_text(await self._requests.mine(typed.by))
        return status_text(await self._requests.find(id_, by=typed.by))

    async def _cancel(self, id_: RequestId, typed: Typed) -> Rendered:
        """Take a request back; what is approved and has not begun is given up."""
        request = await self._requests.find(id_, by=typed.by)
        is_ready = request.waiting_grant is not None and request.requester == typed.by
        return await self._move(id_, Revoke() if is_ready else Cancel(), typed)

    async def _move(self, id_: RequestId, move: Move, typed: Typed) -> Rendered:
        outcome = await self._requests.move(id_, move, by=typed.by, delivery=typed.delivery)
        return stands_text(outcome.request)

    async def _ask(self, wish: Wish, typed: Typed) -> Rendered | None:
        policy, note = self._requests.policy, ""
        if c.is_complete(wish, policy):
            try:
                outcome = await self._requests.open(wish, by=typed.by, delivery=typed.delivery)
            except Invalid as problem:
                if problem.field != TICKET:
                    raise
                note = answer_to(problem)  # what was typed is in the form, to be mended
            else:
                return stands_text(outcome.request)
        await self._api.open_view(typed.trigger, request_form(policy, wish=wish, note=note))
        return None
