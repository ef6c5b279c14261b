"""The stand-in for Slack as one server: Web API, response URLs, Socket Mode, page and its API."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from aiohttp import web

from bot.sandbox.acme import acme
from bot.sandbox.acts import Acts
from bot.sandbox.delivery import RETRY_PAUSES_S, Delivery
from bot.sandbox.faults import Tape
from bot.sandbox.manifest import read
from bot.sandbox.modals import Modals
from bot.sandbox.on_call import OnCallService
from bot.sandbox.people_api import PeopleApi, errors_as_json
from bot.sandbox.rates import Meter, Rates
from bot.sandbox.responses import LIFE_S, Responses
from bot.sandbox.socket_mode import GOODBYE_S, Sockets
from bot.sandbox.tickets import Tracker
from bot.sandbox.web_api import WebApi
from bot.sandbox.workspace import APP_ID

PAGE: Final = Path(__file__).parent / "page"
_BODY_BYTES: Final = 2**22


class Sandbox:
    """A local Slack with the workspace Acme; an async context manager.

    Args:
        port: 0 for a free one.
        manifest: The app's manifest.yml, which the app is held to.
        events_url: Where payloads go over HTTP; may be set later. A Socket Mode connection of
            the app has precedence.
        rates: How often methods may be called; Slack's by default.
        retry_pauses_s: Before each time that an event is sent again; Slack's by default.
        response_life_s: How long a response_url works; Slack's by default.
    """

    def __init__(
        self,
        *,
        manifest: Path,
        signing_secret: str,
        bot_token: str,
        app_token: str,
        events_url: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        rates: Rates | None = None,
        retry_pauses_s: Sequence[float] = RETRY_PAUSES_S,
        response_life_s: float = LIFE_S,
    ) -> None:
        self._host = host
        self._port = port
        self.workspace = acme(read(manifest))
        self._sockets = Sockets(self.workspace.violations.append)
        self._delivery = Delivery(
            sockets=self._sockets,
            events_url=events_url,
            signing_secret=signing_secret,
            violations=self.workspace.violations,
            retry_pauses_s=retry_pauses_s,
        )
        self._tape = Tape()
        self._tracker = Tracker(self.workspace)
        self._modals = Modals(self.workspace)
        self._responses = Responses(self.workspace, self._tape, life_s=response_life_s)
        self._web_api = WebApi(
            self.workspace,
            modals=self._modals,
            meter=Meter(rates or Rates()),
            tape=self._tape,
            bot_token=bot_token,
            app_token=app_token,
            open_connection=self._connection_url,
        )
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        return self.workspace.url

    @property
    def api_url(self) -> str:
        """The base URL of the Web API."""
        return f"{self.url}/api/"

    @property
    def ticket_pages(self) -> str:
        """Where people read a ticket of the small tracker, with {ticket} in it."""
        return f"{self.url}/tickets/{{ticket}}"

    @property
    def ticket_url(self) -> str:
        """Where the bot asks for one."""
        return f"{self.ticket_pages}/json"

    @property
    def on_call_url(self) -> str:
        """Where it is told who is on call of a schedule."""
        return f"{self.url}/on-call/{{schedule}}"

    @property
    def events_url(self) -> str | None:
        """Where payloads go over HTTP."""
        return self._delivery.events_url

    @events_url.setter
    def events_url(self, url: str | None) -> None:
        self._delivery.events_url = url

    async def verify_events_url(self) -> bool:
        """Say whether `events_url` answers url_verification rightly."""
        return await self._delivery.verify_url()

    def response_url(self, user: str, channel: str) -> str:
        """Return a URL that answers `user` in `channel`, as an interaction would tell it."""
        return self._responses.url(user, channel)

    def connections(self) -> int:
        """Return how many Socket Mode connections the app has open."""
        return len(self._sockets)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to open new Socket Mode connections."""
        await self._sockets.disconnect(reason)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=GOODBYE_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        host, port = self._runner.addresses[0][:2]
        self.workspace.url = f"http://{host}:{port}"
        await self._delivery.start()

    async def stop(self) -> None:
        """Hang up and forget everything."""
        self.workspace.changes.close()
        await self._sockets.close()
        await self._delivery.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[errors_as_json], client_max_size=_BODY_BYTES)
        app.router.add_routes(self._people_api().routes())
        app.router.add_routes(self._tracker.routes())
        app.router.add_route("*", "/api/{method}", self._web_api.handle)
        app.router.add_post("/response/{id}", self._responses.handle)
        app.router.add_get("/link", self._sockets.handle)
        app.router.add_get("/on-call/{schedule}", OnCallService(self.workspace, self._tape).handle)
        app.router.add_get("/", _page)
        app.router.add_get("/archives/{channel}/{message}", _page)
        app.router.add_static("/page/", PAGE)
        return app

    def _people_api(self) -> PeopleApi:
        acts = Acts(
            self.workspace,
            modals=self._modals,
            responses=self._responses,
            delivery=self._delivery,
        )
        return PeopleApi(
            self.workspace,
            modals=self._modals,
            acts=acts,
            tape=self._tape,
            delivery=self._delivery,
            sockets=self._sockets,
        )

    def _connection_url(self) -> str:
        address = self.url.removeprefix("http")
        return f"ws{address}/link?ticket={self._sockets.ticket()}&app_id={APP_ID}"


async def _page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})
