"""Compiles the kernels when the package is built. Without a compiler the package is built without them.

`CC` names the compiler; else it is the first of `cc`, `gcc`, `clang` and `cl` (MSVC). `LOOKALIKE_KERNELS=no` leaves
them out; with `LOOKALIKE_KERNELS=yes`, as for published wheels, it is an error if they do not compile.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/lookalike/search/hamming.c")


def command(compiler: list[str], source: Path, made: Path, *, tag: str) -> list[str]:
    """The call of a compiler that makes a shared library for a platform, such as `macosx_11_0_universal2`."""
    if Path(compiler[0]).stem.lower() in ("cl", "clang-cl"):
        return [*compiler, "/nologo", "/O2", "/LD", str(source), f"/Fe:{made}", f"/Fo:{made.with_suffix('.obj')}"]
    options = [] if tag.startswith("win") else ["-fPIC"]
    if tag.startswith("macosx"):
        options += [part for one in ("x86_64", "arm64") if tag.endswith((one, "universal2")) for part in ("-arch", one)]
    return [*compiler, "-O3", "-shared", *options, "-o", str(made), str(source)]


class CompileKernels(BuildHookInterface[Any]):
    """`hamming.c` to `hamming.so` beside it, or `hamming.dll` on Windows."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make the wheel one of this platform if that worked."""
        wanted = os.environ.get("LOOKALIKE_KERNELS", "")
        if self.target_name != "wheel" or wanted == "no":
            return
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        source = Path(self.root) / SOURCE
        made = source.with_suffix(".dll" if platform.system() == "Windows" else ".so")
        if error := compile_with(_compiler(), source, made, tag=tag):
            if wanted == "yes":
                raise RuntimeError(f"the kernels did not compile: {error}")
            self.app.display_warning(f"search will use NumPy alone, and be slower: {error}")
            return
        build_data["artifacts"].append(str(made.relative_to(self.root)))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"


def compile_with(compiler: list[str], source: Path, made: Path, *, tag: str) -> str:
    """Compile the kernels; what went wrong, or nothing."""
    if not compiler:
        return "there is no C compiler"
    try:
        subprocess.run(command(compiler, source, made, tag=tag), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return str(getattr(error, "stderr", None) or getattr(error, "stdout", None) or error)
    return ""


def _compiler() -> list[str]:
    if given := os.environ.get("CC"):
        return shlex.split(given, posix=os.name == "posix")
    return [found] if (found := next(filter(shutil.which, ("cc", "gcc", "clang", "cl")), None)) else []
