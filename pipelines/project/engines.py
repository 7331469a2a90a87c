"""What the section `engine` gives each component, and what is wrong with the section by itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...components.lib.engine.options import RUNNER, option_problems, write_arguments
from ...components.lib.engine.runners import (
    DATAFLOW,
    IN_PROCESS,
    missing_options,
    runner_problem,
    unusable_options,
    with_worker_image,
    works_here,
)
from ...components.lib.image import IMAGE
from .sections.engine import (
    BEAM_COMPONENTS,
    ComponentEngine,
    EngineConfig,
    EngineOverrideConfig,
)
from .sections.retrain import RetrainConfig
from .yaml_places import YamlPlaces, dotted


def component_engine(config: RetrainConfig, component: str) -> ComponentEngine:
    """Return what a component runs on, with what its options leave open and other sections say.

    Args:
        config: The configuration.
        component: Name of the component.
    """
    engine = config.engine.of(component)
    known: dict[str, Any] = {}
    if not works_here(engine.runner, engine.options):
        known["job_name"] = config.name.rstrip("-")
    if engine.runner == DATAFLOW:
        vertex = config.targets.vertex
        known |= {"project": vertex.project, "region": vertex.region}
        if not engine.options.keys() & {"label", "labels"}:
            known["labels"] = vertex.labels
    given = {name: value for name, value in known.items() if value}
    return engine._replace(options={**given, **engine.options})


def engine_arguments(config: RetrainConfig, component: str) -> list[str]:
    """Write the arguments of a component's Beam pipeline.

    Args:
        config: The configuration.
        component: Name of the component.

    Returns:
        Beam's own arguments, the workers' image among them; none if it runs in the task's process.
    """
    engine = component_engine(config, component)
    if not engine.runner:
        return []
    options = with_worker_image(engine.runner, engine.options, worker_image(config, component))
    return write_arguments({RUNNER: engine.runner, **options})


def worker_image(config: RetrainConfig, component: str) -> str:
    """Return the image that a component's workers start from, where no option names one."""
    engine = config.engine.of(component)
    return engine.worker_image or config.tasks.of(component).image or config.image or IMAGE


def describe_problems(config: RetrainConfig, places: YamlPlaces) -> list[str]:
    """Describe what is wrong with the section by itself: names, values, and what a runner needs.

    Args:
        config: The configuration.
        places: The text that it was read from.

    Returns:
        A line for each problem, with its place.
    """
    return [
        f"{places.locate(place)}: {sentence}"
        for place, sentence in dict.fromkeys(_section_problems(config))
    ]


def _section_problems(config: RetrainConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    engine = config.engine
    found = list(_unknown_names(("engine",), engine.runner, engine.options))
    for component, one in engine.overrides.items():
        found += _unknown_names(("engine", "overrides", component), one.runner, one.options)
    yield from found
    if any(place[-1] == RUNNER for place, _ in found):
        return
    yield from _without_engine(("engine",), engine.runner, engine)
    for component, one in engine.overrides.items():
        runner = one.runner or engine.runner
        yield from _without_engine(("engine", "overrides", component), runner, one)
    for name in BEAM_COMPONENTS:
        given = component_engine(config, name)
        for missing in missing_options(given.runner, given.options):
            if missing.name:
                place = option_place(config, name, missing.name)
                yield place, f"'{dotted(place)}' {missing.text}"
            else:
                yield (*given.place, RUNNER), missing.text


def _without_engine(
    place: tuple[str, ...], runner: str, section: EngineConfig | EngineOverrideConfig
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Describe settings of an engine where there is none."""
    if runner.lower() != IN_PROCESS:
        return
    for key in ("options", "worker_image"):
        # An image may be that of engines which overrides name.
        if getattr(section, key) and not (
            key == "worker_image" and getattr(section, "overrides", None)
        ):
            yield (
                (*place, key),
                f"'{dotted((*place, key))}' is for an engine, and {dotted((*place, RUNNER))} is {IN_PROCESS}. Name a "
                "runner, or leave it out.",
            )


def _unknown_names(
    place: tuple[str, ...], runner: str | None, options: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str]]:
    if runner and (problem := runner_problem(runner)):
        yield (*place, RUNNER), f"'{dotted((*place, RUNNER))}' is '{runner}', which {problem}"
    own = {name: value for name, value in options.items() if name.lstrip("-") != RUNNER}
    for name in options.keys() - own.keys():
        yield (
            (*place, "options", name),
            f"the runner has its own setting: write it as {dotted((*place, RUNNER))}.",
        )
    for found in (*option_problems(own), *unusable_options(own)):
        where = (*place, "options", found.name)
        yield where, f"'{dotted(where)}' {found.text}"


def option_place(config: RetrainConfig, component: str, option: str) -> tuple[str, ...]:
    """Return where an option stands: in the component's own section or in that of all.

    Args:
        config: The configuration.
        component: Name of the component.
        option: The option.
    """
    own = config.engine.overrides.get(component)  # type: ignore[call-overload]
    if own and option in own.options:
        return ("engine", "overrides", component, "options", option)
    return ("engine", "options", option)
