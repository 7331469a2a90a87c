"""The sections of `serving.deploy`, a module for each service."""
