"""The APIs of resources.yaml, and what bundles take from them."""

from datetime import timedelta

import pytest

from tests.policy_files.folders import BUNDLES, loaded, problems

API = """\
version: 1
resources:
  https://billing.example:
    title: Billing
    owner: leads
    scopes: {"invoices:read": Read invoices, "refunds:read": Read refunds}
    token_max: 1h
"""
OF_BILLING = BUNDLES + "    resource: https://billing.example\n"


def test_an_api_is_read_whole(tmp_path):
    [api] = loaded(tmp_path, resources=API).resources.values()
    assert (api.uri, api.title, api.owner) == ("https://billing.example", "Billing", "leads")
    assert api.scopes == {"invoices:read": "Read invoices", "refunds:read": "Read refunds"}
    assert api.token_max == timedelta(hours=1)


def test_a_bundle_says_what_its_scopes_allow_in_the_words_of_the_api(tmp_path):
    found = loaded(tmp_path, bundles=OF_BILLING, resources=API).policy.bundles["billing-read"]
    assert [text.words for text in found.scopes] == ["Read invoices", "Read refunds"]
    other = loaded(tmp_path, bundles=BUNDLES, resources=API).policy.bundles["billing-read"]
    assert [text.words for text in other.scopes] == ["", ""]


def test_a_bundles_tokens_live_no_longer_than_the_api_wants(tmp_path):
    found = loaded(tmp_path, bundles=OF_BILLING, resources=API).policy.bundles["billing-read"]
    assert found.token_max == timedelta(hours=1)
    other = loaded(tmp_path, bundles=BUNDLES, resources=API).policy.bundles["billing-read"]
    assert other.token_max is None


def test_a_bundles_own_words_come_first(tmp_path):
    own = OF_BILLING.replace("[invoices:read, refunds:read]", '{"invoices:read": See them all}')
    [text] = loaded(tmp_path, bundles=own, resources=API).policy.bundles["billing-read"].scopes
    assert text.words == "See them all"


def test_what_an_api_says_is_part_of_the_policy(tmp_path):
    before = loaded(tmp_path, resources=API).policy.digest
    assert loaded(tmp_path, resources=API.replace("1h", "2h")).policy.digest != before


def test_a_scope_that_the_api_does_not_have_is_refused(tmp_path):
    api = API.replace("refunds:read", "refund:read")
    [found] = problems(tmp_path, bundles=OF_BILLING, resources=api)
    assert found == (
        "p/bundles.yaml:5:29: bundles.billing-read.scopes[1]: https://billing.example has no scope"
        " 'refunds:read' (did you mean 'refund:read'?)"
    )


@pytest.mark.parametrize(
    ("was", "line", "problem"),
    [
        ("owner: leads", "owner: leeds", "5:12: {at}.owner: there is no group 'leeds'"),
        ("token_max: 1h", "token_max: 60", "7:16: {at}.token_max: 60 is not a duration"),
        ("title: Billing", "titel: Billing", "4:5: {at}.titel: unknown key 'titel'"),
        ("{at}:", "billing.example:", "3:3: resources.'billing.example': 'billing.example' is not"),
    ],
)
def test_an_api_that_is_wrong_is_refused_at_the_place(tmp_path, was, line, problem):
    at = "https://billing.example"
    text = API.replace(was.format(at=at), line.format(at=at))
    found = problems(tmp_path, resources=text)[-1]
    assert found.startswith("p/resources.yaml:" + problem.format(at=f"resources.'{at}'")), found
