"""`trioproxy export`: a policy in the words of another proxy."""

import click

from trioproxy.commands import tell
from trioproxy.commands.observed import read_policy_file
from trioproxy.commands.terminal import write_whole
from trioproxy.learning.wording import count
from trioproxy.review.translate import Proxy, export

EPILOG = """\b
Examples:
  trioproxy export learned/app.env --to tecnativa > proxy.env
  trioproxy export learned/app.env --to cetusguard > rules.list
"""


@click.command(name="export", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice([proxy.value for proxy in Proxy]),
    help="Which proxy.",
)
def command(*, file: str, target: str) -> None:
    """Write the policy of FILE for another proxy, to stdout.

    As exact as the other one can be; what it opens beyond FILE, and what it cannot
    say, is told on stderr.
    """
    policy = read_policy_file(file).policy
    exported = export(policy, Proxy(target), source=file)
    write_whole(exported.text)
    more = count(len(exported.over), "operation")
    slashes = "refuses names with slashes (PARENT/ALIAS of a legacy link), which"
    for names, text in (
        (exported.over, f"opens {more} beyond {file}"),
        (exported.without_slashes, f"{slashes} {file} allows"),
        (exported.unsaid, "cannot be told what requests may ask for"),
        (policy.hiding, "cannot be told what answers hide"),
        (exported.wider, f"takes more than {file} lists as CREATE_BINDS"),
        (exported.missing, "cannot allow"),
    ):
        if names:
            tell.warn(f"{target} {text}: {', '.join(names)}")
