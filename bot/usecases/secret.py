"""Secrets that cannot be printed by accident."""

import hmac
from typing import Final, final

REDACTED: Final = "[redacted]"


@final
class Secret:
    """A text that shows as "[redacted]" wherever it is printed; not a `str`, so it joins none.

    False when it is empty.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one call that needs it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return REDACTED

    def __reduce__(self) -> str:
        # Copies of a whole object (pickle, dataclasses.asdict) must not carry it along.
        raise TypeError("a secret is not copied or stored")
