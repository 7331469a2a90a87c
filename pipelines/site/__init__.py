"""The page of a store: what it knows of champions, runs, spans and incidents, at one place."""
