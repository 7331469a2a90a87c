"""Beam's runners: their names, what each needs, where its workers run, and from which image."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..words import did_you_mean, near, one_of
from .options import OptionProblem
from .reference import runner_names

IN_PROCESS = "in_process"
DATAFLOW, FLINK, SPARK = "DataflowRunner", "FlinkRunner", "SparkRunner"
PORTABLE, PRISM, DIRECT = "PortableRunner", "PrismRunner", "DirectRunner"
SHORT_NAMES = {
    IN_PROCESS: "",
    "dataflow": DATAFLOW,
    "flink": FLINK,
    "spark": SPARK,
    "portable": PORTABLE,
    "prism": PRISM,
    "direct": DIRECT,
}
"""Names of runners in retrain.yaml, and Beam's classes; `in_process` needs no Beam."""

WORKER_IMAGES = ("sdk_container_image", "worker_harness_container_image")
"""Options with the image of Dataflow's workers; the second is the older name of the first (Beam's WorkerOptions)."""

_HERE = ("DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner", "FnApiRunner")
_PORTABLE = (PORTABLE, FLINK, SPARK, PRISM)
_ENVIRONMENTS = ("DOCKER", "PROCESS", "EXTERNAL", "LOOPBACK")
_UNUSABLE = {
    "template_location": "has Dataflow keep a template and run nothing",
    "dataflow_job_file": "has Beam write the request to a file",
    "output_executable_path": "has Beam write a jar and run nothing",
    "dry_run": "has Beam run nothing",
    "update": "replaces a job that runs",
    "create_from_snapshot": "goes on with another job's state",
    "no_wait_until_finish": "has Beam go on before the job is done",
}
# Beam's FlinkRunner, SparkRunner and PrismRunner run workers in the submitting process where they start the engine.
_LOCAL_FLINK = ("[local]", "[auto]")
_LOCAL_SPARK = "local"


def runner_class(name: str) -> str | None:
    """Return the class of Beam's runner that a name means.

    Args:
        name: One of `SHORT_NAMES`, or what Beam takes: a class's name in any case, with or without `Runner`, or a
            class with its module.

    Returns:
        The class's name, with the module if it is none of Beam's; empty for `in_process`; None if there is no such
        runner.
    """
    if name.lower() in SHORT_NAMES:
        return SHORT_NAMES[name.lower()]
    known = {runner_name.lower(): runner_name for runner_name in runner_names()}
    module, _, last = name.rpartition(".")
    if module and not module.startswith("apache_beam."):
        return name
    return known.get(last.lower()) or known.get(f"{last.lower()}runner")


def runner_problem(name: str) -> str:
    """Describe what is wrong with a runner's name; empty if nothing is."""
    if "dask" in name.lower():
        return "wrote an empty file for a pipeline of two combines and a side input (Beam 2.72); use another."
    if runner_class(name) is not None:
        return ""
    names = [*SHORT_NAMES, *runner_names()]
    # FlinkRuner is like FlinkRunner and flnk like flink.
    if near(name, names):
        return f"is no runner.{did_you_mean(name, names)}"
    return f"is no runner. It is {one_of(list(SHORT_NAMES))}, or a class of Beam's such as FlinkRunner."


def environment_type(runner: str, options: Mapping[str, Any]) -> str:
    """Return where a portable runner runs its workers: Beam's `environment_type`, or its default.

    Args:
        runner: The runner's class.
        options: Its options by name.

    Returns:
        Such as `DOCKER`; empty for runners that have no such choice.
    """
    if runner not in _PORTABLE:
        return ""
    if given := options.get("environment_type"):
        return str(given)
    local = {
        PRISM: True,
        FLINK: options.get("flink_master", _LOCAL_FLINK[1]) in _LOCAL_FLINK,
        SPARK: str(options.get("spark_master_url", _LOCAL_SPARK)).startswith(_LOCAL_SPARK),
    }
    return "LOOPBACK" if local.get(runner) else "DOCKER"


def works_here(runner: str, options: Mapping[str, Any]) -> bool:
    """Return whether a runner's workers see the disk of the process that starts the pipeline.

    Args:
        runner: The runner's class; empty for `in_process`.
        options: Its options by name.
    """
    return (
        not runner
        or runner.rpartition(".")[2] in _HERE
        or environment_type(runner, options) == "LOOPBACK"
    )


def unusable_options(options: Mapping[str, Any]) -> Iterator[OptionProblem]:
    """Find options with which a pipeline gives a task no result.

    Args:
        options: Options by name.

    Yields:
        A problem for each.
    """
    for name, does in _UNUSABLE.items():
        if options.get(name) not in (None, False, "false", "False", ""):
            yield OptionProblem(name, f"{does}, and the task needs the job's result. Leave it out.")


def missing_options(runner: str, options: Mapping[str, Any]) -> Iterator[OptionProblem]:
    """Find what a runner needs and does not have.

    Args:
        runner: The runner's class; empty for `in_process`.
        options: Its options by name.

    Yields:
        A problem for each.
    """
    given = {name for name, value in options.items() if value not in (None, "", [], {})}
    if runner == DATAFLOW:
        yield from _of_dataflow(options, given)
    if runner in _PORTABLE:
        yield from _of_engine(runner, given)
        yield from _of_environment(runner, options)


def with_worker_image(runner: str, options: Mapping[str, Any], image: str) -> dict[str, Any]:
    """Put in the image that workers start from, where the runner takes one and none is given.

    Args:
        runner: The runner's class.
        options: Its options by name.
        image: The image.
    """
    if option := image_option(runner, options):
        return {**options, option: image}
    return dict(options)


def image_option(runner: str, options: Mapping[str, Any]) -> str:
    """Name the option that takes the workers' image; empty if the runner takes none, or one is given."""
    if runner == DATAFLOW:
        return "" if any(options.get(name) for name in WORKER_IMAGES) else WORKER_IMAGES[0]
    if environment_type(runner, options) != "DOCKER" or options.get("environment_config"):
        return ""
    return "" if "docker_container_image" in _environment_options(options) else "environment_config"


def image_options(runner: str, options: Mapping[str, Any]) -> list[str]:
    """List the options that name an image of workers.

    Args:
        runner: The runner's class.
        options: Its options by name.
    """
    names = [name for name in WORKER_IMAGES if options.get(name)]
    config = options.get("environment_config")
    if isinstance(config, str) and config and environment_type(runner, options) == "DOCKER":
        names.append("environment_config")
    return names


def _of_dataflow(options: Mapping[str, Any], given: set[str]) -> Iterator[OptionProblem]:
    if "project" not in given:
        yield OptionProblem(
            "", "Dataflow needs the option 'project': the ID of a Google Cloud project."
        )
    elif str(options["project"]).isdigit():
        yield OptionProblem("project", "is a project's number; Dataflow needs its ID.")
    if "region" not in given:
        yield OptionProblem("", "Dataflow needs the option 'region', such as europe-west1.")
    for name in ("temp_location", "staging_location"):
        if name in given and not str(options[name]).startswith("gs://"):
            yield OptionProblem(
                name,
                f"is '{options[name]}', and Dataflow needs a folder on a bucket: gs://<bucket>/<folder>.",
            )


def _of_engine(runner: str, given: set[str]) -> Iterator[OptionProblem]:
    if "job_endpoint" in given:
        return
    if runner == PORTABLE:
        yield OptionProblem(
            "",
            "PortableRunner needs the option 'job_endpoint': host:port of the engine's job service.",
        )
    elif runner == PRISM and "prism_location" not in given:
        yield OptionProblem(
            "",
            "Prism needs the option 'job_endpoint' (host:port of one that runs) or 'prism_location' (its program, or "
            "an address to download it from).",
        )
    elif runner == FLINK and "flink_master" not in given:
        yield OptionProblem(
            "",
            "Flink needs the option 'flink_master' (host:port of its REST API, or [local]) or 'job_endpoint' "
            "(host:port of Beam's job server for it).",
        )
    elif runner == SPARK:
        if "spark_submit_uber_jar" in given and "spark_rest_url" not in given:
            yield OptionProblem(
                "spark_submit_uber_jar",
                "needs the option 'spark_rest_url' too: the address of Spark's REST API.",
            )
        elif not given & {"spark_master_url", "spark_rest_url"}:
            yield OptionProblem(
                "",
                "Spark needs the option 'spark_master_url' (spark://host:port, or local[4]) or 'job_endpoint' "
                "(host:port of Beam's job server for it).",
            )


def _of_environment(runner: str, options: Mapping[str, Any]) -> Iterator[OptionProblem]:
    kind = str(options.get("environment_type") or "")
    if not kind:
        if runner == PORTABLE:
            yield OptionProblem(
                "",
                "PortableRunner needs the option 'environment_type', which says where its workers run: "
                f"{one_of(_ENVIRONMENTS)}.",
            )
        return
    if kind not in _ENVIRONMENTS:
        if not kind.startswith("beam:env:"):
            hint = did_you_mean(kind.upper(), _ENVIRONMENTS, "It is one of")
            yield OptionProblem("environment_type", f"is '{kind}', which Beam does not know.{hint}")
        return
    more = _environment_options(options)
    configured = options.get("environment_config")
    if kind == "EXTERNAL" and not configured and "external_service_address" not in more:
        yield OptionProblem(
            "environment_type",
            "is EXTERNAL, which needs the option 'environment_config': host:port of a worker pool, as the engine "
            "reaches it.",
        )
    if kind == "PROCESS" and "process_command" not in more and not _has_command(configured):
        yield OptionProblem(
            "environment_type",
            "is PROCESS, which needs the option 'environment_config' with the command that starts a worker: "
            "{command: /opt/apache/beam/boot}.",
        )


def _has_command(config: Any) -> bool:
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except ValueError:
            return False
    return isinstance(config, Mapping) and bool(config.get("command"))


def _environment_options(options: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("environment_option", "environment_options"):
        value = options.get(name) or []
        if isinstance(value, Mapping):
            found |= {str(key): str(one) for key, one in value.items()}
            continue
        for item in value if isinstance(value, list) else [value]:
            key, _, text = str(item).partition("=")
            found[key] = text
    return found
