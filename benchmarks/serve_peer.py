"""What one would write without this package: FastAPI over FAISS's flat index. `python serve_peer.py CODES.npy PORT`."""

from __future__ import annotations

import sys

import faiss
import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

codes = np.load(sys.argv[1])
names = [f"codes.npy#{row}" for row in range(len(codes))]
index = faiss.IndexBinaryFlat(8 * codes.shape[1])
index.add(codes)
app = FastAPI()


class Query(BaseModel):
    """A code in hexadecimal."""

    code: str
    top: int = 10


@app.post("/api/search")
def search(query: Query) -> dict[str, list[dict[str, object]]]:
    """The nearest codes."""
    code = np.frombuffer(bytes.fromhex(query.code), np.uint8)[None]
    if code.shape[1] != codes.shape[1]:
        raise HTTPException(422, "wrong length")
    distances, rows = index.search(code, query.top)
    found = zip(rows[0].tolist(), distances[0].tolist(), strict=True)
    return {"hits": [{"id": row + 1, "name": names[row], "distance": distance} for row, distance in found]}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
