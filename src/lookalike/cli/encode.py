from __future__ import annotations

import typer

from lookalike.cli import options, terminal


def command(
    images: options.Images,
    model: options.Model = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    json: options.Json = False,
) -> None:
    """Print the codes of IMAGES, as hexadecimal digits, first bit first."""
    from lookalike import data
    from lookalike.codes import to_hex
    from lookalike.errors import ImageError
    from lookalike.hasher import DEFAULT, Hasher

    hasher = Hasher.load(model or DEFAULT)
    count, problems = 0, []
    with terminal.quiet_decoders():
        for path, item in terminal.queries(images):
            count += 1
            try:
                code = to_hex(hasher.encode(data.read_bytes(item), max_pixels=max_pixels)[0])
            except (ImageError, OSError) as error:
                problems.append((path, getattr(error, "strerror", None) or str(error)))
                continue
            if json:
                terminal.echo_json({"path": path, "code": code, "bits": hasher.bits})
            else:
                typer.echo(f"{code}\t{terminal.shown(path)}")
    terminal.fail_if(problems, count)
