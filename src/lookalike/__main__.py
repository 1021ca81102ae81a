"""The program `lookalike`, also `python -m lookalike`: the command line, with Ctrl-C handled during imports."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C before it is loaded is also one line and exit code 130."""
    try:
        from lookalike.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("lookalike: Stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
