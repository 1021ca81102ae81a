"""Screen uploads: a bank of known pictures, a list of digests, an answer for each upload, and a log of the answers.

    python examples/moderator.py DB KNOWN LIST.md5 UPLOADS

KNOWN and UPLOADS are folders; LIST.md5 has a digest a line, as md5sum writes it. Nothing is moved or deleted.
"""

import sys
from pathlib import Path

import lookalike
from lookalike.database.audit import AuditLog


def main(path: str, known: str, digests: str, uploads: str) -> None:
    with lookalike.open(path, create=True) as database:
        database.index(known)
        added = database.banks.add("known", [known])
        listed = database.banks.import_list("listed", digests, "md5")
        print(f"{added} known pictures and {listed.added} digests are new")

        log = AuditLog(Path(path).with_suffix(".audit.jsonl"))
        files = sorted(file for file in Path(uploads).rglob("*") if file.is_file())
        answers = database.match(files, audit=log)
        for answer in answers:
            verdict = "unreadable" if answer.error and not answer.matched else "clear"
            if answer.matched:
                certain = any(match.relation is not None for match in answer.matches)
                verdict = "block" if certain else "look at it"
            print(f"{verdict}\t{answer.path}", *(f"{one.bank}: {one.words}" for one in answer.matches), sep="\t")
        rate = database.banks.rate(["known", "listed"])
        print(f"{sum(one.matched for one in answers)} matches; of others, {rate.value:.3%} match all the same")


if __name__ == "__main__":
    main(*sys.argv[1:])
