"""Files that are written as a whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path of a file beside another one, whose place it takes at the end; if writing fails, it is deleted.

    An `OSError` without a file's name gets this one's.
    """
    aside = path.with_name(f".{path.name}.tmp")
    try:
        yield aside
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        if error.filename is None:
            raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
        raise
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
