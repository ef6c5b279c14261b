"""The guard for FastAPI and Starlette, and for whatever else speaks ASGI."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.guard import guard
from bot.guard.refusals import Refusal


class Guard(guard.Guard):
    """The guard, with a dependency and a middleware."""

    def require(self, *scopes: str) -> Callable[[HTTPConnection], Awaitable[guard.Claims]]:
        """Return a dependency: what the token of a call says, which has all of `scopes`."""

        async def required(call: HTTPConnection) -> guard.Claims:
            try:
                return await self._admit(call, scopes)
            except Refusal as refusal:
                raise HTTPException(refusal.status, str(refusal), refusal.headers) from refusal

        return required

    def middleware(
        self, app: ASGIApp, needs: Callable[[str, str], Sequence[str] | None]
    ) -> ASGIApp:
        """Return `app` behind the guard; its `request.state.claims` is what the token says.

        `needs` returns the scopes for a method (HEAD is GET) and path; None is open to all.
        """

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            inner, method = app, scope.get("method", "GET").replace("HEAD", "GET")
            scopes = None if scope["type"] == "lifespan" else needs(method, scope["path"])
            if scopes is not None:
                call = HTTPConnection(scope)
                try:
                    call.state.claims = await self._admit(call, scopes)
                except Refusal as refusal:
                    inner = JSONResponse(refusal.content, refusal.status, refusal.headers)
            await inner(scope, receive, send)

        return guarded

    async def _admit(self, call: HTTPConnection, scopes: Sequence[str]) -> guard.Claims:
        peer = call.client.host if call.client else ""
        return await self.admit(call.headers.getlist, call.url.query, peer, scopes)
