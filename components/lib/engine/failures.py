"""Why a pipeline failed on an engine, in a few lines: engines pass their workers' tracebacks on, nested in others."""

import re
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from ..errors import RetrainerError
from ..user_code.user_errors import reason_of
from ..user_code.user_module import MODULE_FILE
from .work_items import versions

_MOST = 600
# The last line of a traceback, at the start of a line: the error's class, and what it says.
_RAISED = re.compile(
    r"^(?:\w+\.)*(\w*(?:Error|Exception|Exit|Interrupt)\w*)(?:: ?(.*))?$", re.MULTILINE
)
# What Beam adds to it, and where the worker's part of an engine's message ends.
_PLACE = re.compile(r"\s*\[while running '[^']*'\]|\s*passed through:\s*==>.*", re.DOTALL)
_END = re.compile(
    r"\n\s*\n|\nTraceback |\n\s+at (?:org|java|io)\.|\n(?:goroutine|Python sdk harness)|\\n"
)
_FRAME = re.compile(rf'File "[^"]*\b{re.escape(MODULE_FILE)}", line (\d+)')
_OURS = "RetrainerError"
_MISSING = re.compile(r"No module named '([\w.]+)'")
# Byte code and pickles of another Python: what unpickling it raises.
_OTHER_PYTHON = re.compile(
    r"code\(\) argument|code expected at (?:most|least)|unknown opcode|lineno: \d+, opcode|bad marshal data|"
    r"unsupported pickle protocol|Can't get attribute '.*' on <module '(?:apache_beam|cloudpickle)"
)
_LOST = re.compile(
    r"disconnected|control connection|StatusCode\.UNAVAILABLE|Connection reset|context canceled|"
    r"transport is closing|Socket closed|lost contact|OOMKilled|SIGKILL|signal: killed",
    re.IGNORECASE,
)


def explain_failure(
    component: str, engine: str, error: Exception, job: Any, options: PipelineOptions
) -> RetrainerError:
    """Make an error that a user understands of a pipeline's failure.

    Args:
        component: The component.
        engine: What to call the engine.
        error: What Beam raised.
        job: Beam's result of the run; None if the job was not started.
        options: The pipeline's options.

    Returns:
        The error to raise: which component, engine and job, the first cause from the worker, and the fix if known.
    """
    text = str(error) or type(error).__name__
    named = job_named(job, options)
    if not named and (found := re.search(r"[Pp]ipeline (\S+) failed in state", text)):
        named = f"(job {found[1]})"
    where = f"{component} failed on {engine} {named}".rstrip()
    cause = first_cause(text) or f"{type(error).__name__}: {_short(text)}"
    lines = [f"{where}:", cause]
    frames = _FRAME.findall(text)
    if frames and MODULE_FILE not in cause:
        lines.append(f"It was in {MODULE_FILE}, line {frames[-1]}.")
    if fix := _fix(text, cause):
        lines.append(fix)
    return RetrainerError("\n".join(lines))


def first_cause(text: str) -> str:
    """Find what a worker raised in an engine's message.

    Args:
        text: The message, with tracebacks in it.

    Returns:
        The error's class and what it says, of a `RetrainerError` what it says alone; empty if there is no traceback.
    """
    # Some engines quote a worker's message once more.
    text = text.replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"')
    found = list(_RAISED.finditer(text))
    if not found:
        return ""
    ours = [one for one in found if one[1] == _OURS]
    # Beam raises an error again, with the step's name, so the last one is the most complete.
    last = ours[-1] if ours else found[-1]
    message = text[last.start(2) :] if last[2] is not None else ""
    message = _PLACE.sub("", _END.split(message, maxsplit=1)[0])
    if last[1] == _OURS:
        return _short(message)
    # A message of TFMA's or TensorFlow's may hold every row.
    return f"{last[1]}: {reason_of(Exception(message))}" if message.strip() else last[1]


def job_named(job: Any, options: PipelineOptions) -> str:
    """Name a job, such as `(job 7, https://...)`, with Dataflow's page of it.

    Args:
        job: Beam's result of the run; None if the job was not started.
        options: The pipeline's options.

    Returns:
        Its name; empty if the engine gave none.
    """
    number = getattr(job, "job_id", None) or getattr(job, "_job_id", None)
    number = number() if callable(number) else number
    if not number:
        return ""
    cloud = options.view_as(GoogleCloudOptions)
    if not (cloud.project and cloud.region):
        return f"(job {number})"
    link = f"https://console.cloud.google.com/dataflow/jobs/{cloud.region}/{number}?project={cloud.project}"
    return f"(job {number}, {link})"


def _fix(text: str, cause: str) -> str:
    here = ", ".join(f"{name} {version}" for name, version in versions().items())
    if missing := _MISSING.search(cause):
        name = missing[1].partition(".")[0]
        return (
            f"The workers lack '{name}'. Install it in the image that they run in (engine.worker_image), which must be "
            "retrainer's or one on top of it."
        )
    if _OTHER_PYTHON.search(text):
        return (
            f"The workers seem to run another Python or Beam than this task, which has {here}. Run both in one image "
            "(engine.worker_image)."
        )
    if "No space left on device" in text:
        return "The disk of a worker is full. Give the workers more, then run the task again."
    if _LOST.search(text):
        return (
            "A worker or the engine's job service was lost; its log says why, such as too little memory. Nothing is "
            "half written: run the task again."
        )
    return ""


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _MOST else f"{text[:_MOST].rstrip()} ..."
