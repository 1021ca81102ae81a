"""ONNX Runtime, as models are run by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lookalike.core.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime


def open_session(data: bytes, *, threads: int) -> onnxruntime.InferenceSession:
    """A session of ONNX Runtime over a model's bytes. Raises `ModelError` if it does not take them."""
    import onnxruntime  # takes a tenth of a second, so not before a model is needed

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes of errors are not public
        raise ModelError("is not a readable model file: damaged, cut short, or not ONNX") from error


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put a file's name before what a `ModelError` says of it."""
    try:
        yield
    except ModelError as error:
        raise named(path, str(error)) from error


def named(path: str, said: str) -> ModelError:
    """What is said of a file, with its name."""
    return ModelError(f"{path}: {said}" if said.startswith("its ") else f"{path} {said}")
