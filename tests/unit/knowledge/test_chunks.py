from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunks import chunks_of
from knowledge.documents import Block, Document, Terms, parts_of, placed


def document(blocks: list[Block], *, title: str = "Travel", label: str = "travel") -> Document:
    return Document(
        document="travel.md", title=title, label=label, terms=Terms(), parts=parts_of(blocks), sha256=""
    )


def paragraph(sentences: int, words: int) -> Block:
    return Block(
        kind="paragraph", text=" ".join("Word " + "word " * (words - 2) + "end." for _ in range(sentences))
    )


def test_a_passage_carries_file_name_and_headings_once() -> None:
    blocks = [
        Block(kind="heading", level=1, text="Travel"),
        Block(kind="heading", level=2, text="Trains"),
        Block(kind="paragraph", text="Book early. Sit still."),
    ]
    (chunk,) = chunks_of(document(blocks))
    assert chunk.text == "travel > Trains\nBook early. Sit still."
    assert [chunk.text[start:end] for start, end in chunk.spans] == ["Book early.", "Sit still."]


def test_no_passage_crosses_a_heading() -> None:
    blocks = [paragraph(1, 5), Block(kind="heading", level=2, text="Next"), paragraph(1, 5)]
    assert [chunk.part for chunk in chunks_of(document(blocks))] == [0, 1]


def test_passages_are_about_equally_long() -> None:
    sizes = [chunk.last - chunk.first for chunk in chunks_of(document([paragraph(13, 20)]))]
    assert sizes == [5, 5, 3] or max(sizes) - min(sizes) <= 2
    assert sum(sizes) == 13


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(3, 300)), min_size=1, max_size=12))
def test_every_unit_is_in_exactly_one_passage_and_none_is_too_long(shape: list[tuple[int, int]]) -> None:
    whole = document([paragraph(sentences, words) for sentences, words in shape])
    chunks = list(chunks_of(whole))
    units = whole.parts[0].units
    assert [place for chunk in chunks for place in range(chunk.first, chunk.last)] == list(range(len(units)))
    assert all(len(placed(units[chunk.first : chunk.last])[0].split()) <= 125 for chunk in chunks)
    for chunk in chunks:
        spans = [chunk.text[start:end] for start, end in chunk.spans]
        assert spans == [unit.text for unit in units[chunk.first : chunk.last]]
