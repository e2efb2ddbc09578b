"""The main job, shown end to end: learn a client, then enforce what was learned.

Every command that is printed is run, word for word, in a scratch folder; its output is
what follows. Nothing is left on the machine.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from demo import standin
from demo.play import Play, real_play, standin_play
from demo.stage import (
    Failed,
    Stage,
    enforcing,
    say,
    show,
    show_env_file,
)

FOLDERS: Final = ("/srv/job-k3w9xq", "/srv/job-8d2m7z")
HOLE: Final = "CREATE_BINDS=/srv/job-{rand6}"


async def tell(play: Play, stage: Stage) -> None:
    """Tell the story: learn, read, enforce."""
    say(f"1. The Engine. {play.introduction}")
    say(
        "2. Learn. A run of a client, with trioproxy between it and the Engine: "
        "everything passes, and trioproxy takes notes."
    )
    await stage.run(f"trioproxy learn -o app.env -- {play.learned}")
    say(
        "3. What it wrote. `ALLOW_OPERATIONS` is all that trioproxy will allow. The "
        "lists above it say what those requests may ask for."
    )
    show_env_file((stage.folder / "app.env").read_text())
    if play.job:
        say(
            "4. Holes. This client binds a folder that is another one each time. Two "
            "runs show what varies, and the list gets a hole for it:"
        )
        for folder in FOLDERS:
            job = play.job.format(folder)
            await stage.run(f"trioproxy learn --quiet -o job.env -- {job} 2>log")
        lines = (stage.folder / "job.env").read_text().splitlines()
        show("\n".join(line for line in lines if line.startswith("CREATE_BINDS")))
        if HOLE not in lines:
            raise Failed("two folders did not become a hole")
    say("5. Enforce. What was learned passes; everything else is refused.")
    async with enforcing(stage) as proxy:
        show(f"$ export DOCKER_HOST={proxy.url}")
        await stage.run(play.passes, DOCKER_HOST=proxy.url)
        answer = await stage.run(play.refused, check=False, DOCKER_HOST=proxy.url)
    if "ALLOW_OPERATIONS" not in answer:
        raise Failed(f"{play.refused!r} was not refused as it should be")
    say("6. The log. Each request has a line. This is that of the refusal:")
    show(next(line for line in proxy.log if "decision=refused" in line.split()))
    say(
        "Now yours: trioproxy learn -o learned/app.env -- COMMAND, with any command "
        "that talks to Docker. README.md goes on from here."
    )


async def main() -> int:
    """Choose the players and tell the story; 1 if it did not come out as it should."""
    with tempfile.TemporaryDirectory(prefix="trioproxy-demo-") as name:
        folder = Path(name)
        play = real_play() or standin_play(folder)
        stage = Stage.build(folder, play.engine)
        async with trio.open_nursery() as nursery:
            if play.is_standin:
                await nursery.start(standin.serve, folder / "engine.sock")
            failures: Sequence[Exception] = ()
            try:
                await tell(play, stage)
            except* Failed as group:
                failures = group.exceptions
            nursery.cancel_scope.cancel()
    for failure in failures:
        print(f"\nThe demonstration failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(trio.run(main))
