"""What an edition says of itself: its files, and the manifest that the edition is named after."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from knowledge.errors import DamagedEdition

FORMAT = 6
READING = 5  # a new number when the same files would give other sections or passages
MANIFEST, FILES = "manifest.json", "files.json"
TEXTS, PASSAGES, KEYS = "texts.sqlite", "passages.npy", "keys.npy"
LEXICAL, CHROMA, WORDING = "lexical", "chroma", "wording.json"
VECTORS, UNITS = "vectors.npy", "units.npy"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return an edition's manifest. Raises DamagedEdition when it is not one that this release can use."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DamagedEdition(f"The edition {folder.name} is not in {folder.parent}. Ingest again.") from error
    except (OSError, ValueError) as error:
        raise DamagedEdition(f"The edition in {folder} cannot be read. Ingest again.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DamagedEdition(f"The edition in {folder} was built by another version. Ingest again.")
    if manifest_id(manifest) != folder.name:
        raise DamagedEdition(f"The manifest of edition {folder.name} has been changed. Ingest again.")
    return manifest


def manifest_id(manifest: dict[str, Any]) -> str:
    """Return the id of the edition that a manifest describes: a hash of all that it says."""
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def hold(folder: Path) -> int:
    """Take a shared lock on an edition, so that nobody sweeps it; return its descriptor.

    The kernel lets go of the lock when the descriptor is closed, however the process ends. Raises
    DamagedEdition when there is no edition any more.
    """
    path = folder / MANIFEST
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DamagedEdition(f"The edition in {folder} cannot be read. Ingest again.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except OSError:  # somebody is removing it, or it is gone
        pass
    os.close(handle)
    raise DamagedEdition(f"The edition {folder.name} is being removed.")


def take(folder: Path) -> int | None:
    """Take the lock of an edition that nobody holds; return its descriptor, or None where somebody does.

    A folder without a manifest, which nobody can have opened, is locked by itself.
    """
    path = folder / MANIFEST
    handle = os.open(path if path.exists() else folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
