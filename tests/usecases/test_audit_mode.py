"""What is in audit mode is told where things are told, and holds nothing up."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bot.core import events as e
from bot.core.conditions import compile_condition
from bot.core.errors import Unavailable
from bot.core.known import Shadow
from bot.core.policy import Audited, Group, Guardrail, Selector
from tests.usecases.bots import (
    ENGINEERS,
    LEADS,
    OWNERS,
    SECURITY,
    SHELF,
    a_policy,
)

GHOSTS = Group(name="ghosts", usergroup="S0GHOSTS")  # Slack does not know it


def rail(**over):
    plain = {"deny": True, "even_break_glass": True}
    return Guardrail(id="tried-out", bundles=Selector(), **{**plain, **over})


def audited(bundle, *rails, **shelf):
    policy = a_policy({**SHELF, **shelf}, groups=(ENGINEERS, LEADS, SECURITY, OWNERS, GHOSTS))
    return replace(policy, audited_of={bundle: tuple(Audited(each, 0) for each in rails)})


async def test_it_stands_in_the_record_and_in_the_log(either):
    either.policy = audited("auto", rail())
    with capture_logs() as lines:
        request = await either.granted("auto")
    assert request.working_grant is not None
    shadow = Shadow(id="tried-out", is_guardrail=True, would="denied it")
    asked, *_ = await either.ledger.history(request.id)
    assert isinstance(asked, e.Requested)
    assert asked.shadows == (shadow,)
    [line] = [line for line in lines if line["event"] == "audit_mode.would_have"]
    assert (line["request"], line["what"]) == (request.id, shadow.words)


async def test_so_it_does_in_an_emergency(either):
    either.policy = audited("alarm", rail())
    request = await either.break_glass()
    assert request.working_grant is not None
    assert [each.id for each in request.asked.shadows] == ["tried-out"]


@pytest.mark.parametrize("only", [{"requesters": ("ghosts",)}, {"when": "'ghosts' in user.groups"}])
async def test_a_group_that_only_it_reads_may_be_unreadable(bot, only):
    when = (compile_condition(only["when"]),) if "when" in only else ()
    one = rail(requesters=only.get("requesters", ()), when=when)
    bot.policy = audited("auto", one)
    request = await bot.granted("auto")
    assert request.working_grant is not None
    assert request.asked.shadows == ()
    assert "ghosts" not in request.asked.known.looked_up
    bot.policy = replace(bot.policy, guardrails_of={"auto": (one,)}, audited_of={})
    with pytest.raises(Unavailable):
        await bot.ask("auto")


async def test_a_group_that_only_it_reads_is_kept_with_the_request(bot):
    bot.policy = audited("auto", rail(requesters=("security",)))
    request = await bot.granted("auto")
    assert request.asked.known.looked_up == ("engineers", "security")
    assert request.asked.known.groups == ("engineers",)
