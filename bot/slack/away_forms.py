"""Answers to `/jit away`, its form, and what whoever stands in is told."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bot.core.absence import AHEAD, LONGEST, Absence, Away
from bot.core.durations import spell
from bot.slack.away import PEOPLE_TOLD
from bot.slack.away_commands import GoAway, read_user
from bot.slack.buttons import Action
from bot.slack.modals import Form, answer, field, modal, typed
from bot.slack.moments import EXAMPLES
from bot.slack.mrkdwn import (
    BLOCK_WEIGHT,
    MESSAGE_BLOCKS,
    MESSAGE_WEIGHT,
    NAME_TEXT,
    Block,
    Rendered,
    View,
    actions,
    button,
    context,
    mention,
    moment,
    packed,
    plain,
    quoted,
    section,
    tidy,
)
from bot.usecases.absences import Overview

# The blocks of the form; errors of these names stand under them.
STAND_IN: Final = "stand_in"
SINCE: Final = "from"
UNTIL: Final = "until"

BOUNDS: Final = f"{spell(LONGEST)} at most at a time, to begin within {spell(AHEAD)}"
_HINT: Final = f"In your time: {EXAMPLES}"
_AROUND: Final = 10 * BLOCK_WEIGHT


def declared_text(absence: Absence, away_too: Away) -> Rendered:
    """Return the answer to who has said that they are away."""
    until = moment(absence.until)
    lines = [f"🌴 You are away from {moment(absence.since)} until {until}."]
    if absence.stand_in is None:
        lines.append("Nobody stands in for you; name somebody with `--to @WHO`.")
    else:
        who = mention(absence.stand_in)
        lines.append(
            f"{who} can approve, ask and deny in your place meanwhile, but for what they ask for "
            "themselves, bundles that do not allow it, and reviews of break-glass. It is on record."
        )
        lines += [
            f"⚠️ {who} is away too until {moment(each.until)}, and what you lend is not passed on."
            for each in away_too[:1]
        ]
    lines.append("`/jit away` shows it, `/jit away off` takes it back.")
    return Rendered(_bare(" ".join(lines[:2])), [section("\n".join(lines))])


def withdrawn_text(gone: Away) -> str:
    """Return the answer to who has taken something back, as mrkdwn."""
    told = [f"until {moment(each.until)}{_lent_to(each)}" for each in gone[:PEOPLE_TOLD]]
    more = f" and {len(gone) - PEOPLE_TOLD} more" if len(gone) > PEOPLE_TOLD else ""
    return f"↩️ Taken back: being away {', '.join(told)}{more}. Nobody acts for you by it any more."


def overview_text(found: Overview) -> Rendered:
    """Return when somebody is away, and for whom they stand in, with buttons."""
    lines = [*_listed("You are away", found.mine), *_listed("You stand in", found.lent)]
    shown, hidden = packed(
        [f"{heading}{text}" for heading, text in lines] or ["You are not away."],
        room=MESSAGE_WEIGHT // 2 - _AROUND,
        blocks=MESSAGE_BLOCKS // 2,
    )
    more = f"{hidden} more do not fit. " if hidden else ""
    # Two buttons of one row must not have the same action id.
    rows = [actions(each) for each in (_plan_button(), *map(_end_button, found.mine))]
    usage = f"{more}`/jit away until FRIDAY --to @WHO`: {BOUNDS}. `/jit away off` takes it back."
    text = f"Away {len(found.mine)} times, standing in for others {len(found.lent)} times."
    return Rendered(text, [*shown, context(usage), *(block for row in rows for block in row)])


def _listed(heading: str, away: Away) -> Iterator[tuple[str, str]]:
    for each in away:
        term = f" from {moment(each.since)} until {moment(each.until)}"
        stands_in_for = heading == "You stand in"
        yield (
            heading,
            f" for {mention(each.who)}{term}"
            if stands_in_for
            else (f"{term}{_lent_to(each) or '; nobody stands in'}"),
        )


def _lent_to(absence: Absence) -> str:
    return f"; {mention(absence.stand_in)} stands in" if absence.stand_in is not None else ""


def _plan_button() -> Block:
    return button(
        Action.PLAN_AWAY, "Say when I am away", value="away", describes="Say when you are away"
    )


def _end_button(absence: Absence) -> Block:
    until = f"{absence.until:%Y-%m-%d}"
    return button(
        Action.END_AWAY,
        f"Take back (until {until})",
        value=absence.id,
        style="danger",
        describes=f"Take back that you are away until {until}",
    )


def lent_note(absence: Absence, *, is_back: bool) -> Rendered:
    """Return what whoever stands in is told.

    Args:
        is_back: Whether it is taken back.
    """
    who = mention(absence.who)
    text = (
        f"↩️ You do not stand in for {who} any more."
        if is_back
        else f"🌴 {who} is away from {moment(absence.since)} until {moment(absence.until)}, and "
        "you stand in: you can approve, ask and deny in their place, with the buttons of the card. "
        "It is recorded as yours for them. `/jit away` shows it."
    )
    return Rendered(_bare(text), [section(text)])


def away_form(given: GoAway, *, note: str = "") -> View:
    """Return the form, filled in with what is known.

    Args:
        note: Why it is shown, in words that are anybody's.
    """
    said = quoted(note)
    people: Block = {
        "type": "users_select",
        "action_id": STAND_IN,
        "placeholder": plain("Choose a colleague"),
    }
    known = read_user(given.to)
    if known is not None:
        people["initial_user"] = known
    return modal(
        Form.AWAY,
        "I am away",
        [
            *([section(said)] if said else []),
            field(
                UNTIL, "Until when?", _text(UNTIL, given.until), hint=f"In your time: {EXAMPLES}"
            ),
            field(
                SINCE, "From when?", _text(SINCE, given.since), optional=True, hint="Or at once."
            ),
            field(STAND_IN, "Who stands in for you?", people, optional=True),
            context(f"{BOUNDS}. Who stands in acts in your place, and it is on record."),
        ],
        submit="Record",
        close="Cancel",
    )


def _text(name: str, initial: str) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": name, "max_length": NAME_TEXT}
    shown = tidy(initial, NAME_TEXT)
    return {**element, "initial_value": shown} if shown else element


def read_away_form(view: Mapping[str, Any]) -> GoAway:
    """Return what the form says."""
    chosen = str(answer(view, STAND_IN).get("selected_user") or "")
    return GoAway(
        since=typed(view, SINCE, limit=NAME_TEXT),
        until=typed(view, UNTIL, limit=NAME_TEXT),
        to=f"<@{chosen}>" if chosen else "",
    )


def _bare(text: str) -> str:
    return text.replace("*", "").replace("`", "")
