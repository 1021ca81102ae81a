"""Models of Hugging Face's hub as they lie on this machine: nothing is fetched, the user has done that before.

Its libraries keep what `hf download NAME` fetches in a cache that they share; the card, README.md, is there too.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lookalike.core.errors import ConfigError

TIMM, HUB = "timm:", "hf:"  # what names of models begin with
OFFLINE = "HF_HUB_OFFLINE"
UNKNOWN = "unknown"


def missing(what: str, package: str, error: Exception) -> ConfigError:
    """That a model needs a package which is not installed or does not work."""
    return ConfigError(
        f"{what} needs the package {package}, which cannot be imported ({error}). Install it with: pip install "
        f"{package} (in a clone of the repository: pip install -c constraints.txt {package})"
    )


@contextlib.contextmanager
def offline(library: str) -> Iterator[None]:
    """While it is open the hub's libraries ask no server, and `library` tells nothing on the terminal.

    The variable counts when they are first imported, and from then on a constant of theirs: both are set, and given
    back afterwards. Raises `ConfigError` if the library of the hub is not installed.
    """
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise missing(library, "huggingface_hub", error) from error
    variable, constant = os.environ.get(OFFLINE), constants.HF_HUB_OFFLINE
    logger = logging.getLogger(library)
    level = logger.level
    os.environ[OFFLINE], constants.HF_HUB_OFFLINE = "1", True
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        constants.HF_HUB_OFFLINE = constant
        if variable is None:
            del os.environ[OFFLINE]
        else:
            os.environ[OFFLINE] = variable


def reason(error: Exception) -> str:
    """Why a model could not be loaded, in a line."""
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    from lookalike.backbones import tracing  # and torch with it

    absent = (LocalEntryNotFoundError, OfflineModeIsEnabled)
    if isinstance(error, absent) or isinstance(error.__cause__, absent):
        return "it is not in the cache of Hugging Face, and is not fetched from here"
    return tracing.said(error)


def file(model: str, name: str) -> Path | None:
    """A file of a model: in its folder, or of its last revision in the cache; None where there is none."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, name)
    except HFValidationError:  # not a name of the hub
        return None
    return Path(found) if isinstance(found, str) else None


def card(model: str) -> dict[str, Any]:
    """What a model's card says at its head, such as `license` and `datasets`; nothing if there is no card."""
    path = file(model, "README.md")
    if path is None:
        return {}
    from huggingface_hub import ModelCard

    try:
        said: dict[str, Any] = ModelCard.load(path).data.to_dict()
    except Exception:  # of the YAML's parser and of the checks of what it says: as good as no card
        return {}
    return said


def licence(said: dict[str, Any]) -> str:
    """The licence that a card names; "unknown" if it names none."""
    named = said.get("license")
    if named == "other":
        named = said.get("license_name", named)
    return str(named) if named else UNKNOWN


def trained_on(said: dict[str, Any]) -> str:
    """The data sets that a card names; "unknown" if it names none."""
    named = said.get("datasets")
    named = [named] if isinstance(named, str) else named or []
    return ", ".join(str(one) for one in named) or UNKNOWN
