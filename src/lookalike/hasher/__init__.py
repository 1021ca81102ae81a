"""Models at work: images in, codes out, by ONNX Runtime.

A model is one ONNX file. Its input `images` is a batch of uint8 arrays of the model's size, its output `code` the
packed codes, its output `latent` the values before the threshold. Scaling, encoder and threshold θ are inside the
graph. The model's description is a JSON document in the file's metadata under the key `lookalike`.

A file may come from a stranger, so `admission` checks it and tries it in a separate process before it is used.
"""

from __future__ import annotations

from lookalike.hasher.hasher import BATCH as BATCH
from lookalike.hasher.hasher import Hasher as Hasher
from lookalike.hasher.hasher import Image as Image
from lookalike.hasher.model_info import FORMAT as FORMAT
from lookalike.hasher.model_info import METADATA_KEY as METADATA_KEY
from lookalike.hasher.model_info import ModelInfo as ModelInfo
from lookalike.hasher.paths import DEFAULT as DEFAULT
from lookalike.hasher.paths import builtin_models as builtin_models
from lookalike.hasher.paths import find_model as find_model
