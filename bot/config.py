"""Settings: the environment, read once into one frozen object; all problems listed at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bot.core.errors import Misconfigured
from bot.usecases.secret import Secret

SLACK_API: Final = "https://slack.com/api/"
LEVELS: Final = ("debug", "info", "warning", "error")
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs.

    Attributes:
        signing_secret: None when payloads come over Socket Mode only.
        app_token: Set when payloads come over Socket Mode.
        redis_url: "" when an embedded server is started.
        issuer: The tokens' `iss`: where this server is reached, without a trailing slash.
        resource: The audience of bundles that name none.
        keys: Folder of the signing keys, one PEM file each.
    """

    bot_token: Secret
    signing_secret: Secret | None
    app_token: Secret | None
    slack_api: str
    redis_url: Secret
    issuer: str
    resource: str
    policies: Path
    keys: Path
    host: str
    port: int
    log_level: str


class _Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._env.get(name, "").strip() or default

    def needed(self, name: str, *, why: str) -> str:
        value = self.text(name)
        if not value:
            self.problems.append(f"{name} is not set: {why}")
        return value

    def token(self, name: str, prefix: str, *, why: str) -> Secret:
        value = self.needed(name, why=why)
        if value and not value.startswith(prefix):
            self.problems.append(f"{name} does not look right: it must begin with {prefix}")
        return Secret(value)

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        local = parts.hostname in _LOCAL
        if not parts.hostname or parts.query or parts.fragment:
            self.problems.append(f"{name} is not a URL: {value!r}")
        elif parts.scheme != "https" and not (parts.scheme == "http" and local):
            self.problems.append(f"{name} must be an https URL (http only on this machine)")
        return value

    def port(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or not int(value) < 1 << 16:
            self.problems.append(f"{name} is not a port number: {value!r}")
            return default
        return int(value)

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, default).lower()
        if value not in allowed:
            self.problems.append(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        return value


def read_settings(env: Mapping[str, str], *, embedded: Path | None = None) -> Settings:
    """Return the settings that `env` gives.

    Args:
        embedded: Folder for an embedded Redis and its keys; then REDIS_URL and JIT_KEYS may be
            left out.

    Raises:
        Misconfigured: With every problem found.
    """
    read = _Reader(env)
    bot_token = read.token("SLACK_BOT_TOKEN", "xoxb-", why="install the app, copy its bot token")
    app_token = read.text("SLACK_APP_TOKEN")
    if app_token and not app_token.startswith("xapp-"):
        read.problems.append("SLACK_APP_TOKEN does not look right: it must begin with xapp-")
    secret = read.text("SLACK_SIGNING_SECRET")
    if not secret and not app_token:
        read.problems.append(
            "set SLACK_SIGNING_SECRET (payloads over HTTP) or SLACK_APP_TOKEN (Socket Mode)"
        )
    redis_url, keys = read.text("REDIS_URL"), read.text("JIT_KEYS")
    if embedded is None:
        read.needed("REDIS_URL", why="a Redis that keeps what it is told, or use --embedded")
        read.needed("JIT_KEYS", why="a folder of signing keys; `jit keys init FOLDER` makes one")
    host, port = read.text("HOST", "0.0.0.0"), read.port("PORT", 3000)  # noqa: S104  a server's default
    issuer = read.url("JIT_ISSUER", f"http://127.0.0.1:{port}")
    settings = Settings(
        bot_token=bot_token,
        signing_secret=Secret(secret) if secret else None,
        app_token=Secret(app_token) if app_token else None,
        slack_api=read.url("SLACK_API_URL", SLACK_API) + "/",
        redis_url=Secret(redis_url),
        issuer=issuer,
        resource=read.url("JIT_RESOURCE", issuer),
        policies=Path(read.text("JIT_POLICIES", "policies")),
        keys=Path(keys) if keys or embedded is None else embedded / "keys",
        host=host,
        port=port,
        log_level=read.one_of("JIT_LOG", LEVELS, "info"),
    )
    if embedded is None and not read.text("JIT_ISSUER"):
        read.problems.append("JIT_ISSUER is not set: the https URL under which APIs reach this")
    if read.problems:
        raise Misconfigured(*read.problems)
    return settings
