"""The registry of models: versions, their files and records, and the aliases that point at them."""
