"""From messages to runs: what a message means, whether it may start a run, and that it does so once."""
