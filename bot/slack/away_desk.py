"""What is said of being away in Slack, and what whoever stands in is told."""

from typing import Final, assert_never

import structlog

from bot.core.absence import Absence, Away
from bot.core.errors import BotError, Invalid
from bot.core.identity import Actor, person
from bot.slack.api import SlackApi
from bot.slack.away_commands import Absences as ShowAbsences
from bot.slack.away_commands import AwayCommand, ComeBack, GoAway, read_user
from bot.slack.away_forms import (
    SINCE,
    STAND_IN,
    UNTIL,
    away_form,
    declared_text,
    lent_note,
    overview_text,
    read_away_form,
    withdrawn_text,
)
from bot.slack.buttons import Action
from bot.slack.moments import read_moment
from bot.slack.mrkdwn import Rendered, section
from bot.slack.payloads import Click, Submission, Typed
from bot.usecases.absences import Absences, Plan
from bot.usecases.ports import Clock, Zones
from bot.usecases.tasks import Tasks

log = structlog.get_logger()

_WHO: Final = "I cannot tell who {name} is. Choose them here, or pick them from Slack's list."


class AwayDesk:
    """Answers commands, clicks and forms about being away.

    Args:
        after: What follows an answer.
    """

    def __init__(
        self, absences: Absences, *, api: SlackApi, zones: Zones, clock: Clock, after: Tasks
    ) -> None:
        self._absences = absences
        self._api = api
        self._zones = zones
        self._clock = clock
        self._after = after

    async def typed(self, command: AwayCommand, typed: Typed) -> Rendered | None:
        """Carry out what was typed; return what to show, None when a form was opened.

        Raises:
            BotError: It was refused, or could not be done.
        """
        match command:
            case ShowAbsences():
                return overview_text(await self._absences.of(typed.by))
            case ComeBack(to=to):
                return await self._back(to, typed)
            case GoAway(to=to):
                if to and read_user(to) is None:
                    form = away_form(command, note=_WHO.format(name=to))
                    await self._api.open_view(typed.trigger, form)
                    return None
                absence, too = await self._declare(command, typed.by, typed.delivery)
                return declared_text(absence, too)
            case _:
                assert_never(command)

    async def clicked(self, click: Click) -> str:
        """Carry out a press on a button of the list of absences; return what to tell.

        Raises:
            BotError: It was refused, or could not be done.
        """
        if click.action == Action.PLAN_AWAY:
            await self._absences.of(click.by)  # whoever may not use the bot gets no form
            await self._api.open_view(click.trigger, away_form(GoAway("", "", "")))
            return ""
        gone = await self._absences.withdraw(by=click.by, delivery=click.delivery, only=click.value)
        self._tell(gone, is_back=True)
        return withdrawn_text(gone)

    async def submitted(self, form: Submission) -> Rendered:
        """Carry out the form; return what to tell.

        Raises:
            BotError: It was refused, or could not be done.
        """
        absence, too = await self._declare(read_away_form(form.view), form.by, form.delivery)
        return declared_text(absence, too)

    async def _declare(self, said: GoAway, by: Actor, delivery: str) -> tuple[Absence, Away]:
        zone, now = await self._zones.zone(by), self._clock.now()
        since = None
        if said.since:
            since = read_moment(said.since, after=now, zone=zone, field=SINCE, is_end=False)
        until = read_moment(
            said.until, after=max(since or now, now), zone=zone, field=UNTIL, is_end=True
        )
        user = read_user(said.to) if said.to else None
        if said.to and user is None:
            raise Invalid("nobody knows who that is", field=STAND_IN)
        plan = Plan(
            stand_in=person(user, home=by.home) if user is not None else None,
            since=since,
            until=until,
        )
        absence, too = await self._absences.declare(plan, by=by, delivery=delivery)
        self._tell((absence,), is_back=False)
        return absence, too

    async def _back(self, to: str, typed: Typed) -> Rendered:
        user = read_user(to) if to else None
        if to and user is None:
            return Rendered(
                "I cannot tell who that is.",
                [section("I cannot tell who that is; `/jit away` has a button for each.")],
            )
        gone = await self._absences.withdraw(
            by=typed.by,
            delivery=typed.delivery,
            stand_in=person(user, home=typed.by.home) if user is not None else None,
        )
        self._tell(gone, is_back=True)
        text = withdrawn_text(gone)
        return Rendered(text, [section(text)])

    def _tell(self, absences: Away, *, is_back: bool) -> None:
        for each in absences:
            if each.stand_in is not None:
                self._after.spawn(self._told(each, each.stand_in, is_back=is_back))

    async def _told(self, absence: Absence, who: Actor, *, is_back: bool) -> None:
        """Tell whoever stands in; that it holds does not depend on it."""
        note = lent_note(absence, is_back=is_back)
        try:
            opened = await self._api.write("conversations.open", users=who.id)
            await self._api.write(
                "chat.postMessage",
                channel=opened["channel"]["id"],
                text=note.text,
                blocks=note.blocks,
            )
        except BotError as problem:
            log.warning("stand_in.not_told", absence=absence.id, by=str(who), code=problem.code)
