"""What goes wrong, as Slack names it and as the page is told."""

from typing import Any


class SlackError(Exception):
    """A Web API call is refused; answered as `{"ok": false, "error": name, **more}`."""

    def __init__(self, name: str, **more: Any) -> None:
        super().__init__(name)
        self.name = name
        self.more = more


class Wrong(Exception):
    """The page, or a test, asks for what is not there; `str` is a sentence.

    Attributes:
        status: 400 or 404.
    """

    def __init__(self, sentence: str, *, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status
