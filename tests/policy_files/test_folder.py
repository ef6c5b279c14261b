"""A folder as it was at one moment."""

import os

import pytest

from bot.core.errors import Misconfigured
from bot.policy_files import Folder, WrongFiles, examine, pack, read_folder, unpack
from tests.policy_files.folders import RESOURCE, RIGHT, put

CASES = """\
as_of: 2026-11-23T10:00:00+01:00
tests:
  - name: leads agree
    given: {groups: [engineers], bundle: billing-read}
    expect: {outcome: OUTCOME}
"""


@pytest.fixture
def folder(tmp_path):
    path = put(tmp_path, RIGHT)
    (path / "tests").mkdir()
    (path / "tests" / "a.yaml").write_text(CASES.replace("OUTCOME", "require"))
    (path / "notes.txt").write_text("no policy")
    return path


def test_what_was_read_is_kept_and_says_the_same_again(folder):
    read = read_folder(folder)
    kept = unpack(pack(read))
    assert kept.stamp == read.stamp
    assert [file.path for file in read.files] == [*sorted(RIGHT), "tests/a.yaml"]
    there, here = (examine(each, default_resource=RESOURCE) for each in (kept, read))
    assert there.policy.digest == here.policy.digest


def test_the_stamp_changes_with_every_byte_and_every_name_of_a_file_that_counts(folder):
    stamps = [read_folder(folder).stamp]
    (folder / "notes.txt").write_text("still no policy")
    assert read_folder(folder).stamp == stamps[0]
    (folder / "tests" / "a.yaml").write_text(CASES.replace("OUTCOME", "deny"))
    stamps.append(read_folder(folder).stamp)
    (folder / "rules.yaml").rename(folder / "other.yaml")
    stamps.append(read_folder(folder).stamp)
    (folder / "other.yaml").write_text((folder / "other.yaml").read_text() + "# a comment\n")
    stamps.append(read_folder(folder).stamp)
    assert len(set(stamps)) == 4


def test_a_case_that_fails_keeps_files_out_of_force(folder):
    (folder / "tests" / "a.yaml").write_text(CASES.replace("OUTCOME", "deny"))
    with pytest.raises(WrongFiles) as caught:
        examine(read_folder(folder), default_resource=RESOURCE)
    [problem] = caught.value.problems
    assert problem.startswith("p/tests/a.yaml:5:23: tests[0].expect.outcome: leads agree: expected")


def test_what_cannot_be_read_is_a_problem_with_its_file(folder):
    os.mkfifo(folder / "pipe.yaml")
    with pytest.raises(WrongFiles, match=r"^p/pipe\.yaml: this is not a file$"):
        examine(read_folder(folder), default_resource=RESOURCE)


def test_a_folder_that_is_not_there_says_so(tmp_path):
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        read_folder(tmp_path / "none")


@pytest.mark.parametrize("kept", [b"", b"x", pack(Folder(name="p", files=()))[:-3]])
def test_what_is_damaged_says_so(kept):
    with pytest.raises(ValueError, match="damaged"):
        unpack(kept)
