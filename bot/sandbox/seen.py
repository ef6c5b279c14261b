"""What a person at the stand-in sees, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.sandbox.forms import Json, elements
from bot.sandbox.plain import plain, plain_view


class NotThere(AssertionError):
    """What was asked for is not there; the sentence says what is there instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as one person sees it."""

    channel: str
    ts: str
    thread_ts: str | None
    user: str
    name: str
    text: str
    blocks: tuple[Json, ...]
    ephemeral: bool
    updated: int
    names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def plain(self) -> str:
        """Return what a person reads."""
        return plain(self.blocks, self.text, names=self.names)

    def buttons(self) -> dict[str, str]:
        """Return the labels of the buttons by action_id."""
        return {
            element["action_id"]: element["text"]["text"]
            for block in self.blocks
            for element in elements(block)
            if element["type"] == "button"
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An open view as its person sees it."""

    id: str
    view: Json
    names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def title(self) -> str:
        """The title."""
        title: str = self.view["title"]["text"]
        return title

    def plain(self) -> str:
        """Return what a person reads."""
        return plain_view(self.view, names=self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How something that a person did went, as far as her client knows."""

    ok: bool
    status: int | None = None
    took_ms: int | None = None
    error: str | None = None
    response_action: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
