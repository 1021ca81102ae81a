"""Compiles the kernels when the package is built. Without a compiler the package is built without them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("src/lookalike/search/hamming.c")


class CompileKernels(BuildHookInterface[Any]):
    """`hamming.c` to `hamming.so` beside it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make the wheel one of this platform if that worked."""
        if self.target_name != "wheel":
            return
        compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
        source = Path(self.root) / SOURCE
        made = source.with_suffix(".dll" if platform.system() == "Windows" else ".so")
        if compiler is None or os.environ.get("LOOKALIKE_PURE"):
            self.app.display_warning("no C compiler: search will use NumPy alone, and be slower")
            return
        command = [*compiler.split(), "-O3", "-shared", "-fPIC", "-o", str(made), str(source)]
        try:
            subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            self.app.display_warning(f"the kernels did not compile, so search will be slower: {said}")
            return
        build_data["artifacts"].append(str(made.relative_to(self.root)))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
