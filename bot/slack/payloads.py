"""Slack's payloads as the listeners see them; nothing else digs in them.

Source: https://docs.slack.dev/reference/interaction-payloads and
https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.identity import Actor, fingerprint, person

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A press on a button, or another choice that was dispatched.

    Attributes:
        delivery: The same for the same click however often it is delivered.
        channel, ts: The message it was made in; "" in a view.
        held: Whether that message, as Slack has it, holds this very button.
        view: The view it was made in.
    """

    by: Actor
    delivery: str
    action: str
    value: str
    trigger: str
    response_url: str
    channel: str
    ts: str
    held: bool
    view: Body | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A form that was sent."""

    by: Actor
    delivery: str
    form: str
    view: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command that was typed."""

    by: Actor
    text: str
    trigger: str

    @property
    def delivery(self) -> str:
        """The same for the same command however often it is delivered."""
        return fingerprint("command", self.trigger)


def read_typed(body: Body) -> Typed:
    """Return the command in `body`."""
    home = body.get("enterprise_id") or body.get("team_id") or ""
    return Typed(
        by=person(body["user_id"], home=home),
        text=body.get("text") or "",
        trigger=body["trigger_id"],
    )


def read_click(body: Body) -> Click:
    """Return the click in a block_actions payload."""
    action = body["actions"][0]
    container = body.get("container") or {}
    return Click(
        by=_who(body),
        delivery=fingerprint("click", body["trigger_id"], action["action_id"]),
        action=action["action_id"],
        value=str(action.get("value") or ""),
        trigger=body["trigger_id"],
        response_url=body.get("response_url") or "",
        channel=str(container.get("channel_id") or ""),
        ts=str(container.get("message_ts") or ""),
        held=_holds(body.get("message") or {}, action),
        view=body.get("view"),
    )


def _holds(message: Body, action: Body) -> bool:
    """Return whether the button of `action` stands in `message`, with the same value."""
    button = (action["action_id"], action.get("value"))
    return any(
        button == (each.get("action_id"), each.get("value"))
        for block in message.get("blocks") or ()
        for each in block.get("elements") or ()
    )


def read_submission(body: Body) -> Submission:
    """Return the form in a view_submission payload.

    A form that is sent again, after an answer was lost, is the same delivery: it has the same id.
    """
    view = body["view"]
    return Submission(
        by=_who(body),
        delivery=fingerprint("view", view["id"]),
        form=view["callback_id"],
        view=view,
    )


def _who(body: Body) -> Actor:
    """Return who acted.

    `team` and `enterprise` are the app's; somebody of another company, who sees our message in a
    shared channel, has another `user.team_id`. Whoever is not clearly ours keeps that id, and is
    turned away.
    """
    team, enterprise = (body.get("team") or {}), (body.get("enterprise") or {})
    user = body["user"]
    own, theirs = enterprise.get("id") or team.get("id") or "", user.get("team_id") or ""
    ours = theirs in (team.get("id"), enterprise.get("id"))
    return person(user["id"], home=own if ours else theirs)
