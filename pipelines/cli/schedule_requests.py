"""What `retrainer schedule` sends: the target, the request, and a digest of what the runs are made of."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...components.lib.errors import RetrainerError
from ..definitions.compiled import Pipeline
from ..definitions.compiling import compile_pipeline
from ..project.checks import check_settings
from ..project.config import LoadedConfig, load_config
from ..project.pipelines import CONTINUOUS_TRAINING, PIPELINES, pipeline_name
from ..project.sections.schedule import ScheduleConfig, in_zone
from ..targets.catalog import open_target, target_settings
from ..targets.interface import Target
from ..targets.precedence import flag
from ..targets.schedule_changes import DIGEST_LENGTH
from ..targets.types import ScheduleRequest
from .options import show_warnings, take_flags
from .prepare import prepare

# Settings of whoever calls the service, which its runs do not have.
_OF_THE_CALLER = {"host", "endpoint", "token_file", "ca_certificate", "template_repository"}


def open_schedules(
    file: Path,
    kind: str,
    options: dict[str, Any],
    image: str | None = None,
    pipeline: str = CONTINUOUS_TRAINING,
) -> tuple[Target, str]:
    """Open a target to look at a pipeline's schedules or change them, without starting runs.

    Args:
        file: The retrain.yaml.
        kind: The target.
        options: What `target_options` collected.
        image: Image in place of the file's.
        pipeline: Which of `PIPELINES`. One whose section is gone may still have a schedule.

    Returns:
        The target, and the digest of the file as it is now; empty without the pipeline's section.
    """
    loaded, flags = _with_image(load_config(file), image), take_flags(options)
    if not PIPELINES[pipeline].is_configured(loaded.config):
        nothing = Pipeline(pipeline_name(loaded.config, pipeline), "", {})
        return open_target(kind, loaded, nothing, flags, starts_runs=False), ""
    loaded = loaded.of(pipeline)
    compiled = compile_pipeline(loaded)
    target = open_target(kind, loaded, compiled, flags, starts_runs=False)
    return target, _digest(loaded, compiled, kind, options)


def prepare_schedule(
    file: Path,
    kind: str,
    image: str | None,
    parameters: dict[str, str],
    template: str,
    options: dict[str, Any],
    pipeline: str = CONTINUOUS_TRAINING,
) -> tuple[Target, str, str]:
    """Prepare a pipeline whose runs a schedule will start.

    Args:
        file: The retrain.yaml.
        kind: The target.
        image: Image in place of the file's.
        parameters: Parameters of the runs.
        template: Pushed template in place of the pipeline; empty for none.
        options: What `target_options` collected.
        pipeline: Which of `PIPELINES`.

    Returns:
        The target, the pipeline's name, and the digest of what its runs are made of.

    Raises:
        RetrainerError: If a setting is wrong.
    """
    loaded, compiled = prepare(file, image, kind, parameters, template, pipeline)
    if not template:
        show_warnings(check_settings(loaded))
    target = open_target(kind, loaded, compiled, take_flags(options))
    if template:
        # What it was pushed from is not this file, which may change as it likes.
        return target, compiled.name, ""
    # That of the file, which `list` can make without asking registries, and after it that with the images pinned.
    written = _with_image(load_config(file).of(pipeline), image)
    unpinned = compiled if written == loaded else compile_pipeline(written)
    digest = _digest(written, unpinned, kind, options)
    if unpinned is not compiled and not loaded.moving_images:
        digest += _digest(loaded, compiled, kind, options)
    return target, compiled.name, digest


def _with_image(loaded: LoadedConfig, image: str | None) -> LoadedConfig:
    if not image:
        return loaded
    config = loaded.config.model_copy(update={"image": image})
    return dataclasses.replace(loaded, config=config)


def _digest(loaded: LoadedConfig, pipeline: Pipeline, kind: str, options: dict[str, Any]) -> str:
    """Return what stands for a compiled pipeline and the settings of its runs."""
    settings = target_settings(kind, loaded, take_flags(options))
    described = settings.model_dump_json(exclude=_OF_THE_CALLER)
    # What Vertex AI alone takes is in no text that other targets read.
    own = json.dumps(pipeline.vertex) if pipeline.vertex else ""
    made_of = f"{pipeline.text}{own}\n{described}"
    return hashlib.sha256(made_of.encode()).hexdigest()[:DIGEST_LENGTH]


def read_clock(values: dict[str, Any]) -> ScheduleConfig:
    """Read flags as the file's section `schedule` is read.

    Args:
        values: The flags' values by key.

    Raises:
        RetrainerError: If one is wrong; the message names the flag.
    """
    try:
        return ScheduleConfig.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = f"{flag(str(problem['loc'][0]))}: " if problem["loc"] else ""
        message = problem["msg"].removeprefix("Value error, ")
        raise RetrainerError(f"{place}{message}.") from error


def make_request(
    clock: ScheduleConfig,
    name: str,
    parameters: dict[str, str],
    digest: str,
    applied: bool = False,
) -> ScheduleRequest:
    """Build what is sent to a target.

    Args:
        clock: When runs start.
        name: Name of the schedule.
        parameters: Parameters of its runs.
        digest: Digest of what they are made of.
        applied: Whether it comes from the file's section `schedule`.
    """
    return ScheduleRequest(
        name,
        clock.cron,
        clock.time_zone,
        parameters,
        clock.catch_up,
        start=in_zone(clock.start, clock.time_zone),
        end=in_zone(clock.end, clock.time_zone),
        max_runs=clock.max_runs,
        digest=digest,
        applied=applied,
    )
