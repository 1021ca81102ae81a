"""The program `lookalike`, which is `python -m lookalike`, too: the command line, and Ctrl-C while it is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C before it can answer by itself is one line and exit code 130, too."""
    try:
        from lookalike.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("lookalike: Stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
