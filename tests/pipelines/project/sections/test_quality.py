"""The section `serving`: bounds need what they are measured by."""

import pytest

from retrainer.pipelines.project.sections.quality import ServingConfig


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"requests": 0, "max_latency_ms": 5}, "requests is 0, so no latency is measured"),
        (
            {"requests": 0, "max_latency_by_batch": {64: 5}, "max_latency_p99_ms": 9},
            "requests is 0, so no latency is measured.* remove max_latency_p99_ms and max_latency_by_batch",
        ),
        ({"memory_requests": 0, "max_memory_mb": 500}, "memory_requests is 0, so no memory"),
        ({"tolerance": 0}, "greater than 0"),
        ({"tolerance": 1}, "less than 1"),
    ],
)
def test_a_bound_without_its_measure_is_an_error(settings, says):
    with pytest.raises(ValueError, match=says):
        ServingConfig.model_validate(settings)


def test_what_follows_a_push_is_no_setting_of_the_check():
    settings = ServingConfig.model_validate(
        {"max_latency_by_batch": {64: 5}, "max_memory_mb": 500, "max_latency_p50_ms": 3}
    )
    given = settings.check_settings()
    assert given["max_latency_by_batch"] == {"64": 5}
    assert (given["max_memory_mb"], given["max_latency_p50_ms"]) == (500, 3)
    assert not {"deploy", "rollout", "max_latency_ms"} & set(given)
