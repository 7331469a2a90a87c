"""Claims: which replica starts a run, and how many runs a trigger starts."""
