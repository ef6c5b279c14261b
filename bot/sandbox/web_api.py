"""The Web API: who may call what, how often, and what goes wrong on demand.

Source: https://docs.slack.dev/apis/web-api, https://docs.slack.dev/reference/methods.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from bot.sandbox import chat, lookups
from bot.sandbox.errors import SlackError
from bot.sandbox.faults import Call, Tape, meet_faults, refusal
from bot.sandbox.forms import Json
from bot.sandbox.limits import check_view
from bot.sandbox.modals import Modals
from bot.sandbox.rates import Meter
from bot.sandbox.workspace import BOT_USER, Workspace

# What Slack would not only refuse: an app that meets its rules never gets these.
PUNISHED: Final = frozenset(
    (
        "missing_scope",
        "not_allowed_token_type",
        "unknown_method",
        "no_text",
        "msg_too_long",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_arguments",
        "view_too_large",
        "push_limit_reached",
        "duplicate_external_id",
        "expired_trigger_id",
        "exchanged_trigger_id",
        "invalid_trigger_id",
        "not_enabled",
    )
)
_IN_JSON: Final = ("blocks", "view", "attachments", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: its scope ("" for none), its tier (0 for one with a rate of its own)."""

    run: Callable[[Json], Json]
    scope: str = ""
    tier: int = 0
    app_token: bool = False


class WebApi:
    """Answers at /api/<method>."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        modals: Modals,
        meter: Meter,
        tape: Tape,
        bot_token: str,
        app_token: str,
        open_connection: Callable[[], str],
    ) -> None:
        self._workspace = workspace
        self._modals = modals
        self._meter = meter
        self._tape = tape
        self._bot_token = bot_token
        self._app_token = app_token
        self._methods = self._table(open_connection)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        name = request.match_info["method"]
        args = await read_args(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = token or str(args.pop("token", ""))
        return await meet_faults(
            request, self._tape, name, args, lambda: self._answer(name, token, args)
        )

    def _answer(self, name: str, token: str, args: Json) -> web.Response:
        error = None
        headers = {"x-oauth-scopes": ",".join(self._workspace.manifest.scopes)}
        try:
            told = {"ok": True} | self._call(name, token, args)
            return web.json_response(told, headers=headers)
        except SlackError as problem:
            error = problem.name
            return self._refusal(name, problem)
        finally:
            self._tape.calls.append(Call(method=name, args=args, error=error))

    def _refusal(self, name: str, problem: SlackError) -> web.Response:
        more = dict(problem.more)
        if problem.name in PUNISHED:
            why = more.get("needed") or "; ".join(more.get("errors", []))
            self._workspace.violations.append(f"{name}: {problem.name} {why}".rstrip())
        if problem.name == "missing_scope":
            more["provided"] = ",".join(self._workspace.manifest.scopes)
        return refusal(problem.name, retry_after_s=more.pop("retry_after", None), more=more)

    def _call(self, name: str, token: str, args: Json) -> Json:
        method = self._methods.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        if not token:
            raise SlackError("not_authed")
        if token not in {self._bot_token, self._app_token}:
            raise SlackError("invalid_auth")
        if method.app_token != (token == self._app_token):
            raise SlackError("not_allowed_token_type")
        if method.scope and method.scope not in self._workspace.manifest.scopes:
            raise SlackError("missing_scope", needed=method.scope)
        if method.tier and (wait_s := self._meter.wait_for_call(name, method.tier)):
            raise SlackError("ratelimited", retry_after=wait_s)
        return method.run(args)

    def _table(self, open_connection: Callable[[], str]) -> Mapping[str, Method]:
        def on(run: Callable[[Workspace, Json], Json]) -> Callable[[Json], Json]:
            return lambda args: run(self._workspace, args)

        def post(args: Json) -> Json:
            return chat.post_message(self._workspace, self._meter, args)

        def connect(_: Json) -> Json:
            return {"url": open_connection()}

        return {
            "auth.test": Method(run=on(lookups.auth_test)),
            "chat.postMessage": Method(run=post, scope="chat:write"),
            "chat.update": Method(run=on(chat.update), scope="chat:write", tier=3),
            "chat.delete": Method(run=on(chat.delete), scope="chat:write", tier=3),
            "chat.postEphemeral": Method(run=on(chat.post_ephemeral), scope="chat:write", tier=4),
            "chat.getPermalink": Method(run=on(chat.permalink)),
            "conversations.open": Method(
                run=on(lookups.conversations_open), scope="im:write", tier=3
            ),
            "conversations.info": Method(run=on(lookups.conversations_info), tier=3),
            "conversations.list": Method(run=on(lookups.conversations_list), tier=2),
            "conversations.members": Method(run=on(lookups.conversations_members), tier=4),
            "users.info": Method(run=on(lookups.users_info), scope="users:read", tier=4),
            "users.lookupByEmail": Method(
                run=on(lookups.users_lookup_by_email), scope="users:read.email", tier=3
            ),
            "users.profile.get": Method(
                run=on(lookups.users_profile_get), scope="users.profile:read", tier=4
            ),
            "usergroups.list": Method(
                run=on(lookups.usergroups_list), scope="usergroups:read", tier=2
            ),
            "usergroups.users.list": Method(
                run=on(lookups.usergroups_users), scope="usergroups:read", tier=2
            ),
            "views.open": Method(run=self._views_open, tier=4),
            "views.push": Method(run=self._views_push, tier=4),
            "views.update": Method(run=self._views_update, tier=4),
            "views.publish": Method(run=self._views_publish, tier=4),
            "apps.connections.open": Method(run=connect, tier=3, app_token=True),
        }

    def _views_open(self, args: Json) -> Json:
        check_view(args.get("view"))
        return {"view": self._modals.open(args.get("trigger_id"), args["view"]).json()}

    def _views_push(self, args: Json) -> Json:
        check_view(args.get("view"))
        return {"view": self._modals.push(args.get("trigger_id"), args["view"]).json()}

    def _views_update(self, args: Json) -> Json:
        check_view(args.get("view"))
        view = self._modals.update(
            args["view"],
            view_id=args.get("view_id"),
            external_id=args.get("external_id"),
            expected=args.get("hash"),
        )
        return {"view": view.json()}

    def _views_publish(self, args: Json) -> Json:
        check_view(args.get("view"), kind="home")
        if not self._workspace.manifest.home_tab:
            raise SlackError("not_enabled")
        if args.get("user_id") not in {*self._workspace.people} - {BOT_USER}:
            raise SlackError("user_not_found")
        view = self._modals.publish(args["user_id"], args["view"], expected=args.get("hash"))
        return {"view": view.json()}


async def read_args(request: web.Request) -> Json:
    """Return the arguments of a call, from its query and its body (JSON or a form)."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        body = await request.text()
        args |= json.loads(body) if body else {}
    elif request.method == "POST":
        args |= {name: str(value) for name, value in (await request.post()).items()}
    for name in _IN_JSON:
        if isinstance(args.get(name), str):
            args[name] = _from_json(args[name])
    return args


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # refused by the check of what it should have been
