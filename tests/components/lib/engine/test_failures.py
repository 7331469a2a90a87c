"""What engines say of a worker's failure, shortened; the texts are those of Prism 2.77 and of Beam's own runners."""

import re

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from retrainer.components.lib.engine.failures import explain_failure, first_cause
from retrainer.components.lib.engine.work_items import check_versions, versions
from retrainer.components.lib.errors import RetrainerError

WORKER = """Pipeline job-011 failed in state FAILED: bundle inst006 stage-007 failed:Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1498, in apache_beam.runners.common.DoFnRunner.process
  File "model.py", line 17, in preprocessing_fn
    import shop
{raised}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/opt/beam/sdk_worker.py", line 312, in _execute
    response = task()
{raised} [while running 'CreateSavedModel-ptransform-12']
"""


def explained(raised: str, arguments: list[str] = ()) -> str:
    error = RuntimeError(WORKER.format(raised=raised))
    options = PipelineOptions(list(arguments))
    return str(explain_failure("transform_features", "PortableRunner at x:1", error, None, options))


def test_a_package_that_the_workers_lack_is_named_with_the_line_that_wants_it():
    found = explained("ModuleNotFoundError: No module named 'shop.prices'")
    assert found.splitlines() == [
        "transform_features failed on PortableRunner at x:1 (job job-011):",
        "ModuleNotFoundError: No module named 'shop.prices'",
        "It was in model.py, line 17.",
        "The workers lack 'shop'. Install it in the image that they run in (engine.worker_image), which must be "
        "retrainer's or one on top of it.",
    ]


def test_an_error_of_our_own_is_what_it_is_in_process():
    ours = "retrainer.components.lib.errors.RetrainerError: model.py raised, line 17: 1 / 0"
    assert "It was in" not in explained(ours)
    raised = (
        "retrainer.components.lib.errors.RetrainerError: column 'gate' is text.\nMake it a number."
    )
    assert first_cause(WORKER.format(raised=raised)) == "column 'gate' is text.\nMake it a number."


@pytest.mark.parametrize(
    ("raised", "fix"),
    [
        (
            "TypeError: code() argument 13 must be str, not int",
            "another Python or Beam .* Python 3",
        ),
        ("OSError: [Errno 28] No space left on device: '/tmp/x'", "disk of a worker is full"),
        ("RuntimeError: SDK worker disconnected ... context canceled", "worker .* was lost"),
        ("KeyError", "KeyError"),
    ],
)
def test_the_fix_is_named_where_it_is_known(raised, fix):
    assert re.search(fix, explained(raised))
    assert len(explained(raised).splitlines()) <= 6


def test_rows_are_no_part_of_a_message():
    rows = " ".join(str(number / 7) for number in range(5_000))
    found = explained(f"ValueError: TF Metric x fails to update with predictions: [{rows}]")
    assert "ValueError: TF Metric x fails to update with predictions: [..." in found
    assert len(found) < 500


def test_dataflow_shows_its_page_of_the_job():
    class Job:
        def job_id(self):
            return "2026-11-26_x"

    options = PipelineOptions(["--project=acme", "--region=europe-west1"])
    found = str(explain_failure("x", "DataflowRunner", ValueError("no"), Job(), options))
    assert "console.cloud.google.com/dataflow/jobs/europe-west1/2026-11-26_x?project=acme" in found
    assert found.endswith("ValueError: no")


def test_workers_of_other_versions_name_both():
    check_versions(versions())
    with pytest.raises(
        RetrainerError, match=r"workers run Python .* this task Python 3\.9 and Bea"
    ):
        check_versions({"Python": "3.9", "Beam": "2.50"})
