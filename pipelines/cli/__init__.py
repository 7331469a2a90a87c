"""All that a person types or sees: one module for each group of commands."""
