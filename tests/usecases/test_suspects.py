"""Tokens that stand nowhere: only those that we signed are taken down, and not too many at once."""

from datetime import timedelta

import pytest

from bot.keyring import MemorySigner
from bot.telemetry import MemoryMetrics
from bot.usecases.recording import MemoryUseLog
from bot.usecases.suspects import (
    CHECKED_AT_ONCE,
    KNOWN_AT_MOST,
    WAITING_AT_MOST,
    Presented,
    Suspects,
)
from bot.usecases.tokens import hash_of
from bot.usecases.use import UseOutcome
from tests.builders import REQUEST, T0
from tests.contracts.signer_contract import CLAIMS

ISSUER = CLAIMS["iss"]
API = "https://billing.example"


class Counting(MemorySigner):
    checked = 0

    def signed(self, token, *, issuer):
        self.checked += 1
        return super().signed(token, issuer=issuer)


@pytest.fixture
def signer():
    return Counting("kid-1")


@pytest.fixture
def log():
    return MemoryUseLog()


@pytest.fixture
def metrics():
    return MemoryMetrics()


@pytest.fixture
def suspects(log, signer, metrics):
    return Suspects(log, signer, issuer=ISSUER, metrics=metrics)


def presented(token, *, resources=(API,), scopes=("invoices:read",), at=T0):
    return Presented(
        token=token,
        hash=hash_of(token),
        resources=frozenset(resources),
        scopes=scopes,
        point="billing-api",
        address="10.0.0.1",
        at=at,
    )


def token(signer, **over):
    return signer.sign({**CLAIMS, **over}, kid="kid-1")


def test_a_token_that_we_signed_is_taken_down_as_over(suspects, signer, log):
    suspects.present(presented(token(signer)))
    assert log.uses == []
    suspects.look()
    [use] = log.uses
    assert (use.request, use.jti, use.outcome) == (REQUEST, CLAIMS["jti"], UseOutcome.ENDED)
    assert (use.scopes, use.resource, use.point) == (("invoices:read",), API, "billing-api")
    assert (use.address, use.at, use.count) == ("10.0.0.1", T0, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-3] + "AAA",
        lambda text: text.replace(".", "", 1),
        lambda text: text + "." + "x" * 9000,
        lambda _: "a.b.c",
        lambda _: "é.\ud800.c",
        lambda _: "",
    ],
)
def test_what_we_did_not_sign_is_nobodys(suspects, signer, log, change):
    suspects.present(presented(change(token(signer))))
    suspects.look()
    assert log.uses == []


@pytest.mark.parametrize(
    "over", [{"iss": "https://else.example"}, {"aud": "https://else.example"}, {"jti": "x.1"}]
)
def test_a_token_of_others_is_not_told_of(suspects, signer, log, over):
    suspects.present(presented(token(signer, **over)))
    suspects.look()
    assert log.uses == []


def test_the_same_token_is_checked_once_and_counted_each_time(suspects, signer, log):
    text = token(signer)
    for second in range(50):
        suspects.present(presented(text, at=T0 + timedelta(seconds=second)))
    suspects.look()
    suspects.present(presented(text))
    suspects.look()
    assert [use.count for use in log.uses] == [50, 1]
    assert log.uses[0].at == T0 + timedelta(seconds=49)
    assert signer.checked == 1


def test_few_signatures_are_checked_in_one_look_and_the_rest_in_the_next(suspects, signer, log):
    for number in range(CHECKED_AT_ONCE + 3):
        suspects.present(presented(token(signer, sub=f"s{number}")))
    suspects.look()
    assert (signer.checked, len(log.uses)) == (CHECKED_AT_ONCE, CHECKED_AT_ONCE)
    suspects.look()
    assert len(log.uses) == CHECKED_AT_ONCE + 3


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(suspects, signer, metrics):
    for number in range(WAITING_AT_MOST + 4):
        suspects.present(presented(token(signer, sub=f"s{number}")))
    assert metrics.value("jit_use_dropped_total") == 4


def test_what_is_remembered_is_bounded(suspects, signer):
    first = token(signer)
    suspects.present(presented(first))
    suspects.look()
    for number in range(KNOWN_AT_MOST):
        suspects.present(presented(token(signer, sub=f"s{number}")))
        suspects.look()
    assert len(suspects._known) == KNOWN_AT_MOST
    checked = signer.checked
    suspects.present(presented(first))
    suspects.look()
    assert signer.checked == checked + 1
