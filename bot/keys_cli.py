"""The command `jit keys`: the signing keys of a folder."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from bot.cli_errors import failures_told
from bot.core.durations import read_duration, spell
from bot.core.errors import Misconfigured
from bot.keyring import make_key
from bot.keyring.folder import KeyFile, KeyState, read_folder
from bot.keyring.rotation import PUBLISHED_FOR, new_name, retire, rotate

FOLDER = click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), envvar="JIT_KEYS"
)
NOW = click.option("--now", "at_once", is_flag=True, help="Do not wait; for emergencies.")


@click.group()
def keys() -> None:
    """Signing keys.

    A key is next (published), then active (it signs), then retiring (published until its tokens
    are dead). FOLDER is $JIT_KEYS if it is left out; running bots follow what changes in it.
    """


@keys.command("init")
@FOLDER
def keys_init(folder: Path) -> None:
    """Make the first signing key in FOLDER."""
    with failures_told():
        if folder.exists() and any(folder.glob("*.pem")):
            raise Misconfigured(f"{folder} holds a key already; `jit keys rotate` makes the next")
        path = make_key(folder, name=new_name(datetime.now(UTC)))
    click.echo(f"made {path}; keep it secret, and give every replica the same folder")


@keys.command("list")
@FOLDER
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def keys_list(folder: Path, *, as_json: bool) -> None:
    """Show the keys in FOLDER, the oldest first."""
    with failures_told():
        found = read_folder(folder)
    rows = [_row(key) for key in found]
    if as_json:
        click.echo(json.dumps({"keys": rows}, indent=2))
        return
    for row in rows:
        click.echo(f"{row['state']:<9} {row['kid']}  {row['made']}  {row['file']}")


@keys.command("rotate")
@FOLDER
@NOW
def keys_rotate(folder: Path, *, at_once: bool) -> None:
    """Publish the next key; a day later, have it sign.

    Call it once: a key is made and published. Call it again after 24 hours: that key signs, and
    the one before is retiring.
    """
    now = datetime.now(UTC)
    with failures_told():
        key = rotate(folder, now=now, wait=timedelta(0) if at_once else PUBLISHED_FOR)
    if key.state is KeyState.NEXT:
        click.echo(f"made {key.path}; it is published, and signs after")
        click.echo(f"`jit keys rotate` is called again, in {spell(PUBLISHED_FOR)} or later")
    else:
        click.echo(f"{key.path.name} signs from now on; the key before is retiring")


@keys.command("retire")
@click.argument("name")
@FOLDER
@click.option(
    "--lived", default="24h", show_default=True, help="How long tokens live (max_duration)."
)
@NOW
def keys_retire(name: str, folder: Path, *, lived: str, at_once: bool) -> None:
    """Take the key NAME (its file, or how its kid begins) out of FOLDER for good.

    With --now every token that it signed ends at once; if it is the one that signs, a new key
    signs from now on. A key that is gone must never be put back.
    """
    with failures_told():
        longest = timedelta(0) if at_once else read_duration(lived)
        key = retire(folder, name, now=datetime.now(UTC), lived=longest)
    click.echo(f"{key.path.name} is gone, and what it signed is dead")


def _row(key: KeyFile) -> dict[str, str]:
    return {
        "kid": key.kid,
        "state": key.state.value,
        "made": f"{key.made:%Y-%m-%d %H:%M}",
        "file": key.path.name,
    }
