"""The command `jit request`: one request, for whoever reviews it."""

import json
from collections.abc import Sequence

import click

from bot.cli_kinds import json_option
from bot.core.errors import NotFound
from bot.core.events import Event, Requested
from bot.core.identity import RequestId, is_request_id, request_of
from bot.request_tables import request_json, request_lines
from bot.store.redis import RedisStore
from bot.stored import answered, the_log, the_store


@click.group("request")
def request_group() -> None:
    """Requests that were made."""


@request_group.command()
@click.argument("id_", metavar="ID")
@json_option
def show(id_: str, *, as_json: bool) -> None:
    """Say all that is known of request or grant ID, from REDIS_URL.

    Who asked for what and why, under which rule and policy, what was known, who could have said
    no, who said yes, and everything that happened.
    """
    answered(_show(request_of(id_), as_json=as_json))


async def _show(id_: RequestId, *, as_json: bool) -> int:
    async with the_store() as store:
        history = await _history(store, id_) if is_request_id(id_) else ()
    if not history:
        raise NotFound(f"there is no request {id_[:20]!a}")
    if as_json:
        click.echo(json.dumps(request_json(history), indent=2, ensure_ascii=False))
    else:
        for line in request_lines(history):
            click.echo(line)
    return 0


async def _history(store: RedisStore, id_: RequestId) -> Sequence[Event]:
    """Return what happened to a request; of one that is not kept any more, from the one log."""
    found = await store.ledger.history(id_)
    if not found:
        found = [event async for event in the_log(store.ledger) if event.request == id_]
    return found if found and isinstance(found[0], Requested) else ()
