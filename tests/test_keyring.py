import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.core.errors import Invalid, Misconfigured
from bot.keyring import Keyring, load_ring, make_key
from tests.builders import T0

ISSUER = "https://jit.example"
CLAIMS = {
    "iss": ISSUER,
    "aud": "https://billing.example",
    "sub": "person:T0DEMO:UANNA",
    "client_id": "slack",
    "iat": int(T0.timestamp()),
    "exp": int(T0.timestamp()) + 60,
    "jti": "G-1.1",
    "scope": "invoices:read",
}
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@cache
def key(number: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return one of a few keys; making one takes a while."""
    return rsa.generate_private_key(65537, bits)


RING = Keyring.of(key(1), key(2))
SIGNER = key(2)


def pem(private: Any, password: bytes | None = None) -> bytes:
    hidden = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden
    )


def put(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good key."""
    made = tmp_path / "keys"
    made.mkdir(mode=0o700)
    put(made / "2026-01.pem", pem(key(1)))
    return made


def problems(folder: Path) -> str:
    with pytest.raises(Misconfigured) as caught:
        load_ring(folder)
    return str(caught.value)


def test_a_made_key_is_for_its_owner_alone_and_signs(tmp_path: Path) -> None:
    path = make_key(tmp_path / "new" / "keys", name="first")
    assert path.name == "first.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]  # nothing half written is left
    ring = load_ring(path.parent)
    token = ring.sign(CLAIMS, kid=ring.active_kid)
    assert ring.verify(token, issuer=ISSUER, now=T0) == CLAIMS


def test_a_key_never_replaces_another(tmp_path: Path) -> None:
    before = make_key(tmp_path, name="k").read_bytes()
    with pytest.raises(Misconfigured, match=r"k\.pem exists already"):
        make_key(tmp_path, name="k.pem")
    assert (tmp_path / "k.pem").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["k.pem"]


@pytest.mark.parametrize("name", ["../k", "a/b", "/etc/k"])
def test_a_key_is_made_in_its_folder_and_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="not a file name"):
        make_key(tmp_path / "keys", name=name)
    assert not list(tmp_path.rglob("*.pem"))


def test_where_no_key_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured):
        make_key(tmp_path / "file", name="k")
    with pytest.raises(Misconfigured, match="cannot write a key"):
        make_key(tmp_path / "file" / "keys", name="k")


def test_the_greatest_file_name_signs_and_all_are_known(folder: Path) -> None:
    put(folder / "2026-02.pem", pem(key(2)))
    put(folder / "2025-12.pem", pem(key(3)))
    put(folder / "notes.txt", b"not a key", 0o644)
    ring = load_ring(folder)
    assert ring.active_kid == Keyring.of(key(2)).active_kid
    for number in (1, 2, 3):
        assert ring.knows(Keyring.of(key(number)).active_kid)


def test_a_key_that_is_taken_away_kills_its_tokens(folder: Path) -> None:
    put(folder / "2026-02.pem", pem(key(2)))
    ring = load_ring(folder)
    old = Keyring.of(key(1))
    token = old.sign(CLAIMS, kid=old.active_kid)
    assert ring.verify(token, issuer=ISSUER, now=T0) == CLAIMS
    (folder / "2026-01.pem").unlink()
    with pytest.raises(Invalid):
        load_ring(folder).verify(token, issuer=ISSUER, now=T0)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_that_others_can_use_is_refused(folder: Path, mode: int) -> None:
    (folder / "2026-01.pem").chmod(mode)
    assert "chmod 600" in problems(folder)


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_others_can_write_to_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert "chmod go-w" in problems(folder)


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_modes_that_shut_others_out_are_fine(folder: Path, mode: int) -> None:
    (folder / "2026-01.pem").chmod(mode)
    folder.chmod(0o755)
    assert load_ring(folder).active_kid


def test_every_bad_file_is_named_at_once_and_none_is_quoted(folder: Path) -> None:
    public = (
        key(1)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    bad = {
        "a": (b"", "not a private key"),
        "b": (b"hush-hush", "not a private key"),
        "c": (public, "not a private key"),
        "d": (pem(key(1), b"password"), "is encrypted"),
        "e": (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        "f": (pem(key(9, 1024)), "1024 bits"),
        "g": (pem(key(1))[:400], "not a private key"),
    }
    for name, (content, _) in bad.items():
        put(folder / f"{name}.pem", content)
    (folder / "h.pem").mkdir()
    found = problems(folder).splitlines()
    assert len(found) == len(bad) + 1
    for line, (name, (_, words)) in zip(found, bad.items(), strict=False):
        assert f"/{name}.pem" in line
        assert words in line
    assert "cannot be read" in found[-1]
    assert "hush" not in str(found)


def test_a_folder_without_keys_names_the_command(tmp_path: Path) -> None:
    assert "jit keys init" in problems(tmp_path)
    assert "cannot be read" in problems(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    assert "not a folder" in problems(tmp_path / "file")
    with pytest.raises(Misconfigured, match="jit keys init"):
        Keyring.of()


def test_what_is_published_verifies_and_the_active_key_comes_first() -> None:
    published = RING.jwks()["keys"]
    assert [each["kid"] for each in published] == [
        Keyring.of(key(2)).active_kid,
        Keyring.of(key(1)).active_kid,
    ]
    for each in published:
        assert set(each) == {"kid", "use", "alg", "kty", "n", "e"}
    token = RING.sign(CLAIMS, kid=RING.active_kid)
    said = jwt.decode(
        token,
        jwt.PyJWK(published[0]),
        algorithms=["RS256"],
        audience="https://billing.example",
        options={"verify_exp": False, "verify_iat": False},  # the claims are of a fixed day
    )
    assert said == CLAIMS
    assert jwt.get_unverified_header(token) == {
        "alg": "RS256",
        "kid": RING.active_kid,
        "typ": "at+jwt",
    }


def test_a_keys_name_is_its_thumbprint() -> None:
    """RFC 7638, section 3.1: its example."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    assert _named({"e": "AQAB", "n": n}) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def _named(members: Mapping[str, str]) -> str:
    class Public:
        def public_key(self):
            return jwt.PyJWK({"kty": "RSA", "alg": "RS256", **members}).key

    [kid] = [each["kid"] for each in Keyring.of(Public()).jwks()["keys"]]
    return kid


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, claims: Any = CLAIMS, *, by: rsa.RSAPrivateKey = SIGNER) -> str:
    """Return a token with any header, signed with a key of the ring."""
    head = f"{encode(header)}.{encode(claims)}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{head}.{encode(algorithm.sign(head.encode(), by))}"


def header(**over: Any) -> dict[str, Any]:
    return {"alg": "RS256", "kid": RING.active_kid, "typ": "at+jwt", **over}


def hmac_with_public_key() -> str:
    """Return a token whose HMAC key is our public key, which everybody has."""
    public = SIGNER.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = f"{encode(header(alg='HS256'))}.{encode(CLAIMS)}"
    return f"{head}.{encode(hmac.digest(public, head.encode(), hashlib.sha256))}"


def lacking(name: str) -> str:
    return signed(header(), {key_: value for key_, value in CLAIMS.items() if key_ != name})


GOOD = signed(header())
HEAD, BODY, SIGNATURE = GOOD.split(".")


def test_the_forger_of_these_tests_can_make_a_good_token() -> None:
    assert RING.verify(GOOD, issuer=ISSUER, now=T0) == CLAIMS


@pytest.mark.parametrize(
    "token",
    {
        "nothing": "",
        "alg none": f"{encode(header(alg='none'))}.{BODY}.",
        "alg none, signed": signed(header(alg="none")),
        "alg nOnE": signed(header(alg="nOnE")),
        "alg missing": signed({"kid": RING.active_kid, "typ": "at+jwt"}),
        "alg HS256": hmac_with_public_key(),
        "alg PS256": signed(header(alg="PS256")),
        "alg a list": signed(header(alg=["RS256"])),
        "jku": signed(header(jku="https://evil.example/keys")),
        "jwk": signed(header(jwk=RING.jwks()["keys"][0])),
        "x5u": signed(header(x5u="https://evil.example/cert")),
        "x5c": signed(header(x5c=["MII="])),
        "crit": signed(header(crit=["exp"])),
        "b64": signed(header(b64=False, crit=["b64"])),
        "kid of nobody": signed(header(kid="nobody")),
        "kid a path": signed(header(kid="../../etc/passwd")),
        "kid a list": signed(header(kid=[RING.active_kid])),
        "kid missing": signed({"alg": "RS256", "typ": "at+jwt"}),
        "kid of another key of the ring": signed(header(kid=Keyring.of(key(1)).active_kid)),
        "a key that is not in the ring": signed(header(), by=key(3)),
        "typ JWT": signed(header(typ="JWT")),
        "typ of a status list": signed(header(typ="statuslist+jwt")),
        "typ missing": signed({"alg": "RS256", "kid": RING.active_kid}),
        "four parts": f"{GOOD}.{SIGNATURE}",
        "two parts": f"{HEAD}.{BODY}",
        "no signature": f"{HEAD}.{BODY}.",
        "padding": f"{GOOD}=",
        "line end": f"{GOOD}\n",
        "space": f" {GOOD}",
        "letters that decoders skip": f"{GOOD}!!!!",
        "the other base64": f"{HEAD}.{BODY}.{SIGNATURE}".translate({45: "+", 95: "/"}),
        "JSON serialization": json.dumps({"protected": HEAD, "payload": BODY}),
        "no claims object": signed(header(), ["a"]),
        "no JSON": signed(header(), b"{"),
        "header no object": signed([1]),
        "header no JSON": signed(b"\xff"),
        "other claims": f"{HEAD}.{encode({**CLAIMS, 'scope': 'all'})}.{SIGNATURE}",
        "other issuer": signed(header(), {**CLAIMS, "iss": "https://evil.example"}),
        "issuer with a slash": signed(header(), {**CLAIMS, "iss": f"{ISSUER}/"}),
        "too long": signed(header(), {**CLAIMS, "scope": "x" * 9000}),
        "not ASCII": GOOD + "é",
        **{f"no {name}": lacking(name) for name in ("aud", "exp", "iat", "iss", "jti", "sub")},
        "exp a word": signed(header(), {**CLAIMS, "exp": "soon"}),
        "exp infinite": signed(header(), {**CLAIMS, "exp": float("inf")}),
        "exp a truth": signed(header(), {**CLAIMS, "exp": None}),
        "iat a word": signed(header(), {**CLAIMS, "iat": "now"}),
    }.items(),
    ids=lambda case: case[0],
)
def test_what_is_not_our_token_is_refused(token: tuple[str, str]) -> None:
    with pytest.raises(Invalid):
        RING.verify(token[1], issuer=ISSUER, now=T0)


def test_a_signature_with_one_bit_changed_is_refused() -> None:
    raw = base64.urlsafe_b64decode(SIGNATURE + "==")
    for place in (0, 100, 255):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(Invalid):
            RING.verify(f"{HEAD}.{BODY}.{encode(bytes(changed))}", issuer=ISSUER, now=T0)


def test_a_token_has_its_time() -> None:
    def works(at, leeway=0):
        try:
            RING.verify(GOOD, issuer=ISSUER, now=T0 + at, leeway=timedelta(seconds=leeway))
        except Invalid:
            return False
        return True

    tick = timedelta(microseconds=1)
    assert works(timedelta(0))
    assert works(MINUTE - tick)
    assert not works(MINUTE)
    assert works(MINUTE + 29 * SECOND, leeway=30)
    assert not works(MINUTE + 30 * SECOND, leeway=30)
    assert not works(-tick)
    assert works(-30 * SECOND, leeway=30)
    assert not works(-31 * SECOND, leeway=30)


def test_a_ring_shows_no_key() -> None:
    shown = repr(RING) + str(vars(RING).keys())
    assert "2" in shown
    assert "PRIVATE" not in shown
    assert os.linesep not in repr(RING)
