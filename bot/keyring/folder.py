"""A folder of signing keys, the same for every replica: one PEM file each.

The file "active" names the key that signs. Keys with a greater name are next: published, so that
verifiers know them before they sign. Keys with a smaller name are retiring: published until the
tokens that they signed are dead. Without that file the greatest name signs.
"""

import os
import stat
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from bot.core.errors import Misconfigured
from bot.keyring.ring import KEY_BITS, Keyring, thumbprint

ACTIVE: Final = "active"
_EXPONENT: Final = 65537
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class KeyState(StrEnum):
    """What a key is for."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """One key of a folder.

    Attributes:
        made: When its file was written.
    """

    path: Path
    key: RSAPrivateKey
    state: KeyState
    made: datetime

    @property
    def kid(self) -> str:
        """Its name in tokens and in the JWKS."""
        return thumbprint(self.key)


def load_ring(folder: Path) -> Keyring:
    """Return the ring of the *.pem files in `folder`.

    Raises:
        Misconfigured: With every problem found: no key, a key that is not RSA or is too small,
            or files that others could read or change.
    """
    return Keyring(*_held(read_folder(folder)))


def refill(ring: Keyring, folder: Path) -> None:
    """Have `ring` hold what is in `folder` now.

    Raises:
        Misconfigured: See `load_ring`; the ring is as it was.
    """
    ring.hold(*_held(read_folder(folder)))


def _held(found: tuple[KeyFile, ...]) -> tuple[list[RSAPrivateKey], int]:
    active = next(place for place, each in enumerate(found) if each.state is KeyState.ACTIVE)
    return [each.key for each in found], active


def read_folder(folder: Path) -> tuple[KeyFile, ...]:
    """Return the keys in `folder` by the order of their names, the oldest first.

    Raises:
        Misconfigured: See `load_ring`.
    """
    problems = _folder_problems(folder)
    keys: dict[Path, RSAPrivateKey] = {}
    for path in sorted(folder.glob("*.pem")):
        try:
            keys[path] = _read_key(path)
        except Misconfigured as problem:
            problems.extend(problem.problems)
    if problems:
        raise Misconfigured(*problems)
    if not keys:
        raise Misconfigured(f"{folder} holds no signing key; `jit keys init` makes one")
    active = _active_in(folder) or max(keys).name
    if folder / active not in keys:
        raise Misconfigured(f"{folder / ACTIVE} names {active}, which is not there")
    return tuple(
        KeyFile(
            path=path,
            key=key,
            state=_state(path.name, active),
            made=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        )
        for path, key in keys.items()
    )


def _active_in(folder: Path) -> str:
    try:
        return (folder / ACTIVE).read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as problem:
        raise Misconfigured(f"{folder / ACTIVE} cannot be read") from problem


def _state(name: str, active: str) -> KeyState:
    if name == active:
        return KeyState.ACTIVE
    return KeyState.NEXT if name > active else KeyState.RETIRING


def make_key(folder: Path, *, name: str) -> Path:
    """Return the path of a new key `name`.pem in `folder`, readable by its owner alone.

    The folder is made if it is missing. The file appears whole or not at all, and never replaces
    another.

    Raises:
        Misconfigured: There is a key of that name, or the folder cannot be written.
    """
    path = folder / f"{name.removesuffix('.pem')}.pem"
    if path.parent != folder:
        raise Misconfigured(f"{name!r} is not a file name")
    pem = generate_private_key(_EXPONENT, KEY_BITS).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_whole(path, pem)
    except FileExistsError as problem:
        taken = problem.filename2 or problem.filename
        raise Misconfigured(f"{taken} exists already") from problem
    except OSError as problem:
        raise Misconfigured(f"cannot write a key to {folder}: {problem.strerror}") from problem
    return path


def name_active(folder: Path, path: Path) -> None:
    """Have the key at `path` sign from now on.

    Raises:
        Misconfigured: The folder cannot be written.
    """
    try:
        _write_whole(folder / ACTIVE, f"{path.name}\n".encode(), replace=True)
    except OSError as problem:
        raise Misconfigured(f"cannot write to {folder}: {problem.strerror}") from problem


def _write_whole(path: Path, content: bytes, *, replace: bool = False) -> None:
    # mkstemp gives mode 0600; a link, unlike a rename, never replaces what is there.
    number, made = tempfile.mkstemp(dir=path.parent, prefix=".key-", suffix=".tmp")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(number)
        if replace:
            Path(made).replace(path)
        else:
            os.link(made, path)
    finally:
        Path(made).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _folder_problems(folder: Path) -> list[str]:
    try:
        mode = folder.stat().st_mode
    except OSError as problem:
        return [f"the key folder {folder} cannot be read: {problem.strerror}"]
    if not stat.S_ISDIR(mode):
        return [f"{folder} is not a folder of keys"]
    if mode & _WRITE_BY_OTHERS:
        return [f"others can write to {folder}: chmod go-w {folder}"]
    return []


def _read_key(path: Path) -> RSAPrivateKey:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read()
    except OSError as problem:
        raise Misconfigured(f"{path} cannot be read: {problem.strerror}") from problem
    if mode & _OTHERS:
        raise Misconfigured(f"others can use {path}: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as problem:
        raise Misconfigured(f"{path} is encrypted; keys are kept without a password") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise Misconfigured(f"{path} is not a private key in PEM form") from problem
    if not isinstance(key, RSAPrivateKey):
        raise Misconfigured(f"{path} is not an RSA key")
    if key.key_size < KEY_BITS:
        raise Misconfigured(f"{path} has {key.key_size} bits; a key needs {KEY_BITS} or more")
    return key
