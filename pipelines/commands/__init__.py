"""The commands of `retrainer` that talk to services, one module each."""
