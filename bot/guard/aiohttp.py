"""The guard for aiohttp: `app.cleanup_ctx.append(guard.running)`."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial, wraps
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.guard import guard
from bot.guard.refusals import Refusal

CLAIMS: Final = web.RequestKey("claims", guard.Claims)


class Guard(guard.Guard):
    """The guard, with a decorator and a middleware; `request[CLAIMS]` is what the token says."""

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """Work while the application does."""
        async with self:
            yield

    def require(self, *scopes: str) -> Callable[[Handler], Handler]:
        """Return a decorator of handlers whose callers need all of `scopes`."""
        guarded = self.middleware(lambda *_: scopes)
        return lambda handler: wraps(handler)(partial(guarded, handler=handler))

    def middleware(self, needs: Callable[[str, str], Sequence[str] | None]) -> Middleware:
        """Return a middleware; `needs` is as for ASGI."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            scopes = needs(request.method.replace("HEAD", "GET"), request.path)
            query, values = request.rel_url.raw_query_string, request.headers.getall
            header, peer = partial(values, default=()), request.remote or ""
            try:
                if scopes is not None:
                    request[CLAIMS] = await self.admit(header, query, peer, scopes)
            except Refusal as no:
                return web.json_response(no.content, status=no.status, headers=no.headers)
            return await handler(request)

        return guarded
