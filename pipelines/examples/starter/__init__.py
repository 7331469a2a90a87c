"""The project that `retrainer init` writes: made-up orders, and which of them come back."""
