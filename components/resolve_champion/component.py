"""The KFP face of `resolve_champion`."""

from typing import NamedTuple

from kfp import dsl

from ..lib.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def resolve_champion(
    champion: dsl.Output[dsl.Model],
    store: str,
    alias: str = "champion",
    span: str = "",
    pattern: str = "",
    allow_older: str = "false",
    run: str = "",
    run_resource: str = "",
    run_uuid: str = "",
) -> NamedTuple("Outputs", [("verdict", str)]):
    """Looks up the model in service in the registry. Do not cache this task: it reads the world.

    A run of a span that is older than the newest one that the champion has seen fails here, before it trains:
    `push_model` would refuse its model.

    Args:
        champion: Version, URI and digest of the champion; all null if no model was pushed yet.
        store: URI of the store, which keeps the registry.
        alias: The alias that the model in service has.
        span: The newest span of the run, from `ingest_spans`; empty to compare nothing.
        pattern: The pattern that the span was found with; it has the format of the spans' dates.
        allow_older: `true` to let a run of an older span go on.
        run: Name of the run, by which the store keeps what this task used and decided; empty to keep nothing.
        run_resource: The run's resource name, from kfp's placeholder; it distinguishes runs of one name.
        run_uuid: The run's id, from kfp's placeholder; it distinguishes runs of one name.

    Returns:
        verdict: The champion's version.
    """
    from retrainer.components.lib.runs.run_records import recording
    from retrainer.components.resolve_champion.resolve import resolve

    with recording(store, "resolve_champion", run, run_resource, run_uuid) as record:
        record.verdict = resolve(store, champion.path, alias, span, pattern, allow_older, record)
    return (record.verdict,)
