"""Answers of on-call services: what is not as expected is no answer, and never nobody."""

from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from bot.core.errors import Unavailable
from bot.core.sources import Rota
from bot.outbound import Answer

M = TypeVar("M", bound=BaseModel)

_OK: Final = range(200, 300)
_NOT_LET_IN: Final = (401, 403)


def read(model: type[M], answer: Answer, *, service: str, rota: Rota) -> M:
    """Return what `service` says of `rota`.

    Raises:
        Unavailable: It says something else.
    """
    if answer.status in _NOT_LET_IN:
        raise Unavailable(f"{service} refuses our token")
    if answer.status not in _OK:
        raise Unavailable(f"{service} does not know {rota.named} ({answer.status})")
    try:
        return model.model_validate(answer.body)
    except ValidationError:
        raise Unavailable(f"{service} says something else than who is on call") from None


def addresses(names: list[str], *, service: str) -> frozenset[str]:
    """Return `names` if all of them are e-mail addresses: what is none could be taken for an id.

    Raises:
        Unavailable: One is none.
    """
    if not all("@" in name for name in names):
        raise Unavailable(f"{service} tells no e-mail address of somebody on call")
    return frozenset(names)
