"""The task of evaluate_model: an earlier judgement of the same model against the same champion, or a new one.

TFMA is loaded for a new one alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..lib.report.page import place_of, render_page
from ..lib.runs.reuse import Result, Work, reuse_or_make
from ..lib.uris import join, write_atomic, write_json
from ..lib.verdicts import Blessing, Champion

# Beside the files of TFMA that it stands for.
SETTLED_FILE = "settled.json"


def evaluate_or_reuse(
    examples: str,
    model: str,
    champion: str,
    evaluation: str,
    blessing: str,
    report: str,
    settings: Mapping[str, Any],
    log_metric: Callable[[str, float], None],
    store: str,
    salt: str,
    training: Mapping[str, Any] | None,
) -> str:
    """Judge a model, unless the store has the judgement of this model against this champion on these rows.

    Args:
        examples: The examples artifact.
        model: The challenger's artifact.
        champion: The champion's artifact; its content says version and digest, so another champion is another work.
        evaluation: Folder for TFMA's result files.
        blessing: Folder for the blessing.
        report: File for the HTML report.
        settings: What is computed and what is asked of it: the arguments of `evaluate` from `metrics_specs` to `gate`.
        log_metric: Takes the name and value of each overall metric.
        store: URI of the store; empty to look for no earlier result.
        salt: What else the result depends on.
        training: What train_model noted of the training, for the report; the result does not depend on it.

    Returns:
        The verdict. Where the champion's artifact says that a push has settled the matter, nothing is judged, and the
        blessing is one of no model.
    """
    if settled := Champion.read(champion).settled:
        return _pass_over(settled, evaluation, blessing, report)
    work = Work(
        component="evaluate_model",
        parameters=dict(settings),
        inputs={"examples": examples, "model": model, "champion": champion},
        outputs={"evaluation": evaluation, "blessing": blessing, "report": report},
        salt=salt,
    )

    def make() -> Result:
        from .evaluate import evaluate

        metrics: dict[str, float] = {}
        verdict = evaluate(
            examples,
            model,
            champion,
            evaluation,
            blessing,
            report,
            log_metric=metrics.__setitem__,
            training=training,
            **settings,
        )
        return Result(verdict, {"metrics": metrics})

    done = reuse_or_make(store, work, make)
    for name, value in done.values["metrics"].items():
        log_metric(name, value)
    return done.verdict


def _pass_over(settled: str, evaluation: str, blessing: str, report: str) -> str:
    """Write the outputs of an evaluation that is not needed."""
    verdict = f"not needed: {settled}"
    write_json(join(evaluation, SETTLED_FILE), {"settled": settled})
    # Of no model, so that it opens no gate.
    Blessing(False, (verdict,), f"refused: {verdict}", "", None).write(blessing)
    words = ("settled", "settled")
    page = render_page("Evaluation", verdict, True, {}, "", words, place=place_of(report))
    write_atomic(report, page)
    return verdict
