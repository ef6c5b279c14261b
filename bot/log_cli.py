"""The command `jit log`: the record of what happened."""

import click

from bot.store.records import write_event
from bot.stored import answered, the_log, the_store


@click.group("log")
def log_group() -> None:
    """The record of what happened."""


@log_group.command()
def export() -> None:
    """Print the log in REDIS_URL, an event a line, as JSON; it holds no tokens."""
    answered(_export())


async def _export() -> int:
    async with the_store() as store:
        async for event in the_log(store.ledger):
            click.echo(write_event(event))
    return 0
