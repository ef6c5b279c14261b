"""What `jit grants` prints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.core.request import Request


def grant_json(request: Request) -> Mapping[str, Any]:
    """Return what there is to say of the live grant of `request`."""
    grant, asked = request.working_grant, request.asked
    if grant is None:
        raise ValueError("only what is live is told of")
    return {
        "grant": grant.id,
        "request": request.id,
        "subject": grant.token.subject,
        "client": grant.token.client,
        "bundle": asked.bundle,
        "resource": asked.resource,
        "scopes": list(grant.token.scopes),
        "started_at": grant.started_at.isoformat(),
        "ends_at": grant.ends_at.isoformat(),
    }


def grant_lines(requests: Sequence[Request]) -> Iterator[str]:
    """Yield a line for each live grant, and how many they are."""
    rows = [grant_json(each) for each in requests]
    wide = {
        name: max((len(row[name]) for row in rows), default=0) for name in ("subject", "bundle")
    }
    for row in rows:
        yield (
            f"{row['grant']}  {row['subject']:{wide['subject']}}  {row['bundle']:{wide['bundle']}}"
            f"  until {row['ends_at'][:16].replace('T', ' ')} UTC  {row['resource']}"
        )
    yield f"{len(rows)} live"
