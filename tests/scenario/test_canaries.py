"""No credential is found anywhere but where credentials are kept."""

from tests.figures import secrets


async def test_no_credential_is_found_outside_its_store_and_a_planted_one_is() -> None:
    figures = [figure async for figure in secrets.measure(quick=True)]
    assert [figure.what for figure in figures if not figure.holds] == []
    assert len(figures) == 2
