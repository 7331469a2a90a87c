"""The arguments of a component's Beam pipeline: whether Beam will do what they say."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import RetrainerError
from .options import RUNNER, ArgumentError, OptionProblem, option_problems, read_arguments
from .reference import FLAG, NEGATIVE_FLAG, installed_beam, option_kinds
from .runners import (
    DIRECT,
    IN_PROCESS,
    missing_options,
    runner_class,
    runner_problem,
    unusable_options,
)


class BeamArguments(NamedTuple):
    """What arguments say.

    Attributes:
        runner: Class of the runner.
        options: The other options by name.
    """

    runner: str
    options: dict[str, Any]


def check_arguments(beam_args: Sequence[str]) -> BeamArguments:
    """Check Beam's arguments: Beam itself drops an option that it does not know, and runs with what is left.

    Args:
        beam_args: Beam's own arguments, such as `--runner=DataflowRunner`; the DirectRunner if they name none.

    Returns:
        What they say.

    Raises:
        RetrainerError: If the runner or an option is unknown, a value is of the wrong kind, or something is missing
            that the runner needs. Every problem has a line.
    """
    beam = installed_beam()
    try:
        options = read_arguments(beam_args, beam)
    except ArgumentError as error:
        raise RetrainerError(f"beam_args: {error}.") from error
    named = str(options.pop(RUNNER, "") or DIRECT)
    lines = []
    if named.lower() == IN_PROCESS:
        lines.append(f"beam_args: {IN_PROCESS} is no runner of Beam's; leave beam_args out.")
    elif problem := runner_problem(named):
        lines.append(f"beam_args: --runner={named} {problem}".rstrip(".") + ".")
    runner = runner_class(named) or DIRECT
    problems = [*_flags_with_values(beam_args, beam), *option_problems(options, beam)]
    problems += unusable_options(options)
    problems += missing_options(runner, options) if not lines else []
    lines += [f"beam_args: {_said(problem)}" for problem in problems]
    if lines:
        raise RetrainerError("\n".join(lines))
    return BeamArguments(runner, options)


def _flags_with_values(beam_args: Sequence[str], beam: str) -> Iterator[OptionProblem]:
    # Beam's parser ends the process at one.
    kinds = option_kinds(beam)
    for item in beam_args:
        name, equals, value = item.removeprefix("--").partition("=")
        if equals and kinds.get(name) in (FLAG, NEGATIVE_FLAG):
            yield OptionProblem(name, f"takes no value; leave '={value}' out.")


def _said(problem: OptionProblem) -> str:
    return f"--{problem.name} {problem.text}" if problem.name else problem.text
