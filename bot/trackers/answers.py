"""What the trackers have in common: ids in URLs, and answers that hold no ticket."""

from http import HTTPStatus
from typing import Annotated, Final, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from bot.core.errors import Unavailable
from bot.outbound import Answer

_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_LOCKED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Shape(BaseModel):
    """A part of an answer; what it does not name is not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


S = TypeVar("S", bound=Shape)

# Trackers write null for what is empty.
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


def encoded(id_: str) -> str | None:
    """Return `id_` as one part of a path or query; None if it could leave its place.

    Source: RFC 3986, section 5.2.4: dots alone are steps, also where they are encoded.
    """
    return None if id_ in ("", ".", "..") else quote(id_, safe="")


def shaped(answer: Answer, shape: type[S], url: str) -> S | None:
    """Return what `url` answered; None if there is no such thing.

    Raises:
        Unavailable: It refuses us, or the answer has another shape.
    """
    host = urlsplit(url).hostname
    if answer.status in _GONE:
        return None
    if answer.status in _LOCKED:
        raise Unavailable(f"{host} does not accept our credentials")
    try:
        return shape.model_validate(answer.body)
    except ValidationError:
        raise Unavailable(f"{host} answered with something else than a ticket") from None
