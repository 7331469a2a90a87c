"""The component `resolve_champion`."""
