"""Makes `projection.npy` with a home's model: `python -m knowledge.training.projection OUT HOME SOURCE…`.

The projection keeps the SHORT directions in which the model's token vectors differ most over some general
text (principal components, not centred: dot products are what is to be kept). It is of the model, not of a
company's documents, so it is made once and shipped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from knowledge import embedder
from knowledge.chunks import chunks_of
from knowledge.sources.base import Problem
from knowledge.sources.folder import Folder
from knowledge.tokens import SHORT, Vectors

EVERY = 8  # passages, of which one is read


def directions(tokens: Vectors) -> Vectors:
    """Return the SHORT directions that hold most of these vectors, as columns, each with a fixed sign."""
    long = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    _, found = np.linalg.eigh(long.T @ long)
    kept = found[:, ::-1][:, :SHORT]
    signed: Vectors = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(SHORT)])
    return signed


def main() -> None:
    """Read sources and write the file."""
    parser = argparse.ArgumentParser(prog="python -m knowledge.training.projection", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("sources", nargs="+", type=Path)
    options = parser.parse_args()
    model = embedder.load(options.home)
    entries = [entry for source in options.sources for entry in Folder(source).entries()]
    documents = [entry.read() for entry in entries if not isinstance(entry, Problem)]
    chunks = [chunk for document in documents for chunk in chunks_of(document)][::EVERY]
    tokens = np.concatenate([model.tokens(chunk.text) for chunk in chunks])
    np.save(options.out, directions(tokens).astype(np.float16))


if __name__ == "__main__":
    main()
