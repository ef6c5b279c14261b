"""What must hold once the story is over, read straight from Redis and the stand-in for Slack."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence

from bot.core.request import Request, replay, timers
from bot.core.states import GrantState, RequestState, Timer
from bot.sandbox.workspace import Message
from bot.slack.cards import request_card
from bot.slack.lines import thread_line
from bot.slack.messenger import CARD, _notes_of, digest_of
from bot.slack.mrkdwn import Rendered
from bot.store.redis_server import due_ms
from bot.usecases.ports import Receipt, Story
from bot.usecases.shows import token_message
from tests.drills.house import House

QUIET_WITHIN_S = 15.0
# What the bot must not say; it ends by itself only where Redis kept it waiting at the start.
BAD = re.compile(
    r'Traceback|job\.failed|slack\.fault|"critical"|^jit: (?!the store cannot be used)'
)
TOKEN = re.compile(r"eyJ[\w-]{8,}\.")  # how a JWT begins


async def what_is_wrong(house: House) -> list[str]:
    """Return a sentence for everything that is not as it must be, once all that is due was done."""
    restless = await _is_restless(house)
    requests = await _requests(house)
    problems = [
        *([f"still due: {restless}"] if restless else []),
        *house.too_late.values(),
        *_wrong_to_slack(house),
        *(f"{name} is no command that the drill knows" for name in house.redis_proxy.unknown),
        *_told_in_the_log(house),
        *_wrong_orphans(house),
    ]
    tokens: dict[tuple[str, str], str] = {}
    for id_, request in requests.items():
        history = await house.store.ledger.history(id_)
        receipts = await house.store.receipts.of(id_)
        if replay(history) != request:
            problems.append(f"{id_}: the snapshot is not what its history says")
        token = _readable(house, request)
        if token is not None:
            stands = receipts[token_message(len(request.grant.tokens))]
            tokens[stands.channel, stands.ts] = token
        story = Story(request=request, history=history, token=token, now=history[-1].at)
        problems += [f"{id_}: {told}" for told in _wrong_messages(house, story, receipts)]
        problems += [f"{id_}: {told}" for told in _wrong_lines(house, story, receipts)]
    problems += _wrong_tokens(house, tokens)
    problems += [told async for told in _wrong_keys(house, list(requests.values()))]
    problems += _wrong_ends(list(requests.values()))
    return problems


async def _is_restless(house: House) -> dict[str, int]:
    """Wait until nothing is due; return what still is."""
    try:
        async with asyncio.timeout(QUIET_WITHIN_S):
            while await house.due():  # noqa: ASYNC110  Redis tells of no change
                await asyncio.sleep(0.1)
    except TimeoutError:
        return await house.due()
    return {}


async def _requests(house: House) -> dict[str, Request]:
    keys = [key.decode() async for key in house.redis.scan_iter(match="*:req:*", count=1000)]
    ids = [key.rpartition(":")[2] for key in keys]
    return {id_: await house.store.ledger.load(id_) for id_ in ids}


def _wrong_to_slack(house: House) -> list[str]:
    """How fast it answers is measured elsewhere, on a machine that is not crowded."""
    slow = ("not acknowledged within", "expired_trigger_id")
    violations = house.sandbox.workspace.violations
    return [told for told in violations if not any(each in told for each in slow)]


def _told_in_the_log(house: House) -> Iterator[str]:
    for line in house.bot.said().splitlines():
        if BAD.search(line):
            yield f"the bot said: {line[:2000]}"


def _wrong_orphans(house: House) -> Iterator[str]:
    """A message without a receipt is one that a bot was killed over, between post and receipt."""
    orphans = house.slack_proxy.posted - house.redis_proxy.kept
    if len(orphans) > house.held:
        yield f"{len(orphans)} messages have no receipt, but only {house.held} jobs lost their bot"
    for channel, ts in orphans:
        if _has_token(house.sandbox.workspace.message(channel, ts)):
            yield f"a token stands in a message without a receipt, in {channel}"


def _has_token(message: Message) -> bool:
    return TOKEN.search(json.dumps(message.blocks) + message.text) is not None


def _readable(house: House, request: Request) -> str | None:
    return house.mint.token(request.grant.token) if request.token_is_readable else None


def _wrong_messages(house: House, story: Story, receipts: dict[str, Receipt]) -> Iterator[str]:
    shown = {CARD: request_card(story.request)}
    shown |= {note.name: note.shown for note in _notes_of(story, receipts)}
    for name, rendered in shown.items():
        receipt = receipts.get(name)
        stands = house.sandbox.workspace.message(receipt.channel, receipt.ts) if receipt else None
        if stands is None:
            yield f"{name} is not there"
        elif receipt.digest != digest_of(rendered) or not _is(stands, rendered):
            yield f"{name} shows {stands.text!r} and not {rendered.text!r}"
    for name in receipts.keys() - shown.keys() - {"lines"}:
        yield f"{name} has a receipt for nothing"


def _is(message: Message, rendered: Rendered) -> bool:
    blocks = [{k: v for k, v in block.items() if k != "block_id"} for block in message.blocks]
    return message.text == rendered.text and blocks == rendered.blocks


def _wrong_lines(house: House, story: Story, receipts: dict[str, Receipt]) -> Iterator[str]:
    """Every fact has its line once, in order; a message that was lost repeats some of them."""
    card = receipts.get(CARD)
    if card is None:
        return
    replies = [
        message
        for message in house.sandbox.workspace._messages[card.channel].values()
        if message.thread_ts == card.ts and message.ephemeral_to is None
    ]
    kept, lost = [], []
    for reply in replies:
        is_kept = (reply.channel, reply.ts) in house.redis_proxy.kept
        (kept if is_kept else lost).extend(reply.text.split("\n"))
    facts = [thread_line(fact, story.request) for fact in story.history]
    expected = [line for fact in facts if fact is not None for line in fact.text.split("\n")]
    if kept != expected:
        yield f"the thread tells {kept} and not {expected}"
    yield from (f"the thread also tells {line!r}" for line in lost if line not in expected)


def _wrong_tokens(house: House, expected: dict[tuple[str, str], str]) -> Iterator[str]:
    """A token stands in the one message that it should stand in, and was never posted anew."""
    found = {
        place: str(message.blocks)
        for channel in house.sandbox.workspace._messages.values()
        for message in channel.values()
        if _has_token(message)
        for place in [(message.channel, message.ts)]
    }
    if found.keys() != expected.keys():
        yield f"tokens stand in {sorted(found)} and not in {sorted(expected)}"
    for place, token in expected.items():
        if token not in found.get(place, ""):
            yield f"the message at {place} shows another token"
    for call in house.sandbox._web_api._tape.calls:
        if call.method == "chat.postMessage" and TOKEN.search(json.dumps(call.args)):
            yield f"a token was posted before there was a receipt: {call.args['text']}"


async def _wrong_keys(house: House, requests: Sequence[Request]) -> AsyncIterator[str]:
    """The keys that permit something, and the jobs that are owed, are what the states say."""
    now_ms = time.time_ns() // 1_000_000
    hashes = sorted(
        house.mint(token)[0]
        for request in requests
        if request.working_grant is not None
        for token in request.working_grant.tokens
        if due_ms(token.expires_at) > now_ms
    )
    pending = sorted(r.id for r in requests if r.state is RequestState.PENDING)
    for kind, expected in (("tok", hashes), ("open", pending)):
        keys = [key.decode() async for key in house.redis.scan_iter(match=f"*:{kind}:*")]
        found = sorted(key.rpartition(":")[2] for key in keys)
        if found != expected:
            yield f"the keys {kind}: are {found} and not {expected}"
    # Summing up changes nothing, so that the state does not say whether it was done.
    owed = {
        f"{timer}:{request.id}": due_ms(at)
        for request in requests
        for timer, at in timers(request).items()
        if timer is not Timer.SUM
    }
    jobs = {job: due for job, due in (await house.jobs()).items() if not job.startswith(Timer.SUM)}
    if jobs != owed:
        yield f"owed are {jobs} and not {owed}"


def _wrong_ends(requests: Sequence[Request]) -> Iterator[str]:
    """The story ended as it should."""
    ends = Counter(
        (
            r.asked.bundle,
            r.state,
            r.grant.state if r.grant else None,
            bool(r.grant and r.grant.extensions),
        )
        for r in requests
        if r.asked.extends is None
    )
    approved = RequestState.APPROVED
    for needed in (
        ("billing", approved, GrantState.REVOKED, True),
        ("logs", approved, GrantState.EXPIRED, False),
        ("logs", approved, GrantState.LIVE, False),
    ):
        if not ends[needed]:
            yield f"nothing became {needed}, but {ends}"
