"""Images by their ids on a real Engine: judged by their names, and pinned."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import Engine

VARIABLES = {
    "ALLOW_OPERATIONS": "ContainerCreate,ContainerDelete,ImageTag,SystemPing,SystemPingHead",
    "CREATE_IMAGES": "busybox",
    "CREATE_TAGS": "*",
}


@pytest.fixture(scope="module")
def limited(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy that lists one image, before an Engine that has two."""
    made = engine.docker("create", "busybox", "true").text
    engine.docker("commit", "--change", "ENV A=b", made, "unlisted")
    listen = f"unix://{tmp_path_factory.mktemp('ids')}/proxy.sock"
    with enforcing(engine, listen=listen, variables=VARIABLES):
        yield listen
    engine.docker("rm", made)
    engine.docker("rmi", "unlisted")


def id_of(engine: Engine, image: str) -> str:
    ran = engine.docker("image", "inspect", "--format", "{{.Id}}", image)
    return ran.text


def fewest_digits(engine: Engine, image: str) -> int:
    """The length of the shortest beginning of an image's id that no other image has: ids differ in each run."""
    own, ids = (
        id_of(engine, image),
        engine.docker("images", "--all", "--quiet", "--no-trunc").text.split(),
    )
    others = [one for one in ids if one != own]
    return next(
        cut
        for cut in range(9, 72)
        if not any(one.startswith(own[:cut]) for one in others)
        # Where containerd keeps images, it is more than two.
        and not engine.docker("image", "inspect", own[:cut], check=False).status
    )


@pytest.mark.engine
@pytest.mark.parametrize("cut", [71, 20, None], ids=["whole", "thirteen", "fewest"])
@pytest.mark.parametrize("bare", [False, True], ids=["sha256", "bare"])
def test_ids(engine: Engine, limited: str, cut: int | None, bare: bool) -> None:
    """The listed image passes by its id and by its first digits, another one does not."""
    for image, passes in (("busybox", True), ("unlisted", False)):
        text = id_of(engine, image)[: cut or fewest_digits(engine, image)]
        text = text.removeprefix("sha256:") if bare else text
        ran = engine.docker("create", text, "true", host=limited, check=False)
        assert (ran.status == 0) is passes, ran
        if not passes:
            assert "which CREATE_IMAGES does not list" in ran.errors
            continue
        made = json.loads(engine.docker("inspect", ran.text).output)[0]
        assert made["Config"]["Image"] == id_of(engine, image)
        engine.docker("rm", ran.text, host=limited)


@pytest.mark.engine
def test_a_name_that_looks_like_an_id(engine: Engine, limited: str) -> None:
    """A tag of the digits of another image's id is a name first, and judged by its own image."""
    digits = id_of(engine, "busybox")[7:19]
    engine.docker("tag", "unlisted", f"{digits}:latest", host=limited)
    try:
        ran = engine.docker("create", digits, "true", host=limited, check=False)
        assert "which CREATE_IMAGES does not list" in ran.errors
    finally:
        engine.docker("rmi", f"{digits}:latest")


@pytest.mark.engine
def test_no_such_image(engine: Engine, limited: str, tmp_path: Path) -> None:
    """Where the Engine has none, its own answer goes to the client."""
    ran = engine.docker("create", "--pull=never", "deadbeef", host=limited, check=False)
    assert "No such image: deadbeef:latest" in ran.errors
