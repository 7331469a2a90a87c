"""What is decided where the champion can't be compared as usual: the settings `gate.champion`."""

from dataclasses import replace

from ..lib.examples import Examples
from ..lib.saved_models.saved_model import Model
from ..lib.verdicts import Champion
from .champion_comparison import Comparison, compare_with, empty_columns, without_champion
from .evidence.settings import ChampionPolicy, Otherwise
from .gate import Verdict


def compare_by_policy(
    examples: Examples,
    champion: Champion,
    model: Model | None,
    policy: ChampionPolicy,
    broken: str = "",
) -> Comparison:
    """Decide how the champion is compared with a challenger, as `compare_with` does, and by the settings.

    Args:
        examples: The examples; the eval split is judged on.
        champion: The champion.
        model: Its SavedModel; None if there is no champion, or it does not load.
        policy: The settings.
        broken: Why it does not load; empty if it does.
    """
    if broken:
        return without_champion(examples, champion, f"{champion.name} does not load: {broken}")
    comparison = compare_with(examples, champion, model)
    if (
        model is not None
        and comparison.champion.exists
        and policy.column_gone == Otherwise.VALUE_THRESHOLDS
        and (gone := empty_columns(examples, model))
    ):
        return without_champion(examples, champion, gone)
    return comparison


def apply_policy(
    verdict: Verdict,
    champion: Champion,
    model: Model | None,
    examples: Examples,
    comparison: Comparison,
    policy: ChampionPolicy,
) -> Verdict:
    """Refuse a challenger where the settings say so.

    Args:
        verdict: The verdict without the settings.
        champion: The champion.
        model: Its SavedModel; None if there is no champion, or it does not load.
        examples: The examples.
        comparison: How it was compared.
        policy: The settings.

    Returns:
        The verdict, or a refusal whose last reason names the setting.
    """
    if champion.uri is None:
        what, setting, chosen = "there is no champion to compare with", "missing", policy.missing
    elif model is None:
        what, setting, chosen = f"{champion.name} does not load", "broken", policy.broken
    elif gone := empty_columns(examples, model):
        what, setting, chosen = gone, "column_gone", policy.column_gone
    elif not comparison.champion.exists:
        what = f"{champion.name} can't be compared on these rows"
        setting, chosen = "unfit", policy.unfit
    else:
        return verdict
    if chosen != Otherwise.REFUSE:
        return verdict
    reason = f"{what}, and gate.champion.{setting} is refuse"
    reasons = (*verdict.reasons, reason)
    summary = reason if verdict.blessed else f"{verdict.summary}; {reason}"
    return replace(verdict, blessed=False, reasons=reasons, summary=summary)
