"""Signing keys: the ring that signs, the folder that it is read from, and their rotation."""

from bot.keyring.folder import load_ring, make_key
from bot.keyring.ring import KEY_BITS, Keyring, MemorySigner

__all__ = ["KEY_BITS", "Keyring", "MemorySigner", "load_ring", "make_key"]
