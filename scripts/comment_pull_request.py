"""Write one comment on a pull request, or write it anew where it is there already.

    comment_pull_request.py TEXT.md

The text is Markdown. Of the environment: `API`, `REPOSITORY` (OWNER/NAME), `NUMBER` of the
pull request, `TOKEN`, `FILE` that the comment is about, `REPORT`, where its page is kept
(may be empty). The comment begins with a line that nobody sees and that names FILE: by
that it is found again, among the comments of bots alone, for anybody can write that line.

A comment is a courtesy: the job's summary has the same, and the job fails or not by what
was compared. So whatever goes wrong here is said in a line, and the status is 0. A pull
request from a fork has a token that may not write; that is said too.
"""

import json
import os
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

LARGEST = 60_000
"""Characters; GitHub takes 65,536."""
PAGES = 30
"""Of 100 comments, that are looked through."""
SECONDS = 20
CUT = "\n\n*The rest did not fit: the summary of the job has it.*"


def main(text: Path) -> None:
    """Find the comment, and write it."""
    given = os.environ
    # Quoted, for what ends an HTML comment does not stand in one.
    about = quote(given["FILE"]).replace("-", "%2D")
    mark = f"<!-- trioproxy {about} -->"
    compared = cut(text.read_text(encoding="utf-8").strip())
    body = "\n\n".join([mark, compared, *link(given["REPORT"])])
    comments = (
        f"{given['API']}/repos/{given['REPOSITORY']}/issues/{given['NUMBER']}/comments"
    )
    for one in written(comments):
        # An account that is gone is null, and so is a text that never was.
        is_ours = (one["user"] or {}).get("type") == "Bot"
        if is_ours and (one["body"] or "").startswith(mark):
            if one["body"] != body:
                ask("PATCH", one["url"], {"body": body})
            return
    ask("POST", comments, {"body": body})


def link(report: str) -> Iterator[str]:
    """Where the page is, if it was kept."""
    if report:
        yield f"[The whole report]({report}), a page to download."


def cut(body: str) -> str:
    """What is too long, without its last lines; what is behind it stands in no fence of it."""
    if len(body) <= LARGEST:
        return body
    kept = body[:LARGEST].rpartition("\n")[0]
    fences = sum(line.startswith("```") for line in kept.split("\n"))
    return kept + "\n```" * (fences % 2) + CUT


def written(comments: str) -> Iterator[dict[str, Any]]:
    """The comments that are there, page by page."""
    for page in range(1, PAGES + 1):
        found = ask("GET", f"{comments}?per_page=100&page={page}")
        yield from found
        if len(found) < 100:
            return


def ask(method: str, url: str, data: object = None) -> Any:  # noqa: ANN401
    """One request to the API."""
    sent = None if data is None else json.dumps(data).encode()
    request = Request(url, sent, method=method)  # noqa: S310
    request.add_header("Authorization", f"Bearer {os.environ['TOKEN']}")
    request.add_header("Accept", "application/vnd.github+json")
    request.add_header("Content-Type", "application/json")
    with urlopen(request, timeout=SECONDS) as response:  # noqa: S310
        return json.load(response)


def say(why: str) -> None:
    """Tell why there is no comment, in the log and beside the job."""
    sys.stdout.write(f"::notice::no comment was written: {why}\n")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except HTTPError as error:
        more = "; give the job pull-requests: write, which a fork's has not"
        say(f"{error.code} {error.reason}{more if error.code in {403, 404} else ''}")
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        say(type(error).__name__)
