"""Settings: the environment, read once into one frozen object; all problems listed at once."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bot.core.errors import Misconfigured
from bot.core.policy import Policy
from bot.core.scopes import Tracker
from bot.core.sources import Provider
from bot.usecases.secret import Secret
from bot.usecases.tickets import unchecked

# Variables whose values are secrets.
SECRETS: Final = (
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_APP_TOKEN",
    "REDIS_URL",
    "JIT_JIRA_TOKEN",
    "JIT_GITHUB_TOKEN",
    "JIT_TICKET_TOKEN",
    "JIT_PAGERDUTY_TOKEN",
    "JIT_OPSGENIE_TOKEN",
    "JIT_ON_CALL_TOKEN",
)

# What must be set before a policy can name a tracker.
NEEDED_FOR: Final[Mapping[Tracker, tuple[str, ...]]] = {
    Tracker.JIRA: ("JIT_JIRA_URL", "JIT_JIRA_USER", "JIT_JIRA_TOKEN"),
    Tracker.GITHUB: ("JIT_GITHUB_TOKEN",),
    Tracker.URL: ("JIT_TICKET_URL",),
}

SLACK_API: Final = "https://slack.com/api/"
GITHUB_API: Final = "https://api.github.com"
PAGERDUTY: Final = "https://api.pagerduty.com"
OPSGENIE: Final = "https://api.opsgenie.com"
# Where the schedule, and the level, go in JIT_ON_CALL_URL.
SCHEDULE: Final = "{schedule}"
LEVEL: Final = "{level}"
LEVELS: Final = ("debug", "info", "warning", "error")
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")
# Scheme, host, path: no query, no fragment, nothing that is not printable ASCII.
_PLAIN: Final = re.compile(r"[a-z]+://[!-\"$->@-~]+")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,5}")
_WHOLE: Final = re.compile(r"[0-9]{1,6}")
# Where the ticket goes in JIT_TICKET_URL.
TICKET_PLACE: Final = "{ticket}"
# What redis-py can connect to.
_REDIS: Final = ("redis://", "rediss://", "unix://")


_NONE: Final = Secret("")

# A grant that is ended goes on working in a gateway for as long as this.
PASSES_KEPT: Final = timedelta(seconds=5)
PASSES_KEPT_AT_MOST: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSettings:
    """Where tickets are looked up.

    Attributes:
        configured: The trackers that a policy may name.
        jira_url, github_url: Without a slash at the end.
        ticket_url, ticket_pages: Where a ticket is asked for, and where people read it; both with
            TICKET_PLACE in them.
        every: How often the ticket of a live grant is looked at.
    """

    configured: frozenset[Tracker] = frozenset()
    jira_url: str = ""
    jira_user: str = ""
    jira_token: Secret = _NONE
    github_url: str = GITHUB_API
    github_token: Secret = _NONE
    ticket_url: str = ""
    ticket_pages: str = ""
    ticket_token: Secret = _NONE
    every: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallSettings:
    """Where it is asked who is on call; a service without a token, or a URL, is not asked.

    Attributes:
        url: Of the operator's own, with SCHEDULE in it; "" for none.
        token: For `url`; empty when it wants none.
    """

    pagerduty_url: str = PAGERDUTY
    pagerduty_token: Secret = _NONE
    opsgenie_url: str = OPSGENIE
    opsgenie_token: Secret = _NONE
    url: str = ""
    token: Secret = _NONE

    @property
    def configured(self) -> frozenset[Provider]:
        """The services that a policy may name."""
        given = {
            Provider.PAGERDUTY: bool(self.pagerduty_token),
            Provider.OPSGENIE: bool(self.opsgenie_token),
            Provider.URL: bool(self.url),
        }
        return frozenset(provider for provider, is_given in given.items() if is_given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs.

    Attributes:
        signing_secret: None when payloads come over Socket Mode only.
        app_token: Set when payloads come over Socket Mode.
        redis_url: "" when an embedded server is started.
        issuer: The tokens' `iss`: where this server is reached, without a trailing slash.
        resource: The audience of bundles that name none, exactly as it was given.
        keys: Folder of the signing keys, one PEM file each.
        allow_private: Hosts that may have private addresses and speak plain HTTP.
        gateways: Peers that are believed where a call came from, and to what.
        passes_kept: How long a gateway may keep that a call may pass.
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
    allow_private: frozenset[str] = frozenset()
    gateways: tuple[IPv4Network | IPv6Network, ...] = ()
    passes_kept: timedelta = PASSES_KEPT
    trackers: TrackerSettings = field(default_factory=TrackerSettings)
    on_call: OnCallSettings = field(default_factory=OnCallSettings)


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

    def secret(self, name: str, *prefixes: str) -> Secret:
        """Return what may be empty, but not begin otherwise; it is never quoted."""
        value = self.text(name)
        if value and not value.startswith(prefixes):
            begins = " or ".join(prefixes)
            self.problems.append(f"{name} does not look right: it must begin with {begins}")
        return Secret(value)

    def url(self, name: str, default: str, *, listed: Collection[str] = ()) -> str:
        """Return a URL.

        Args:
            listed: Hosts that may speak plain HTTP, besides this machine.
        """
        value = self.text(name, default)
        self._check_url(name, value, listed)
        return value

    def service(self, name: str, default: str = "", *, listed: Collection[str]) -> str:
        """Return a URL without a slash at its end; it may be empty."""
        return (
            self.url(name, default, listed=listed).rstrip("/") if self.text(name, default) else ""
        )

    def ticket_url(self, name: str, *, listed: Collection[str]) -> str:
        """Return a URL with TICKET_PLACE in its path or query; it may be empty."""
        value = self.text(name)
        path, _, query = value.partition("?")
        if value:
            self._check_url(name, f"{path}{query}".replace(TICKET_PLACE, "0"), listed)
        if (value and value.count(TICKET_PLACE) != 1) or TICKET_PLACE in (_host(path) or ""):
            self.problems.append(f"{name} must have {TICKET_PLACE} in its path or query, once")
        return value

    def on_call_url(self, name: str, *, listed: Collection[str]) -> str:
        """Return a URL with SCHEDULE in its path or query; it may be empty."""
        value = self.text(name)
        path, _, query = value.partition("?")
        if value:
            filled = f"{path}{query}".replace(SCHEDULE, "0").replace(LEVEL, "1")
            self._check_url(name, filled, listed)
        if value and (SCHEDULE not in value or "{" in (_host(path) or "")):
            self.problems.append(f"{name} must have {SCHEDULE} in its path or query")
        return value

    def _check_url(self, name: str, value: str, listed: Collection[str]) -> None:
        host = _host(value)
        if host is None:
            self.problems.append(
                f"{name} is not a URL of scheme, host and path; it has no query and no password"
            )
        elif not value.startswith("https://") and not (
            value.startswith("http://") and (host in _LOCAL or host in listed)
        ):
            self.problems.append(f"{name} must be an https URL (http only on this machine)")

    def names(self, name: str) -> frozenset[str]:
        """Return the names in a list with commas, in lower case."""
        return frozenset(each.strip().lower() for each in self.text(name).split(",")) - {""}

    def seconds(self, name: str, default: timedelta) -> timedelta:
        value = self.text(name, str(int(default.total_seconds())))
        if not _SECONDS.fullmatch(value):
            self.problems.append(f"{name} is not a number of seconds from 1 on: {value!r}")
            return default
        return timedelta(seconds=int(value))

    def networks(self, name: str) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the addresses and networks in a list with commas."""
        found = []
        for each in sorted(self.names(name)):
            try:
                found.append(ip_network(each))
            except ValueError:
                self.problems.append(
                    f"{name} is a list of addresses and networks such as 10.0.0.0/24: {each!r}"
                )
        return tuple(found)

    def at_most(self, name: str, default: timedelta, *, most: timedelta) -> timedelta:
        """Return seconds from 0 to `most`."""
        value, limit = self.text(name, str(int(default.total_seconds()))), most.total_seconds()
        if not _WHOLE.fullmatch(value) or int(value) > limit:
            self.problems.append(f"{name} is not a number of seconds, 0 to {limit:.0f}: {value!r}")
            return default
        return timedelta(seconds=int(value))

    def port(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not _PORT.fullmatch(value) or not int(value) < 1 << 16:
            self.problems.append(f"{name} is not a port number: {value!r}")
            return default
        return int(value)

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, default).lower()
        if value not in allowed:
            self.problems.append(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        return value


def _host(url: str) -> str | None:
    """Return the host in `url`; None if it is no plain URL."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # reading a port that is none raises
    except ValueError:
        return None
    return host if "@" not in parts.netloc and _PLAIN.fullmatch(url) else None


def read_trackers(env: Mapping[str, str]) -> TrackerSettings:
    """Return where tickets are looked up, so far as that is set at all.

    Raises:
        Misconfigured: With every problem found.
    """
    read = _Reader(env)
    found = _trackers(read)
    if read.problems:
        raise Misconfigured(*read.problems)
    return found


def _trackers(read: _Reader) -> TrackerSettings:
    listed = read.names("JIT_ALLOW_PRIVATE")
    found = frozenset(
        tracker for tracker, names in NEEDED_FOR.items() if all(read.text(name) for name in names)
    )
    if read.text("JIT_JIRA_URL") and Tracker.JIRA not in found:
        read.problems.append("JIT_JIRA_URL needs JIT_JIRA_USER and JIT_JIRA_TOKEN")
    return TrackerSettings(
        configured=found,
        jira_url=read.service("JIT_JIRA_URL", listed=listed),
        jira_user=read.text("JIT_JIRA_USER"),
        jira_token=read.secret("JIT_JIRA_TOKEN", ""),
        github_url=read.service("JIT_GITHUB_URL", GITHUB_API, listed=listed),
        github_token=read.secret("JIT_GITHUB_TOKEN", ""),
        ticket_url=read.ticket_url("JIT_TICKET_URL", listed=listed),
        ticket_pages=read.ticket_url("JIT_TICKET_PAGES", listed=listed),
        ticket_token=read.secret("JIT_TICKET_TOKEN", ""),
        every=read.seconds("JIT_TICKET_EVERY_S", TrackerSettings().every),
    )


def missing_trackers(policy: Policy, trackers: TrackerSettings) -> tuple[str, ...]:
    """Return a sentence for each bundle whose tickets could never be checked."""
    return tuple(
        f"the bundle {name} looks its tickets up in {tracker}: set "
        + " and ".join(NEEDED_FOR[tracker])
        for name, tracker in unchecked(policy, trackers.configured).items()
    )


def read_settings(env: Mapping[str, str], *, embedded: Path | None = None) -> Settings:
    """Return the settings that `env` gives.

    Args:
        embedded: Folder for an embedded Redis and its keys; then REDIS_URL and JIT_KEYS may be
            left out.

    Raises:
        Misconfigured: With every problem found.
    """
    read = _Reader(env)
    read.needed("SLACK_BOT_TOKEN", why="install the app, copy its bot token")
    app_token = read.secret("SLACK_APP_TOKEN", "xapp-")
    signing_secret = read.secret("SLACK_SIGNING_SECRET", "")
    if not signing_secret and not app_token:
        read.problems.append(
            "set SLACK_SIGNING_SECRET (payloads over HTTP) or SLACK_APP_TOKEN (Socket Mode)"
        )
    if embedded is None:
        read.needed("REDIS_URL", why="a Redis that keeps what it is told, or use --embedded")
        read.needed("JIT_KEYS", why="a folder of signing keys; `jit keys init FOLDER` makes one")
        read.needed("JIT_ISSUER", why="the https URL under which APIs reach this")
    host, port = read.text("HOST", "0.0.0.0"), read.port("PORT", 3000)  # noqa: S104  a server's default
    issuer = read.url("JIT_ISSUER", f"http://127.0.0.1:{port}").rstrip("/")
    keys = embedded / "keys" if embedded is not None else Path()
    settings = Settings(
        bot_token=read.secret("SLACK_BOT_TOKEN", "xoxb-"),
        signing_secret=signing_secret or None,
        app_token=app_token or None,
        slack_api=read.url("SLACK_API_URL", SLACK_API).rstrip("/") + "/",
        redis_url=read.secret("REDIS_URL", *_REDIS),
        issuer=issuer,
        resource=read.url("JIT_RESOURCE", issuer) if read.text("JIT_RESOURCE") else issuer,
        policies=Path(read.text("JIT_POLICIES", "policies")),
        keys=Path(read.text("JIT_KEYS", str(keys))),
        host=host,
        port=port,
        log_level=read.one_of("JIT_LOG", LEVELS, "info"),
        allow_private=read.names("JIT_ALLOW_PRIVATE"),
        gateways=read.networks("JIT_TRUSTED_GATEWAYS"),
        passes_kept=read.at_most("JIT_FORWARD_AUTH_CACHE_S", PASSES_KEPT, most=PASSES_KEPT_AT_MOST),
        trackers=_trackers(read),
        on_call=_on_call(read),
    )
    if read.problems:
        raise Misconfigured(*read.problems)
    return settings


def _on_call(read: _Reader) -> OnCallSettings:
    listed = read.names("JIT_ALLOW_PRIVATE")
    return OnCallSettings(
        pagerduty_url=read.service("JIT_PAGERDUTY_URL", PAGERDUTY, listed=listed),
        pagerduty_token=read.secret("JIT_PAGERDUTY_TOKEN", ""),
        opsgenie_url=read.service("JIT_OPSGENIE_URL", OPSGENIE, listed=listed),
        opsgenie_token=read.secret("JIT_OPSGENIE_TOKEN", ""),
        url=read.on_call_url("JIT_ON_CALL_URL", listed=listed),
        token=read.secret("JIT_ON_CALL_TOKEN", ""),
    )
