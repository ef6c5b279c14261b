"""The prover knows every part of a policy: a new one must be encoded, compared, or be neutral."""

from dataclasses import fields, is_dataclass
from typing import get_args, get_type_hints

import pytest

from bot.core.conditions import VARIABLES
from bot.core.policy import Policy
from bot.core.scopes import Bundle
from bot.policy_lint.known_parts import KNOWN

# Their parts are read by the core: conditions are, as trees; who keeps a rota names it only.
WHOLE = {"Condition", "Rota", "Manager"}


@pytest.mark.parametrize("part", KNOWN, ids=lambda part: part.__name__)
def test_the_prover_knows_every_part_of_a_policy(part):
    there = {each.name for each in fields(part)}
    known = KNOWN[part].all
    assert there - known == set(), (
        f"{part.__name__} has parts that bot/policy_lint/known_parts.py does not list: encode them"
        " in levels.py, compare them in differing.py, or list them as neutral with the reason"
    )
    assert known - there == set(), f"{part.__name__} has these no more"


def classes_in(hint):
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for argument in get_args(hint):
        yield from classes_in(argument)


def test_the_prover_knows_every_class_that_a_policy_is_made_of():
    found, left = set(), [Policy, Bundle]
    while left:
        each = left.pop()
        if each in found or each.__name__ in WHOLE:
            continue
        found.add(each)
        for hint in get_type_hints(each).values():
            left += classes_in(hint)
    assert found == set(KNOWN)


def test_each_part_is_listed_once():
    for parts in KNOWN.values():
        assert len(parts.all) == len(parts.encoded) + len(parts.compared) + len(parts.neutral)


def test_the_prover_knows_every_variable_of_conditions():
    assert set(VARIABLES) == {
        *("user.id", "user.groups", "user.active_grants", "user.requests_today"),
        *("request.duration", "request.reason", "request.ticket"),
        *("bundle.name", "bundle.environment", "bundle.access", "bundle.risk_level"),
        *("bundle.labels", "bundle.scopes", "now.time", "now.windows"),
    }, "a variable that bot/policy_lint/asked.py does not know may be anything"
