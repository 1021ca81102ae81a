"""Matching of images and hashes against banks, and the banks' entries. Field names are those of HMA."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, UploadFile
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, WithJsonSchema

from lookalike import answers
from lookalike.core.display import clean
from lookalike.core.errors import DataError
from lookalike.data import hashlists
from lookalike.data.hashlists import Listed
from lookalike.database import Database, Filter
from lookalike.database.audit import AuditLog
from lookalike.database.banks import SIDE, Asked, Match
from lookalike.database.search import CANDIDATES, Found
from lookalike.store.banks import Entry
from lookalike.web.api import bodies, paging, search
from lookalike.web.api.failures import failures
from lookalike.web.api.rows import Rows, moment, named
from lookalike.web.api.schemas import LARGEST_ID, MOST_QUERIES, Cursor, Id, Limit, described
from lookalike.web.http.problems import JsonResponse, Problem, cursor_number
from lookalike.web.state.collection import SearchRequest
from lookalike.web.state.server import Server, Shared, Writable

router = APIRouter(prefix="/api/v1", tags=["banks"])
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
HASH = r"^[0-9a-fA-F]{2,128}$"
MOST_ENTRIES = 1000  # of a request
BankName = Annotated[str, Path(alias="bank", pattern=NAME, description="The bank's name.", examples=["known"])]
SignalType = Annotated[
    str, described("md5, sha1, sha256, pdq, phash, or code (of the database's model).", "pdq", max_length=40)
]
SignalValue = Annotated[str, described("The hash in hexadecimal digits.", "f8" * 32, pattern=HASH)]


class Banks(BaseModel):
    """Which banks to ask."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    banks: Annotated[str | None, described("Names, separated by commas; all by default.", "known", max_length=2000)] = (
        None
    )

    @property
    def named(self) -> list[str]:
        """The names."""
        return [name.strip() for name in (self.banks or "").split(",") if name.strip()]


class MatchFiles(Banks):
    """Image files to be matched."""

    image: Annotated[
        list[UploadFile],
        WithJsonSchema({
            "type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1, "maxItems": MOST_QUERIES,
            "description": "Image files; `file` is another name.",
        }),
        Field(min_length=1, max_length=MOST_QUERIES),
    ]  # fmt: skip


class MatchHash(Banks):
    """A hash to be looked up, without an image."""

    signal_type: SignalType
    signal_value: Annotated[SignalValue, Field(validation_alias=AliasChoices("signal_value", "signal"))]


class NewHash(BaseModel):
    """A foreign hash."""

    model_config = ConfigDict(extra="forbid")

    signal_type: SignalType
    signal_value: SignalValue
    name: Annotated[str, described("What its list calls it.", "list 7", max_length=hashlists.MOST_NAME)] = ""


class NewEntries(BaseModel):
    """Entries for a bank: images of the database, hashes, or both."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Id], described("Images of the database.", [1, 2], max_length=MOST_ENTRIES)] = []
    hashes: Annotated[list[NewHash], Field(description="Foreign hashes.", max_length=MOST_ENTRIES)] = []


class OldEntries(BaseModel):
    """Entries to take out of a bank."""

    model_config = ConfigDict(extra="forbid")

    bank_content_ids: Annotated[
        list[Annotated[int, Field(ge=1, le=LARGEST_ID)]],
        described("Ids of entries.", [1], min_length=1, max_length=MOST_ENTRIES),
    ]


@router.post(
    "/match",
    responses={200: {"model": answers.Matches}, **failures(404, 413, 415, 422)},
    openapi_extra=bodies.description(MatchFiles, MatchHash, {"signal_type": "pdq", "signal_value": "f8" * 32}),
)
async def match(request: Request, server: Shared) -> JsonResponse:
    """Tell whether image files, or a hash, match entries of banks, and how often that is wrong.

    There is one answer for each image. One that cannot be decoded is compared by its bytes.
    """
    async with bodies.parse(request, MatchFiles, MatchHash) as query:
        with server.collection.use() as database:
            banks = await server.collection.run(_named, database, query.named)
            if isinstance(query, MatchHash):
                found = [await server.collection.run(_of_hash, database, query, banks)]
            else:
                found = await asyncio.gather(*(_of_file(server, database, one, banks) for one in query.image))
            return JsonResponse(await server.collection.run(_answered, server, database, found, banks))


@router.get("/banks", responses={200: {"model": answers.Page[answers.Bank]}, **failures(422)})
async def list_banks(server: Shared, limit: Limit = 100, cursor: Cursor = None) -> JsonResponse:
    """The banks, with the number of their entries by kind."""

    def work(database: Database) -> answers.Page[answers.Bank]:
        found = [answers.Bank(name=name, entries=kinds) for name, kinds in database.banks.counts().items()]
        return paging.page(found, cursor, limit)

    return JsonResponse(await server.collection.read(work))


@router.get("/banks/{bank}", responses={200: {"model": answers.Page[answers.BankEntry]}, **failures(404, 422)})
async def list_bank_entries(server: Shared, bank: BankName, limit: Limit = 100, cursor: Cursor = None) -> JsonResponse:
    """The entries of a bank, page by page."""
    after = cursor_number(cursor) or 0

    def work(database: Database) -> answers.Page[answers.BankEntry]:
        _named(database, [bank])
        entries = database.banks.entries(bank, after=after, top=limit + 1)
        paths, rows = database.banks.paths(entries), Rows.of(server.settings, database)
        return answers.Page(
            items=[_entry(one, rows.path(paths[one.id])) for one in entries[:limit]],
            total=sum(database.banks.counts()[bank].values()),
            next=str(entries[limit - 1].id) if len(entries) > limit else None,
        )

    return JsonResponse(await server.collection.read(work))


@router.post("/banks/{bank}", responses={200: {"model": answers.Changed}, **failures(404, 422)})
async def add_bank_entries(server: Writable, bank: BankName, new: NewEntries) -> JsonResponse:
    """Add images of the database, or hashes, to a bank, which is made if there is none of that name; all or none."""

    def work(database: Database) -> answers.Changed:
        if absent := set(new.ids) - database.records_of(new.ids).keys():
            raise Problem(404, f"there is no image {min(absent)}")
        hashes = [Listed(*_hash(database, one.signal_type, one.signal_value), clean(one.name)) for one in new.hashes]
        return answers.Changed(bank=bank, changed=database.banks.add(bank, new.ids, hashes))

    return JsonResponse(await server.collection.read(work))


@router.post("/banks/{bank}/remove", responses={200: {"model": answers.Changed}, **failures(404, 422)})
async def remove_bank_entries(server: Writable, bank: BankName, old: OldEntries) -> JsonResponse:
    """Take entries out of a bank, all or none; images stay in the database. A bank without entries is gone."""

    def work(database: Database) -> answers.Changed:
        _named(database, [bank])
        try:
            return answers.Changed(bank=bank, changed=database.banks.remove(bank, old.bank_content_ids))
        except DataError as error:
            raise Problem(404, str(error)) from None

    return JsonResponse(await server.collection.read(work))


def _named(database: Database, banks: list[str]) -> tuple[str, ...]:
    """These banks, or all. Raises `Problem` for one that does not exist."""
    known = database.banks.counts()
    if unknown := [bank for bank in banks if bank not in known]:
        raise Problem(404, f"there is no bank {unknown[0][:80]!r}")
    if not known:
        raise Problem(404, "there is no bank yet; make one with: lookalike index IMAGES --bank NAME")
    return tuple(dict.fromkeys(banks)) or tuple(known)


def _hash(database: Database, signal_type: str, signal_value: str) -> tuple[str, bytes]:
    kind = hashlists.kind_of(signal_type)
    return kind, hashlists.value_of(kind, signal_value, bits=database.bits)


def _of_hash(database: Database, query: MatchHash, banks: tuple[str, ...]) -> Match:
    found = database.banks.of_hash(*_hash(database, query.signal_type, query.signal_value), banks)
    return Match(path="", sha256="", matches=tuple(found), rate=database.banks.rate(banks))


async def _of_file(server: Server, database: Database, upload: UploadFile, banks: tuple[str, ...]) -> Match:
    run, name = server.collection.run, search.name_of(upload)
    content = await run(search.content_of, upload.file)
    try:
        parsed = await search.from_file(server, database, upload, verify=True)
        needs_pixels = await run(database.banks.needs_pixels, banks)
        pixels_HW3 = await server.decoders.picture(content, SIDE) if needs_pixels else None
    except Problem as problem:
        if problem.status != 422:  # too busy, or stopping: nothing is known of the image
            raise
        error = str(problem)
        return await run(lambda: database.banks.unread(content, banks, path=name, error=error))
    wanted = SearchRequest(database, CANDIDATES, None, Filter(banks=banks))
    result = await server.collection.search_verified(parsed.query, wanted)
    asked = Asked(parsed.query, Found(result.hits, result.records, result.unverified), pixels_HW3)
    return await run(lambda: database.banks.judged(content, banks, asked, path=name))


def _answered(server: Server, database: Database, found: list[Match], banks: tuple[str, ...]) -> answers.Matches:
    """The answer to a request, after it was logged."""
    rows, model, request, rate = Rows.of(server.settings, database), database.hasher.name, "", found[0].rate
    if server.settings.audit is not None:
        request = AuditLog(server.settings.audit).add(found, banks=banks, model=model)
    return answers.Matches(
        request=request, answers=[_match(one, rows) for one in found], banks=list(banks), model=model,
        rate=answers.MatchRate(**rate._asdict()),
    )  # fmt: skip


def _match(found: Match, rows: Rows) -> answers.Match:
    def matched(one: Any) -> answers.Matched:
        return answers.Matched(
            bank=one.bank, bank_content_id=one.entry, signal_type=one.kind, path=rows.path(one.path),
            relation=None if one.relation is None else named(one.relation), edits=one.edits, done=one.done,
            agreement=one.agreement, distance=one.distance, threshold=one.threshold,
        )  # fmt: skip

    return answers.Match(
        name=found.path,
        sha256=found.sha256,
        matched=found.matched,
        matches=list(map(matched, found.matches)),
        unverified=found.unverified,
        error=found.error or None,
    )


def _entry(one: Entry, path: str) -> answers.BankEntry:
    return answers.BankEntry(
        bank_content_id=one.id, signal_type=one.kind, signal_value=one.value.hex(), path=path, at=moment(one.at)
    )
