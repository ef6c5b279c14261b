from dataclasses import asdict, fields
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from bot.config import (
    Settings,
    TrackerSettings,
    missing_trackers,
    read_settings,
    read_trackers,
)
from bot.core.errors import Misconfigured
from bot.core.scopes import TicketRule, Tracker
from bot.core.sources import Provider
from bot.usecases.secret import Secret
from tests.usecases.bots import a_bundle, a_policy

BOT, APP, SIGNING = "xoxb-hush-1", "xapp-hush-2", "hush-3"
REDIS = "rediss://jit:hush-4@redis.example:6380/0"
FULL = {
    "SLACK_BOT_TOKEN": BOT,
    "SLACK_SIGNING_SECRET": SIGNING,
    "REDIS_URL": REDIS,
    "JIT_ISSUER": "https://jit.example",
    "JIT_KEYS": "/run/keys",
}


def problems(env: dict[str, str], **options) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read_settings(env, **options)
    return list(caught.value.problems)


def test_what_is_needed_is_enough_and_the_rest_has_defaults() -> None:
    settings = read_settings(FULL)
    assert settings == Settings(
        bot_token=Secret(BOT),
        signing_secret=Secret(SIGNING),
        app_token=None,
        slack_api="https://slack.com/api/",
        redis_url=Secret(REDIS),
        issuer="https://jit.example",
        resource="https://jit.example",
        policies=Path("policies"),
        keys=Path("/run/keys"),
        host="0.0.0.0",
        port=3000,
        log_level="info",
    )


@pytest.mark.parametrize(
    ("name", "value", "field", "read"),
    [
        ("SLACK_APP_TOKEN", APP, "app_token", Secret(APP)),
        ("SLACK_API_URL", "http://127.0.0.1:8080/api", "slack_api", "http://127.0.0.1:8080/api/"),
        ("SLACK_API_URL", "https://slack.example/api/", "slack_api", "https://slack.example/api/"),
        ("REDIS_URL", "redis://localhost", "redis_url", Secret("redis://localhost")),
        ("REDIS_URL", "unix:///run/redis.sock", "redis_url", Secret("unix:///run/redis.sock")),
        ("JIT_ISSUER", "https://jit.example/team/", "issuer", "https://jit.example/team"),
        ("JIT_ISSUER", "http://localhost:3000", "issuer", "http://localhost:3000"),
        ("JIT_ISSUER", "http://[::1]:3000", "issuer", "http://[::1]:3000"),
        ("JIT_RESOURCE", "https://api.example/", "resource", "https://api.example/"),
        ("JIT_POLICIES", "/etc/jit", "policies", Path("/etc/jit")),
        ("JIT_KEYS", " keys ", "keys", Path("keys")),
        ("HOST", "127.0.0.1", "host", "127.0.0.1"),
        ("PORT", "65535", "port", 65535),
        ("PORT", "0", "port", 0),
        ("JIT_LOG", "DEBUG", "log_level", "debug"),
        ("JIT_LOG", "", "log_level", "info"),
        (
            "JIT_ALLOW_PRIVATE",
            " Jira.corp, ,127.0.0.1",
            "allow_private",
            {"jira.corp", "127.0.0.1"},
        ),
        (
            "JIT_TRUSTED_GATEWAYS",
            " 10.1.0.0/16, ::1 ",
            "gateways",
            (ip_network("10.1.0.0/16"), ip_network("::1")),
        ),
        ("JIT_TRUSTED_GATEWAYS", "", "gateways", ()),
        ("JIT_FORWARD_AUTH_CACHE_S", "", "passes_kept", timedelta(seconds=5)),
        ("JIT_FORWARD_AUTH_CACHE_S", "0", "passes_kept", timedelta(0)),
        ("JIT_FORWARD_AUTH_CACHE_S", "30", "passes_kept", timedelta(seconds=30)),
    ],
)
def test_each_variable_is_read(name: str, value: str, field: str, read: object) -> None:
    assert getattr(read_settings({**FULL, name: value}), field) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "xoxp-hush"),
        ("SLACK_BOT_TOKEN", " "),
        ("SLACK_APP_TOKEN", "xoxb-hush"),
        ("REDIS_URL", "localhost:6379/hush"),
        ("REDIS_URL", "http://hush.example"),
        ("JIT_ISSUER", "jit.example"),
        ("JIT_ISSUER", "http://jit.example"),
        ("JIT_ISSUER", "http://127.0.0.1.example"),
        ("JIT_ISSUER", "ftp://jit.example"),
        ("JIT_ISSUER", "https://"),
        ("JIT_ISSUER", "https://[::1"),
        ("JIT_ISSUER", "https://jit.example:99999"),
        ("JIT_ISSUER", "https://jit.example:port"),
        ("JIT_ISSUER", "https://jit.example/?a=1"),
        ("JIT_ISSUER", "https://jit.example/?"),
        ("JIT_ISSUER", "https://jit.example/#a"),
        ("JIT_ISSUER", "https://jit:hush@jit.example"),
        ("JIT_ISSUER", "https://@jit.example"),
        ("JIT_ISSUER", "https://jit .example"),
        ("JIT_ISSUER", "https://j\u0456t.example"),
        ("JIT_ISSUER", "https://jit.example\t/a"),
        ("JIT_RESOURCE", "http://api.example"),
        ("JIT_RESOURCE", "api"),
        ("SLACK_API_URL", "http://slack.example/api"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "3000.5"),
        ("PORT", "\u0663"),
        ("PORT", "9" * 5000),
        ("JIT_LOG", "verbose"),
        ("JIT_JIRA_URL", "https://acme.atlassian.net"),
        ("JIT_GITHUB_URL", "http://git.example"),
        ("JIT_TICKET_URL", "https://desk.example/t"),
        ("JIT_TICKET_URL", "https://desk.example/{ticket}/{ticket}"),
        ("JIT_TICKET_URL", "https://{ticket}.example/"),
        ("JIT_TICKET_URL", "http://desk.example/{ticket}"),
        ("JIT_TICKET_URL", "https://desk.example/#{ticket}"),
        ("JIT_TICKET_URL", "https://me:hush@desk.example/{ticket}"),
        ("JIT_TICKET_PAGES", "https://desk.example/"),
        ("JIT_TICKET_EVERY_S", "0"),
        ("JIT_TICKET_EVERY_S", "1m"),
        ("JIT_TRUSTED_GATEWAYS", "gateway.example"),
        ("JIT_TRUSTED_GATEWAYS", "10.1.2.3/16"),
        ("JIT_FORWARD_AUTH_CACHE_S", "31"),
        ("JIT_FORWARD_AUTH_CACHE_S", "-1"),
        ("JIT_FORWARD_AUTH_CACHE_S", "5s"),
    ],
)
def test_a_wrong_value_is_named_and_no_secret_is_quoted(name: str, value: str) -> None:
    [problem] = problems({**FULL, name: value})
    assert problem.startswith(name)
    assert "hush" not in problem


def test_all_problems_are_listed_at_once() -> None:
    found = problems({"PORT": "http", "JIT_LOG": "loud", "SLACK_API_URL": "x"})
    for name in (
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "REDIS_URL",
        "JIT_KEYS",
        "JIT_ISSUER",
        "PORT",
        "JIT_LOG",
        "SLACK_API_URL",
    ):
        assert sum(name in problem for problem in found) == 1, name
    assert len(found) == 8


def test_an_embedded_server_needs_neither_address_nor_keys() -> None:
    env = {"SLACK_BOT_TOKEN": BOT, "SLACK_SIGNING_SECRET": SIGNING, "PORT": "4000"}
    settings = read_settings(env, embedded=Path("state"))
    assert not settings.redis_url
    assert settings.keys == Path("state/keys")
    assert settings.issuer == settings.resource == "http://127.0.0.1:4000"
    told = read_settings({**env, **FULL}, embedded=Path("state"))
    assert (told.keys, told.issuer) == (Path("/run/keys"), "https://jit.example")
    assert problems({}, embedded=Path("state"))[0].startswith("SLACK_BOT_TOKEN")


def test_socket_mode_needs_no_signing_secret() -> None:
    env = {name: value for name, value in FULL.items() if name != "SLACK_SIGNING_SECRET"}
    [problem] = problems(env)
    assert "SLACK_APP_TOKEN" in problem
    settings = read_settings({**env, "SLACK_APP_TOKEN": APP})
    assert (settings.signing_secret, settings.app_token) == (None, Secret(APP))


def test_secrets_are_not_printed_with_the_settings() -> None:
    settings = read_settings({**FULL, "SLACK_APP_TOKEN": APP})
    assert "hush" not in repr(settings) + str(settings)
    assert sum(isinstance(getattr(settings, each.name), Secret) for each in fields(settings)) == 4
    with pytest.raises(TypeError, match="not copied"):
        asdict(settings)


def test_nothing_is_set_of_trackers_unless_somebody_sets_it() -> None:
    assert read_settings(FULL).trackers == TrackerSettings()
    assert read_trackers({}).configured == frozenset()


TRACKERS = {
    "JIT_JIRA_URL": "https://acme.atlassian.net/",
    "JIT_JIRA_USER": "bot@acme.example",
    "JIT_JIRA_TOKEN": "hush-5",
    "JIT_GITHUB_TOKEN": "hush-6",
    "JIT_TICKET_URL": "https://desk.example/api?id={ticket}&x=1",
    "JIT_TICKET_PAGES": "https://desk.example/{ticket}",
    "JIT_TICKET_TOKEN": "hush-7",
    "JIT_TICKET_EVERY_S": "90",
}


def test_each_variable_of_trackers_is_read() -> None:
    assert read_trackers(TRACKERS) == TrackerSettings(
        configured=frozenset(Tracker),
        jira_url="https://acme.atlassian.net",
        jira_user="bot@acme.example",
        jira_token=Secret("hush-5"),
        github_url="https://api.github.com",
        github_token=Secret("hush-6"),
        ticket_url="https://desk.example/api?id={ticket}&x=1",
        ticket_pages="https://desk.example/{ticket}",
        ticket_token=Secret("hush-7"),
        every=timedelta(seconds=90),
    )
    assert "hush" not in repr(read_trackers(TRACKERS))


def test_a_tracker_on_a_listed_host_may_speak_plain_http() -> None:
    env = {
        **TRACKERS,
        "JIT_JIRA_URL": "http://jira.corp",
        "JIT_TICKET_URL": "http://desk.corp/{ticket}",
        "JIT_ALLOW_PRIVATE": "jira.corp,DESK.corp",
    }
    assert read_trackers(env).jira_url == "http://jira.corp"
    with pytest.raises(Misconfigured) as caught:
        read_trackers({**env, "JIT_ALLOW_PRIVATE": "jira.corp"})
    assert caught.value.problems == (
        "JIT_TICKET_URL must be an https URL (http only on this machine)",
    )


def test_a_policy_that_names_a_tracker_that_is_not_set_is_told_what_to_set() -> None:
    asks = {
        name: a_bundle(name, ticket=TicketRule(pattern="x", example="x", tracker=tracker))
        for name, tracker in (("ops", Tracker.JIRA), ("dev", Tracker.GITHUB), ("own", None))
    }
    policy = a_policy({name: (bundle, ()) for name, bundle in asks.items()})
    given = {name: value for name, value in TRACKERS.items() if "GITHUB" in name}
    [problem] = missing_trackers(policy, read_trackers(given))
    needed = "JIT_JIRA_URL and JIT_JIRA_USER and JIT_JIRA_TOKEN"
    assert problem == f"the bundle ops looks its tickets up in jira: set {needed}"
    assert len(missing_trackers(policy, TrackerSettings())) == 2


def test_on_call_services_are_read_and_those_without_a_token_are_not_asked() -> None:
    found = read_settings(FULL).on_call
    assert found.configured == frozenset()
    assert found.pagerduty_url == "https://api.pagerduty.com"
    assert found.opsgenie_url == "https://api.opsgenie.com"
    env = {
        "JIT_PAGERDUTY_URL": "https://api.eu.pagerduty.com/",
        "JIT_PAGERDUTY_TOKEN": "hush-5",
        "JIT_OPSGENIE_TOKEN": "hush-6",
        "JIT_ON_CALL_URL": "http://Rota.internal/x?of={schedule}&level={level}",
        "JIT_ON_CALL_TOKEN": "hush-7",
        "JIT_ALLOW_PRIVATE": " rota.internal, Other.internal ,",
    }
    settings = read_settings({**FULL, **env})
    found = settings.on_call
    assert found.configured == frozenset(Provider)
    assert found.pagerduty_url == "https://api.eu.pagerduty.com"
    assert found.pagerduty_token == Secret("hush-5")
    assert (found.url, found.token) == (env["JIT_ON_CALL_URL"], Secret("hush-7"))
    assert settings.allow_private == {"rota.internal", "other.internal"}
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("https://rota.example/now", "must have {schedule} in its path or query"),
        ("https://{schedule}.example/now", "must have {schedule} in its path or query"),
        ("http://rota.example/{schedule}", "must be an https URL"),
        ("https://me:hush@rota.example/{schedule}", "is not a URL"),
        ("rota/{schedule}", "is not a URL"),
    ],
)
def test_an_on_call_address_that_is_wrong_is_named(value: str, why: str) -> None:
    [problem] = problems({**FULL, "JIT_ON_CALL_URL": value})
    assert problem.startswith(f"JIT_ON_CALL_URL {why}")
    assert "hush" not in problem
