import asyncio
import io
import json
import logging
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from bot.telemetry import DECLARED, MemoryMetrics, PrometheusMetrics, configure_logging, scrubbed
from bot.usecases.secret import REDACTED, Secret
from tests.contracts.metrics_contract import MetricsContract

# Each looks like what it stands for; none is real.
JWT = jwt.encode({"sub": "canary"}, "k" * 32, algorithm="HS256")
PEM = "-----BEGIN RSA PRIVATE KEY-----\nCANARY/abc=\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "token": JWT,
    "cut token": JWT[:-20],
    "bot token": "xoxb-1-2-CANARY",
    "user token": "xoxp-1-CANARY",
    "rotated token": "xoxe.xoxb-1-CANARY",
    "app token": "xapp-1-A0-CANARY",
    "webhook": "https://hooks.slack.com/services/T0/B0/CANARY",
    "response address": "https://hooks.slack.com/commands/T0/1/CANARY",
    "bearer": "Authorization: Bearer CANARY",
    "bearer alone": "bearer CANARY.x_y~z",
    "basic": "Authorization: Basic Y2xpZW50OkNBTkFSWQ==",
    "basic alone": "sent basic Y2xpZW50OkNBTkFSWQ==",
    "key": PEM,
    "cut key": PEM[:40] + "CANARY",
    "URL": "redis://jit:CANARY@redis.example:6379",
    "URL without a user": "redis://:CANARY@redis.example",
    "query": "GET /x?token=CANARY&a=1",
    "form": "client_secret=CANARY",
    "JSON": '{"client_secret": "CANARY x", "a": 1}',
    "repr": "{'signing_secret': 'CANARY'}",
    "bytes": "{'password': b'CANARY'}",
    "header": "Set-Cookie: CANARY",
    "slack": "X-Slack-Signature: v0=CANARY",
    "upper case": "SLACK_BOT_TOKEN=CANARY",
}
HIDDEN = ("CANARY", "NBTkFSWQ", JWT.split(".")[2])


@pytest.fixture
def log_to() -> Iterator[Callable[[str], io.StringIO]]:
    """Configure logging at a level, and give what is written."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook)
    stream = io.StringIO()

    def configure(level: str) -> io.StringIO:
        configure_logging(level, stream)
        return stream

    yield configure
    root.handlers[:], root.level, sys.excepthook = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def written(log_to: Callable[[str], io.StringIO]) -> io.StringIO:
    return log_to("debug")


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def is_hidden(written: io.StringIO) -> bool:
    assert written.getvalue()
    return not any(text in written.getvalue() for text in HIDDEN)


def test_a_line_is_one_object_whose_first_members_say_what_happened(written: io.StringIO) -> None:
    structlog.get_logger().info("grant.started", request="R-1", by="person:T:U", lived_s=3)
    [line] = lines(written)
    assert list(line) == ["timestamp", "level", "event", "by", "lived_s", "request"]
    assert (line["event"], line["level"], line["lived_s"]) == ("grant.started", "info", 3)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_secret_is_written_wherever_it_stands(written: io.StringIO, secret: str) -> None:
    log = structlog.get_logger()
    log.info("a.b", text=secret, deep={"list": [(secret,), {"x": {secret}}]}, raw=secret.encode())
    event = f"event {secret}"
    log.info(event)
    log.info("a.b", **{f"key {secret}": 1})
    logging.getLogger("other").warning("said %s", secret)
    logging.getLogger("other").warning("said %(x)s", {"x": secret})
    assert is_hidden(written)
    assert len(lines(written)) == 5


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_secret_is_written_with_an_exception(written: io.StringIO, secret: str) -> None:
    try:
        int(secret)
    except ValueError:
        structlog.get_logger().exception("a.failed")
        logging.getLogger("other").exception("failed")
    assert is_hidden(written)
    for line in lines(written):
        assert "ValueError" in line["exception"]
        assert "test_telemetry.py" in line["exception"]


def test_a_chain_of_exceptions_and_notes_is_scrubbed_too(written: io.StringIO) -> None:
    problem = ExceptionGroup("several", [ValueError(SECRETS["form"])])
    problem.add_note(SECRETS["bot token"])
    problem.__cause__ = RuntimeError(SECRETS["URL"])
    structlog.get_logger().error("a.failed", exc_info=problem)
    assert is_hidden(written)
    assert REDACTED in lines(written)[0]["exception"]


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "Authorization",
        "client_secret",
        "X-Slack-Signature",
        "cookies",
        "password",
        "private_key",
        "signing_secrets",
        "SLACK_BOT_TOKEN",
        "tokens",
    ],
)
def test_what_is_called_a_secret_is_not_written(written: io.StringIO, name: str) -> None:
    structlog.get_logger().info("a.b", **{name: "plain words CANARY", "deep": {name: ["CANARY"]}})
    assert is_hidden(written)
    assert lines(written)[0][name] == REDACTED


def test_what_is_no_secret_can_be_read(written: io.StringIO) -> None:
    plain = {
        "token_type": "Bearer",
        "client_id": "billing-api",
        "url": "https://jit.example:8080/oauth/introspect?a=1",
        "reason": "basic checks; xox is a game; the tokens expired",
        "scope": "invoices:read refunds:read",
        "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "yes": True,
        "none": None,
        "n": 1.5,
    }
    structlog.get_logger().info("a.b", **plain)
    [line] = lines(written)
    assert {name: line[name] for name in plain} == plain


def test_a_secret_object_shows_nothing(written: io.StringIO) -> None:
    structlog.get_logger().info("a.b", what=Secret("CANARY"), list=[Secret("CANARY")])
    assert is_hidden(written)
    assert lines(written)[0]["what"] == REDACTED


def test_scrubbing_takes_time_in_proportion_to_the_length() -> None:
    parts = ("token=", "Bearer ", "://a:", "-----BEGIN PRIVATE KEY-----", '"secret": "', "eyJ", "x")

    def took_s(length: int) -> float:
        began = time.perf_counter()
        for part in parts:
            scrubbed(part * (length // len(part)))
        return time.perf_counter() - began

    took_s(1_000)
    assert took_s(80_000) < 60 * min(took_s(10_000) for _ in range(3))


def test_bolts_payloads_are_left_out_and_its_words_kept(written: io.StringIO) -> None:
    log = logging.getLogger("slack_bolt.AsyncApp")
    log.setLevel(logging.DEBUG)  # Bolt does so itself
    log.warning(
        "Unhandled request ({'text': 'my CANARY', 'user': 'U1'})\n---\n[Suggestion] (CANARY)"
    )
    log.warning("Although the app should be installed into this workspace, CA%s", "TS")
    log.info("payload CANARY")
    log.debug("payload CANARY")
    assert is_hidden(written)
    assert [line["event"] for line in lines(written)] == [
        "Unhandled request",
        "Although the app should be installed into this workspace, CATS",
    ]


@pytest.mark.parametrize("name", ["slack_bolt", "slack_sdk.web", "aiohttp.access", "asyncio"])
def test_chatty_libraries_are_heard_from_a_warning_on(written: io.StringIO, name: str) -> None:
    log = logging.getLogger(name)
    for tell in (log.debug, log.info, log.warning, log.error):
        tell("x")
    assert [line["level"] for line in lines(written)] == ["warning", "error"]


def test_others_are_heard_from_the_level_on(log_to: Callable[[str], io.StringIO]) -> None:
    written = log_to("warning")
    for log in (structlog.get_logger(), logging.getLogger("other")):
        for tell in (log.debug, log.info, log.warning, log.error):
            tell("x")
    assert [line["level"] for line in lines(written)] == ["warning", "error"] * 2


def test_a_line_that_cannot_be_made_is_missed_without_its_arguments(
    log_to: Callable[[str], io.StringIO],
) -> None:
    written = log_to("debug")  # only now, for pytest's own handler would raise
    wrong = "two %s %s"
    logging.getLogger("other").warning(wrong, "CANARY")
    assert is_hidden(written)
    assert lines(written)[0]["event"] == "log.failed"


def test_what_cannot_be_told_as_json_is_told_in_words(written: io.StringIO) -> None:
    structlog.get_logger().info("a.b", at=asyncio.Lock, odd=object(), surrogate="\ud800", b=b"\xff")
    [line] = lines(written)
    assert line["event"] == "a.b"


def test_warnings_take_the_same_way(written: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("token=CANARY", stacklevel=1)
    assert is_hidden(written)
    assert lines(written)[0]["logger"] == "py.warnings"


CRASH = """
import sys
from bot.telemetry import configure_logging
configure_logging("info", sys.stderr)
raise RuntimeError("token=CANARY")
"""


def test_an_exception_that_ends_the_process_is_told_as_a_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CRASH], capture_output=True, text=True, check=False
    )
    line = json.loads(ended.stderr)
    assert (line["event"], ended.returncode) == ("process.crashed", 1)
    assert "RuntimeError" in line["exception"]
    assert "CANARY" not in ended.stdout + ended.stderr


class TestMemoryMetrics(MetricsContract):
    @pytest.fixture
    def metrics(self) -> MemoryMetrics:
        return MemoryMetrics()


class TestPrometheusMetrics(MetricsContract):
    @pytest.fixture
    def metrics(self) -> PrometheusMetrics:
        return PrometheusMetrics()


def test_the_page_has_every_metric_and_a_scraper_can_read_it() -> None:
    metrics = PrometheusMetrics()
    metrics.count("jit_introspections_total", outcome="active")
    metrics.observe("jit_job_lag_seconds", 0.02, queue="s")
    metrics.measure("jit_policy_info", 1, digest="d1")
    page, kind = metrics.render()
    families = {family.name: family for family in text_string_to_metric_families(page.decode())}
    assert {name.removesuffix("_total") for name in DECLARED} <= set(families)
    for name, metric in DECLARED.items():
        assert families[name.removesuffix("_total")].documentation == metric.words
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["jit_introspections_total", "active"] == 1
    assert samples["jit_job_lag_seconds_bucket", "0.025", "s"] == 1
    assert samples["jit_job_lag_seconds_bucket", "0.005", "s"] == 0
    assert samples["jit_policy_info", "d1"] == 1
    assert kind.startswith("text/plain")


def test_a_level_that_was_never_measured_is_not_called_zero() -> None:
    page, _ = PrometheusMetrics().render()
    assert b"\njit_grants_live NaN\n" in page
    assert b"\njit_requests_pending NaN\n" in page


def test_two_registries_are_strangers() -> None:
    one, other = PrometheusMetrics(), PrometheusMetrics()
    one.count("jit_events_total", kind="a")
    assert other.value("jit_events_total", kind="a") == 0


def test_every_metric_says_its_unit_in_its_name() -> None:
    for name, metric in DECLARED.items():
        assert name.startswith("jit_")
        assert name.endswith({"count": "_total", "duration": "_seconds"}.get(metric.sort, ""))
