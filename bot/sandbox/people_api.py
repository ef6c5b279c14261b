"""What people can do, as JSON over HTTP: docs/sandbox.md describes every route."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, get_args

from aiohttp import web

from bot.sandbox.acts import Acts
from bot.sandbox.delivery import Delivery
from bot.sandbox.errors import Wrong
from bot.sandbox.faults import Fault, Tape
from bot.sandbox.forms import Json
from bot.sandbox.modals import Modals
from bot.sandbox.socket_mode import Sockets
from bot.sandbox.workspace import (
    BOT_NAME,
    BOT_USER,
    SLACKBOT,
    TEAM,
    TEAM_NAME,
    Message,
    PersonKind,
    Workspace,
)

WAIT_S: Final = 20.0
_APPS: Final = {BOT_USER: BOT_NAME, SLACKBOT: "Slackbot"}
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what the caller got wrong as `{"ok": false, "error": sentence}`."""
    try:
        return await handler(request)
    except Wrong as problem:
        return web.json_response({"ok": False, "error": str(problem)}, status=problem.status)


class PeopleApi:
    """The routes under /sandbox/."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        modals: Modals,
        acts: Acts,
        tape: Tape,
        delivery: Delivery,
        sockets: Sockets,
    ) -> None:
        self._workspace = workspace
        self._modals = modals
        self._acts = acts
        self._tape = tape
        self._delivery = delivery
        self._sockets = sockets

    def routes(self) -> list[web.RouteDef]:
        """Return all routes."""
        return [
            web.get("/sandbox/world", self._world),
            web.get("/sandbox/messages", self._messages),
            web.get("/sandbox/views", self._views),
            web.get("/sandbox/changes", self._changes),
            web.post("/sandbox/commands", self._command),
            web.post("/sandbox/clicks", self._click),
            web.post("/sandbox/views/{id}/clicks", self._click_view),
            web.post("/sandbox/views/{id}/submissions", self._submit),
            web.post("/sandbox/views/{id}/closings", self._close),
            web.patch("/sandbox/people/{id}", self._become),
            web.put("/sandbox/usergroups/{id}", self._regroup),
            web.post("/sandbox/faults", self._fault),
            web.delete("/sandbox/faults", self._no_faults),
            web.post("/sandbox/duplicates", self._duplicate),
            web.post("/sandbox/disconnects", self._disconnect),
            web.get("/sandbox/calls", self._calls),
            web.get("/sandbox/violations", self._violations),
        ]

    async def _world(self, request: web.Request) -> web.Response:
        user = self._user(request)
        seq = self._workspace.changes.seq
        people = [_person(person) for person in self._workspace.people.values()]
        channels = [
            {"id": c.id, "name": c.name, "kind": c.kind, "members": sorted(c.members)}
            for c in self._workspace.visible_channels(user)
        ]
        groups = [dataclasses.asdict(group) for group in self._workspace.groups.values()]
        return web.json_response(
            {
                "team": {"id": TEAM, "name": TEAM_NAME},
                "people": people,
                "channels": channels,
                "usergroups": groups,
                "seq": seq,
            }
        )

    async def _messages(self, request: web.Request) -> web.Response:
        user = self._user(request)
        seq = self._workspace.changes.seq
        channel = self._workspace.visible_channel(user, request.query.get("channel", ""))
        messages = self._workspace.visible_messages(user, channel.id)
        return web.json_response({"messages": [_message(m) for m in messages], "seq": seq})

    async def _views(self, request: web.Request) -> web.Response:
        views = self._modals.stack(self._user(request))
        told = [{"id": view.id, "view": view.json()} for view in views]
        return web.json_response({"views": told, "seq": self._workspace.changes.seq})

    async def _changes(self, request: web.Request) -> web.Response:
        user = self._user(request)
        try:
            after = int(request.query.get("after", "0"))
        except ValueError:
            raise Wrong("after must be a number") from None
        seq = await self._workspace.changes.after(after, user=user, timeout_s=WAIT_S)
        return web.json_response({"seq": seq})

    async def _command(self, request: web.Request) -> web.Response:
        told = await _read(request, "user", "channel", "text")
        return web.json_response(
            await self._acts.command(told["user"], told["channel"], told["text"])
        )

    async def _click(self, request: web.Request) -> web.Response:
        told = await _read(request, "user", "channel", "ts", "action_id")
        answer = await self._acts.click_message(
            told["user"],
            told["channel"],
            told["ts"],
            action_id=told["action_id"],
            block_id=told.get("block_id"),
            value=told.get("value"),
            stale=told.get("stale"),
        )
        return web.json_response(answer)

    async def _click_view(self, request: web.Request) -> web.Response:
        told = await _read(request, "user", "action_id")
        answer = await self._acts.click_view(
            told["user"],
            request.match_info["id"],
            action_id=told["action_id"],
            block_id=told.get("block_id"),
            value=told.get("value"),
            values=told.get("values") or {},
        )
        return web.json_response(answer)

    async def _submit(self, request: web.Request) -> web.Response:
        told = await _read(request, "user")
        answer = await self._acts.submit(
            told["user"], request.match_info["id"], told.get("values") or {}
        )
        return web.json_response(answer)

    async def _close(self, request: web.Request) -> web.Response:
        told = await _read(request, "user")
        return web.json_response(await self._acts.close(told["user"], request.match_info["id"]))

    async def _become(self, request: web.Request) -> web.Response:
        told = await _read(request, "kind")
        if told["kind"] not in get_args(PersonKind):
            raise Wrong(f"kind is one of {', '.join(get_args(PersonKind))}")
        self._acts.become(request.match_info["id"], told["kind"])
        return _done()

    async def _regroup(self, request: web.Request) -> web.Response:
        told = await _read(request, "users")
        self._acts.regroup(request.match_info["id"], told["users"])
        return _done()

    async def _fault(self, request: web.Request) -> web.Response:
        told = await _read(request, "method")
        try:
            self._tape.faults.append(Fault(**told))
        except TypeError:
            names = ", ".join(field.name for field in dataclasses.fields(Fault))
            raise Wrong(f"a fault has {names}") from None
        return _done()

    async def _no_faults(self, _: web.Request) -> web.Response:
        self._tape.faults.clear()
        return _done()

    async def _duplicate(self, request: web.Request) -> web.Response:
        self._delivery.duplicates = int((await _read(request, "times"))["times"])
        return _done()

    async def _disconnect(self, request: web.Request) -> web.Response:
        told = await _read(request)
        await self._sockets.disconnect(told.get("reason", "refresh_requested"))
        return _done()

    async def _calls(self, _: web.Request) -> web.Response:
        return web.json_response({"calls": [dataclasses.asdict(c) for c in self._tape.calls]})

    async def _violations(self, _: web.Request) -> web.Response:
        return web.json_response({"violations": self._workspace.violations})

    def _user(self, request: web.Request) -> str:
        return self._workspace.person(request.query.get("user", "")).id


async def _read(request: web.Request, *names: str) -> Json:
    try:
        told = await request.json()
    except ValueError:
        raise Wrong("the body must be JSON") from None
    missing = [name for name in names if not isinstance(told, dict) or name not in told]
    if missing:
        raise Wrong(f"the body lacks {', '.join(missing)}")
    read: Json = told
    return read


def _person(person: Any) -> Json:
    told = {"id": person.id, "name": person.name, "title": person.title, "kind": person.kind}
    return told | {"avatar": person.name[:1]}


def _message(message: Message) -> Json:
    name = _APPS[message.user]
    told = {
        "channel": message.channel,
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "name": name,
        "text": message.text,
        "blocks": list(message.blocks),
    }
    return told | {"ephemeral": message.ephemeral_to is not None, "updated": message.updated}


def _done() -> web.Response:
    return web.json_response({"ok": True})
