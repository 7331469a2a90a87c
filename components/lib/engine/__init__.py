"""Beam's engines as far as they are known without Beam: options, what a runner needs, whether it answers."""
