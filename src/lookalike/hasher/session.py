"""ONNX Runtime sessions for models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lookalike.core.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime


def open_session(data: bytes, *, threads: int) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session for a model. Raises `ModelError` if it is rejected."""
    import onnxruntime  # takes a tenth of a second, so only when a model is needed

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads do not spin
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exception classes are not public
        raise ModelError("is not a readable model file: damaged, truncated, or not ONNX") from error


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Prefix the message of a `ModelError` with a file's name."""
    try:
        yield
    except ModelError as error:
        raise named(path, str(error)) from error


def named(path: str, message: str) -> ModelError:
    """A `ModelError` about a file, with its name."""
    return ModelError(f"{path}: {message}" if message.startswith("its ") else f"{path} {message}")
