"""Fixture `signer`: one whose ring holds two keys. Fixture `without`: the ring without a key."""

from collections.abc import Callable

import pytest

from bot.core.errors import Invalid, Unavailable
from bot.core.grant import claims
from bot.usecases.ports import Signer
from tests.builders import REQUEST, T0, granted, requested

CLAIMS = claims(granted(requested(), at=T0)[-1].token)  # type: ignore[union-attr]  # Started


class SignerContract:
    def test_the_active_key_is_known(self, signer: Signer) -> None:
        assert signer.knows(signer.active_kid)
        assert not signer.knows("")
        assert not signer.knows(signer.active_kid + "x")

    def test_the_same_arguments_give_the_same_bytes(self, signer: Signer) -> None:
        token = signer.sign(CLAIMS, kid=signer.active_kid)
        assert signer.sign(dict(reversed(CLAIMS.items())), kid=signer.active_kid) == token

    def test_other_claims_give_another_token(self, signer: Signer) -> None:
        token = signer.sign(CLAIMS, kid=signer.active_kid)
        for name in CLAIMS:
            other = {**CLAIMS, name: "x"}
            assert signer.sign(other, kid=signer.active_kid) != token

    def test_each_key_signs_in_its_own_way(self, signer: Signer, kids: list[str]) -> None:
        assert len({signer.sign(CLAIMS, kid=kid) for kid in kids}) == len(kids) == 2

    def test_a_token_has_three_parts_and_no_space(self, signer: Signer) -> None:
        token = signer.sign(CLAIMS, kid=signer.active_kid)
        assert len(token.split(".")) == 3
        assert all(part and part.isascii() and not part.isspace() for part in token.split("."))
        assert REQUEST not in token

    def test_a_key_that_left_signs_nothing(
        self, signer: Signer, without: Callable[[str], Signer]
    ) -> None:
        gone = signer.active_kid
        rest = without(gone)
        assert not rest.knows(gone)
        assert rest.active_kid != gone
        with pytest.raises(Unavailable):
            rest.sign(CLAIMS, kid=gone)

    def test_what_it_signed_it_knows_again_whatever_the_time(
        self, signer: Signer, kids: list[str]
    ) -> None:
        for kid in kids:
            token = signer.sign({**CLAIMS, "exp": 1}, kid=kid)
            assert signer.signed(token, issuer=CLAIMS["iss"]) == {**CLAIMS, "exp": 1}

    def test_what_it_did_not_sign_or_not_for_that_issuer_it_does_not_know(
        self, signer: Signer, without: Callable[[str], Signer]
    ) -> None:
        token = signer.sign(CLAIMS, kid=signer.active_kid)
        head, body, signature = token.split(".")
        other = "A" if signature[5] != "A" else "B"
        forged = f"{head}.{body}.{signature[:5]}{other}{signature[6:]}"
        texts = (forged, f"{head}.{body}.", f"{body}.{head}.{signature}", "a.b.c", "", "\ud800.x.y")
        for text in texts:
            with pytest.raises(Invalid):
                signer.signed(text, issuer=CLAIMS["iss"])
        with pytest.raises(Invalid):
            signer.signed(token, issuer="https://else.example")
        with pytest.raises(Invalid):
            without(signer.active_kid).signed(token, issuer=CLAIMS["iss"])
