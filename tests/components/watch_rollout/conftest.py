"""A store with pushed models, and a service in memory."""

from servers.deployments import in_child, memory, push, quick, registry, settings, store

__all__ = ["in_child", "memory", "push", "quick", "registry", "settings", "store"]
