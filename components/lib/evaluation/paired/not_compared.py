"""What two models can't be compared by row by row, as far as it is known without TFMA."""

NOT_COMPARED = frozenset(
    {
        # Of both models at once.
        "BooleanFlipRates", "ModelCosineSimilarity", "NegToNegFlipRate", "NegToPosFlipRate", "PosToNegFlipRate",
        "PosToPosFlipRate", "SymmetricFlipRate", "SymmetricPredictionDifference",
        # Whose sums have no array path.
        "ExactMatch", "MeanAbsoluteAttributions", "MeanAttributions", "SetMatchPrecision", "SetMatchRecall",
        "TotalAbsoluteAttributions", "TotalAttributions",
    }
)  # fmt: skip
"""By class; of others a task finds out before it reads a row."""


def cluster_of_lists(column: str) -> str:
    """Describe that a column of lists marks no rows that depend on each other.

    Args:
        column: The column, as `gate.cluster` names it.
    """
    return (
        f"gate.cluster names '{column}', a column of lists, and each row must be in one cluster. Name a column with "
        "one value in each row, such as a customer."
    )
