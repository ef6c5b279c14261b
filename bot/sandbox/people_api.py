"""What people can do, as JSON over HTTP: docs/sandbox.md describes every route."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias, get_args

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
    Channel,
    Message,
    Person,
    PersonKind,
    Workspace,
)

WAIT_S: Final = 20.0
_APPS: Final = {BOT_USER: BOT_NAME, SLACKBOT: "Slackbot"}
_CLICK: Final = ("action_id", "block_id", "value")
_DONE: Final[Json] = {"ok": True}
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
        user, text, listed = {"user": str}, {"text": str, "channel": str}, {"users": list}
        click = user | {"channel": str, "ts": str, "action_id": str}
        return [
            web.get("/sandbox/world", self._world),
            web.get("/sandbox/messages", self._messages),
            web.get("/sandbox/views", self._views),
            web.get("/sandbox/changes", self._changes),
            web.get("/sandbox/calls", self._calls),
            web.get("/sandbox/violations", self._violations),
            web.post("/sandbox/commands", _deed(self._command, user | text)),
            web.post("/sandbox/clicks", _deed(self._click, click)),
            web.post(
                "/sandbox/views/{id}/clicks", _deed(self._click_view, user | {"action_id": str})
            ),
            web.post("/sandbox/views/{id}/submissions", _deed(self._submit, user)),
            web.post("/sandbox/views/{id}/closings", _deed(self._close, user)),
            web.patch("/sandbox/people/{id}", _deed(self._become, {"kind": str})),
            web.put("/sandbox/usergroups/{id}", _deed(self._regroup, listed)),
            web.put("/sandbox/on-call/{id}", _deed(self._roster, listed)),
            web.post("/sandbox/faults", _deed(self._fault, {"method": str})),
            web.delete("/sandbox/faults", self._no_faults),
            web.post("/sandbox/duplicates", _deed(self._duplicate, {"times": int})),
            web.post("/sandbox/disconnects", _deed(self._disconnect, {})),
        ]

    async def _world(self, request: web.Request) -> web.Response:
        user = self._user(request)
        told = {
            "team": {"id": TEAM, "name": TEAM_NAME},
            "people": [_person(person) for person in self._workspace.people.values()],
            "channels": [_channel(c) for c in self._workspace.visible_channels(user)],
            "usergroups": [dataclasses.asdict(g) for g in self._workspace.groups.values()],
        }
        return self._numbered(told)

    async def _messages(self, request: web.Request) -> web.Response:
        user = self._user(request)
        channel = self._workspace.visible_channel(user, request.query.get("channel", ""))
        messages = self._workspace.visible_messages(user, channel.id)
        return self._numbered({"messages": [_message(message) for message in messages]})

    async def _views(self, request: web.Request) -> web.Response:
        views = self._modals.stack(self._user(request))
        return self._numbered({"views": [{"id": v.id, "view": v.json()} for v in views]})

    async def _changes(self, request: web.Request) -> web.Response:
        user = self._user(request)
        after = request.query.get("after", "0")
        if not after.isdecimal():
            raise Wrong("after must be a number")
        seq = await self._workspace.changes.after(int(after), user=user, timeout_s=WAIT_S)
        return web.json_response({"seq": seq})

    async def _calls(self, _: web.Request) -> web.Response:
        return web.json_response({"calls": [dataclasses.asdict(c) for c in self._tape.calls]})

    async def _violations(self, _: web.Request) -> web.Response:
        return web.json_response({"violations": self._workspace.violations})

    async def _command(self, _: str, told: Json) -> Json:
        return await self._acts.command(told["user"], told["channel"], told["text"])

    async def _click(self, _: str, told: Json) -> Json:
        place = [told.pop(name) for name in ("user", "channel", "ts")]
        return await self._acts.click_message(*place, **_only(told, *_CLICK, "stale"))

    async def _click_view(self, ident: str, told: Json) -> Json:
        values = told.get("values") or {}
        how = _only(told, *_CLICK)
        return await self._acts.click_view(told["user"], ident, values=values, **how)

    async def _submit(self, ident: str, told: Json) -> Json:
        return await self._acts.submit(told["user"], ident, told.get("values") or {})

    async def _close(self, ident: str, told: Json) -> Json:
        return await self._acts.close(told["user"], ident)

    async def _become(self, ident: str, told: Json) -> Json:
        if told["kind"] not in get_args(PersonKind):
            raise Wrong(f"kind is one of {', '.join(get_args(PersonKind))}")
        self._acts.become(ident, told["kind"])
        return _DONE

    async def _regroup(self, ident: str, told: Json) -> Json:
        self._acts.regroup(ident, map(str, told["users"]))
        return _DONE

    async def _roster(self, ident: str, told: Json) -> Json:
        users = tuple(self._workspace.person(str(user)).id for user in told["users"])
        self._workspace.on_call[ident] = users
        return _DONE

    async def _fault(self, _: str, told: Json) -> Json:
        names = [field.name for field in dataclasses.fields(Fault)]
        if not told.keys() <= {*names}:
            raise Wrong(f"a fault has {', '.join(names)}")
        self._tape.faults.append(Fault(**told))
        return _DONE

    async def _no_faults(self, _: web.Request) -> web.Response:
        self._tape.faults.clear()
        return web.json_response(_DONE)

    async def _duplicate(self, _: str, told: Json) -> Json:
        self._delivery.duplicates = told["times"]
        return _DONE

    async def _disconnect(self, _: str, told: Json) -> Json:
        await self._sockets.disconnect(told.get("reason", "refresh_requested"))
        return _DONE

    def _user(self, request: web.Request) -> str:
        return self._workspace.person(request.query.get("user", "")).id

    def _numbered(self, told: Json) -> web.Response:
        return web.json_response(told | {"seq": self._workspace.changes.seq})


def _deed(do: Callable[[str, Json], Awaitable[Json]], body: Mapping[str, type]) -> Handler:
    """Return a handler that reads a JSON body with at least these keys."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            told = await request.json()
        except ValueError:
            raise Wrong("the body must be JSON") from None
        told = told if isinstance(told, dict) else {}
        wrong = [name for name, kind in body.items() if not isinstance(told.get(name), kind)]
        if wrong:
            raise Wrong(f"the body lacks {', '.join(wrong)}")
        return web.json_response(await do(request.match_info.get("id", ""), told))

    return handle


def _only(told: Json, *names: str) -> Json:
    return {name: told[name] for name in names if name in told}


def _channel(channel: Channel) -> Json:
    members = sorted(channel.members)
    return {"id": channel.id, "name": channel.name, "kind": channel.kind, "members": members}


def _person(person: Person) -> Json:
    told = {"id": person.id, "name": person.name, "title": person.title, "kind": person.kind}
    return told | {"avatar": person.name[:1]}


def _message(message: Message) -> Json:
    told = {
        "channel": message.channel,
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "name": _APPS.get(message.user, message.user),
        "text": message.text,
        "blocks": list(message.blocks),
    }
    return told | {"ephemeral": message.ephemeral_to is not None, "updated": message.updated}
