"""Which tokens are told to have ended before their time: each commit says so by itself."""

from datetime import timedelta

from bot.core import events as e
from bot.core.grant import token_spec
from bot.core.identity import BOT, RequestId
from bot.keyring import MemorySigner
from bot.usecases.commits import Step, commit_of
from bot.usecases.ports import CommitId, EndedToken
from bot.usecases.tokens import Mint
from tests.builders import ANNA, REQUEST, SIGNING, T0, a_request, granted, requested

OTHER = RequestId("R-BBBBBBBBBBBB")
MINUTE = timedelta(minutes=1)
LIVE = a_request(*granted(requested(), at=T0))


def ended_in(before, *events, kids=("kid-1",)):
    change = commit_of(CommitId("c"), [Step(before, events)], mint=Mint(MemorySigner(*kids)))
    return list(change.ended)


def revoked(at):
    return e.Revoked(request=REQUEST, at=at, by=ANNA, reason="")


def extended(at, *, until):
    token = token_spec(requested(), number=2, now=at, ends_at=until, signing=SIGNING)
    return e.Extended(request=REQUEST, at=at, by=BOT, token=token, extension=OTHER)


def test_a_revoked_grant_ends_its_token() -> None:
    at = T0 + MINUTE
    token = LIVE.grant.token
    assert ended_in(LIVE, revoked(at)) == [
        EndedToken(
            jti=token.jti, audience="https://billing.example", at=at, expires_at=token.expires_at
        )
    ]


def test_a_grant_that_reaches_its_end_ends_nothing_before_its_time() -> None:
    at = LIVE.grant.ends_at
    assert ended_in(LIVE, e.Ended(request=REQUEST, at=at, by=BOT)) == []
    early = e.Ended(request=REQUEST, at=at - MINUTE, by=BOT)
    assert [token.jti for token in ended_in(LIVE, early)] == ["G-AAAAAAAAAAAA.1"]


def test_an_extension_ends_nothing_and_a_revocation_after_it_both_tokens() -> None:
    longer = extended(T0 + MINUTE, until=LIVE.grant.ends_at + 30 * MINUTE)
    assert ended_in(LIVE, longer) == []
    after = Step(LIVE, (longer,)).after
    both = ended_in(after, revoked(T0 + 2 * MINUTE))
    assert [token.jti for token in both] == ["G-AAAAAAAAAAAA.1", "G-AAAAAAAAAAAA.2"]
    newest = ended_in(after, revoked(LIVE.grant.ends_at + MINUTE))
    assert [token.jti for token in newest] == ["G-AAAAAAAAAAAA.2"]


def test_the_token_of_a_key_that_left_is_told_too_as_the_key_might_come_back() -> None:
    assert len(ended_in(LIVE, revoked(T0 + MINUTE), kids=("another",))) == 1


def test_other_facts_end_nothing() -> None:
    warned = e.Warned(request=REQUEST, at=T0 + MINUTE, by=BOT)
    assert ended_in(LIVE, warned) == []
    assert ended_in(None, requested()) == []
