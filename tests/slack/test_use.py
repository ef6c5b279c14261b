"""What people read of use: the sum in the thread, misuse, and the report on a bundle."""

import pytest

from bot.core import events as e
from bot.core.identity import BOT
from bot.core.reporting import report_of
from bot.core.usage import Misdeed, Misuse, ScopeUse, Usage
from bot.slack.buttons import Action
from bot.slack.lines import LINE_TEXT, thread_line
from bot.slack.mrkdwn import MESSAGE_WEIGHT, weight
from bot.slack.use import alarm, report_text, told_use
from tests.builders import REQUEST, T0, a_request, ended, granted, requested
from tests.slack.looks import buttons, must_fit, parts

FACTS = granted(requested(), at=T0)
LIVE, OVER = a_request(*FACTS), a_request(*FACTS, ended())


def text(shown):
    return "\n".join(parts(shown.blocks, "mrkdwn"))


def usage(*, used=(), scopes=("a", "b", "c"), others=0, watched=True):
    counts = dict(used)
    return Usage(
        scopes=tuple(
            ScopeUse(scope=scope, count=counts.get(scope, 0), last=T0 if scope in counts else None)
            for scope in scopes
        ),
        others=others,
        watched=watched,
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            usage(used=[("a", 41), ("b", 1)]),
            "*Used*: `a` 41 times, `b` 1 time; *never used*: `c`",
        ),
        (
            usage(used=[("a", 1), ("b", 2), ("c", 3)]),
            "*Used*: `c` 3 times, `b` 2 times, and 1 more",
        ),
        (usage(), "*Never used*: `a`, `b`, and 1 more"),
        (usage(watched=False), "*No data* on what it was used for"),
        (
            usage(used=[("a", 2)], others=5),
            "*Used*: `a` 2 times; 5 calls for a scope that nobody named; *no data* on the rest",
        ),
        (
            usage(others=1, watched=False),
            "1 call for a scope that nobody named; *no data* on the rest",
        ),
    ],
)
def test_use_is_told_in_one_sentence(found, said):
    assert told_use(found) == said


def summed(found, **over):
    asked = requested(**over)
    return e.UsageSummed(
        request=REQUEST,
        at=T0,
        by=BOT,
        bundle=asked.bundle,
        resource=asked.resource,
        begun=T0,
        usage=found,
    )


def test_the_thread_tells_each_scope_and_why_something_is_not_known():
    line = thread_line(summed(usage(used=[("a", 41)])), OVER)
    assert line.text == "📊 Used: `a` 41 times; never used: `b`, `c`"
    assert "• `a`  41 times, last <!date^" in text(line)
    assert "• `b`  never\n• `c`  never" in text(line)
    away = text(thread_line(summed(usage(watched=False)), OVER))
    assert "Nothing that checks tokens at `https://billing.example` was seen meanwhile." in away
    unnamed = text(thread_line(summed(usage(others=3)), OVER))
    assert "at `https://billing.example` did not always say for which scope." in unnamed


def test_a_hundred_long_scopes_fit():
    scopes = [f"{n:03}{'<' * 147}" for n in range(100)]
    for used in ([], [(scope, 10**9) for scope in scopes], [(scope, 7) for scope in scopes[::2]]):
        found = usage(used=used, scopes=scopes)
        line = thread_line(summed(found), OVER)
        must_fit(line)
        assert len(line.text) <= LINE_TEXT
        assert weight(line.blocks) < MESSAGE_WEIGHT // 2
        must_fit(report_text(report_of("x" * 60, [found] * 10)))


def misused(kind, *, count=1, **over):
    plain = {"scopes": ("refunds:write",), "addresses": ("10.0.0.1",), "points": ("billing-api",)}
    what = Misdeed(kind=kind, count=count, last=T0, **{**plain, **over})
    return e.Misused(request=REQUEST, at=T0, by=BOT, what=what)


def test_misuse_names_what_from_where_who_saw_it_and_calls_those_whom_it_concerns():
    shown = alarm(misused(Misuse.BEYOND, count=10_000), LIVE)
    told = text(shown)
    assert shown.text == (
        "🚨 The token was tried for `refunds:write`, which it does not allow, 10000 times"
    )
    assert "from `10.0.0.1`  ·  seen by `billing-api`  ·  last <!date^" in told
    assert "👉 <@UANNA> <@UBEN>" in told
    assert buttons(shown) == [Action.END_NOW]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            misused(Misuse.ENDED, count=2),
            "A token of this access was tried after its end for `refunds:write`, 2 times",
        ),
        (misused(Misuse.ENDED, scopes=()), "was tried after its end, 1 time"),
        (misused(Misuse.BEYOND, scopes=()), "was tried for something, which it does not allow"),
        (misused(Misuse.ADDRESS, count=7), "The token was used from 7 addresses"),
    ],
)
def test_each_kind_has_its_words(event, said):
    assert said in alarm(event, LIVE).text


def test_of_many_addresses_some_are_named_and_the_others_counted():
    event = misused(Misuse.ADDRESS, count=7, addresses=("10.0.0.1", "10.0.0.2"))
    assert "from `10.0.0.1`, `10.0.0.2` and 5 more" in text(alarm(event, LIVE))


def test_after_the_end_there_is_nothing_to_end():
    shown = alarm(misused(Misuse.ENDED), OVER)
    assert not buttons(shown)
    assert "The access is over, and the token is dead." in text(shown)
    assert "<@" not in text(shown)


def test_misuse_has_no_line_of_its_own():
    assert thread_line(misused(Misuse.BEYOND), LIVE) is None


def test_a_report_tells_each_scope_and_what_could_be_taken_out():
    grants = (
        [usage(used=[("a", 3)])] * 9 + [usage(watched=False)] + [usage(used=[("a", 1), ("b", 1)])]
    )
    told = text(report_text(report_of("billing-read", grants, scopes=("a", "b", "c", "d"))))
    assert "*`billing-read`*  over its last 10 grants" in told
    assert "✅ `a`  used in 10 of 10 grants, last <!date^" in told
    assert "✅ `b`  used in 1 of 10 grants" in told
    assert "▫️ `c`  never used, in none of 10 grants" in told
    assert "❔ `d`  no data" in told
    assert "11 grants looked at, 1 of them without data." in told
    assert "*Proposal*: take out `c`. `jit report usage --bundle billing-read --propose`" in told


def test_a_report_on_few_grants_proposes_nothing():
    told = text(report_text(report_of("x", [usage()] * 9)))
    assert "never used, in none of 9 grants" in told
    assert "Proposal" not in told
    assert "none has ended yet" in text(report_text(report_of("x", [])))
