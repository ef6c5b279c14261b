"""What `/jit why` answers."""

from dataclasses import replace
from datetime import UTC, datetime

from bot.core.conditions import compile_condition
from bot.core.decision import Facts
from bot.core.explaining import explained, supposed
from bot.core.policy import Chain, Group, Rule, Selector, Stage, Verdict
from bot.core.sources import Provider, Rota
from bot.slack.forecast import why_text
from tests.builders import ANNA, LEADS
from tests.slack.looks import must_fit, parts
from tests.slack.policies import PLAIN, POLICY
from tests.usecases.bots import GLASS

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def why(*rules, reason=""):
    policy = replace(POLICY, rules_of={PLAIN.name: rules})
    ask = supposed(PLAIN, by=ANNA, duration=None, reason=reason)
    return why_text(explained(ask, policy, Facts(now=NOW, groups=frozenset({"engineers"}))))


def read(rendered):
    return "\n".join(parts(rendered.blocks, "mrkdwn"))


def a_rule(verdict, *stages, **over):
    chain = Chain(name="c", stages=stages, expire_after=PLAIN.max_duration) if stages else None
    return Rule(id="the-rule", bundles=Selector(), verdict=verdict, chain=chain, **over)


def test_it_says_what_one_would_get_and_by_which_rule():
    rendered = why(a_rule(Verdict.AUTO_APPROVE))
    assert rendered.text == "Do logs for 30m: you would get it at once, by rule `the-rule`"
    assert "👉 rule `the-rule` decides" in read(rendered)
    assert "/jit request logs 30m" in read(rendered)


def test_it_says_who_would_decide():
    stages = (
        Stage(name="a", approvers=(LEADS,), quorum=2),
        Stage(name="b", approvers=(Group(name="sre"), LEADS)),
    )
    rendered = why(a_rule(Verdict.REQUIRE, *stages))
    assert "2 of `leads`; then 1 of `sre` or `leads`" in rendered.text


def test_it_says_why_not_and_what_the_conditions_came_to():
    condition = compile_condition("request.reason.contains('*OPS*')")
    rendered = why(a_rule(Verdict.AUTO_APPROVE, when=(condition,)))
    assert "you would not get it: no rule lets you have logs" in rendered.text
    assert "is false" in read(rendered)
    assert "have seen none" in read(rendered)
    assert "have seen none" not in read(why(a_rule(Verdict.AUTO_APPROVE), reason="OPS-1"))


def test_a_thousand_rules_fit():
    condition = compile_condition(f"request.reason == '{'x' * 900}'")
    rules = [replace(a_rule(Verdict.DENY, when=(condition,)), id=f"r{n}") for n in range(1000)]
    rendered = why(*rules)
    must_fit(rendered)
    assert "more lines do not fit" in read(rendered)


def test_who_is_on_call_is_named_among_those_who_would_decide():
    rota = Rota(provider=Provider.URL, schedule="sre")
    on_call = Group(name="sre-oncall", on_call=rota)
    rule = a_rule(Verdict.REQUIRE, Stage(name="peers", approvers=(LEADS, on_call)))
    policy = replace(POLICY, rules_of={PLAIN.name: (rule,)})
    ask = supposed(PLAIN, by=ANNA, duration=None)
    found = explained(ask, policy, Facts(now=NOW, groups=frozenset({"engineers"})))
    told = read(why_text(found, {"sre-oncall": frozenset({"U0DAN"})}))
    assert "1 of `leads` or `sre-oncall` (<@U0DAN>)" in told


def test_it_names_the_way_of_break_glass_where_there_is_one():
    assert "In an emergency" not in read(why(a_rule(Verdict.DENY)))
    bundle = replace(PLAIN, glass=GLASS)
    ask = supposed(bundle, by=ANNA, duration=None)
    policy = replace(POLICY, rules_of={PLAIN.name: ()})
    rendered = why_text(explained(ask, policy, Facts(now=NOW, groups=frozenset())))
    must_fit(rendered)
    assert "In an emergency `engineers` can break the glass" in read(rendered)
    assert "/jit break-glass logs" in read(rendered)
