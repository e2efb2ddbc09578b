"""`trioproxy export`: a policy in the words of another proxy."""

import click

from trioproxy.commands import tell
from trioproxy.commands.policyfile import PolicyFile
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
    policy = PolicyFile.read(file).policy
    exported = export(policy, Proxy(target), source=file)
    click.echo(exported.text, nl=False)
    if exported.over:
        tell.warn(
            f"{target} opens {len(exported.over)} operations beyond {file}:"
            f" {', '.join(exported.over)}"
        )
    if names := exported.without_slashes:
        tell.warn(
            f"{target} refuses names with slashes (PARENT/ALIAS of a legacy link), which"
            f" {file} allows: {', '.join(names)}"
        )
    if exported.unsaid:
        unsaid = ", ".join(exported.unsaid)
        tell.warn(f"{target} cannot be told what requests may ask for: {unsaid}")
    if exported.wider:
        tell.warn(
            f"{target} takes more than {file} lists as CREATE_BINDS:"
            f" {', '.join(exported.wider)}"
        )
    if exported.missing:
        tell.warn(f"{target} cannot allow: {', '.join(exported.missing)}")
