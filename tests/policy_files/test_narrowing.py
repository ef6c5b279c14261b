"""Scopes are taken out of the file itself, and nothing else in it changes."""

import pytest

from bot.core.errors import Misconfigured
from bot.policy_files import load_folder, read_folder, without_scopes
from bot.policy_files.folder import File, Folder
from tests.policy_files.folders import RIGHT, put

RESOURCE = "https://jit.example"


def narrowed(scopes, *names, rest="", head=""):
    """Return the text of `scopes`, a value and what follows it, without the scopes `names`."""
    before = (
        f"{head}version: 1 # é 🧑🏽\nbundles:\n  one:\n    title: One\n    scopes:{scopes}\n"
        f"    # after\n    access: read\n{rest}"
    )
    file = File(path="b.yaml", raw=before.encode())
    after = without_scopes(Folder(name="p", files=(file,)), "one", names).files[0].raw.decode()
    begin = before.index("scopes:") + len("scopes:")
    assert after[:begin] == before[:begin]
    tail = f"\n    # after\n    access: read\n{rest}"
    assert after.endswith(tail)
    return after[begin : len(after) - len(tail)]


@pytest.mark.parametrize(
    ("before", "taken", "after"),
    [
        (" [a, b, c]", "a", " [b, c]"),
        (" [a, b, c]", "b", " [a, c]"),
        (" [a, b, c]", "c", " [a, b]"),
        (" [a, b, c] # all", "a b", " [c] # all"),
        (" [ a , 'b' , \"c\" ]", "b c", " [ a ]"),
        (" [a,\n      b, # second\n      c]", "b", " [a,\n      c]"),
        (
            " [\n      a, # first\n      # about b\n      b,\n    ]",
            "b",
            " [\n      a, # first\n      # about b\n    ]",
        ),
        (" [a, b,\n      c, d]", "b d", " [a,\n      c]"),
        (" [a, b,\n      c, d]", "a b", " [\n      c, d]"),
        (" {a: Words here, b: 'x, y', c: z}", "a b", " {c: z}"),
        (" {a: w, b: x}", "b", " {a: w}"),
        ("\n      - a\n      - b # why\n      - c", "b", "\n      - a\n      - c"),
        ("\n    - a-b\n    - b-a", "b-a", "\n    - a-b"),
        ("\n      # first\n      - a\n\n      - b", "a", "\n      # first\n\n      - b"),
        (
            "\n      a: Words  # é\n      b: More words # x\n      c: Z",
            "b",
            "\n      a: Words  # é\n      c: Z",
        ),
        ("\n      a: Words\n        that go on\n      b: B", "a", "\n      b: B"),
        (
            "\n      a: |\n        Words\n\n        and more\n      # about b\n      b: B",
            "a",
            "\n      # about b\n      b: B",
        ),
        ("\n      a: A\n      b: >-\n        Words", "b", "\n      a: A"),
        ("\n      \"a\": 'A'\n      b:\n        B", "b", "\n      \"a\": 'A'"),
        (" # the scopes\n      a: A 🧑🏽\n      b: B", "b", " # the scopes\n      a: A 🧑🏽"),
    ],
)
def test_the_scope_goes_with_its_words_and_its_remark_and_all_else_stays(before, taken, after):
    assert narrowed(before, *taken.split(" ")) == after


def test_what_comes_before_and_after_is_left_alone_to_the_byte():
    rest = "  two:\n    scopes: [a, b] # é\n    title:   Two\r\n"
    assert narrowed(" [a, b]", "a", rest=rest, head="\ufeff# a remark\n") == " [b]"


def test_a_file_without_a_line_end_at_its_end_keeps_it_so():
    file = File(path="b.yaml", raw=b"bundles: {one: {scopes: [a, b]}}")
    [after] = without_scopes(Folder(name="p", files=(file,)), "one", ["b"]).files
    assert after.raw == b"bundles: {one: {scopes: [a]}}"


def test_lines_may_end_as_windows_writes_them():
    text = "bundles:\r\n  one:\r\n    scopes:\r\n      - a\r\n      - b # x\r\n      - c\r\n"
    file = File(path="b.yaml", raw=text.encode())
    [after] = without_scopes(Folder(name="p", files=(file,)), "one", ["b"]).files
    assert after.raw.decode() == text.replace("      - b # x\r\n", "")


def test_only_the_file_that_declares_the_bundle_changes(tmp_path):
    folder = read_folder(put(tmp_path, RIGHT))
    [scope, *_] = (
        load_folder(folder, default_resource=RESOURCE).policy.bundles["billing-read"].scope_names
    )
    after = without_scopes(folder, "billing-read", [scope])
    changed = [new.path for old, new in zip(folder.files, after.files, strict=True) if old != new]
    assert changed == ["bundles.yaml"]
    kept = load_folder(after, default_resource=RESOURCE).policy.bundles["billing-read"]
    assert scope not in kept.scope_names


def test_what_is_written_too_oddly_is_left_to_people():
    text = "bundles:\n  one:\n    scopes:\n      ? a\n      : A\n      b: B\n"
    file = File(path="b.yaml", raw=text.encode())
    with pytest.raises(Misconfigured) as problem:
        without_scopes(Folder(name="p", files=(file,)), "one", ["a"])
    assert str(problem.value) == (
        "p/b.yaml is written in a way that cannot be changed by itself; take a out of one by hand"
    )


@pytest.mark.parametrize(
    ("bundle", "scopes", "said"),
    [
        ("one", ["a", "b"], "nothing would be left of one; take the bundle out by hand"),
        ("two", ["a"], "no file in p declares the bundle two"),
    ],
)
def test_what_cannot_be_done_is_refused(bundle, scopes, said):
    file = File(path="b.yaml", raw=b"bundles: {one: {scopes: [a, b]}}")
    with pytest.raises(Misconfigured, match=said):
        without_scopes(Folder(name="p", files=(file,)), bundle, scopes)
