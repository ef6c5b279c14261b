"""What YAML is read as, and what is refused before it is looked at."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy_files.positions import MAX_BYTES, MAX_DEPTH, read_source


def content(text):
    source = read_source("f.yaml", text.encode())
    assert source.problems == ()
    return source.content


def refused(text):
    raw = text if isinstance(text, bytes) else text.encode()
    source = read_source("f.yaml", raw)
    assert source.problems
    return [str(problem) for problem in source.problems]


@pytest.mark.parametrize(
    "scalar",
    [
        "no",
        "on",
        "yes",
        "off",
        "Yes",
        "y",
        "010",
        "0x1F",
        "0o17",
        "1_000",
        "18:00",
        "1:30:00",
        "2026-01-01",
        "<<",
        "=",
        ".5",
        "1.",
        "1e3",
        ".inf",
        ".nan",
        "NaN",
        "9" * 5000,
        "tRUE",
    ],
)
def test_what_yaml_1_1_makes_something_else_stays_text(scalar):
    assert content(f"a: {scalar}") == {"a": scalar}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("1.5", 1.5),
    ],
)
def test_the_scalars_of_the_core_schema_are_read(scalar, value):
    found = content(f"a: {scalar}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("scalar", ["'1'", '"true"', "|\n  null", ">\n  5", "''"])
def test_what_is_quoted_or_a_block_is_text(scalar):
    assert isinstance(content(f"a: {scalar}")["a"], str)


def test_every_value_has_its_place_and_every_key_too():
    source = read_source("f.yaml", "é: [x,\n  {ü: y}]\n".encode())
    assert source.place(("é",), at_key=True) == (1, 1)
    assert source.place(("é",)) == (1, 4)
    assert source.place(("é", 0)) == (1, 5)
    assert source.place(("é", 1, "ü"), at_key=True) == (2, 4)
    assert source.place(("é", 1, "ü")) == (2, 7)


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble():
    source = read_source("f.yaml", b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert source.content == {"a": 1, "b": 2}
    assert source.place(("a",), at_key=True) == (1, 1)
    assert source.place(("b",)) == (2, 4)


def test_aliases_and_anchors_are_refused_each_at_its_place():
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert refused(bomb) == [
        "f.yaml:1:4: a: the anchor &a is refused; take it out",
        "f.yaml:2:4: b: the anchor &b is refused; take it out",
        "f.yaml:2:8: b[0]: the alias *a is refused; write it out",
        "f.yaml:2:12: b[1]: the alias *a is refused; write it out",
        "f.yaml:3:5: c[0]: the alias *b is refused; write it out",
        "f.yaml:3:9: c[1]: the alias *b is refused; write it out",
    ]


def test_an_alias_of_a_key_and_a_merge_are_refused_too():
    assert refused("&k a: 1\n*k : 2\n<<: *k\n") == [
        "f.yaml:1:1: '?': the anchor &k is refused; take it out",
        "f.yaml:2:1: '?': the alias *k is refused; write it out",
        "f.yaml:2:1: a key must be text",
        "f.yaml:3:5: '<<': the alias *k is refused; write it out",
    ]


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("!!python/object/apply:os.system", "tag:yaml.org,2002:python/object/apply:os.system"),
        ("!!str", "tag:yaml.org,2002:str"),
        ("!x", "!x"),
        ("!", "!"),
    ],
)
def test_tags_are_refused(tag, name):
    assert refused(f"a: {tag} [b]\n") == [
        f"f.yaml:1:4: a: the tag {name!r} is refused; take it out"
    ]


def test_a_key_that_is_given_twice_is_refused_with_both_places():
    assert refused("a:\n  b: 1\n  c: 2\n  b: 3\n  b: 4\n") == [
        "f.yaml:4:3: a.b: the key 'b' is given on line 2 already",
        "f.yaml:5:3: a.b: the key 'b' is given on line 2 already",
    ]


def test_two_spellings_of_one_key_are_one_key():
    assert refused("a: 1\n'a': 2\n\"\\x61\": 3\n") == [
        "f.yaml:2:1: a: the key 'a' is given on line 1 already",
        "f.yaml:3:1: a: the key 'a' is given on line 1 already",
    ]


@pytest.mark.parametrize("key", ["1", "true", "~", "[a, b]", "{a: b}", "1.5"])
def test_a_key_that_is_not_text_is_refused(key):
    assert refused(f"x:\n  ? {key}\n  : 1\n") == ["f.yaml:2:5: x: a key must be text"]


def test_nesting_is_read_up_to_the_limit_and_no_deeper():
    assert content("[" * MAX_DEPTH + "x" + "]" * MAX_DEPTH)
    deeper = MAX_DEPTH + 1
    assert refused("[" * deeper + "x" + "]" * deeper) == [
        f"f.yaml:1:{deeper}: nested deeper than {MAX_DEPTH}"
    ]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_is_refused_soon(opening):
    begun = time.perf_counter()
    (problem,) = refused(opening * (MAX_BYTES // len(opening)))
    assert "nest" in problem
    assert time.perf_counter() - begun < 5


def test_a_file_of_ten_megabytes_is_refused_by_its_size():
    full = b"a: 1 #".ljust(MAX_BYTES, b"x")
    assert read_source("f.yaml", full).content == {"a": 1}
    assert refused(full + b"x") == ["f.yaml: the file is larger than 1 MB"]
    assert refused(b"# " + b"x" * 10_000_000) == ["f.yaml: the file is larger than 1 MB"]


def test_a_file_that_is_not_utf_8_is_refused_where_it_is_not():
    assert refused("a: b\nü: ".encode() + b"\xff\n") == ["f.yaml:2:4: the file is not UTF-8 text"]
    assert refused("a: ü\n".encode("latin-1")) == ["f.yaml:1:4: the file is not UTF-8 text"]
    assert refused("a: b\n".encode("utf-16")) == ["f.yaml:1:1: the file is not UTF-8 text"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a:\n\t- b\n",
            (
                "f.yaml:2:1: this is not YAML: found character that cannot start any token;"
                " indent with spaces, not with tabs"
            ),
        ),
        (
            "a: b\n\tc: d\n",
            (
                "f.yaml:2:1: this is not YAML: found a tab character that violates indentation"
                " (while scanning a plain scalar, which begins on line 1); indent with"
                " spaces, not with tabs"
            ),
        ),
        (
            "é: x\nb: [c\n",
            (
                "f.yaml:3:1: this is not YAML: did not find expected ',' or ']'"
                " (while parsing a flow sequence, which begins on line 2)"
            ),
        ),
        (
            "a: b: c\n",
            "f.yaml:1:5: this is not YAML: mapping values are not allowed in this context",
        ),
        ("éé: \x01\n", "f.yaml:1:5: this is not YAML: control characters are not allowed"),
        (
            'a: "\\ud800"\n',
            "f.yaml:1:7: this is not YAML: found invalid Unicode character escape code",
        ),
    ],
)
def test_what_is_no_yaml_is_refused_where_it_is_none(text, problem):
    assert refused(text) == [problem]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "\ufeff"])
def test_an_empty_file_says_how_to_begin(text):
    assert refused(text) == ["f.yaml: the file is empty; begin with `version: 1`, or delete it"]


def test_a_second_document_is_refused():
    assert refused("a: 1\n---\nb: 2\n") == [
        "f.yaml:2:1: a second document begins here; a file holds one"
    ]


def test_problems_before_the_end_of_what_is_yaml_are_told_too():
    assert refused("a: &x 1\nb: c: d") == [
        "f.yaml:1:4: a: the anchor &x is refused; take it out",
        "f.yaml:2:5: this is not YAML: mapping values are not allowed in this context",
    ]


def test_a_key_from_a_file_cannot_forge_a_line_of_the_log():
    (problem,) = refused('"x\\nf.yaml:1:1: all is well\\e[2J": !t 1\n')
    assert problem.isprintable()
    assert "'x\\nf.yaml" in problem


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(raw):
    source = read_source("f.yaml", raw)
    assert all(str(problem).startswith("f.yaml") for problem in source.problems)


@given(st.text(alphabet="ab:-[]{},&*!|>'\"#? \n\t%@`01~<", max_size=80))
def test_any_text_made_of_indicators_is_read_or_refused(text):
    source = read_source("f.yaml", text.encode())
    assert source.problems or source.place(()) >= (1, 1)
