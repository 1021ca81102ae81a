"""The main job, end to end, on photographs: copies are made, a model trained, the originals found, a page written.

>>> from lookalike.demo.run import run
>>> outcome = run(out="demo")  # doctest: +SKIP
"""
