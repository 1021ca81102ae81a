"""The command line. Each command has a file of its own, imported on demand; heavy packages load inside commands.

Data goes to stdout, messages to stderr, progress to a terminal only. Exit codes: 0, 1 (an error, one line on stderr),
2 (wrong usage), 130 (stopped with Ctrl-C), 141 (the reader of the output is gone), 143 (stopped with SIGTERM).
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from lookalike.cli.deprecated import translate
from lookalike.cli.stopping import STOPPED, sigterm_as_ctrl_c
from lookalike.core.errors import ConfigError, Interrupted, LookalikeError

GROUPS = {
    "Find": ("index", "search", "match", "compare", "duplicates", "leakage", "neighbours"),
    "Clean up": ("plan", "apply", "undo", "remove", "prune"),
    "Learn": ("models", "train", "truncate", "encode", "calibrate", "evaluate", "benchmark", "demo"),
    "Serve": ("serve",),
    "Maintain": ("info", "verify", "backup", "import", "export"),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)
MOVED = {"reproduce": "run", "datasets": "datasets"}  # to `python -m research`
MODULES = {"import": "import_"}  # module names that would be Python keywords
UNREAD = 141  # what shells report for a program whose output nobody reads any more, such as in `lookalike … | head -1`


class _Commands(TyperGroup):
    """The commands by name, each imported on demand."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]  # for suggestions; see `get_command`

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, translate(args))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for group, names in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name, self.get_command(ctx, name).get_short_help_str(200)) for name in names])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in MOVED:
            raise ConfigError(
                f"{cmd_name} is not part of this package; in a clone: python -m research {MOVED[cmd_name]}"
            )
        if cmd_name not in COMMANDS:
            return None
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name)(import_module(f"lookalike.cli.{MODULES.get(cmd_name, cmd_name)}").command)
        return typer.main.get_command(single)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from lookalike import __version__

        typer.echo(f"lookalike {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Find images that look alike, and clean up copies.

    \b
    Start with:
      lookalike index FOLDER --db DB
      lookalike duplicates --db DB
    """


def main(commands: Callable[[], object] = app) -> None:
    """Run a command line, by default this package's; errors become one line and an exit code."""
    # Pillow's warnings about odd metadata do not help users; its limit on pixels is replaced by ours.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")  # paths are bytes, and are printed unchanged
    _escape_stdout()
    with sigterm_as_ctrl_c() as signals:
        try:
            commands()
        except SystemExit as end:
            if isinstance(end.__context__, BrokenPipeError):  # typer has silenced it, with exit code 1
                sys.exit(UNREAD)
            if end.code == STOPPED:  # a signal that no command handled, for which typer exits
                sys.exit(_print_error(Interrupted("Stopped"), signals.exit_code))
            raise
        except Interrupted as error:
            sys.exit(_print_error(error, signals.exit_code))
        except (LookalikeError, OSError) as error:
            sys.exit(_print_error(error, 1))


def _escape_stdout() -> None:
    if sys.stdout.isatty():  # otherwise its module need not be loaded
        from lookalike.cli import terminal

        terminal.escape_stdout()


def _print_error(error: Exception, code: int) -> int:
    from lookalike.cli import terminal

    terminal.say_error(error)
    return code
