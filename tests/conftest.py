"""Fixtures that all kinds of tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real handbooks, questions and payloads beside the checkout."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.fail(f"the real data that this test reads is missing: {folder} (see CONTRIBUTING.md)")
    return folder
