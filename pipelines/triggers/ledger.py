"""Who submits which run, agreed between replicas."""


class Ledger:
    """Claims of runs, over any store that can compare and swap."""
