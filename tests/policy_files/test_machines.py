"""What policy files say of clients that ask for tokens."""

import pytest

from bot.core.policy import Verdict
from tests.policy_files.folders import RULES, loaded, problems, rule

CLIENTS = """\
version: 1
clients:
  ci:
    secret_sha256: {0}
    bundles: [billing-read]
    owner: leads
    reason: The pipeline asks.
""".replace("{0}", "a" * 64)
FOR_CI = rule("id: a", "bundles: {}", "clients: [ci]", "decision: auto_approve")


def test_a_rule_may_be_for_clients_alone(tmp_path):
    found = loaded(tmp_path, rules=FOR_CI, clients=CLIENTS)
    (by_ci,) = found.policy.rules_of["billing-read"]
    assert (by_ci.clients, by_ci.requesters) == (("ci",), ())
    assert by_ci.verdict is Verdict.AUTO_APPROVE
    assert found.clients["ci"].reason == "The pipeline asks."


def test_a_guardrail_may_be_too(tmp_path):
    rules = RULES + "guardrails:\n  - {id: no-ci, bundles: {}, clients: [ci], deny: true}\n"
    (rail,) = loaded(tmp_path, rules=rules, clients=CLIENTS).policy.guardrails_of["billing-read"]
    assert rail.clients == ("ci",)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            rule("id: a", "bundles: {}", "clients: [cj]", "decision: auto_approve"),
            "8:15: rules[0].clients[0]: there is no client 'cj' (there is ci)",
        ),
        (
            rule("id: a", "bundles: {}", "clients: []", "decision: auto_approve"),
            "8:14: rules[0].clients: must not be empty",
        ),
        (
            rule("id: a", "bundles: {}", "clients: ci", "decision: auto_approve"),
            "8:14: rules[0].clients: must be a list, not 'ci'",
        ),
        (
            rule("id: a", "bundles: {}", "decision: auto_approve"),
            "6:5: rules[0]: say whose requests: only a rule that denies is for everybody",
        ),
        (
            RULES + "guardrails:\n  - {id: x, bundles: {}, clients: [nobody], deny: true}\n",
            "12:36: guardrails[0].clients[0]: there is no client 'nobody' (there is ci)",
        ),
    ],
)
def test_clients_that_are_wrong_are_refused_at_the_place(tmp_path, rules, problem):
    assert problems(tmp_path, rules=rules, clients=CLIENTS) == [f"p/rules.yaml:{problem}"]


def test_without_clients_there_is_none_to_name(tmp_path):
    assert problems(tmp_path, rules=FOR_CI) == [
        "p/rules.yaml:8:15: rules[0].clients[0]: there is no client 'ci'"
    ]
