"""retrain.yaml, the one file that says where the data is, what to predict and what good means."""

import dataclasses
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError

from ...components.lib.errors import RetrainerError
from ...components.lib.image import VERSION as RELEASE
from .config_errors import describe, untransportable
from .engines import describe_problems
from .formats.names import MAX_NAME, NAME_RULE
from .old_spellings import OldSpelling, read_old_spellings
from .pipelines import CONTINUOUS_TRAINING, PIPELINES, pipeline_name
from .sections.retrain import VERSION, RetrainConfig
from .variables import OVERRIDES, resolve_values
from .yaml_places import YamlPlaces, load_yaml

# A pipeline spec may hold a few megabytes in all; a model file of this size is no model file.
MAX_MODULE_BYTES = 64 * 1024
_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@dataclass(frozen=True)
class LoadedConfig:
    """A retrain.yaml as a run needs it: paths absolute, the model's source read.

    Attributes:
        config: The configuration, with every local path absolute.
        module: Importable module of the user's code, if it is installed in the image.
        module_source: Text of the user's code, if it is a file.
        path: The file that it was read from.
        places: Where its settings stand.
        moving_images: Images that go by a tag, whose digest is not known: services don't cache their tasks.
        pipeline: Which of `PIPELINES` is compiled, submitted and looked for.
    """

    config: RetrainConfig
    module: str
    module_source: str
    path: str
    places: YamlPlaces
    moving_images: frozenset[str] = frozenset()
    pipeline: str = CONTINUOUS_TRAINING

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline on services and in records."""
        return pipeline_name(self.config, self.pipeline)

    def of(self, pipeline: str) -> "LoadedConfig":
        """Return the same configuration for another of its pipelines.

        Args:
            pipeline: Which of `PIPELINES`.

        Raises:
            RetrainerError: If retrain.yaml has no such pipeline, or its name would be too long.
        """
        if not PIPELINES[pipeline].is_configured(self.config):
            section = ".".join(PIPELINES[pipeline].section)
            raise RetrainerError(
                f"{self.path}: there is no pipeline '{pipeline}' without the section '{section}'. Add it, or choose "
                "another pipeline."
            )
        other = dataclasses.replace(self, pipeline=pipeline)
        if not re.fullmatch(NAME_RULE, other.pipeline_name):
            raise RetrainerError(
                f"{self.places.locate(('name',))}: the pipeline '{pipeline}' would be called '{other.pipeline_name}', "
                f"which is longer than {MAX_NAME} characters. Shorten 'name'."
            )
        return other


class ReadConfig(NamedTuple):
    """A retrain.yaml's text as it was read.

    Attributes:
        config: The configuration, its variables filled in.
        places: Where its settings stand.
        old: Its settings in an old spelling.
    """

    config: RetrainConfig
    places: YamlPlaces
    old: list[OldSpelling]


@functools.cache
def _say_once(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)


def load_config(
    path: str | os.PathLike[str], say: Callable[[str], None] = _say_once
) -> LoadedConfig:
    """Read a retrain.yaml.

    Args:
        path: The file.
        say: Is called with one line for each setting in an old spelling; prints it if not given.

    Returns:
        The configuration, with every local path absolute and the model's source read.

    Raises:
        RetrainerError: If the file is missing or wrong; every mistake is named with its line.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "retrain.yaml"
    text = _read_text(file)
    config, places, old = read_config(text, str(file), OVERRIDES)
    for spelling in old:
        say(spelling.describe(YamlPlaces(str(file), text)))
    home = file.resolve().parent
    module, source = _read_module(config.model.module, home)
    return LoadedConfig(
        config=_located(config, home),
        module=module,
        module_source=source,
        path=str(file),
        places=places,
    )


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no '{file}'. Name yours, or have 'retrainer init {file.parent}' write one to start from."
        ) from error
    except UnicodeDecodeError as error:
        raise RetrainerError(_not_utf8(file, error)) from error
    except OSError as error:
        raise RetrainerError(f"'{file}' can't be read: {error.strerror}.") from error


def _located(config: RetrainConfig, home: Path) -> RetrainConfig:
    """Return a configuration with every local path absolute."""
    data = config.data.model_copy(update={"pattern": _absolute(config.data.pattern, home)})
    if data.hash.key_file:
        key = data.hash.model_copy(update={"key_file": _absolute(data.hash.key_file, home)})
        data = data.model_copy(update={"hash": key})
    validation = config.validation
    if validation.schema_uri:
        validation = validation.model_copy(
            update={"schema_uri": _absolute(validation.schema_uri, home)}
        )
    deploy = config.serving.deploy.located(lambda path: _absolute(path, home))
    serving = config.serving.model_copy(update={"deploy": deploy})
    if serving.rollout:
        located = serving.rollout.located(lambda path: _absolute(path, home))
        serving = serving.model_copy(update={"rollout": located})
    predict = config.predict
    if predict:
        paths = {
            key: _absolute(path, home)
            for key in ("pattern", "output")
            if (path := getattr(predict, key))
        }
        predict = predict.model_copy(update=paths)
    monitoring = config.monitoring
    if monitoring:
        monitoring = monitoring.located(lambda path: _absolute(path, home))
    return config.model_copy(
        update={
            "data": data,
            "monitoring": monitoring,
            "predict": predict,
            "serving": serving,
            "validation": validation,
            "notify": config.notify.located(lambda path: _absolute(path, home)),
            "store": _absolute(config.store, home),
            "pipeline_root": _absolute(config.artifacts_uri, home),
        }
    )


def read_config(
    text: str, name: str, overrides: Mapping[tuple[str, ...], str] | None = None
) -> ReadConfig:
    """Parse a retrain.yaml's text: put variables in, and old spellings where they belong.

    Args:
        text: YAML.
        name: What to call it in errors.
        overrides: Environment variables that are put over settings, by the setting's place.

    Returns:
        The configuration, where its settings stand, and what is of an old spelling.

    Raises:
        RetrainerError: If it is not YAML, or wrong; every mistake is named with its line.
    """
    content = read_content(text, name)
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        # What else it holds, this release can't judge.
        raise RetrainerError(
            f"{YamlPlaces(name, text).locate(('version',))}: 'version' is {version}, and this release of retrainer "
            f"({RELEASE}) reads version {VERSION}. Install the release that the file was written for, or a newer one "
            "(pip install --upgrade retrainer)."
        )
    content, old = read_old_spellings(content, YamlPlaces(name, text), RetrainConfig)
    given = {place: key for place, key in (overrides or {}).items() if os.environ.get(key)}
    moved = {spelling.new: spelling.old for spelling in old}
    places = YamlPlaces(name, text, moved, given)
    content |= {place[0]: os.environ[key] for place, key in given.items()}
    content, problems = resolve_values(content, RetrainConfig, places, os.environ)
    if problems:
        raise RetrainerError("\n".join(problems))
    try:
        with _without_pydantic_plugins():
            config = RetrainConfig.model_validate(content)
    except ValidationError as error:
        problems = [describe(problem, places, RetrainConfig) for problem in error.errors()]
        raise RetrainerError("\n".join(problems)) from error
    problems = untransportable(content, places)
    problems += describe_problems(config, places)
    if problems:
        raise RetrainerError("\n".join(problems))
    return ReadConfig(config, places, old)


@contextmanager
def _without_pydantic_plugins() -> Iterator[None]:
    """Keep pydantic from looking for plugins while it builds the sections' validators.

    It reads the metadata of every installed distribution for them, a tenth of what `retrainer config check` takes. None
    has a say in retrain.yaml; what a user's own code builds later has its plugins.
    """
    before = os.environ.get(_NO_PLUGINS)
    os.environ[_NO_PLUGINS] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_PLUGINS]
        else:
            os.environ[_NO_PLUGINS] = before


def read_content(text: str, name: str) -> dict[str, Any]:
    """Read a retrain.yaml's text as YAML, and nothing more.

    Args:
        text: YAML.
        name: What to call it in errors.

    Returns:
        What stands in it.

    Raises:
        RetrainerError: If it is not YAML, or no mapping.
    """
    try:
        content = load_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        line = text.splitlines()[mark.line] if mark and mark.line < text.count("\n") else ""
        hint = " Put a text with ${...} in quotes between { } and [ ]." if "${" in line else ""
        raise RetrainerError(
            f"{place}: this is not YAML: {getattr(error, 'problem', error)}.{hint}"
        ) from error
    if not isinstance(content, dict):
        raise RetrainerError(
            f"{name}: this must be a mapping with the keys {', '.join(_required(RetrainConfig))}."
        )
    return content


def _required(model: type[BaseModel]) -> Iterator[str]:
    return (name for name, info in model.model_fields.items() if info.is_required())


def _absolute(path: str, home: Path) -> str:
    if re.match(r"^[a-z][a-z0-9+.-]*://", path, re.IGNORECASE):
        return path
    return os.path.normpath(os.path.join(home, os.path.expanduser(path)))


def _read_module(module: str, home: Path) -> tuple[str, str]:
    if not module.endswith(".py"):
        if not all(part.isidentifier() for part in module.split(".")):
            raise RetrainerError(
                f"model.module is '{module}', which is neither a file that ends in .py nor the name of a Python "
                "module, such as shop.model."
            )
        return module, ""
    file = home / module
    try:
        # An editor's byte order mark is no Python.
        source = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise RetrainerError(
            f"model.module names '{module}', and there is no '{file}'. Name a file relative to retrain.yaml, or a "
            "module that is installed in the image."
        ) from error
    except UnicodeDecodeError as error:
        raise RetrainerError(_not_utf8(file, error)) from error
    except OSError as error:
        raise RetrainerError(
            f"model.module names '{module}', and '{file}' can't be read: {error.strerror}."
        ) from error
    size = len(source.encode())
    if size > MAX_MODULE_BYTES:
        raise RetrainerError(
            f"'{file}' has {size:,} bytes; a file travels within the compiled pipeline and may have "
            f"{MAX_MODULE_BYTES:,}. Install larger code in the image and name it as a module."
        )
    return "", source


def _not_utf8(file: Path, error: UnicodeDecodeError) -> str:
    line = error.object[: error.start].count(b"\n") + 1
    return f"{file}:{line}: byte 0x{error.object[error.start]:02x} is not UTF-8. Save the file as UTF-8."
