"""Arguments that Beam would drop, or fail on after minutes, stop a component at once."""

import pytest

from retrainer.components.lib.engine.arguments import check_arguments
from retrainer.components.lib.errors import RetrainerError


def test_right_arguments_are_read():
    found = check_arguments(["--runner=prism", "--job_endpoint=localhost:8073", "--streaming"])
    assert found.runner == "PrismRunner"
    assert found.options == {"job_endpoint": "localhost:8073", "streaming": True}
    assert check_arguments(["--direct_num_workers=2"]).runner == "DirectRunner"


def test_a_mistyped_option_never_runs_in_this_process():
    with pytest.raises(RetrainerError, match=r"--runer is no option.*Did you mean 'runner'"):
        check_arguments(["--runer=PortableRunner", "--job_endpoint=localhost:8073"])


def test_every_problem_has_a_line():
    with pytest.raises(RetrainerError) as raised:
        check_arguments(["--runner=DataflowRunner", "--projct=a", "--num_workers=x"])
    assert str(raised.value).splitlines() == [
        "beam_args: --projct is no option of Beam's. Did you mean 'project'?",
        "beam_args: --num_workers must be a whole number and is 'x'.",
        "beam_args: Dataflow needs the option 'project': the ID of a Google Cloud project.",
        "beam_args: Dataflow needs the option 'region', such as europe-west1.",
    ]
    with pytest.raises(
        RetrainerError, match=r"^beam_args: --runner=FlinkRuner is no runner.*FlinkRunner"
    ):
        check_arguments(["--runner=FlinkRuner"])
    with pytest.raises(RetrainerError, match="leave beam_args out"):
        check_arguments(["--runner=in_process"])
    with pytest.raises(RetrainerError, match=r"--streaming takes no value; leave '=true' out"):
        check_arguments(["--streaming=true"])
    with pytest.raises(RetrainerError, match=r"^beam_args: --update replaces a job that runs"):
        check_arguments(["--update"])
    with pytest.raises(RetrainerError, match=r"^beam_args: 'x' is no option"):
        check_arguments(["x"])
