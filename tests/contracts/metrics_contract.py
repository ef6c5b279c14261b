"""Fixture `metrics`: an empty one."""

from typing import Any

import pytest


class MetricsContract:
    def test_what_was_never_counted_is_zero(self, metrics: Any) -> None:
        assert metrics.value("jit_events_total", kind="grant.started") == 0

    def test_each_count_adds_one_to_its_labels_alone(self, metrics: Any) -> None:
        for kind in ("a", "a", "b"):
            metrics.count("jit_events_total", kind=kind)
        metrics.count("jit_http_requests_total", route="/a", status="200")
        metrics.count("jit_http_requests_total", status="200", route="/a")
        assert metrics.value("jit_events_total", kind="a") == 2
        assert metrics.value("jit_events_total", kind="b") == 1
        assert metrics.value("jit_http_requests_total", route="/a", status="200") == 2
        assert metrics.value("jit_http_requests_total", route="/a", status="404") == 0

    def test_durations_add_up(self, metrics: Any) -> None:
        metrics.observe("jit_job_lag_seconds", 0.25, queue="s")
        metrics.observe("jit_job_lag_seconds", 0.5, queue="s")
        metrics.observe("jit_job_lag_seconds", 8, queue="m")
        assert metrics.value("jit_job_lag_seconds", queue="s") == 0.75
        assert metrics.value("jit_job_lag_seconds", queue="m") == 8

    def test_a_level_is_what_was_measured_last(self, metrics: Any) -> None:
        for level in (3, 7, 5):
            metrics.measure("jit_grants_live", level)
        assert metrics.value("jit_grants_live") == 5
        for digest in ("old", "new"):
            metrics.measure("jit_policy_info", 1, digest=digest)
        assert metrics.value("jit_policy_info", digest="new") == 1
        assert metrics.value("jit_policy_info", digest="old") == 0

    @pytest.mark.parametrize(
        ("method", "name", "labels"),
        [
            ("count", "jit_evnets_total", {"kind": "a"}),
            ("count", "jit_events_total", {}),
            ("count", "jit_events_total", {"knd": "a"}),
            ("count", "jit_events_total", {"kind": "a", "by": "UANNA"}),
            ("count", "jit_job_lag_seconds", {"queue": "s"}),
            ("observe", "jit_events_total", {"kind": "a"}),
            ("observe", "jit_job_lag_seconds", {}),
            ("measure", "jit_events_total", {"kind": "a"}),
            ("measure", "jit_grants_live", {"kind": "a"}),
        ],
    )
    def test_only_what_is_declared_can_be_told(
        self, metrics: Any, method: str, name: str, labels: dict[str, str]
    ) -> None:
        number = () if method == "count" else (1.0,)
        with pytest.raises(LookupError):
            getattr(metrics, method)(name, *number, **labels)
