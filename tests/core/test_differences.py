from dataclasses import replace

from bot.core.differences import Differences, differences
from bot.core.policy import Guardrail, Selector, Verdict
from tests.usecases.bots import AT_ONCE, LEADS, OWNERS, SHELF, a_policy, a_rule


def test_a_policy_differs_from_itself_in_nothing_wherever_its_rules_stand():
    moved = {
        name: (bundle, tuple(replace(rule, where="other.yaml:7") for rule in rules))
        for name, (bundle, rules) in SHELF.items()
    }
    nothing = Differences(bundles=(), rules=(), groups=())
    assert differences(a_policy(), a_policy(moved)) == nothing


def test_what_is_new_gone_or_other_is_named():
    old = a_policy({"auto": SHELF["auto"], "gone": SHELF["read"]}, groups=(LEADS, OWNERS))
    bundle, _ = SHELF["auto"]
    changed = replace(bundle, reason_min=40)
    rules = (AT_ONCE, replace(a_rule(Verdict.DENY), id="more"))
    rail = Guardrail(id="rail", bundles=Selector(), deny=True)
    new = a_policy(
        {"auto": (changed, rules)}, groups=(replace(LEADS, min_members=1),), rails=(rail,)
    )
    assert differences(old, new) == Differences(
        bundles=("auto", "gone"), rules=("more", "rail", "rule"), groups=("leads", "owners")
    )
