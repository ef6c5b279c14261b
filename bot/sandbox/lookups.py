"""The methods that look things up: auth, users, usergroups, conversations.

Source: https://docs.slack.dev/reference/methods.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.sandbox.chat import find_channel
from bot.sandbox.errors import SlackError
from bot.sandbox.forms import Json
from bot.sandbox.workspace import (
    BOT_ID,
    BOT_NAME,
    BOT_USER,
    MANAGER_FIELD,
    TEAM,
    TEAM_NAME,
    Channel,
    Person,
    UserGroup,
    Workspace,
)

PAGE: Final = 100  # items, unless a limit is asked for
LONGEST_PAGE: Final = 1000

# The types of conversations.list, and the prefix of the scope that each needs.
TYPES: Final[Mapping[str, str]] = {
    "public_channel": "channels",
    "private_channel": "groups",
    "im": "im",
    "mpim": "mpim",
}
_TYPE_OF: Final = {"channel": "public_channel", "private": "private_channel", "im": "im"}


def auth_test(workspace: Workspace, _: Json) -> Json:
    """auth.test."""
    return {
        "url": f"{workspace.url}/",
        "team": TEAM_NAME,
        "user": BOT_NAME,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


def slack_user(person: Person, workspace: Workspace) -> Json:
    """Return `person` as users.info and the event user_change tell it."""
    told: Json = {
        "id": person.id,
        "team_id": person.team,
        "name": person.name.lower(),
        "real_name": person.name,
        "deleted": person.kind == "deactivated",
        "is_bot": False,
        "is_app_user": False,
        "profile": {
            "real_name": person.name,
            "display_name": person.name,
            "title": person.title,
            "team": person.team,
        },
    }
    if "users:read.email" in workspace.manifest.scopes and person.team == TEAM:
        told["profile"]["email"] = person.email
    if person.kind == "external":
        told["is_stranger"] = True
    if person.kind != "deactivated":
        guest = {"is_restricted": person.kind == "guest", "is_ultra_restricted": False}
        told |= {"tz": person.zone, "is_admin": False, "is_owner": False, **guest}
    return told


def users_info(workspace: Workspace, args: Json) -> Json:
    """users.info, of the bot too."""
    if args.get("user") == BOT_USER:
        bot = slack_user(Person(id=BOT_USER, name=BOT_NAME, title=""), workspace)
        return {"user": bot | {"is_bot": True}}
    if args.get("user") not in workspace.people:
        raise SlackError("user_not_found")
    return {"user": slack_user(workspace.people[args["user"]], workspace)}


def users_lookup_by_email(workspace: Workspace, args: Json) -> Json:
    """users.lookupByEmail, which knows nobody whose account is closed."""
    for person in workspace.people.values():
        if person.email == args.get("email") and person.kind != "deactivated":
            return {"user": slack_user(person, workspace)}
    raise SlackError("users_not_found")


def users_profile_get(workspace: Workspace, args: Json) -> Json:
    """users.profile.get, with the one custom field that there is."""
    if args.get("user") not in workspace.people:
        raise SlackError("user_not_found")
    person = workspace.people[args["user"]]
    fields = {MANAGER_FIELD: {"value": person.manager, "alt": ""}} if person.manager else []
    return {"profile": {**slack_user(person, workspace)["profile"], "fields": fields}}


def usergroups_list(workspace: Workspace, args: Json) -> Json:
    """usergroups.list, with members if `include_users`."""
    full = _truth(args.get("include_users"))
    return {"usergroups": [_group(each, with_users=full) for each in workspace.groups.values()]}


def usergroups_users(workspace: Workspace, args: Json) -> Json:
    """usergroups.users.list; deactivated people may be among them."""
    if args.get("usergroup") not in workspace.groups:
        raise SlackError("no_such_subteam")
    return {"users": list(workspace.groups[args["usergroup"]].users)}


def conversations_open(workspace: Workspace, args: Json) -> Json:
    """conversations.open: the direct message of one person with the bot."""
    if args.get("channel"):
        return {"channel": {"id": find_channel(workspace, args["channel"]).id}}
    users = [user for user in str(args.get("users") or "").split(",") if user]
    if not users:
        raise SlackError("users_list_not_supplied")
    if any(user not in workspace.people for user in users):
        raise SlackError("user_not_found" if len(users) == 1 else "users_not_found")
    if len(users) > 1:
        raise SlackError("missing_scope", needed="mpim:write")
    if workspace.people[users[0]].kind == "deactivated":
        raise SlackError("user_disabled")
    channel = workspace.dm(users[0])
    return {"channel": _channel(channel) if _truth(args.get("return_im")) else {"id": channel.id}}


def conversations_info(workspace: Workspace, args: Json) -> Json:
    """conversations.info."""
    return {"channel": _channel(_readable(workspace, args.get("channel")))}


def conversations_list(workspace: Workspace, args: Json) -> Json:
    """conversations.list: what the bot could find, in pages."""
    types = [kind.strip() for kind in str(args.get("types") or "public_channel").split(",")]
    if unknown := [kind for kind in types if kind not in TYPES]:
        raise SlackError("invalid_types", detail=unknown)
    for kind in types:
        _need(workspace, f"{TYPES[kind]}:read")
    found = [
        _channel(channel)
        for channel in workspace.channels.values()
        if _TYPE_OF[channel.kind] in types
        and (channel.kind == "channel" or BOT_USER in channel.members)
        and not (channel.archived and _truth(args.get("exclude_archived")))
    ]
    return _page("channels", found, args)


def conversations_members(workspace: Workspace, args: Json) -> Json:
    """conversations.members, in pages, without deactivated people."""
    channel = _readable(workspace, args.get("channel"))
    gone = {person.id for person in workspace.people.values() if person.kind == "deactivated"}
    return _page("members", sorted(channel.members - gone), args)


def _readable(workspace: Workspace, named: Any) -> Channel:
    channel = find_channel(workspace, named)
    _need(workspace, f"{TYPES[_TYPE_OF[channel.kind]]}:read")
    return channel


def _need(workspace: Workspace, scope: str) -> None:
    if scope not in workspace.manifest.scopes:
        raise SlackError("missing_scope", needed=scope)


def _page(name: str, items: Sequence[Any], args: Json) -> Json:
    try:
        start = int(base64.b64decode(args.get("cursor") or b"", validate=True) or b"0")
        size = int(args.get("limit") or PAGE)
    except (binascii.Error, ValueError) as problem:
        raise SlackError("invalid_cursor") from problem
    if not 1 <= size <= LONGEST_PAGE:
        raise SlackError("invalid_limit")
    end = start + size
    cursor = base64.b64encode(str(end).encode()).decode() if end < len(items) else ""
    return {name: list(items[start:end]), "response_metadata": {"next_cursor": cursor}}


def _truth(told: Any) -> bool:
    return told in {True, "1", "true"}


def _group(group: UserGroup, *, with_users: bool) -> Json:
    told = {
        "id": group.id,
        "team_id": TEAM,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "handle": group.handle,
        "is_external": False,
        "date_delete": 0,
        "user_count": len(group.users),
    }
    return told | ({"users": list(group.users)} if with_users else {})


def _channel(channel: Channel) -> Json:
    if channel.kind == "im":
        [user] = channel.members - {BOT_USER}
        return {"id": channel.id, "is_im": True, "user": user, "is_archived": False}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "private",
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.kind == "private",
        "is_archived": channel.archived,
        "is_general": channel.name == "general",
        "is_member": BOT_USER in channel.members,
        "is_shared": channel.shared,
        "is_ext_shared": channel.shared,
        "is_org_shared": False,
        "context_team_id": TEAM,
    }
