"""The component `watch_rollout`."""
