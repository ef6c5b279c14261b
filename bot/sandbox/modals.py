"""Triggers, and the views that people have open.

Source: https://docs.slack.dev/surfaces/modals, https://docs.slack.dev/reference/methods/views.open.
"""

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.sandbox import forms
from bot.sandbox.errors import SlackError, Wrong
from bot.sandbox.forms import Json, Values
from bot.sandbox.workspace import APP_ID, BOT_ID, TEAM, Workspace

TRIGGER_S: Final = 3.0
STACK: Final = 3  # the one opened, and two pushed


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenView:
    """A view as one person has it on the screen.

    Attributes:
        body: As the app gave it, with every block_id and action_id.
        previous: The id of the view below it.
        entered: Raw values that the person gave, by block_id and action_id.
    """

    id: str
    user: str
    body: Json
    hash: str
    root: str
    previous: str | None = None
    entered: Values = field(default_factory=dict)

    @property
    def blocks(self) -> list[Json]:
        """The blocks of the view."""
        blocks: list[Json] = self.body["blocks"]
        return blocks

    def json(self) -> Json:
        """Return it as Slack tells it to the app and to the person's client."""
        return {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "close": None,
            "submit": None,
            **self.body,
            "id": self.id,
            "team_id": TEAM,
            "app_id": APP_ID,
            "app_installed_team_id": TEAM,
            "bot_id": BOT_ID,
            "hash": self.hash,
            "root_view_id": self.root,
            "previous_view_id": self.previous,
            "state": {"values": forms.state(self.blocks, self.entered)},
        }


@dataclass(slots=True)
class _Trigger:
    user: str
    born: float
    in_modal: bool
    used: bool = False


class Modals:
    """Who has which views open; checks what is asked of them but not what stands in them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._triggers: dict[str, _Trigger] = {}
        self._stacks: dict[str, list[OpenView]] = {}
        self._homes: dict[str, OpenView] = {}

    def trigger(self, user: str, *, in_modal: bool = False) -> str:
        """Return a trigger id: good once, for three seconds."""
        ident = f"{time.time_ns()}.{len(self._triggers)}.{secrets.token_hex(16)}"
        self._triggers[ident] = _Trigger(user, time.monotonic(), in_modal)
        return ident

    def stack(self, user: str) -> list[OpenView]:
        """Return the views that `user` has open, the one on top last."""
        return list(self._stacks.get(user, []))

    def find(self, ident: str, *, user: str) -> OpenView:
        """Return the open view `ident` of `user`.

        Raises:
            Wrong: It is not open (any more).
        """
        for view in self._stacks.get(user, []):
            if view.id == ident:
                return view
        raise Wrong(f"{user} has no view {ident!r} open", status=404)

    def open(self, trigger_id: Any, body: Json) -> OpenView:
        """Show a view in place of all that the person has open.

        Raises:
            SlackError: About the trigger id or the external_id.
        """
        self._check_external_id(body)
        user = self._exchange(trigger_id).user
        self._stacks[user] = []
        return self._put(user, body)

    def push(self, trigger_id: Any, body: Json) -> OpenView:
        """Show a view above the one that the trigger came from.

        Raises:
            SlackError: As for `open`, and push_limit_reached.
        """
        self._check_external_id(body)
        trigger = self._exchange(trigger_id)
        if not trigger.in_modal or not self._stacks.get(trigger.user):
            raise SlackError("invalid_trigger_id")
        return self.put_above(trigger.user, body)

    def put_above(self, user: str, body: Json) -> OpenView:
        """Show a view above those that `user` has open.

        Raises:
            SlackError: push_limit_reached.
        """
        if len(self._stacks.get(user, [])) >= STACK:
            raise SlackError("push_limit_reached")
        return self._put(user, body)

    def update(
        self, body: Json, *, view_id: str | None, external_id: str | None, expected: str | None
    ) -> OpenView:
        """Show another content in an open view; what was entered stays where the input stays.

        Raises:
            SlackError: not_found or hash_conflict.
        """
        for view in (view for stack in self._stacks.values() for view in stack):
            if view.id == view_id or (external_id and view.body.get("external_id") == external_id):
                if expected not in {None, view.hash}:
                    raise SlackError("hash_conflict")
                return self.replace(view, body)
        raise SlackError("not_found")

    def publish(self, user: str, body: Json, *, expected: str | None) -> OpenView:
        """Show the home tab of `user`.

        Raises:
            SlackError: hash_conflict.
        """
        old = self._homes.get(user)
        if old and expected not in {None, old.hash}:
            raise SlackError("hash_conflict")
        ident = old.id if old else _view_id()
        self._homes[user] = OpenView(
            id=ident, user=user, body=_whole(body), hash=_hash(), root=ident
        )
        return self._homes[user]

    def replace(self, view: OpenView, body: Json) -> OpenView:
        """Show `body` in `view`."""
        changed = self._keep(replace(view, body=_whole(body), hash=_hash()))
        self._workspace.changes.tell([view.user])
        return changed

    def enter(self, view: OpenView, values: Values) -> OpenView:
        """Remember what the person gave.

        Raises:
            Wrong: She could not give it.
        """
        forms.check(view.blocks, values)
        blocks = {*view.entered, *values}
        entered = {b: {**view.entered.get(b, {}), **values.get(b, {})} for b in blocks}
        return self._keep(replace(view, entered=entered))

    def close(self, view: OpenView) -> None:
        """Take `view` away; the one below shows."""
        stack = self._stacks.get(view.user, [])
        self._stacks[view.user] = [kept for kept in stack if kept.id != view.id]
        self._workspace.changes.tell([view.user])

    def clear(self, user: str) -> None:
        """Take all views away."""
        self._stacks[user] = []
        self._workspace.changes.tell([user])

    def _put(self, user: str, body: Json) -> OpenView:
        stack = self._stacks.setdefault(user, [])
        ident = _view_id()
        view = OpenView(
            id=ident,
            user=user,
            body=_whole(body),
            hash=_hash(),
            root=stack[0].id if stack else ident,
            previous=stack[-1].id if stack else None,
        )
        stack.append(view)
        self._workspace.changes.tell([user])
        return view

    def _keep(self, view: OpenView) -> OpenView:
        stack = self._stacks[view.user]
        self._stacks[view.user] = [view if old.id == view.id else old for old in stack]
        return view

    def _exchange(self, trigger_id: Any) -> _Trigger:
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if time.monotonic() - trigger.born > TRIGGER_S:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def _check_external_id(self, body: Json) -> None:
        taken = {v.body.get("external_id") for stack in self._stacks.values() for v in stack}
        if body.get("external_id") and body["external_id"] in taken:
            raise SlackError("duplicate_external_id")


def _view_id() -> str:
    return f"V0{secrets.token_hex(5).upper()}"


def _hash() -> str:
    return f"{int(time.time())}.{secrets.token_hex(4)}"


def _whole(body: Json) -> Json:
    return {**body, "blocks": list(forms.with_ids(body["blocks"]))}
