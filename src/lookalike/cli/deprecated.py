"""Old names of commands and options, which work until the next release."""

from __future__ import annotations

from collections.abc import Sequence

COMMANDS = {"shorten": "truncate"}
OPTIONS = {
    "duplicates": {
        "--all": "--ignore-decisions",
        "--plain": "--include-blank",
        "--turned": "--orientations",
        "--by-code": "--no-verify",
        "--quick": "--skip-pixel-check",
        "--against": "--reference",
        "--near": "--include-edited",
    },
    "search": {"--turned": "--orientations", "--below": "--under"},
    "info": {"--plain": "--blank"},
    "train": {"--nested": "--matryoshka", "--begin": "--init-from", "--edited": "--augment"},
}
MOVED = {"--between": "leakage", "--plan": "plan", "--apply": "apply", "--undo": "undo"}  # options of `duplicates`


def translate(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with current names.

    >>> translate(["duplicates", "--apply", "plan.csv", "--trash", "bin"])
    ['apply', 'plan.csv', '--trash', 'bin']
    >>> translate(["duplicates", "--plan=plan.csv", "--quick"])
    ['plan', 'plan.csv', '--skip-pixel-check']
    >>> translate(["robustness", "--images", "photos", "--against", "pdq"])
    ['benchmark', 'photos', '--models', 'default,pdq']
    """
    if not arguments:
        return []
    if arguments[0] == "robustness":
        return ["benchmark", *_benchmarked(arguments[1:])]
    command = COMMANDS.get(arguments[0], arguments[0])
    names, moved = OPTIONS.get(command, {}), ""
    rest: list[str] = []
    for argument in arguments[1:]:
        name, mark, value = argument.partition("=")
        if command == "duplicates" and name in MOVED and not moved:
            moved = MOVED[name]
            rest += [value] if mark else []
        else:
            rest.append(names.get(name, name) + mark + value)
    return [moved or command, *rest]


def _benchmarked(arguments: Sequence[str]) -> list[str]:
    """Arguments of `robustness` as those of `benchmark`: images have no option, and all methods one."""
    methods, rest, left = {"--model": "default", "--against": "phash,pdq"}, list[str](), iter(arguments)
    for argument in left:
        name, mark, value = argument.partition("=")
        if name == "--images" or name in methods:
            value = value if mark else next(left, "")
            if name == "--images":
                rest.append(value)
            else:
                methods[name] = value
        else:
            rest.append(argument)
    return [*rest, "--models", ",".join(value for value in methods.values() if value != "none")]
