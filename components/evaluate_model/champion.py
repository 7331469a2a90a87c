"""How far the champion can be compared with a challenger on the eval rows."""

from ..lib.examples import EVAL, Examples
from ..lib.verdicts import Champion
from ..lib.words import name_spans

_WHOLE = "all"
"""What SpanPart calls a part that is a whole span, not one side of a hash split."""


def seen_before(examples: Examples, champion: Champion) -> str:
    """Say which eval spans the champion trained on.

    It has an advantage on them. That happens where a run of an older span is allowed, or where the window or
    `eval_spans` changed. A hash split by key keeps the eval rows of the same spans out of training.

    Args:
        examples: The examples; the eval split is judged on.
        champion: The champion; nothing is known of one that the registry has no spans of.

    Returns:
        A clause; empty if it trained on none of them.
    """
    whole = [part.span for part in examples.splits[EVAL] if part.part == _WHOLE]
    trained = [span for span in dict.fromkeys(whole) if span in champion.train_spans]
    if not trained:
        return ""
    return f"{champion.name} trained on eval rows (spans {name_spans(trained)}), which favours it"
