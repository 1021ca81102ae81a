"""The catalog's schema, and the steps that migrate older ones.

`PRAGMA user_version` is the schema of a catalog: `FIRST` after the first step. Released steps never change; new ones
are appended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from lookalike.core.address import APPLICATION_ID as APPLICATION_ID
from lookalike.core.errors import DatabaseError
from lookalike.store import digests

FIRST = 7  # the schema of version 0.1.0; earlier ones were never released
STEPS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE volumes (                      -- file systems that images were seen on
        id INTEGER PRIMARY KEY,
        identity TEXT NOT NULL UNIQUE,          -- the same after a restart
        kind TEXT NOT NULL                      -- such as ext4, nfs4
    ) STRICT;
    CREATE TABLE roots (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        volume INTEGER REFERENCES volumes
    ) STRICT;
    CREATE TABLE folders (
        id INTEGER PRIMARY KEY,
        root INTEGER NOT NULL REFERENCES roots,
        path TEXT NOT NULL,                     -- below the root, with the mark at its end: a/b/, a/table.parquet#
        UNIQUE (root, path)
    ) STRICT;
    CREATE TABLE labels (
        id INTEGER PRIMARY KEY,
        label TEXT NOT NULL UNIQUE              -- JSON: a name, or a list of tags
    ) STRICT;
    CREATE TABLE images (
        id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice
        place INTEGER NOT NULL,                 -- the folder's id, then 24 bits that come from the name
        name TEXT NOT NULL,                     -- in its folder; the number of a row in its table
        label INTEGER REFERENCES labels,
        code BLOB,                              -- packed bits, most significant first; NULL if there is none
        missing_since INTEGER                   -- seconds since 1970, if the file was found gone
    ) STRICT;
    CREATE TABLE files (                        -- what reading an image told of it; none of codes made elsewhere
        id INTEGER PRIMARY KEY REFERENCES images ON DELETE CASCADE,
        size INTEGER NOT NULL,                  -- bytes of the file
        mtime_ns INTEGER NOT NULL,              -- its time of change; -1: to be read again in any case
        digest BLOB,                            -- BLAKE2b, 16 bytes, of the encoded image
        length INTEGER,                         -- bytes of the encoded image
        width INTEGER, height INTEGER,          -- pixels, as shown
        format TEXT, animated INTEGER,
        error TEXT,                             -- why there is no code
        indexed_at INTEGER,                     -- seconds since 1970, if it was read again after it came in
        quality INTEGER,                        -- 0 to 100, how much there is to see; NULL if not yet looked at
        ctime_ns INTEGER,                       -- when the file or what is said of it changed; NULL: not known
        inode INTEGER,                          -- its number on its volume, in 63 bits
        volume INTEGER REFERENCES volumes       -- where it was seen last
    ) STRICT;
    CREATE TABLE moments (
        id INTEGER PRIMARY KEY,                 -- images from this id up to that of the next moment …
        at INTEGER NOT NULL                     -- … came in then, in seconds since 1970
    ) STRICT;
    CREATE INDEX images_by_place ON images (place);
    CREATE INDEX images_without_code ON images (id) WHERE code IS NULL;
    CREATE INDEX images_missing ON images (id) WHERE missing_since IS NOT NULL;
    CREATE INDEX files_by_digest ON files (digest) WHERE digest IS NOT NULL;
    CREATE INDEX files_with_error ON files (id) WHERE error IS NOT NULL;
    CREATE INDEX files_by_time ON files (indexed_at) WHERE indexed_at IS NOT NULL;
    CREATE INDEX files_of_little ON files (quality) WHERE quality < 50;
    CREATE TABLE decisions (                    -- what people decided about images that look alike
        id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice
        kind TEXT NOT NULL,                     -- keep, different, later
        at INTEGER NOT NULL                     -- seconds since 1970
    ) STRICT;
    CREATE TABLE decided (                      -- the images of a decision; they need not be in the catalog any more
        decision INTEGER NOT NULL REFERENCES decisions ON DELETE CASCADE,
        digest BLOB NOT NULL,                   -- of the encoded image, as in files
        name TEXT NOT NULL,                     -- the whole path at that time
        part INTEGER NOT NULL,                  -- keep: 1 is kept; different: those of one part are still alike
        PRIMARY KEY (decision, digest, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE decision_changes (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;  -- one row: how often they changed
    CREATE TABLE reliefs (                      -- of images that were read; until schema 8
        id INTEGER PRIMARY KEY REFERENCES images ON DELETE CASCADE,
        relief BLOB NOT NULL CHECK (length(relief) = 128)
    ) STRICT;
    CREATE TABLE digests (                      -- of the rows of all other tables; see the module `digests`
        tbl TEXT NOT NULL,
        block INTEGER NOT NULL,                 -- -1: the whole table
        digest BLOB NOT NULL CHECK (length(digest) = 16),
        PRIMARY KEY (tbl, block)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE originals (                    -- the images that are kept in the database's folder
        digest BLOB PRIMARY KEY                 -- as in files
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE rules (                        -- what a person leaves out of a folder, or takes all the same
        folder TEXT NOT NULL,
        glob TEXT NOT NULL,
        include INTEGER NOT NULL,
        PRIMARY KEY (folder, glob)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE left_out (                     -- files that were left out of a folder when it was indexed last
        folder TEXT NOT NULL,
        kind TEXT NOT NULL,
        files INTEGER NOT NULL,
        PRIMARY KEY (folder, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE unreachable (                  -- folders and files that could not be reached when they were looked at
        path TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        images INTEGER NOT NULL                 -- that are known there
    ) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('database', lower(hex(randomblob(16))));  -- tells this one's files from another's
    """,
    """
    DROP TABLE reliefs;                         -- thumbnails take their place
    CREATE TABLE thumbnails (                   -- of images that were read; see the module `imaging.thumbnails`
        id INTEGER PRIMARY KEY REFERENCES images ON DELETE CASCADE,
        thumbnail BLOB NOT NULL CHECK (length(thumbnail) <= 2048)
    ) STRICT;
    CREATE INDEX thumbnails_by_id ON thumbnails (id);  -- without the thumbnails
    """,
    """
    CREATE TABLE entries (                      -- of banks: images by their content, and hashes of images elsewhere
        id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice
        bank TEXT NOT NULL,
        kind TEXT NOT NULL,                     -- image, or the hash: md5, sha1, sha256, pdq, phash, code:MODEL
        value BLOB NOT NULL,                    -- of an image: the digest as in files
        name TEXT NOT NULL,                     -- what a list calls it
        at INTEGER NOT NULL,                    -- added then, in seconds since 1970
        UNIQUE (kind, value, bank)
    ) STRICT;
    CREATE INDEX entries_by_bank ON entries (bank);
    """,
)


def newest() -> int:
    """This version's schema."""
    return FIRST + len(STEPS) - 1


def check(connection: sqlite3.Connection, *, where: str, writable: bool) -> None:
    """Raise `DatabaseError` for a file that is not a catalog, or one that cannot be migrated. Changes nothing."""
    version = _version(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        raise DatabaseError(f"{where} is not a lookalike catalog")
    if version < FIRST:
        raise DatabaseError(
            f"{where} was made by a version before 0.1.0 (schema {version}). Index your images into a new folder; "
            "decisions and originals remain in this one"
        )
    if version > newest():
        raise DatabaseError(f"{where} was made by a later version of lookalike (schema {version}). Upgrade lookalike")
    if version < newest() and not writable:
        raise DatabaseError(
            f"{where} was made by an earlier version of lookalike (schema {version}) and cannot be written to here. "
            "Copy its folder to where you may write, and open that"
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate a catalog to this version's schema."""
    if _version(connection) == newest():
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        unproven = _unproven(connection)
        for schema in range(max(_version(connection) + 1, FIRST), newest() + 1):  # another process may have been first
            for statement in statements(STEPS[schema - FIRST]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {schema}")
        digests.rewrite(connection, kept=unproven)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def statements(script: str) -> Iterator[str]:
    """The statements of a script, to be run inside a transaction."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _unproven(connection: sqlite3.Connection) -> dict[digests.Block, int]:
    """Digests of blocks that were already damaged, so that a migration does not hide that."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (digests.TABLE,)).fetchone():
        return {}
    return digests.unproven(connection)
