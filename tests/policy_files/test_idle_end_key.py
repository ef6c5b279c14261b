"""The key `idle_end` of a bundle."""

from datetime import timedelta

import pytest

from tests.policy_files.folders import bundle, loaded, problems


def test_it_is_loaded_and_left_out_it_ends_nothing(tmp_path):
    policy = loaded(tmp_path, bundles=bundle("idle_end: 20m")).policy
    assert policy.bundles["billing-read"].idle_end == timedelta(minutes=20)
    assert loaded(tmp_path).policy.bundles["billing-read"].idle_end is None


def test_it_is_part_of_what_the_digest_is_over(tmp_path):
    two = {loaded(tmp_path, bundles=bundle(f"idle_end: {n}m")).policy.digest for n in (5, 6)}
    assert len(two) == 2


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("1h", "1h is not shorter than max_duration, 1h, so nothing would ever end by it"),
        ("2h", "2h is not shorter than max_duration, 1h, so nothing would ever end by it"),
        ("0m", "must be longer than nothing"),
        ("30", "30 is not a duration; write 30m, 2h, 1h30m or 7d"),
        ("true", "true is not a duration; write 30m, 2h, 1h30m or 7d"),
    ],
)
def test_what_would_end_nothing_or_is_no_duration_is_refused_at_its_place(tmp_path, value, what):
    assert problems(tmp_path, bundles=bundle(f"idle_end: {value}")) == [
        f"p/bundles.yaml:13:15: bundles.billing-read.idle_end: {what}"
    ]
