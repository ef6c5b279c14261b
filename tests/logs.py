"""The bot's log while a test runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import structlog

from bot.telemetry import configure_logging


@contextmanager
def logged() -> Iterator[StringIO]:
    """What is logged at debug level, as `jit serve` writes it; shown where a test fails."""
    root, stream = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logging("debug", stream)
    try:
        yield stream
    finally:
        print(stream.getvalue())  # noqa: T201  # pytest keeps it for the report
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
