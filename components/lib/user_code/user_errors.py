"""Failures in a user's model code, and in TensorFlow because of it, in the few lines that say why."""

import re
import traceback
from typing import Any

from ..errors import RetrainerError

_MOST_LINES = 4
_MOST_CHARACTERS = 400
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# Where TensorFlow's and Keras's messages say where, not why.
_PLACE = re.compile(
    r"Graph execution error:|Detected at node|in user code:|Call arguments received|Arguments received by|"
    r"Stack trace for op definition|Function call stack:|Traceback \(most recent call last\)|\[\[\{\{|"
    r"<stack traces unavailable>|Node: |Original stack trace|Exception encountered when calling|"
    r"\d+ root error\(s\) found|\(\d+\) (?!.*:)|Errors may have originated|Input Source operations|• "
)
_OPERATION = re.compile(r"\s*\[Op:[^\]]*\](?: name: \S*)?\s*$")
# Before the tensors of a call that does not fit its signature.
_ARGUMENTS = "Received args:"
# Labels, predictions and tensors in bulk: eight numbers or more in a row.
_BULK = re.compile(r"(?:[-+]?\d[\d.]*(?:e[-+]?\d+)?[\s,\[\]]+){8,}[-+\d.e]*", re.IGNORECASE)


def reason_of(error: BaseException) -> str:
    """Find the sentence that says why a call into TensorFlow or Keras failed.

    Their messages put places first (frames, nodes, the user's code again) and the reason last, and may hold every label
    and prediction.

    Args:
        error: What was raised.

    Returns:
        The reason, in a few lines without frames and without numbers in bulk.
    """
    lines = _ANSI.sub("", str(error)).splitlines()
    kept: list[str] = []
    after_frame = False
    for line in lines:
        text = _OPERATION.sub("", line).strip()
        if re.match(r'File "', text):
            after_frame = True
            # What came before a frame led to it.
            kept = []
            continue
        if after_frame:
            after_frame = False
            if line[:8].isspace():
                # The frame's source line.
                continue
        if text and not _PLACE.match(text) and not text.startswith("[["):
            kept.append(text)
    text = _BULK.sub("... ", "\n".join(kept[:_MOST_LINES]).partition(_ARGUMENTS)[0].strip())
    if not text:
        return type(error).__name__
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS].rstrip()} ..."


def explain(what: str, error: BaseException, file: str = "") -> RetrainerError:
    """Make an error that a user understands of one that their code caused.

    Args:
        what: What failed, such as `build_model in model.py raised`.
        error: What was raised.
        file: The user's file; the last line of it that was running is named.

    Returns:
        The error to raise: what, where, and why.
    """
    where = ""
    if isinstance(error, SyntaxError):
        where = f", line {error.lineno}: {(error.text or '').strip()}"
    elif file:
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename.endswith(file)
        ]
        where = f", line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
    name = f"{type(error).__name__}: "
    return RetrainerError(f"{what}{where}\n{name}{reason_of(error).removeprefix(name)}")


def user_call(function: Any, what: str, file: str = "") -> Any:
    """Wrap a call into a user's model, so that its failure is explained in a few lines.

    Args:
        function: What to call.
        what: What failed if it raises.
        file: The user's file, to name its line.

    Returns:
        A function that calls it, and raises a RetrainerError where it raises anything else.
    """

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except RetrainerError:
            raise
        except Exception as error:
            raise explain(what, error, file) from error

    return call
