"""The packages of the distribution, which pyproject.toml can't list by a rule: their folders have other names."""

from setuptools import find_packages, setup

setup(
    packages=[
        f"retrainer.{name}"
        for root in ("components", "pipelines")
        for name in (root, *(f"{root}.{inner}" for inner in find_packages(root)))
    ]
)
