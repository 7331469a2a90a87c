"""What the tasks of a run leave in the store: records, failures, and results to reuse."""
