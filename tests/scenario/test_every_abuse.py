"""Every abuse once, with one of the scenes; `make figures ARGS=abuse` tries each with all of them."""

from tests.abuse import matrix, payloads
from tests.abuse.grounds import arena


async def test_no_abuse_has_an_effect_that_nobody_approved() -> None:
    chosen = matrix.pairs(count=len(matrix.ABUSES) - len(payloads.ABUSES))
    async with arena() as found:
        tried = [await matrix.attempt(found, *pair) for pair in chosen]
    assert [one for one in tried if one.wrongful] == []
    assert len(tried) >= 190
