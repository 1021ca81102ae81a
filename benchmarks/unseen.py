"""The photographs that no training of the built-in models has seen, as a table for `lookalike robustness`.

    python benchmarks/unseen.py DATA unseen.parquet
    lookalike robustness --images unseen.parquet --model default --against default-128 --out robustness

DATA is the folder of data sets that `research.builtin_models` learned from. Their parts that were kept for measuring
are written, whole: columns `image` and `label`, which is the class where there is one, else the name of the data set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from research import builtin_models as default
from research.builtin_models import kept


def table(data: Path) -> pa.Table:
    """The table of all photographs that were kept."""
    parts = []
    for source in default.default().sources:
        if not source.parts:  # images too small to be edited as photographs are
            continue
        rows = pq.read_table(data / source.file).take(kept(source, data))
        named = "label_name" in rows.schema.names
        labels = rows.column("label_name").to_pylist() if named else [Path(source.file).stem] * rows.num_rows
        images = pa.array(rows.column("image").to_pylist(), pa.binary())
        parts.append(pa.table({"image": images, "label": pa.array(labels, pa.string())}))
    return pa.concat_tables(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    found = table(given.data)
    pq.write_table(found, given.out)
    print(f"{found.num_rows} photographs in {given.out}")


if __name__ == "__main__":
    main()
