"""A tree of hashes over the events of a checkpoint: a few hashes prove that one event is among them.

As in RFC 6962: a leaf and a node are hashed with different beginnings, so that neither passes for the other.
"""

import hashlib
from collections.abc import Sequence


def root(hashes: Sequence[str]) -> str:
    """Return the hash at the top of the tree over these, in hexadecimal."""
    return _tree([_leaf(one) for one in hashes]).hex()


def proof(hashes: Sequence[str], index: int) -> list[str]:
    """Return what leads from one of the hashes to the root, each step with its side: "L…" or "R…"."""
    return _path([_leaf(one) for one in hashes], index)


def _path(leaves: Sequence[bytes], index: int) -> list[str]:
    if len(leaves) == 1:
        return []
    middle = _half(len(leaves))
    if index < middle:
        return [*_path(leaves[:middle], index), f"R{_tree(leaves[middle:]).hex()}"]
    return [*_path(leaves[middle:], index - middle), f"L{_tree(leaves[:middle]).hex()}"]


def _tree(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = _half(len(leaves))
    return hashlib.sha256(b"\1" + _tree(leaves[:middle]) + _tree(leaves[middle:])).digest()


def _half(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _leaf(event: str) -> bytes:
    return hashlib.sha256(b"\0" + bytes.fromhex(event)).digest()
