"""In whose name a move is made, for random crowds: each human counts once."""

from hypothesis import given
from hypothesis import strategies as st

from bot.core import events as e
from bot.core.identity import person
from bot.core.policy import Group, Share, Stage
from bot.core.request import evolve
from bot.core.voices import Voice, counted_in, uncounted, with_a_say, yes_of
from tests.builders import ANNA, BEN, CLEO, REQUEST, T0, TEAM, a_request

DAN, EVA = (person(f"U{name}", home=TEAM) for name in ("DAN", "EVA"))
PEOPLE = (ANNA, BEN, CLEO, DAN, EVA)
LEADS, OWNERS = Group(name="leads"), Group(name="owners")
ONE = Stage(name="one", approvers=(LEADS, OWNERS), quorum=2, at_least=(Share("owners", 1),))
TWO = Stage(name="two", approvers=(LEADS,), quorum=2)

groups = st.frozensets(st.sampled_from(["leads", "owners", "others"]))
clicks = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE), groups, st.lists(st.tuples(st.sampled_from(PEOPLE), groups))
    ),
    max_size=30,
)


@given(clicks)
def test_whoever_lends_what_to_whom_no_human_fills_two_places(crowd):
    request = a_request(stages=(ONE, TWO))
    for by, own, lent in crowd:
        if request.waits_for is None:
            break
        voices = (Voice(own), *(Voice(theirs, on_behalf_of=who) for who, theirs in lent))
        # Whoever asks says nothing for themselves (`permission.MAY`), nor does anybody for them.
        voice = yes_of(request, by, voices) if by != request.requester else None
        if voice is None:
            continue
        left = len(request.open_places)
        voted = e.Voted(
            request=REQUEST,
            at=T0,
            by=by,
            stage=request.stage,
            groups=tuple(sorted(voice.groups)),
            on_behalf_of=voice.on_behalf_of,
        )
        request = evolve(request, voted)
        assert len(request.open_places) == left - 1
        if not request.open_places:
            request = evolve(
                request, e.StagePassed(request=REQUEST, at=T0, by=by, stage=voted.stage)
            )
    humans = [vote.by.id for vote in request.votes]
    humans += [vote.on_behalf_of.id for vote in request.votes if vote.on_behalf_of is not None]
    assert len(humans) == len(set(humans)) == len(counted_in(request))
    assert ANNA.id not in humans


def test_nobody_speaks_for_whoever_asks_nor_twice_for_themselves():
    request = a_request()
    for whose in (request.requester, DAN):
        lent = (Voice(frozenset()), Voice(frozenset({"leads"}), on_behalf_of=whose))
        assert with_a_say(request, DAN, lent) == ()
        assert uncounted(request, DAN, lent) == ()
        assert yes_of(request, DAN, lent) is None
    assert yes_of(request, EVA, lent) == lent[1]
