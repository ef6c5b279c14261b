"""The command `jit clients`: programs that ask about tokens, or for some."""

import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any, Final

import click
import yaml

from bot.cli_errors import failures_told
from bot.core.errors import Misconfigured

_CLIENT_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")


@click.group()
def clients() -> None:
    """OAuth clients: APIs that ask about tokens, and programs that ask for some."""


@clients.command("add")
@click.argument("name")
@click.argument("resources", nargs=-1)
@click.option("--bundle", "bundles", multiple=True, help="What it may ask for; may be repeated.")
@click.option("--owner", help="Who answers for it: a group, or a Slack user id.")
@click.option(
    "--jwks",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Its public keys (RFC 7517), instead of a secret.",
)
def clients_add(
    name: str,
    resources: tuple[str, ...],
    *,
    bundles: tuple[str, ...],
    owner: str | None,
    jwks: Path | None,
) -> None:
    """Make a client NAME that answers for RESOURCES (URIs), or may ask for bundles, or both.

    Its secret is printed once and kept nowhere; what goes into policies/clients.yaml follows it.
    """
    with failures_told():
        _check(name, resources, bundles, owner)
        entry: dict[str, Any] = {"jwks": _keys(jwks)} if jwks is not None else {}
    click.echo(f"client_id:     {name}")
    if jwks is None:
        secret = secrets.token_urlsafe(32)
        entry["secret_sha256"] = hashlib.sha256(secret.encode()).hexdigest()
        click.echo(f"client_secret: {secret}")
    told = {"resources": list(resources), "bundles": list(bundles), "owner": owner}
    entry |= {key: value for key, value in told.items() if value}
    again = "; the secret above is not shown again" if jwks is None else ""
    click.echo(f"\n# add this to policies/clients.yaml{again}")
    text = yaml.safe_dump({"version": 1, "clients": {name: entry}}, sort_keys=False)
    click.echo(text, nl=False)


def _check(
    name: str, resources: tuple[str, ...], bundles: tuple[str, ...], owner: str | None
) -> None:
    if not _CLIENT_ID.fullmatch(name):
        raise Misconfigured("a client's name is small letters, digits and dashes")
    if not resources and not bundles:
        raise Misconfigured("say what it is for: RESOURCES that it answers for, or --bundle")
    if bundles and owner is None:
        raise Misconfigured("a client that asks for bundles needs --owner: who answers for it?")


def _keys(path: Path) -> list[Any]:
    try:
        keys = json.loads(path.read_text("utf-8"))["keys"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(f"{path} is not a JWK set: an object with `keys`") from None
    return list(keys)
