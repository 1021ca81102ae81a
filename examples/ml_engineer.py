"""Before training: which test images have a copy in the training set, and which training images are copies.

    python examples/ml_engineer.py TRAIN TEST OUT

Writes OUT/leaked.txt and OUT/train.txt, a list of training images without leaked ones and without copies of each other.
"""

import sys
from pathlib import Path

import lookalike


def main(train: str, test: str, out: str) -> None:
    with lookalike.open(Path(out) / "db", create=True) as database:
        database.index(train)
        database.index(test)
        leakage = database.leakage(train, test)
        for match in leakage.matches:
            print(f"{match.verdict.relation}: {match.record.name} is in {match.copy.name}")
        print(f"{len(leakage.matches)} of {leakage.second} test images leak ({leakage.share:.1%})")
        dropped = {match.copy.name for match in leakage.matches}
        names = {record.name for record in database.records() if Path(train).absolute() in Path(record.name).parents}
        for group in database.duplicates():
            inside = [image.path for image in group if image.path in names]
            dropped.update(inside[1:])  # one of each picture stays
    kept = sorted(names - dropped)
    Path(out, "leaked.txt").write_text("".join(f"{match.record.name}\n" for match in leakage.matches))
    Path(out, "train.txt").write_text("".join(f"{name}\n" for name in kept))
    print(f"{out}/train.txt: {len(kept)} of {len(names)} images to train on")


if __name__ == "__main__":
    main(*sys.argv[1:])
