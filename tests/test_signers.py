from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from bot.keyring import KEY_BITS, Keyring, MemorySigner
from tests.contracts.signer_contract import SignerContract


@pytest.fixture(scope="module")
def keys() -> dict[str, RSAPrivateKey]:
    made = [generate_private_key(65537, KEY_BITS) for _ in range(2)]
    return {Keyring.of(key).active_kid: key for key in made}


class TestKeyring(SignerContract):
    @pytest.fixture
    def kids(self, keys: dict[str, RSAPrivateKey]) -> list[str]:
        return list(keys)

    @pytest.fixture
    def signer(self, keys: dict[str, RSAPrivateKey]) -> Keyring:
        return Keyring.of(*keys.values())

    @pytest.fixture
    def without(self, keys: dict[str, RSAPrivateKey]) -> Callable[[str], Keyring]:
        return lambda gone: Keyring.of(*(key for kid, key in keys.items() if kid != gone))


class TestMemorySigner(SignerContract):
    @pytest.fixture
    def kids(self) -> list[str]:
        return ["kid-1", "kid-2"]

    @pytest.fixture
    def signer(self, kids: list[str]) -> MemorySigner:
        return MemorySigner(*kids)

    @pytest.fixture
    def without(self, kids: list[str]) -> Callable[[str], MemorySigner]:
        return lambda gone: MemorySigner(*(kid for kid in kids if kid != gone))
