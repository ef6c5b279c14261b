"""What the app's manifest declares and Slack therefore allows.

Source: https://docs.slack.dev/reference/app-manifest.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The part of a manifest that the stand-in holds the app to.

    Attributes:
        escaping: Those of `commands` in whose text people come by their ids.
    """

    scopes: tuple[str, ...]
    commands: frozenset[str]
    escaping: frozenset[str] = frozenset()
    events: frozenset[str]
    home_tab: bool
    messages_tab: bool


def read(path: Path) -> Manifest:
    """Return the manifest in the YAML file `path`.

    Raises:
        OSError, KeyError: There is none, or it lacks the bot's scopes.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    features = document.get("features", {})
    subscriptions = document.get("settings", {}).get("event_subscriptions", {})
    home = features.get("app_home", {})
    commands = features.get("slash_commands", [])
    return Manifest(
        scopes=tuple(document["oauth_config"]["scopes"]["bot"]),
        commands=frozenset(each["command"] for each in commands),
        escaping=frozenset(each["command"] for each in commands if each.get("should_escape")),
        events=frozenset(subscriptions.get("bot_events", [])),
        home_tab=bool(home.get("home_tab_enabled", False)),
        messages_tab=bool(home.get("messages_tab_enabled", False)),
    )
