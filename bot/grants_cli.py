"""The command `jit grants`: what is live, and ending many at once."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click

from bot.cli_kinds import json_option
from bot.core.errors import BotError, Refused
from bot.core.request import Request
from bot.core.selecting import Selection
from bot.grant_tables import grant_json, grant_lines
from bot.stored import answered, the_store
from bot.telemetry import MemoryMetrics
from bot.usecases.desk import Desk, Stores
from bot.usecases.revoking import Keyless, Revoking, StoredTokens
from bot.wiring import SystemClock

F = TypeVar("F", bound=Callable[..., Any])


@click.group("grants")
def grants_group() -> None:
    """Access that works now, from REDIS_URL."""


def _selecting(command: F) -> F:
    """Give `command` the options that say which grants are meant."""
    for option in (
        click.option("--resource", default="", help="The API that the tokens are for, a URI."),
        click.option("--bundle", default="", help="The bundle's name."),
        click.option(
            "--client", default="", help="The client that has the token; `slack`: people."
        ),
        click.option("--person", default="", help="A Slack user id, or the tokens' subject."),
    ):
        command = option(command)
    return command


@grants_group.command("list")
@_selecting
@json_option
def grants_list(*, person: str, client: str, bundle: str, resource: str, as_json: bool) -> None:
    """Say what is live; all of it, or what all of the options hold for."""
    selection = Selection(person=person, client=client, bundle=bundle, resource=resource)
    answered(_list(selection, as_json=as_json))


async def _list(selection: Selection, *, as_json: bool) -> int:
    async with _revoking() as grants:
        found = await grants.select(selection)
    if as_json:
        click.echo(json.dumps({"grants": [grant_json(each) for each in found]}, indent=2))
        return 0
    for line in grant_lines(found):
        click.echo(line)
    return 0


@grants_group.command("revoke")
@_selecting
@click.option("--reason", default="", help="Told in the threads, and kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def grants_revoke(
    *, person: str, client: str, bundle: str, resource: str, reason: str, yes: bool, as_json: bool
) -> None:
    """End all grants that all of the options hold for; the running bot tells it in the threads.

    Their tokens are dead when this returns. Exit code 1 if a grant may go on, 2 if nothing could
    be found out.
    """
    selection = Selection(person=person, client=client, bundle=bundle, resource=resource)
    if selection.is_everything:
        raise click.UsageError("say which: --person, --client, --bundle or --resource")
    if as_json and not yes:
        raise click.UsageError("--json asks nothing, so it needs --yes")
    answered(_revoke(selection, reason=reason, yes=yes, as_json=as_json))


async def _revoke(selection: Selection, *, reason: str, yes: bool, as_json: bool) -> int:
    async with _revoking() as grants:
        found = await grants.select(selection)
        if not yes and found:
            for line in grant_lines(found):
                click.echo(line)
            click.confirm(f"End {_number(found)} now?", abort=True, err=True)
        left = {each.id: why for each in found if (why := await _why_left(grants, each, reason))}
    if as_json:
        told = [{**grant_json(each), "left": left.get(each.id, "")} for each in found]
        click.echo(json.dumps({"grants": told}, indent=2))
    else:
        for each in found:
            if each.id in left:
                click.echo(f"LEFT  {each.id}: {left[each.id]}")
        click.echo(f"{_number(found)} found, {len(found) - len(left)} ended")
    return int(bool(left))


async def _why_left(grants: Revoking, request: Request, reason: str) -> str:
    """End a grant; return why it may go on, "" if it does not."""
    try:
        await grants.end(request, reason=reason)
    except Refused:
        return ""  # it has ended in the meantime, which is what was wanted
    except BotError as problem:
        return str(problem)
    return ""


def _number(found: Sequence[Request]) -> str:
    return f"{len(found)} grant" + ("" if len(found) == 1 else "s")


@asynccontextmanager
async def _revoking() -> AsyncGenerator[Revoking, None]:
    """Open the store, and what ends grants in it."""
    async with the_store() as store:
        tokens = StoredTokens(store.tokens)
        stores = Stores(
            ledger=store.ledger,
            once=store.once,
            signer=Keyless(),
            clock=SystemClock(),
            metrics=MemoryMetrics(),
        )
        desk = Desk(stores, issuer="", shown=lambda _: None, tokens=tokens)
        yield Revoking(desk, tokens, listings=store.listings)
