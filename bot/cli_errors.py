"""How a command fails: in sentences, on stderr, without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from bot.core.errors import BotError


def fail(problem: BotError) -> NoReturn:
    """Say what is wrong and what to do, and end with 1."""
    for line in str(problem).splitlines():
        click.echo(f"jit: {line}", err=True)
    if problem.hint:
        click.echo(f"jit: {problem.hint}", err=True)
    sys.exit(1)


@contextmanager
def failures_told() -> Iterator[None]:
    """Have what goes wrong on purpose be told by `fail`."""
    try:
        yield
    except BotError as problem:
        fail(problem)
