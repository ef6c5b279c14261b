"""Why a call is refused, and what its caller is told (RFC 6750, section 3; RFC 9728, 5.1)."""


class Refusal(Exception):
    """The call is malformed, or what the classes below say; `error` is "" if no token came."""

    status = 400

    def __init__(self, sentence: str, error: str, **about: str) -> None:
        super().__init__(sentence)
        self.content = {"error": error or "unauthorized", "error_description": sentence}
        told = {**(self.content if error else {}), **about}
        said = ", ".join(f'{name}="{value}"' for name, value in told.items() if value)
        said = said or 'realm="api"'  # one parameter MUST be there
        self.headers = {"Cache-Control": "no-store", "WWW-Authenticate": f"Bearer {said}"}


class Unauthorized(Refusal):
    """There is no token, or it is not good (any more)."""

    status = 401


class Forbidden(Refusal):
    """The token lacks a scope."""

    status = 403


class Unavailable(Refusal):
    """Nobody knows at the moment whether the token is good: nothing is said against it."""

    status = 503

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, "temporarily_unavailable")
        self.headers = {"Cache-Control": "no-store", "Retry-After": "2"}
