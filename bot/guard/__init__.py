"""What an API imports to enforce scopes by itself; it needs nothing else of this package."""

from bot.guard.guard import Guard
from bot.guard.refusals import Forbidden, Refusal, Unauthorized, Unavailable

__all__ = ["Forbidden", "Guard", "Refusal", "Unauthorized", "Unavailable"]
