"""What each press on a button does, and what the person reads afterwards."""

from collections.abc import Mapping
from typing import Final

from bot.core.errors import NotAllowed, Refused
from bot.core.identity import RequestId
from bot.core.moves import (
    Answer,
    Approve,
    Cancel,
    Claim,
    Deny,
    Disown,
    Move,
    Narrow,
    Question,
    RaiseConcern,
    Renew,
    Revoke,
    Scrub,
    SignOff,
)
from bot.core.request import Request
from bot.core.scopes import Delivery
from bot.core.states import RequestState
from bot.slack.api import OPEN_WITHIN_S, SlackApi
from bot.slack.approver_forms import answer_form, background_view, changes_form, question_form
from bot.slack.buttons import Action, read_button, read_question, read_token_button
from bot.slack.forms import read_draft, request_form
from bot.slack.glass_forms import concern_form, glass_form, sign_off_form
from bot.slack.messenger import CARD, SlackMessenger
from bot.slack.modals import deny_form, details_form, token_modal
from bot.slack.mrkdwn import View, moment
from bot.slack.payloads import Click
from bot.usecases.background import Backgrounds
from bot.usecases.emergencies import Emergencies
from bot.usecases.ports import Receipts
from bot.usecases.requests import Requests
from bot.usecases.wishes import Wish

_SIMPLE: Final[Mapping[str, Move]] = {
    Action.CANCEL: Cancel(),
    Action.REVOKE: Revoke(),
    Action.END_NOW: Revoke(),
    Action.NOT_ME: Disown(),
}
# They open a form, and change nothing by themselves.
_OPENING: Final = frozenset(
    {
        Action.SHOW_ALL,
        Action.NARROW,
        Action.QUESTION,
        Action.DETAILS,
        Action.ASK_AGAIN,
        Action.BREAK_GLASS,
        Action.SIGN_OFF,
        Action.CONCERN,
    }
)
_ON_CARDS: Final = frozenset(
    {
        Action.APPROVE,
        Action.NARROW,
        Action.DENY,
        Action.QUESTION,
        Action.DETAILS,
        Action.SHOW_ALL,
        Action.REVOKE,
    }
)


class Clicks:
    """Answers clicks."""

    def __init__(
        self,
        requests: Requests,
        *,
        api: SlackApi,
        messenger: SlackMessenger,
        receipts: Receipts,
        backgrounds: Backgrounds,
        emergencies: Emergencies,
    ) -> None:
        self._requests = requests
        self._emergencies = emergencies
        self._backgrounds = backgrounds
        self._api = api
        self._messenger = messenger
        self._receipts = receipts

    async def answer(self, click: Click) -> str:
        """Carry out `click`; return what to tell, "" when what was opened tells it.

        Raises:
            BotError: It was refused, or could not be done.
        """
        if click.view is not None:
            return await self._in_view(click, click.view)
        if click.action == Action.GOT_IT:
            id_, jti = read_token_button(click.value)
            return await self._move(id_, Scrub(jti), click)
        if click.action == Action.RENEW:
            id_, jti = read_token_button(click.value)
            return await self._move(id_, Renew(jti), click)
        if click.action == Action.EXTEND:
            return await self._extend(click)
        if click.action == Action.ANSWER:
            return await self._open_answer(click)
        id_, seen = read_button(click.value)
        if click.action in _OPENING:
            return await self._open(click, await self._form(id_, seen, click))
        match click.action:
            case Action.APPROVE:
                return await self._move(id_, Approve(seen), click)
            case Action.DENY:
                return await self._ask_why(id_, click)
            case Action.START:
                return await self._start(id_, click)
            case Action.REVEAL:
                return await self._reveal(id_, click)
            case name if name in _SIMPLE:
                return await self._move(id_, _SIMPLE[name], click)
            case _:
                raise Refused("this button is of another version", hint="see /jit list")

    async def _form(self, id_: RequestId, seen: str, click: Click) -> View:
        """Return what the button opens, for who may use it.

        Raises:
            Refused, Unavailable: As the move that the form leads to.
        """
        match click.action:
            case Action.DETAILS:
                return background_view(await self._backgrounds.of(id_, by=click.by))
            case Action.ASK_AGAIN:
                wish = await self._same_again(id_, click)
                return request_form(self._requests.policy, wish=wish)
            case Action.BREAK_GLASS:
                wish = await self._same_again(id_, click)
                prospect = await self._emergencies.prospect(wish.bundle, by=click.by)
                return glass_form(prospect, wish)
            case Action.SIGN_OFF:
                return sign_off_form(await self._may(id_, SignOff("?"), click))
            case Action.CONCERN:
                return concern_form(await self._may(id_, RaiseConcern("?"), click))
            case Action.QUESTION:
                return question_form(await self._may(id_, Question("?"), click))
            case Action.NARROW:
                asked = (await self._requests.load(id_)).asked
                whole = tuple(text.scope for text in asked.scopes)
                less = Narrow(seen, whole, asked.duration)
                return changes_form(await self._may(id_, less, click))
            case _:
                return details_form(await self._may(id_, Approve(seen), click))

    async def _may(self, id_: RequestId, move: Move, click: Click) -> Request:
        return await self._requests.may(id_, move, by=click.by, delivery=click.delivery)

    async def _same_again(self, id_: RequestId, click: Click) -> Wish:
        request = await self._requests.find(id_, by=click.by)
        if request.requester != click.by:
            raise NotAllowed("only the person who asked can ask for the same again")
        asked = request.asked
        return Wish(
            bundle=asked.bundle,
            scopes=tuple(text.scope for text in asked.scopes),
            duration=asked.duration,
            reason=asked.reason,
            ticket=asked.ticket,
        )

    async def _open_answer(self, click: Click) -> str:
        id_, number = read_question(click.value)
        request = await self._may(id_, Answer(number, "?"), click)
        if request.questions[number].answered:
            return "You have answered this already."
        return await self._open(click, answer_form(request, number))

    async def _move(self, id_: RequestId, move: Move, click: Click) -> str:
        outcome = await self._requests.move(id_, move, by=click.by, delivery=click.delivery)
        return done(move, outcome.request)

    async def _start(self, id_: RequestId, click: Click) -> str:
        """Start the grant; a token that is shown in a window only is shown at once."""
        claim = Claim()
        outcome = await self._requests.move(id_, claim, by=click.by, delivery=click.delivery)
        if outcome.request.asked.delivery is Delivery.REVEAL:
            return await self._reveal(id_, click)
        return done(claim, outcome.request)

    async def _reveal(self, id_: RequestId, click: Click) -> str:
        token = await self._requests.reveal(id_, by=click.by, delivery=click.delivery)
        return await self._open(click, token_modal(await self._requests.load(id_), token))

    async def _extend(self, click: Click) -> str:
        id_, jti = read_token_button(click.value)
        outcome = await self._requests.extend(id_, by=click.by, delivery=click.delivery, token=jti)
        return _extended(outcome.request)

    async def _ask_why(self, id_: RequestId, click: Click) -> str:
        move = Deny("?")
        request = await self._may(id_, move, click)
        if request.state is RequestState.DENIED:
            return done(move, request)
        return await self._open(click, deny_form(request))

    async def _in_view(self, click: Click, view: Mapping[str, object]) -> str:
        """Show the form again for the bundle that was chosen in it."""
        if click.action == Action.CHOOSE_BUNDLE:
            await self._requests.admit(click.by)
            await self._api.write(
                "views.update",
                view_id=view["id"],
                hash=view["hash"],
                view=request_form(self._requests.policy, wish=read_draft(view)),
                within_s=OPEN_WITHIN_S,
            )
        return ""

    async def _open(self, click: Click, view: View) -> str:
        await self._api.open_view(click.trigger, view)
        return ""

    async def retire_twin(self, click: Click) -> None:
        """Take the buttons off the message of `click` if it is a second copy of the card.

        Raises:
            BotError: It could not be done.
        """
        if click.action not in _ON_CARDS or not click.held:
            return
        id_, _ = read_button(click.value)
        card = (await self._receipts.of(id_)).get(CARD)
        if card is not None and (card.channel, card.ts) != (click.channel, click.ts):
            request = await self._requests.load(id_)
            await self._messenger.retire(request, channel=click.channel, ts=click.ts)


_DONE: Final[Mapping[type[Move], str]] = {
    Deny: "Denied; the requester is told why.",
    Cancel: "Your request is taken back.",
    SignOff: "Signed off; the requester is told.",
    RaiseConcern: "Your concern is recorded; the review stays open until somebody signs it off.",
    Disown: "Nobody has access in your name by this any more, and security is told.",
    Renew: "A further token is on its way to you; the one before lives to its own end.",
    Revoke: "Ended: its tokens no longer work.",
    Scrub: "The token is taken out of the message.",
}


def done(move: Move, request: Request) -> str:
    """Return the sentence that tells a person that their move stands."""
    match move:
        case Approve() | Narrow():
            if request.waits_for is None:
                return "Your approval is recorded, and it was the last one needed."
            return "Your approval is recorded; others must approve too."
        case Claim():
            return _started(request)
        case Revoke() if request.grant is not None and request.grant.never_started:
            return "Given up: it will not begin."
        case _:
            return _DONE.get(type(move), "Done.")


def _started(request: Request) -> str:
    grant = request.working_grant
    if grant is None:
        return "You have started this before, and it has ended."
    return (
        f"Started: it works until {moment(grant.ends_at)}. Your token is in a message of its own."
    )


def _extended(request: Request) -> str:
    match request.state:
        case RequestState.APPROVED:
            return "Extended: a new token is on its way to you."
        case RequestState.PENDING:
            return "Your wish for more time waits for approval; you will be told."
        case RequestState.DENIED:
            return f"Not extended: {'; '.join(request.asked.reasons)}."
        case _:
            return f"Your wish for more time is {request.state} already."
