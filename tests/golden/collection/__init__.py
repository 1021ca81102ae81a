"""The golden collection: some 400 made images with planted copies, and what lookalike says about them, stored.

`make` makes the images, the same every time; `answers` asks by command line, HTTP and Python; `normal` makes answers
comparable, and is the one place to say that a name has changed; `expected/` holds one file a part.

    python -m tests.golden.collection --write        stores the answers of this version

Answers are compared byte by byte on every processor, although processors round floats differently:

- Codes come from a model with exact arithmetic (`model`): integers that float32 represents exactly. Decoding and
  resizing are integer arithmetic, too. Floats in answers are compared to six digits.
- The built-in model rounds. Its codes may differ by one bit in a few images, and everything derived from them (the part
  `imported`) is computed from the stored codes, which are imported into a database.
- With other versions of Pillow, NumPy, or the packages that contain the photographs, images may be encoded or decoded
  differently. The tests are then skipped, with the versions as the reason.
"""
