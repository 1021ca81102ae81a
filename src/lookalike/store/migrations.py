"""The catalog's schema, and the steps that bring an older one up to it.

`PRAGMA user_version` counts the steps that a catalog has seen. A released step is never changed; a new one is added.
"""

from __future__ import annotations

import sqlite3

from lookalike.errors import DatabaseError

APPLICATION_ID = 0x6C6F6F6B  # "look", so that `file` and we know whose SQLite file it is

STEPS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE roots (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE images (
        id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice
        root INTEGER NOT NULL REFERENCES roots,
        path TEXT NOT NULL,                     -- relative to the root, with /; a row of a table is table.parquet#12
        row INTEGER,                            -- that row, if the image lies in a table
        size INTEGER NOT NULL,                  -- bytes of the file
        mtime_ns INTEGER NOT NULL,              -- its time of change; -1: to be read again in any case
        digest BLOB,                            -- BLAKE2b, 16 bytes, of the encoded image
        length INTEGER,                         -- bytes of the encoded image
        label TEXT,                             -- JSON: a name, a list of tags, or NULL
        code BLOB,                              -- packed bits, most significant first; NULL if there is none
        width INTEGER, height INTEGER,          -- pixels, as shown
        format TEXT, animated INTEGER,
        error TEXT,                             -- why there is no code
        indexed_at INTEGER NOT NULL,            -- seconds since 1970
        missing_since INTEGER,                  -- seconds since 1970, if the file was found gone
        UNIQUE (root, path)
    ) STRICT;
    CREATE INDEX images_by_digest ON images (digest);
    """,
)


def check(connection: sqlite3.Connection, *, where: str) -> None:
    """Raise `DatabaseError` for an SQLite file that is no catalog, or one of a later version. Changes nothing."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        raise DatabaseError(f"{where} is no catalog of lookalike")
    if version > len(STEPS):
        raise DatabaseError(f"{where} was made by a later version of lookalike (schema {version}). Upgrade lookalike")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a catalog up to this version's schema."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
        )
