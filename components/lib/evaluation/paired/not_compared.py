"""Metrics that two models can't be compared by row by row, as far as it is known without TFMA."""

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
