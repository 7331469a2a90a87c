"""The kinds of triggers, a module each."""
