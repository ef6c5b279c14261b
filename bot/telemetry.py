"""What operators see: JSON log lines without secrets, and Prometheus metrics."""

import json
import logging
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, TextIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from structlog.typing import EventDict, WrappedLogger

from bot.usecases.secret import REDACTED

# Names whose values are never written, at the end of a key so that `token_type` may pass.
_SECRET_NAME: Final = r"(?:token|secret|password|authorization|signature|cookie|private_key)s?"  # noqa: S105  names, not values
_SECRET_KEY: Final = re.compile(rf".*{_SECRET_NAME}", re.IGNORECASE | re.DOTALL)
# Every line that a name or a pattern below changes has one of these in it; most have none.
_HINTS: Final = (
    *(b"eyj", b"xox", b"xapp", b"-----", b"hooks.slack", b"bearer", b"basic", b"://"),
    *(b"token", b"secret", b"password", b"authorization", b"signature", b"cookie", b"private_key"),
)

# Tried in this order on every text, also on the text of exceptions. Each runs in linear time.
_SECRET_TEXTS: Final = (
    # A key in PEM form, also one that was cut off.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END|\Z)", re.DOTALL), REDACTED),
    # A JWT, also one that was cut off: "eyJ" is '{"' in base64.
    (re.compile(r"eyJ[\w-]{8,}[\w.-]*"), REDACTED),
    # Slack's tokens, and addresses of Slack that let anybody post.
    (re.compile(r"(?:xox[a-z]|xapp)[.-][\w.-]+"), REDACTED),
    (re.compile(r"https://hooks\.slack(?:-gov)?\.com/[^\s\"'>|\\]+"), REDACTED),
    # RFC 6750, section 2.1, and RFC 7617, section 2.
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]+"), rf"\1 {REDACTED}"),
    (re.compile(r"(?i)\b(basic)\s+[\w.~+/=-]{16,}"), rf"\1 {REDACTED}"),
    # The password in a URL.
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), rf"://{REDACTED}@"),
    # key=value, "key": "value", key: value.
    (
        re.compile(
            rf"(?i)({_SECRET_NAME}[\"']?\s*[=:]\s*)"
            r"(?:b?\"[^\"]*\"|b?'[^']*'|(?:bearer|basic) \S+|[^\s\"'&,;)}\]]+)"
        ),
        rf"\1{REDACTED}",
    ),
)

# Libraries whose lines below WARNING would tell what people wrote.
_CHATTY: Final = ("slack_bolt", "slack_sdk", "aiohttp", "asyncio")
# Bolt puts the payload behind these words: "Unhandled request ({...})", with advice after it.
_BOLT_PAYLOAD: Final = re.compile(r"(request) \(.*", re.DOTALL)
_FIRST: Final = ("timestamp", "level", "event", "logger")
_STAMP: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)


def configure_logging(level: str, stream: TextIO) -> None:
    """Send the log lines of this process to `stream`, one JSON object each, without secrets.

    Lines of structlog, of the standard library's logging, warnings and an exception that ends
    the process all take this way.

    Args:
        level: debug, info, warning or error.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = _Handler(stream)
    handler.addFilter(_may_pass)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _line],
        )
    )
    # Our own lines do not take the way through logging, which costs five times as much.
    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed


def _line(_logger: WrappedLogger, method: str, event_dict: EventDict) -> str:
    """Return the event as one line, without anything that looks like, or is called, a secret."""
    event_dict["level"] = method
    ordered = _in_order(_STAMP(_logger, method, event_dict))
    if "exc_info" in ordered:
        ordered = structlog.processors.format_exc_info(_logger, method, ordered)
    try:
        line = orjson.dumps(ordered, str)
    except TypeError:  # it holds what JSON has no word for
        return json.dumps(_clean(ordered))
    lower = line.lower()
    if any(hint in lower for hint in _HINTS):
        return json.dumps(_clean(ordered))
    return line.decode()


def _clean(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {
                scrubbed(str(key)): REDACTED if _SECRET_KEY.fullmatch(str(key)) else _clean(inner)
                for key, inner in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(inner) for inner in value]
        case _:
            return scrubbed(str(value))


def scrubbed(text: str) -> str:
    """Return `text` with everything that looks like a secret replaced."""
    for pattern, instead in _SECRET_TEXTS:
        text = pattern.sub(instead, text)
    return text


def _in_order(event_dict: EventDict) -> EventDict:
    names = [name for name in _FIRST if name in event_dict]
    names += sorted(event_dict.keys() - names)
    return {name: event_dict[name] for name in names}


def _may_pass(record: logging.LogRecord) -> bool:
    """Return whether a line is written; Bolt's lines lose the payloads that they quote.

    Levels would not do: Bolt sets the level of each of its loggers to the root's.
    """
    if record.name.split(".")[0] not in _CHATTY:
        return True
    if record.name.startswith("slack_bolt"):
        record.msg, record.args = _BOLT_PAYLOAD.sub(r"\1", record.getMessage()), ()
    return record.levelno >= logging.WARNING


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the library's name
        """Say that a line was lost; the library would print its arguments as they are."""
        self.stream.write(
            f'{{"level": "error", "event": "log.failed", "lineno": {record.lineno}}}\n'
        )


def _crashed(
    kind: type[BaseException], problem: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, problem, trace)
        return
    structlog.get_logger().error("process.crashed", exc_info=(kind, problem, trace))


class Sort(StrEnum):
    """What sort of number."""

    COUNT = "count"
    DURATION = "duration"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class Metric:
    """One declared metric.

    Attributes:
        words: What it tells, for its HELP line.
        labels: Their values must be few: no ids, nothing that people type.
    """

    name: str
    sort: Sort
    words: str
    labels: tuple[str, ...] = ()


DECLARED: Final = {
    metric.name: metric
    for metric in (
        Metric("jit_events_total", Sort.COUNT, "Facts recorded", ("kind",)),
        Metric("jit_commands_total", Sort.COUNT, "Commands and clicks", ("command", "outcome")),
        Metric("jit_slack_calls_total", Sort.COUNT, "Calls to Slack", ("method", "outcome")),
        Metric("jit_job_lag_seconds", Sort.DURATION, "From due to claimed", ("queue",)),
        Metric("jit_jobs_total", Sort.COUNT, "Jobs carried out", ("kind", "outcome")),
        Metric("jit_http_requests_total", Sort.COUNT, "HTTP requests", ("route", "status")),
        Metric("jit_introspections_total", Sort.COUNT, "Tokens asked about", ("outcome",)),
        Metric("jit_use_dropped_total", Sort.COUNT, "Uses of tokens that found no room"),
        Metric(
            "jit_forward_auth_total", Sort.COUNT, "Calls that gateways asked about", ("outcome",)
        ),
        Metric("jit_policy_info", Sort.LEVEL, "1 for the policy in force", ("digest",)),
        Metric("jit_policy_reloads_total", Sort.COUNT, "Policy files judged anew", ("outcome",)),
        Metric("jit_policy_problems", Sort.LEVEL, "Why the files are not in force; 0: they are"),
        Metric(
            "jit_condition_failures_total",
            Sort.COUNT,
            "Conditions that could not be evaluated, and counted as the stricter answer",
            ("one",),
        ),
        Metric("jit_grants_live", Sort.LEVEL, "Grants that work now"),
        Metric("jit_requests_pending", Sort.LEVEL, "Requests that wait for people"),
    )
}
# Seconds: a job is claimed within milliseconds when all is well, after minutes when nothing is.
_BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def _check(name: str, sort: Sort, labels: Mapping[str, str]) -> None:
    """Raise LookupError if no metric of that sort is declared as `name` with these labels."""
    metric = DECLARED.get(name)
    if metric is None or metric.sort is not sort or set(metric.labels) != set(labels):
        raise LookupError(f"no {sort} is declared as {name} with labels {sorted(labels)}")


class PrometheusMetrics:
    """The port Metrics over a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._counted: dict[tuple[object, ...], Counter] = {}
        self._durations: dict[str, Histogram] = {}
        self._levels: dict[str, Gauge] = {}
        for name, metric in DECLARED.items():
            told = (name, metric.words, metric.labels)
            match metric.sort:
                case Sort.COUNT:
                    self._counters[name] = Counter(*told, registry=registry)
                case Sort.DURATION:
                    self._durations[name] = Histogram(*told, registry=registry, buckets=_BUCKETS)
                case Sort.LEVEL:
                    self._levels[name] = Gauge(*told, registry=registry)
                    # Until it was measured: "not known" is not zero.
                    if not metric.labels:
                        self._levels[name].set(math.nan)

    def count(self, name: str, **labels: str) -> None:
        """See `Metrics.count`."""
        known: tuple[object, ...] = (name, *labels.items())
        child = self._counted.get(known)
        if child is None:
            _check(name, Sort.COUNT, labels)
            child = self._counted[known] = self._counters[name].labels(**labels)
        child.inc()

    def observe(self, name: str, value_s: float, **labels: str) -> None:
        """See `Metrics.observe`."""
        _check(name, Sort.DURATION, labels)
        self._durations[name].labels(**labels).observe(value_s)

    def measure(self, name: str, value: float, **labels: str) -> None:
        """Set the level `name`; one with labels keeps only the newest set of them."""
        _check(name, Sort.LEVEL, labels)
        gauge = self._levels[name]
        if labels:
            gauge.clear()
            gauge = gauge.labels(**labels)
        gauge.set(value)

    def value(self, name: str, **labels: str) -> float:
        """Return the number under `name`: of a duration its sum in seconds, 0 if there is none."""
        sample = f"{name}_sum" if DECLARED[name].sort is Sort.DURATION else name
        return self._registry.get_sample_value(sample, labels) or 0.0

    def render(self) -> tuple[bytes, str]:
        """Return the page for a scrape, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class MemoryMetrics:
    """The port Metrics in a dictionary."""

    def __init__(self) -> None:
        self._values: dict[str, dict[frozenset[tuple[str, str]], float]] = {}

    def count(self, name: str, **labels: str) -> None:
        """See `Metrics.count`."""
        _check(name, Sort.COUNT, labels)
        self._set(name, self.value(name, **labels) + 1, labels)

    def observe(self, name: str, value_s: float, **labels: str) -> None:
        """See `Metrics.observe`."""
        _check(name, Sort.DURATION, labels)
        self._set(name, self.value(name, **labels) + value_s, labels)

    def measure(self, name: str, value: float, **labels: str) -> None:
        """Set the level `name`; one with labels keeps only the newest set of them."""
        _check(name, Sort.LEVEL, labels)
        self._values.pop(name, None)
        self._set(name, value, labels)

    def value(self, name: str, **labels: str) -> float:
        """Return the number under `name`: of a duration its sum in seconds, 0 if there is none."""
        return self._values.get(name, {}).get(frozenset(labels.items()), 0.0)

    def _set(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        self._values.setdefault(name, {})[frozenset(labels.items())] = value
