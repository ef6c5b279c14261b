"""`jit keys` and `jit clients`: what operators type, and what the running bot makes of it."""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import yaml
from click.testing import CliRunner

from bot.cli import main
from bot.keyring import KEY_BITS, Keyring, load_ring, make_key
from bot.keyring.folder import KeyState, read_folder
from bot.keyring.rotation import retire, rotate
from bot.keyring.watch import KeyWatch
from bot.policy_files.client_documents import Client
from tests.test_keyring import key, pem, put

HOUR = timedelta(hours=1)


def jit(*words):
    return CliRunner().invoke(main, [*map(str, words)])


@pytest.fixture
def folder(tmp_path):
    """A folder with one key, made two days ago."""
    made = tmp_path / "keys"
    made.mkdir(mode=0o700)
    put(made / "2026-01-01T000000Z.pem", pem(key(1)))
    return made


def now():
    return datetime.now(UTC)


def age(path, by):
    at = (now() - by).timestamp()
    os.utime(path, (at, at))


def states(folder):
    return [each.state for each in read_folder(folder)]


def test_a_key_is_published_for_a_day_before_it_signs(folder):
    before = load_ring(folder).active_kid
    assert rotate(folder, now=now()).state is KeyState.NEXT
    ring = load_ring(folder)
    assert ring.active_kid == before
    assert [each["kid"] == before for each in ring.jwks()["keys"]] == [True, False]

    again = jit("keys", "rotate", folder)
    assert again.exit_code == 1
    assert "verifiers may not know it yet" in again.output

    age(read_folder(folder)[1].path, 24 * HOUR)
    assert jit("keys", "rotate", folder).exit_code == 0
    assert states(folder) == [KeyState.RETIRING, KeyState.ACTIVE]
    assert load_ring(folder).active_kid != before
    assert load_ring(folder).knows(before)


def test_in_an_emergency_a_new_key_signs_at_once(folder):
    before = load_ring(folder).active_kid
    assert jit("keys", "rotate", folder, "--now").exit_code == 0
    assert load_ring(folder).active_kid != before


def test_a_key_leaves_when_its_tokens_are_dead(folder):
    rotate(folder, now=now(), wait=timedelta(0))
    old = read_folder(folder)[0]
    refused = jit("keys", "retire", old.path.name, folder)
    assert refused.exit_code == 1
    assert "its tokens may live for 1d" in refused.output
    age(folder / "active", 25 * HOUR)
    assert jit("keys", "retire", old.path.stem, folder).exit_code == 0
    assert not load_ring(folder).knows(old.kid)


def test_a_key_can_leave_at_once_by_the_begin_of_its_kid(folder):
    rotate(folder, now=now(), wait=timedelta(0))
    old = read_folder(folder)[0]
    assert jit("keys", "retire", old.kid[:8], folder, "--now").exit_code == 0
    assert not load_ring(folder).knows(old.kid)


def test_the_key_that_signs_leaves_only_in_an_emergency_and_another_signs(folder):
    kid = load_ring(folder).active_kid
    refused = jit("keys", "retire", kid[:8], folder)
    assert (refused.exit_code, "jit keys rotate" in refused.output) == (1, True)
    retire(folder, kid[:8], now=now(), lived=timedelta(0))
    ring = load_ring(folder)
    assert not ring.knows(kid)
    assert ring.active_kid


def test_a_name_that_is_no_keys_is_refused(folder):
    assert "there is no key" in jit("keys", "retire", "nope", folder, "--now").output
    assert len(read_folder(folder)) == 1


def test_an_active_file_that_names_nothing_is_told(folder):
    (folder / "active").write_text("gone.pem\n")
    shown = jit("keys", "list", folder)
    assert shown.exit_code == 1
    assert "names gone.pem, which is not there" in shown.output


def test_keys_are_listed_for_people_and_programs(folder):
    rotate(folder, now=now())
    told = jit("keys", "list", folder).output
    assert re.search(r"^active +\S{43} .*2026-01-01T000000Z.pem$", told, re.MULTILINE)
    rows = json.loads(jit("keys", "list", folder, "--json").output)["keys"]
    assert [row["state"] for row in rows] == ["active", "next"]


def test_init_makes_the_first_key_only(tmp_path):
    assert jit("keys", "init", tmp_path / "k").exit_code == 0
    assert jit("keys", "init", tmp_path / "k").exit_code == 1
    assert load_ring(tmp_path / "k").jwks()["keys"][0]["kty"] == "RSA"
    assert KEY_BITS >= 2048


def test_a_running_bot_follows_its_folder_and_keeps_good_keys_when_it_is_broken(folder):
    ring = load_ring(folder)
    watch = KeyWatch(folder, ring)
    old = ring.active_kid
    put(folder / "2026-02-01T000000Z.pem", pem(key(2)))
    watch.look()
    new = Keyring.of(key(2)).active_kid
    assert (ring.active_kid, ring.knows(old)) == (new, True)

    put(folder / "2026-03-01T000000Z.pem", b"hush")
    watch.look()
    assert ring.active_kid == new
    assert "is not a private key" in watch.problems[0]

    (folder / "2026-03-01T000000Z.pem").unlink()
    (folder / "2026-01-01T000000Z.pem").unlink()
    watch.look()
    assert watch.problems == ()
    assert not ring.knows(old)


def test_a_key_made_by_hand_signs_when_nothing_says_otherwise(tmp_path):
    first = make_key(tmp_path / "k", name="a")
    second = make_key(tmp_path / "k", name="b")
    assert [each.path for each in read_folder(first.parent)] == [first, second]
    assert states(first.parent) == [KeyState.RETIRING, KeyState.ACTIVE]


def test_a_client_gets_a_secret_once_and_what_belongs_in_the_file():
    told = jit("clients", "add", "runner", "--bundle", "billing-read", "--owner", "U0ANNA").output
    secret = re.search(r"client_secret: (\S{43})", told)[1]
    entry = yaml.safe_load(told.partition("\n#")[2].partition("\n")[2])["clients"]["runner"]
    assert entry["secret_sha256"] == sha256(secret.encode()).hexdigest()
    read = Client.model_validate(entry)
    assert (read.bundles, read.owner) == (["billing-read"], "U0ANNA")


def test_a_client_with_keys_has_no_secret(tmp_path):
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [{"kty": "RSA"}]}))
    told = jit("clients", "add", "api", "https://a.example", "--jwks", tmp_path / "jwks.json")
    assert told.exit_code == 0
    assert "secret" not in told.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["Api", "https://a"], "small letters"),
        (["api"], "say what it is for"),
        (["api", "--bundle", "b"], "needs --owner"),
    ],
)
def test_a_client_that_would_be_refused_is_not_made(words, why):
    made = jit("clients", "add", *words)
    assert made.exit_code == 1
    assert why in made.output
    assert "client_id" not in made.output
