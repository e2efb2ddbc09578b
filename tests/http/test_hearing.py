"""An answer that tells ids of images passes as it is, and is heard however it is cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.http.framing import CHUNKED, UNTIL_CLOSE, Framing
from trioproxy.http.hearing import LONGEST_TOLD, Hearing

ONE, TWO = "a1" * 32, "b2" * 32


def lines(*values: object) -> bytes:
    """An answer of the classic builder."""
    return b"".join(json.dumps(one).encode() + b"\r\n" for one in values)


def said(text: str) -> dict[str, str]:
    return {"stream": f"{text}\n"}


def aux(digits: str) -> dict[str, object]:
    return {"aux": {"ID": f"sha256:{digits}"}}


def heard(content: bytes, *cuts: int) -> list[str]:
    """What is heard of an answer that comes in pieces, each a chunk that is cut as well."""
    found = list[str]()
    hearing = Hearing(CHUNKED, found.append)
    ends = sorted({*(cut % (len(content) + 1) for cut in cuts), len(content)})
    body, begin = b"", 0
    for end in ends:
        piece, begin = content[begin:end], end
        body += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    body += b"0\r\n\r\n"
    at = 0
    while at < len(body):
        assert not hearing.done
        at = hearing.feed(
            body, at, min(len(body), at + 1 + cuts[0] % 40 if cuts else len(body))
        )
    assert hearing.done
    assert hearing.passed == len(body)
    return found


BUILD = lines(
    *(said("Step 1/2 : FROM busybox"), aux(ONE), said(" ---> Running in 0123456789ab")),
    *({"stream": "x" * 2 * LONGEST_TOLD}, aux(TWO)),
    *(said("Successfully built b2b2b2b2b2b2"), said("Successfully tagged app:1")),
)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
def test_wherever_it_is_cut(cuts: list[int]) -> None:
    """The ids of all stages are heard, whatever chunks and pieces the answer comes in."""
    assert heard(BUILD, *cuts) == [ONE, TWO, "b2b2b2b2b2b2"]


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (Framing(length=80), b'{"Id":"sha256:%b"}' % ONE.encode()),
        (UNTIL_CLOSE, b'{"Id":"%b"}\n' % ONE.encode()),
    ],
    ids=["docker", "podman"],
)
def test_a_commit(framing: Framing, body: bytes) -> None:
    """A commit tells its image in one object."""
    found = list[str]()
    body += b" " * (framing.length - len(body))
    assert Hearing(framing, found.append).feed(body, 0, len(body)) == len(body)
    assert found == [ONE]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(lines(said("Successfully built b2b2b2b2b2b2")), ["b2b2b2b2b2b2"], id="before API 1.30"),
        pytest.param(lines(said(f"sha256:{TWO}")), [TWO], id="quiet"),
        pytest.param(lines(said("Successfully built b2b2b2b2b2b2"), {"error": "no"}), [], id="printed by a step, and failed"),
        pytest.param(lines(said(f"sha256:{TWO}"), {"error": "x" * 2 * LONGEST_TOLD}), [], id="printed, and a long error"),
        pytest.param(lines(said("Successfully built b2b2b2b2b2b2"), said("Successfully tagged a"), {"error": "no"}), [], id="printed with a name"),
        pytest.param(lines(said("Successfully built b2b2b2b2b2b2"), said("Successfully built a1a1a1a1a1a1")), ["a1a1a1a1a1a1"], id="printed, and the Engine's own"),
        pytest.param(lines(said(json.dumps(aux(TWO)))), [], id="a step prints what the Engine writes"),
        pytest.param(lines(aux(TWO) | {"x": "x" * LONGEST_TOLD}, aux(ONE)), [ONE], id="an id in a long line"),
        pytest.param(b'{"aux":{"ID":"sha256:' + b"c" * 64 + b'"}', [], id="no JSON"),
        pytest.param(lines({"aux": "cGI="}, {"aux": {"ID": 1}}, {"aux": {"ID": "sha256:a1"}}, [aux(TWO)]), [], id="no ids"),
        pytest.param(lines({"id": "moby.image.id", "aux": {"ID": f"sha256:{TWO}"}}), [TWO], id="BuildKit in the place of the builder"),
    ],
)  # fmt: skip
def test_what_counts(answer: bytes, told: list[str]) -> None:
    """What a step prints is not the Engine's word, unless the whole answer ends with it."""
    assert heard(answer) == told


def test_what_never_ended() -> None:
    """Of an answer that is cut off what it ended with does not count; what was told, does."""
    found = list[str]()
    content = lines(aux(ONE), said(f"sha256:{TWO}"))
    body = b"%x\r\n%b\r\n" % (len(content), content)
    Hearing(CHUNKED, found.append).feed(body, 0, len(body))
    assert found == [ONE]
