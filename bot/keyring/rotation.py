"""Keys come and go: next, active, retiring, gone.

A verifier may keep the keys that it has fetched for a day (Apache's mod_oauth2 does by default),
so a key is published for that long before it signs.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bot.core.durations import spell
from bot.core.errors import Invalid, NotFound, WrongState
from bot.keyring.folder import (
    ACTIVE,
    KeyFile,
    KeyState,
    make_key,
    name_active,
    read_folder,
)

PUBLISHED_FOR: Final = timedelta(hours=24)


def new_name(now: datetime) -> str:
    """Return a key's name: later ones are greater."""
    return f"{now:%Y-%m-%dT%H%M%SZ}"


def rotate(folder: Path, *, now: datetime, wait: timedelta = PUBLISHED_FOR) -> KeyFile:
    """Make the next key, or have it sign if it is there for `wait`; return it as it is then.

    Raises:
        WrongState: The next key is too young: verifiers may not know it yet.
        Misconfigured: The folder cannot be read or written.
    """
    found = read_folder(folder)
    coming = [each for each in found if each.state is KeyState.NEXT]
    if not coming:
        # First say which key signs, or else the new one would at once.
        name_active(folder, _active(found).path)
        made = make_key(folder, name=new_name(now))
        coming = [each for each in read_folder(folder) if each.path == made]
        if wait > timedelta(0):
            return coming[0]
    left = coming[0].made + wait - now
    if wait > timedelta(0) and left > timedelta(0):
        soon = spell(timedelta(minutes=left // timedelta(minutes=1) + 1))
        raise WrongState(
            f"{coming[0].path.name} was published {spell(_whole(now - coming[0].made))} ago, and"
            f" verifiers may not know it yet",
            hint=f"in {soon} it can sign; --now does not wait, and some may refuse its tokens",
        )
    name_active(folder, coming[0].path)
    return next(each for each in read_folder(folder) if each.path == coming[0].path)


def retire(folder: Path, name: str, *, now: datetime, lived: timedelta) -> KeyFile:
    """Take a key out of `folder` for good; every token that it signed is dead. Return it.

    Args:
        name: Its file's name, or how its kid begins.
        lived: How long tokens live at most; a key that signed until then is left alone. With
            zero it goes at once, and if it is the one that signs, a new one signs from now on.

    Raises:
        NotFound: There is no such key.
        WrongState: Tokens that it signed may be in use.
        Misconfigured: The folder cannot be read or written.
    """
    found = read_folder(folder)
    key = _named(name, found)
    if key.state is KeyState.ACTIVE and lived > timedelta(0):
        raise WrongState(f"{key.path.name} signs; `jit keys rotate` has another sign first")
    if key.state is KeyState.ACTIVE:
        rotate(folder, now=now, wait=timedelta(0))
    if key.state is KeyState.RETIRING:
        signed = datetime.fromtimestamp((folder / ACTIVE).stat().st_mtime, UTC)
        if now < signed + lived:
            raise WrongState(
                f"{key.path.name} signed until {signed:%Y-%m-%d %H:%M} UTC at the latest, and its"
                f" tokens may live for {spell(lived)}",
                hint="--now does not wait: every token that it signed ends",
            )
    key.path.unlink()
    return key


def _active(found: tuple[KeyFile, ...]) -> KeyFile:
    return next(each for each in found if each.state is KeyState.ACTIVE)


def _named(name: str, found: tuple[KeyFile, ...]) -> KeyFile:
    meant = [each for each in found if name and each.kid.startswith(name)]
    meant = [each for each in found if each.path.name in (name, f"{name}.pem")] or meant
    if len(meant) > 1:
        raise Invalid(f"{name!r} is how several keys begin; say more of it", field="key")
    if not meant:
        raise NotFound(f"there is no key {name!r}", hint="`jit keys list` shows them")
    return meant[0]


def _whole(length: timedelta) -> timedelta:
    return max(length // timedelta(seconds=1), 0) * timedelta(seconds=1)
