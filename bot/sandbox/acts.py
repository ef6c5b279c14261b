"""What people do, what the app is told of it, and what they then see."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from bot.sandbox import forms, payloads
from bot.sandbox.delivery import Ack, Delivery
from bot.sandbox.errors import SlackError, Wrong
from bot.sandbox.forms import Json, Values
from bot.sandbox.limits import check_view
from bot.sandbox.lookups import slack_user
from bot.sandbox.modals import Modals, OpenView
from bot.sandbox.responses import Responses
from bot.sandbox.workspace import BOT_USER, SLACKBOT, TEAM, Message, Person, PersonKind, Workspace

_NAMED: Final = re.compile(r"(?<!\S)@[\w.-]+")


class Acts:
    """One method per thing that a person can do; the answers are those of the page's API."""

    def __init__(
        self, workspace: Workspace, *, modals: Modals, responses: Responses, delivery: Delivery
    ) -> None:
        self._workspace = workspace
        self._modals = modals
        self._responses = responses
        self._delivery = delivery

    async def command(self, user: str, channel: str, typed: str) -> Json:
        """Send a slash command; the answer, or what went wrong, appears to her alone."""
        person = self._workspace.person(user)
        place = self._workspace.visible_channel(user, channel)
        name, _, text = typed.strip().partition(" ")
        if name not in self._workspace.manifest.commands:
            self._slackbot(user, channel, f"{name} is not a valid command.")
            return {"ok": False, "error": "invalid_command", "status": None}
        payload = payloads.command(
            person,
            place,
            name=name,
            text=self._sent(name, text.strip()),
            response_url=self._responses.url(user, channel),
            trigger_id=self._modals.trigger(user),
        )
        ack = await self._delivery.send("slash_commands", payload)
        error = ack.error or self._show_ack(user, channel, ack, name)
        if error:
            self._slackbot(user, channel, f"{name} failed with the error “{error}”")
        return _answer(ack, error)

    def _sent(self, command: str, text: str) -> str:
        """Return what Slack makes of a command's text: "@Ben" becomes "<@U0BEN|ben>".

        Source: https://docs.slack.dev/interactivity/implementing-slash-commands, "Escaping".
        """
        if command not in self._workspace.manifest.escaping:
            return text
        people = {person.name.lower(): person.id for person in self._workspace.people.values()}
        return _NAMED.sub(lambda found: _escaped(found[0], people), payloads.escaped(text))

    async def click_message(
        self,
        user: str,
        channel: str,
        ts: str,
        *,
        action_id: str,
        block_id: str | None = None,
        value: Any = None,
        stale: Json | None = None,
    ) -> Json:
        """Press a control of a message.

        Args:
            stale: Send the click as a button with this `value`, whatever stands there now.
        """
        person = self._workspace.person(user)
        place = self._workspace.visible_channel(user, channel)
        message = self._workspace.message(channel, ts)
        if message and message.ephemeral_to not in {None, user}:
            message = None
        if stale is not None:
            action = self._stale_action(action_id, block_id, stale)
        elif message is None:
            raise Wrong(f"{person.name} sees no message {ts!r} there", status=404)
        else:
            block, element = forms.find(message.blocks, action_id, block_id)
            action = forms.action(block, element, value, ts=self._workspace.next_ts())
        payload = payloads.message_click(
            person,
            place,
            message or Message(channel=channel, ts=ts, user=BOT_USER, text=""),
            action=action,
            response_url=self._responses.url(user, channel, original=message),
            trigger_id=self._modals.trigger(user),
        )
        return _answer(await self._delivery.send("interactive", payload))

    async def click_view(
        self,
        user: str,
        ident: str,
        *,
        action_id: str,
        block_id: str | None = None,
        value: Any = None,
        values: Values,
    ) -> Json:
        """Use a control of an open view that dispatches an action."""
        person = self._workspace.person(user)
        view = self._modals.enter(self._modals.find(ident, user=user), values)
        block, element = forms.find(view.blocks, action_id, block_id)
        if block["type"] == "input" and not block.get("dispatch_action"):
            raise Wrong(f"{action_id!r} does not dispatch an action")
        if element["type"] in forms.FIELDS:
            view = self._modals.enter(view, {block["block_id"]: {action_id: value}})
        payload = payloads.view_click(
            person,
            view,
            action=forms.action(block, element, value, ts=self._workspace.next_ts()),
            trigger_id=self._modals.trigger(user, in_modal=True),
        )
        return _answer(await self._delivery.send("interactive", payload))

    async def submit(self, user: str, ident: str, values: Values) -> Json:
        """Send an open view; what is not in `values` keeps what stands in the form."""
        person = self._workspace.person(user)
        view = self._modals.enter(self._modals.find(ident, user=user), values)
        if view.body.get("submit") is None:
            raise Wrong("this view has no submit button")
        if errors := forms.unfinished(view.blocks, view.entered):
            return {"ok": True, "response_action": "errors", "errors": errors}
        trigger_id = self._modals.trigger(user, in_modal=True)
        payload = payloads.submission(person, view, trigger_id=trigger_id)
        ack = await self._delivery.send("interactive", payload)
        if ack.error:
            return _answer(ack)
        try:
            self._respond(view, ack.body)
        except SlackError as problem:
            self._complain("view_submission", problem)
            return _answer(ack, problem.name)
        told = ack.body or {}
        return _answer(ack) | {
            "response_action": told.get("response_action"),
            "errors": told.get("errors", {}),
        }

    async def close(self, user: str, ident: str) -> Json:
        """Close an open view, or all if it is so made; the app hears of it if it wants to."""
        person = self._workspace.person(user)
        view = self._modals.find(ident, user=user)
        if view.body.get("clear_on_close"):
            self._modals.clear(user)
        else:
            self._modals.close(view)
        if view.body.get("notify_on_close"):
            await self._delivery.send("interactive", payloads.closing(person, view))
        return {"ok": True}

    def become(self, user: str, kind: PersonKind) -> Person:
        """Make a person a member, a guest or a deactivated one."""
        person = replace(self._workspace.person(user), kind=kind)
        self._workspace.people[user] = person
        self._workspace.changes.tell(self._workspace.people)
        told = slack_user(person, self._workspace)
        self._tell({"type": "user_change", "user": told, "cache_ts": 0})
        return person

    def regroup(self, ident: str, users: Iterable[str]) -> None:
        """Give a user group other members."""
        if ident not in self._workspace.groups:
            raise Wrong(f"there is no user group {ident!r}", status=404)
        old = self._workspace.groups[ident]
        new = tuple(self._workspace.person(user).id for user in users)
        self._workspace.groups[ident] = replace(old, users=new)
        self._workspace.changes.tell(self._workspace.people)
        added = [user for user in new if user not in old.users]
        removed = [user for user in old.users if user not in new]
        self._tell(
            {
                "type": "subteam_members_changed",
                "subteam_id": ident,
                "team_id": TEAM,
                "added_users": added,
                "added_users_count": len(added),
                "removed_users": removed,
                "removed_users_count": len(removed),
            }
        )

    def _tell(self, event: Json) -> None:
        if event["type"] in self._workspace.manifest.events:
            self._delivery.tell(payloads.event(event, ts=self._workspace.next_ts()))

    def _stale_action(self, action_id: str, block_id: str | None, stale: Json) -> Json:
        block = {"block_id": block_id or "gone"}
        button = {"type": "button", "action_id": action_id, "value": str(stale.get("value", ""))}
        return forms.action(block, button, None, ts=self._workspace.next_ts())

    def _show_ack(self, user: str, channel: str, ack: Ack, name: str) -> str | None:
        body = {"text": ack.body} if isinstance(ack.body, str) else ack.body
        if not body or not (body.get("text") or body.get("blocks")):
            return None
        try:
            self._responses.show(user, channel, body)
        except SlackError as problem:
            self._complain(name, problem)
            return "dispatch_failed"
        return None

    def _respond(self, view: OpenView, body: Any) -> None:
        told = body or {}
        if not isinstance(told, dict):
            raise SlackError("invalid_ack", errors=["the body is not JSON"])
        action = told.get("response_action")
        if action == "errors":
            _check_errors(view, told.get("errors"))
        elif action == "update":
            check_view(told.get("view"))
            self._modals.replace(view, told["view"])
        elif action == "push":
            check_view(told.get("view"))
            self._modals.put_above(view.user, told["view"])
        elif action == "clear":
            self._modals.clear(view.user)
        elif action is None and not told:
            self._modals.close(view)
        else:
            raise SlackError("invalid_ack", errors=[f"unknown response {sorted(told)}"])

    def _complain(self, what: str, problem: SlackError) -> None:
        why = "; ".join(problem.more.get("errors", []))
        self._workspace.violations.append(f"{what}: answered with {problem.name} {why}".rstrip())

    def _slackbot(self, user: str, channel: str, text: str) -> None:
        self._workspace.post(channel, text=text, user=SLACKBOT, ephemeral_to=user)


def _escaped(named: str, people: Mapping[str, str]) -> str:
    name = named.removeprefix("@").lower()
    return f"<@{people[name]}|{name}>" if name in people else named


def _check_errors(view: OpenView, errors: Any) -> None:
    inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not errors.keys() <= inputs:
        raise SlackError("invalid_ack", errors=["errors must name block_ids of input blocks"])


def _answer(ack: Ack, error: str | None = None) -> Json:
    told: Json = {"ok": True, "status": ack.status, "took_ms": ack.took_ms}
    error = error or ack.error
    return told | {"ok": False, "error": error} if error else told
