from __future__ import annotations

from functools import partial

import typer

from lookalike.cli import options, terminal


def command(
    images: options.Images,
    model: options.Model = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    no_isolation: options.NoIsolation = False,
    json: options.Json = False,
) -> None:
    """Print the codes of images as hexadecimal digits."""
    from lookalike.core.codes import to_hex
    from lookalike.hasher import DEFAULT, Hasher
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.decoders import array_of
    from lookalike.imaging.isolation.limits import DecodeLimits

    problems: list[tuple[str, str]] = []
    count = 0
    limits = DecodeLimits.of(max_pixels)
    with (  # the worker starts while the model is loaded
        pool.make_decoders(limits, workers=1, isolation=not no_isolation) as decoders,
        terminal.quiet_decoders(),
    ):
        hasher = Hasher.load(model or DEFAULT)
        read = partial(array_of, spec=hasher.spec, decoders=decoders)
        for path, array in terminal.read_images(images, read, problems):
            count += 1
            if array is None:
                continue
            code = to_hex(hasher.encode_arrays(array[None])[0])
            if json:
                terminal.echo_json({"path": path, "code": code, "bits": hasher.bits})
            else:
                typer.echo(f"{code}\t{terminal.shown(path)}")
    terminal.fail_if(problems, count)
