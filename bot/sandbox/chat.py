"""The chat.* methods. Source: https://docs.slack.dev/reference/methods."""

from typing import Any

from bot.sandbox.errors import SlackError
from bot.sandbox.forms import Json
from bot.sandbox.limits import POSTED_TEXT, UPDATED_TEXT, check_message
from bot.sandbox.rates import Meter
from bot.sandbox.workspace import APP_ID, BOT_ID, BOT_USER, TEAM, Channel, Message, Workspace


def slack_message(message: Message) -> Json:
    """Return `message` as Slack tells it."""
    told = {
        "type": "message",
        "user": message.user,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "team": TEAM,
        "ts": message.ts,
        "text": message.text,
        "blocks": list(message.blocks),
    }
    return told | ({"thread_ts": message.thread_ts} if message.thread_ts else {})


def find_channel(workspace: Workspace, named: Any) -> Channel:
    """Return the channel that the bot means by an id.

    Raises:
        SlackError: channel_not_found, also for a private one that the bot is not in.
    """
    channel = workspace.channels.get(str(named))
    if channel is None or (channel.kind != "channel" and BOT_USER not in channel.members):
        raise SlackError("channel_not_found")
    return channel


def post_message(workspace: Workspace, meter: Meter, args: Json) -> Json:
    """chat.postMessage: to a channel by id or #name, or to a person's direct message."""
    channel = _destination(workspace, args.get("channel"))
    may_stay_out = channel.kind == "channel" and "chat:write.public" in workspace.manifest.scopes
    if BOT_USER not in channel.members and not may_stay_out:
        raise SlackError("not_in_channel")
    text, blocks = _content(args)
    check_message(text, blocks)
    thread_ts = _thread(workspace, channel, args)
    if wait_s := meter.wait_for_message(channel.id):
        raise SlackError("ratelimited", retry_after=wait_s)
    message = workspace.post(
        channel.id, text=text[:POSTED_TEXT], blocks=blocks, thread_ts=thread_ts
    )
    return {"channel": channel.id, "ts": message.ts, "message": slack_message(message)}


def post_ephemeral(workspace: Workspace, args: Json) -> Json:
    """chat.postEphemeral: to one member of a channel that the bot is in."""
    channel = _destination(workspace, args.get("channel"))
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    person = workspace.people.get(str(args.get("user")))
    if person is None or person.id not in channel.members or person.kind == "deactivated":
        raise SlackError("user_not_in_channel")
    text, blocks = _content(args)
    check_message(text, blocks)
    thread_ts = _thread(workspace, channel, args)
    message = workspace.post(
        channel.id, text=text, blocks=blocks, thread_ts=thread_ts, ephemeral_to=person.id
    )
    return {"message_ts": message.ts}


def update(workspace: Workspace, args: Json) -> Json:
    """chat.update: an own message, in a channel told by its id."""
    channel = find_channel(workspace, args.get("channel"))
    if channel.archived:
        raise SlackError("is_inactive")
    message = _own(workspace, channel, args, refusal="cant_update_message")
    text, blocks = _content(args)
    check_message(text, blocks, longest=UPDATED_TEXT)
    changed = workspace.rewrite(message, text=text, blocks=blocks)
    told = {"channel": channel.id, "ts": changed.ts, "text": text}
    return told | {"message": slack_message(changed)}


def delete(workspace: Workspace, args: Json) -> Json:
    """chat.delete: an own message; replies to it stay."""
    channel = find_channel(workspace, args.get("channel"))
    message = _own(workspace, channel, args, refusal="cant_delete_message")
    workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def permalink(workspace: Workspace, args: Json) -> Json:
    """chat.getPermalink."""
    channel = find_channel(workspace, args.get("channel"))
    message = workspace.message(channel.id, str(args.get("message_ts")))
    if message is None or message.ephemeral_to:
        raise SlackError("message_not_found")
    link = f"{workspace.url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _destination(workspace: Workspace, named: Any) -> Channel:
    named = str(named).removeprefix("#")
    if named in workspace.people:
        if workspace.people[named].kind == "deactivated":
            raise SlackError("user_disabled")
        named = workspace.dm(named).id
    by_name = {channel.name: channel.id for channel in workspace.channels.values()}
    ident = by_name.get(named, named)
    channel = find_channel(workspace, ident)
    if channel.archived:
        raise SlackError("is_archived")
    if channel.kind == "im" and not workspace.manifest.messages_tab:
        raise SlackError("messages_tab_disabled")
    return channel


def _content(args: Json) -> tuple[str, list[Json]]:
    return str(args.get("text") or ""), args.get("blocks") or []


def _thread(workspace: Workspace, channel: Channel, args: Json) -> str | None:
    thread_ts = args.get("thread_ts")
    if thread_ts and not workspace.has_thread(channel.id, str(thread_ts)):
        raise SlackError("thread_not_found")
    return str(thread_ts) if thread_ts else None


def _own(workspace: Workspace, channel: Channel, args: Json, *, refusal: str) -> Message:
    message = workspace.message(channel.id, str(args.get("ts")))
    if message is None or message.ephemeral_to:
        raise SlackError("message_not_found")
    if message.user != BOT_USER:
        raise SlackError(refusal)
    return message
