"""A model file and what it does: images in, codes out, by ONNX Runtime; and the decoder beside it, if there is one.

A model is one ONNX file. Its input `images` is a batch of uint8 arrays of the model's size, its output `code` the
packed codes; its output `latent` the values before the threshold. Scaling, encoder and threshold θ lie inside the
graph. What the file says of itself is one JSON document in its metadata under the key `lookalike`. A decoder is a file
of its own, so that encoding neither loads nor runs it: `latent` in, `images` out.

Shapes: N images, S pixels a side, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from lookalike import threshold
from lookalike.codes import Codes
from lookalike.errors import ConfigError, ImageError, ModelError
from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec, Source

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "lookalike"
DECODER_KEY = "lookalike-decoder"
DECODER_SUFFIX = ".decoder.onnx"  # in the place of .onnx
FORMAT = 1
BATCH = 32
DEFAULT = "default"

Image = Source | decode.Array  # a path, encoded bytes, or an array that has the model's shape already


class Radii(NamedTuple):
    """Up to how many bits images are called what."""

    same: int  # 0: only equal codes, which have a word of their own
    duplicate: int  # -1: different images often have equal codes
    similar: int

    def tier(self, distance: int) -> str:
        """A plain word for a distance in bits."""
        if distance == 0:
            return "identical" if self.duplicate >= 0 else "same code"
        if distance <= self.duplicate:
            return "same" if distance <= self.same else "near-duplicate"
        return "similar" if distance <= self.similar else "different"


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a model file says of itself. Distances are in bits, losses in nats an image."""

    name: str  # such as "csvae-64"
    model: str  # of the paper's "vae", "cvae", "csvae", "vte"; or a method such as "itq"
    bits: int  # K
    image: ImageSpec
    theta_digest: str  # BLAKE2b, 16 bytes in hexadecimal, of the float32 threshold
    data_name: str  # what it was trained on
    data_images: int  # how many images it was trained on
    data_validation: int  # how many more were held out
    seed: int
    epochs: int
    validation_loss: float | None = None
    near: int = 0  # at most 1 in 10,000 pairs of different images is this near or nearer; -1: more have equal codes
    similar: int = 0  # at most 1 in 100; -1: more have equal codes
    pairs: int = 0  # number of pairs that `near` and `similar` were measured on
    copies: int | None = None  # hardly one in tens of millions is this near, so that it is a copy; None: not measured
    versions: dict[str, str] = field(default_factory=dict)  # of the packages that made it
    backbone: str = ""  # the encoder behind which it was trained, what that was trained on and its licence
    supervised: bool = False  # whether it learnt from labels
    nested: dict[str, dict[str, int]] = field(default_factory=dict)  # near and similar of codes that are first bits
    card: str = ""  # for people: what it is good for, and what not
    format: int = FORMAT

    def to_json(self) -> str:
        """The document stored in the file, the same for the same values."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """The document read back. Raises `ModelError` if it is damaged or of a later format."""
        try:
            values = json.loads(text)
            if values["format"] > FORMAT:
                raise ModelError(f"has format {values['format']}; this version reads up to {FORMAT}. Upgrade lookalike")
            return cls(**{**values, "image": ImageSpec(**values["image"])})
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            raise ModelError(f"its metadata is damaged ({type(error).__name__}: {error})") from error

    @property
    def origin(self) -> str:
        """What it was trained on, and behind which backbone: what must stand beside figures with it."""
        learnt = "with their labels" if self.supervised else "without labels"
        found = f"{self.data_images} images of {self.data_name}, {learnt}"
        return f"{found}; backbone: {self.backbone}" if self.backbone else found

    @property
    def duplicate(self) -> int:
        """The distance, in bits, up to which two images are taken for copies of one picture.

        `near` is a rate among pairs, and a collection of n images has n²/2 of them: among 10,000 images 5,000 pairs of
        different ones are `near`. So `copies` is the most, or, where that was not measured, a sixteenth of the bits;
        recompression flips fewer. It is -1 where different images often have equal codes, as by methods that learn
        classes: those cannot tell copies.
        """
        return min(self.near, self.bits // 16 if self.copies is None else self.copies)

    def tier(self, distance: int) -> str:
        """A plain word for a distance in bits."""
        return self.radii.tier(distance)

    @property
    def radii(self) -> Radii:
        """Up to how many bits images are called what, as long as nobody has calibrated a collection."""
        return Radii(same=0, duplicate=self.duplicate, similar=self.similar)


class Hasher:
    """A loaded model. Make one with `Hasher.load`; it can be used from several threads."""

    def __init__(self, data: bytes, *, path: str, threads: int | None = None) -> None:
        self.path = path
        self.digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        self._threads = threads or os.cpu_count() or 1
        self._session = _session(data, path, 1)  # each of several images on one core is faster than each on all
        self.info = _info(self._session, path)
        self._check_graph()

    @classmethod
    def load(cls, model: str | os.PathLike[str] = DEFAULT, *, threads: int | None = None) -> Hasher:
        """The hasher of a built-in model's name or a model file. Raises `ModelError`.

        So many `threads`, as many as there are cores if not given, encode the images of one call.
        """
        path = find_model(model)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from error
        return cls(data, path=os.fspath(path), threads=threads)

    @property
    def bits(self) -> int:
        """K, the length of a code in bits."""
        return self.info.bits

    @property
    def spec(self) -> ImageSpec:
        """What images are turned into."""
        return self.info.image

    @functools.cached_property
    def theta(self) -> npt.NDArray[np.float32] | None:
        """The threshold (K,) that latents are compared with; nothing if its file is gone, or does not say it."""
        try:
            return threshold.find(Path(self.path).read_bytes(), self.info.theta_digest, self.bits)
        except OSError:  # the model of a database in Milvus is no file
            return None

    @property
    def name(self) -> str:
        """Name and digest, as `csvae-64@3f2a1b9c`: what tells this model from any other."""
        return f"{self.info.name}@{self.digest[:8]}"

    def encode(self, sources: Image | Iterable[Image], *, max_pixels: int = decode.MAX_PIXELS) -> Codes:
        """Codes (N, W) of images: paths, encoded bytes, or uint8 arrays of the model's shape.

        Images are decoded by several threads. Raises `ImageError`, naming the first image that cannot be read.
        """
        if isinstance(sources, np.ndarray) and sources.size and sources.dtype.kind not in "OSU":  # else it has paths
            sources = self._one_or_many(sources)
        elif isinstance(sources, str | bytes | os.PathLike) or not isinstance(sources, Iterable):
            sources = [cast(Image, sources)]
        read = functools.partial(self._to_array, max_pixels=max_pixels)
        with ThreadPoolExecutor() as pool:
            codes = [self.encode_arrays(np.stack(list(pool.map(read, batch)))) for batch in _batches(sources, BATCH)]
        return np.concatenate(codes) if codes else np.empty((0, self.bits // 8), np.uint8)

    def encode_arrays(self, arrays_NSS: decode.Array) -> Codes:
        """Codes (N, W) of a batch of uint8 arrays of the model's shape."""
        return np.asarray(self._run("code", arrays_NSS), np.uint8)

    def latents(self, arrays_NSS: decode.Array) -> npt.NDArray[np.float32]:
        """Latents (N, K) of a batch of uint8 arrays of the model's shape, before the threshold."""
        return np.asarray(self._run("latent", arrays_NSS), np.float32)

    def _run(self, output: str, arrays_NSS: decode.Array) -> Any:
        shape = (len(arrays_NSS), *self.spec.shape)
        if arrays_NSS.shape != shape or arrays_NSS.dtype != np.uint8:
            raise ImageError(
                f"images of shape {arrays_NSS.shape} and type {arrays_NSS.dtype}; {self.name} takes uint8 of {shape}"
            )

        # One image a run: kernels choose their order of sums by the batch's size, and a code must not depend on
        # which other images happened to be encoded with it.
        def one(row: int) -> Any:
            return self._session.run([output], {"images": arrays_NSS[row : row + 1]})[0]

        rows, threads = range(len(arrays_NSS)), min(len(arrays_NSS), self._threads)
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                runs = list(pool.map(one, rows))
        else:
            runs = [one(row) for row in rows]
        width = self.bits // 8 if output == "code" else self.bits
        return np.concatenate(runs) if runs else np.empty((0, width), np.uint8 if output == "code" else np.float32)

    def _check_graph(self) -> None:
        """Encode one blank image, so that a graph which does not do what the metadata say is refused at once."""
        blank_1SS = np.zeros((1, *self.spec.shape), np.uint8)
        try:
            code, latent = self._session.run(["code", "latent"], {"images": blank_1SS})
        except Exception as error:  # ONNX Runtime's own classes of errors are not public
            raise ModelError(f"{self.path} does not take images and give codes: {error}") from error
        if code.dtype != np.uint8 or code.shape != (1, self.bits // 8) or latent.shape != (1, self.bits):
            raise ModelError(
                f"{self.path} says that it gives {self.bits} bits, but its codes are {code.dtype} of shape "
                f"{code.shape} and its latents of shape {latent.shape}"
            )

    def _one_or_many(self, array: npt.NDArray[Any]) -> decode.Array:
        """Images (N, S, S) of an array that is one of them or several, which is refused as it was given."""
        if array.dtype != np.uint8 or array.shape not in (self.spec.shape, (*array.shape[:1], *self.spec.shape)):
            raise self._refusal(array)
        return array.reshape(-1, *self.spec.shape)

    def _to_array(self, image: Image, *, max_pixels: int) -> decode.Array:
        if isinstance(image, np.ndarray):
            if image.shape != self.spec.shape or image.dtype != np.uint8:
                raise self._refusal(image)
            return image
        if not isinstance(image, str | bytes | os.PathLike):
            raise ImageError(
                f"a value of type {type(image).__name__} is no image here; give a path, encoded bytes, or a uint8 "
                f"array of shape {self.spec.shape}"
            )
        return decode.read(image, self.spec, max_pixels=max_pixels)

    def _refusal(self, array: npt.NDArray[Any]) -> ImageError:
        return ImageError(
            f"an array of shape {array.shape} and type {array.dtype}; {self.name} takes uint8 of {self.spec.shape}, "
            "one or many"
        )


class Decoder:
    """What draws images from the latents of one model. Get one with `Decoder.beside`."""

    def __init__(self, data: bytes, hasher: Hasher, *, path: str) -> None:
        self.path, self._hasher = path, hasher
        self._session = _session(data, path, os.cpu_count() or 1)
        self._theta_digest = _decoder_theta(self._session, path)

    @classmethod
    def beside(cls, hasher: Hasher) -> Decoder | None:
        """The decoder beside a model's file, or nothing if there is none, or that of another model.

        Raises `ModelError` if its file is damaged.
        """
        path = decoder_path(hasher.path)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        found = cls(data, hasher, path=os.fspath(path))
        return found if found.fits else None

    @property
    def fits(self) -> bool:
        """Whether it was trained together with the model."""
        return self._theta_digest == self._hasher.info.theta_digest

    def draw(self, latents_NK: npt.NDArray[np.float32]) -> decode.Array:
        """Images (N, S, S), uint8, grey, as the decoder draws them from latents."""
        try:
            drawn_NSS = self._session.run(["images"], {"latent": np.asarray(latents_NK, np.float32)})[0]
        except Exception as error:  # ONNX Runtime's own classes of errors are not public
            raise ModelError(f"{self.path} does not take {self._hasher.bits} latents: {error}") from error
        return np.asarray(drawn_NSS, np.uint8)

    def reconstruct(self, arrays_NSS: decode.Array) -> decode.Array:
        """Images (N, S, S) drawn from the latents of a batch of uint8 arrays of the model's shape.

        Each compares with its image scaled so that it spans 0 to 255, which is what the model sees.
        """
        return self.draw(self._hasher.latents(arrays_NSS))


def decoder_path(model: str | os.PathLike[str]) -> Path:
    """Where the decoder of a model file lies: `m.decoder.onnx` of `m.onnx`."""
    path = Path(model)
    return path.with_name(path.name.removesuffix(".onnx") + DECODER_SUFFIX)


def builtin_models() -> dict[str, Path]:
    """The model files that come with the package, by name; the usual one first."""
    folder = Path(str(files("lookalike") / "builtin"))
    found = (path for path in folder.glob("*.onnx") if not path.name.endswith(DECODER_SUFFIX))
    return {path.stem: path for path in sorted(found, key=lambda path: (path.stem != DEFAULT, path.stem))}


def find_model(model: str | os.PathLike[str]) -> Path:
    """The file of a built-in model's name or of a path. Raises `ModelError`, naming what there is."""
    builtin = builtin_models()
    if os.fspath(model) in builtin:
        return builtin[os.fspath(model)]
    path = Path(model)
    if path.is_file():
        return path
    names = ", ".join(builtin)
    raise ModelError(f"{model} is neither a model file nor one of the built-in models ({names}). See: lookalike models")


def _session(data: bytes, path: str, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime  # takes a tenth of a second, so not before a model is needed

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes of errors are not public
        raise ModelError(f"{path} is not a readable model file: damaged, cut short, or not ONNX") from error


def _info(session: onnxruntime.InferenceSession, path: str) -> ModelInfo:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelError(f"{path} is an ONNX file, but not a model of lookalike; make one with: lookalike train IMAGES")
    try:
        return ModelInfo.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _decoder_theta(session: onnxruntime.InferenceSession, path: str) -> str:
    """The digest of θ of the model that a decoder was trained with."""
    text = session.get_modelmeta().custom_metadata_map.get(DECODER_KEY, "")
    try:
        return str(json.loads(text)["theta_digest"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a decoder; lookalike train writes one beside a model of the paper") from error


def _batches(items: Iterable[Image], size: int) -> Iterator[Sequence[Image]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
