"""The program `trioproxy`, and `python -m trioproxy`."""

from typing import NoReturn

from trioproxy.deferred import put_off


def main() -> NoReturn:
    """Put off what is not used, before anything imports it, and run the command line."""
    put_off()
    from trioproxy import cli

    cli.main()


if __name__ == "__main__":
    main()
