from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.client import Resource
from bot.core.enforcement import Need, homes_of
from bot.core.scopes import ScopeText
from tests.usecases.bots import a_bundle

NAMES = st.lists(st.sampled_from("abcd"), min_size=1, unique=True).map(tuple)


@given(NAMES, st.sets(st.sampled_from("abcd")))
def test_all_are_needed_unless_one_will_do(needed: tuple[str, ...], granted: Iterable[str]) -> None:
    granted = frozenset(granted)
    assert Need(scopes=needed).is_covered_by(granted) == (set(needed) <= granted)
    assert Need(scopes=needed, any_of=True).is_covered_by(granted) == bool(set(needed) & granted)
    assert set(Need(scopes=needed).used_of(granted)) == set(needed) & granted


@pytest.mark.parametrize(
    ("need", "audiences"),
    [
        (Need(scopes=("a",)), {"https://a.example"}),
        (Need(scopes=("b",)), {"https://a.example", "https://b.example"}),
        (Need(scopes=("a", "b")), {"https://a.example"}),
        (Need(scopes=("a", "b"), any_of=True), {"https://a.example", "https://b.example"}),
        (Need(scopes=("c",)), {"https://c.example"}),
        (Need(scopes=("a", "c")), set()),
        (Need(scopes=("z",)), set()),
        (Need(scopes=("z",), resource="https://z.example"), {"https://z.example"}),
    ],
)
def test_where_nobody_says_which_api_its_scopes_do(need: Need, audiences: set[str]) -> None:
    declared = (
        Resource(uri="https://a.example", title="A", scopes={"a": "A", "b": "B"}),
        Resource(uri="https://b.example", title="B", scopes={"b": "B"}),
    )
    asked_for = a_bundle("one", scopes=(ScopeText("c"),), resource="https://c.example")
    assert need.audiences(homes_of(declared, [asked_for])) == audiences
