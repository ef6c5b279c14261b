"""A small on-call service, as an operator may have one; not a part of Slack."""

from typing import Final

from aiohttp import web

from bot.sandbox.faults import Call, Tape, meet_faults
from bot.sandbox.workspace import Workspace

# By this name faults are ordered and calls are listed.
NAME: Final = "on-call"


class OnCallService:
    """Answers at /on-call/<schedule> who is on call, by e-mail address."""

    def __init__(self, workspace: Workspace, tape: Tape) -> None:
        self._workspace = workspace
        self._tape = tape

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one question; 404 where there is no such schedule."""
        schedule = request.match_info["schedule"]
        args = {"schedule": schedule}
        return await meet_faults(
            request, self._tape, NAME, args, lambda: self._answer(schedule, args)
        )

    def _answer(self, schedule: str, args: dict[str, str]) -> web.Response:
        self._tape.calls.append(Call(method=NAME, args=args, error=None))
        users = self._workspace.on_call.get(schedule)
        if users is None:
            return web.json_response({"error": "no such schedule"}, status=404)
        people = [self._workspace.people[user].email for user in users]
        return web.json_response({"on_call": people})
