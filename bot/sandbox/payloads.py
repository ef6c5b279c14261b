"""Payloads exactly as Slack sends them.

Sources: https://docs.slack.dev/reference/interaction-payloads,
https://docs.slack.dev/interactivity/implementing-slash-commands,
https://docs.slack.dev/apis/events-api (the outer event).
"""

import secrets
import time
from typing import Final

from bot.sandbox.chat import slack_message
from bot.sandbox.forms import Json
from bot.sandbox.modals import OpenView
from bot.sandbox.workspace import (
    APP_ID,
    BOT_USER,
    DOMAIN,
    TEAM,
    Channel,
    Message,
    Person,
)

# The deprecated verification token; the signature is what counts.
VERIFICATION_TOKEN: Final = "sandbox"  # noqa: S105  # guards nothing
_CHANNEL_NAMES: Final = {"im": "directmessage", "private": "privategroup"}


def escaped(text: str) -> str:
    """Return `text` with Slack's three control characters escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def command(
    person: Person, channel: Channel, *, name: str, text: str, response_url: str, trigger_id: str
) -> Json:
    """Return the form of a slash command."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": person.team,
        "team_domain": _domain(person.team),
        "channel_id": channel.id,
        "channel_name": _CHANNEL_NAMES.get(channel.kind, channel.name),
        "user_id": person.id,
        "user_name": person.name.lower(),
        "command": name,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def message_click(
    person: Person,
    channel: Channel,
    message: Message,
    *,
    action: Json,
    response_url: str,
    trigger_id: str,
) -> Json:
    """Return block_actions of a message; the message itself is not told if it is ephemeral.

    `team` is the app's, also for a click from another workspace.
    """
    ephemeral = message.ephemeral_to is not None
    told = _interaction("block_actions", person, team=TEAM) | {
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": ephemeral,
        },
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": _CHANNEL_NAMES.get(channel.kind, channel.name)},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }
    if message.thread_ts:
        told["container"] |= {"thread_ts": message.thread_ts}
    return told if ephemeral else told | {"message": slack_message(message)}


def view_click(person: Person, view: OpenView, *, action: Json, trigger_id: str) -> Json:
    """Return block_actions of a view."""
    return _interaction("block_actions", person) | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": view.json(),
        "actions": [action],
    }


def submission(person: Person, view: OpenView, *, trigger_id: str) -> Json:
    """Return view_submission; `team` is the person's, the app's is view.app_installed_team_id."""
    return _interaction("view_submission", person) | {
        "trigger_id": trigger_id,
        "view": view.json(),
        "response_urls": [],
    }


def closing(person: Person, view: OpenView) -> Json:
    """Return view_closed."""
    cleared = bool(view.body.get("clear_on_close"))
    return _interaction("view_closed", person) | {"view": view.json(), "is_cleared": cleared}


def event(told: Json, *, ts: str) -> Json:
    """Return the outer event around `told`."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "api_app_id": APP_ID,
        "event": told | {"event_ts": ts},
        "type": "event_callback",
        "event_id": f"Ev{secrets.token_hex(6).upper()}",
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }


def _interaction(kind: str, person: Person, *, team: str | None = None) -> Json:
    team = team or person.team
    name = person.name.lower()
    return {
        "type": kind,
        "team": {"id": team, "domain": _domain(team)},
        "user": {"id": person.id, "username": name, "name": name, "team_id": person.team},
        "api_app_id": APP_ID,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _domain(team: str) -> str:
    return DOMAIN if team == TEAM else team.lower()
