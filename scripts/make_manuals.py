"""Write the man pages, and completions for bash, zsh and fish: make_manuals.py FOLDER.

All is made from the commands themselves, once, when a release is built: what is installed
starts no Python to complete a word. FOLDER has afterwards what lies below /usr/share.
"""

import os
import re
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import click

from trioproxy import __version__
from trioproxy.cli import COMMANDS, group
from trioproxy.commands.catalogue import PREFIX, READ
from trioproxy.commands.inventory import data

PROGRAM = "trioproxy"
TOP = click.Context(group, info_name=PROGRAM, help_option_names=["-h", "--help"])
FILES = re.compile(r"FILE|PAGE|.*\.jsonl|OLD|NEW")
"""What stands for a file in a synopsis."""


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Each command, and the context in which it says its help."""
    for name in COMMANDS:
        _, command, _ = group.resolve_command(TOP, [name])
        if command is None:
            sys.exit(f"make_manuals.py: there is no command {name}")
        yield name, command, click.Context(command, info_name=name, parent=TOP)


def names() -> list[str]:
    """The policies that come with the program."""
    found = data()
    return [
        str(one["name"] if ":" in one["name"] else f"{prefix}{one['name']}")
        for kind, prefix in (("learned", PREFIX), ("documented", READ))
        for one in found[kind]  # type: ignore[attr-defined]
    ]


def options(command: click.Command, ctx: click.Context) -> list[click.Option]:
    """Its options, --help too."""
    return [one for one in command.get_params(ctx) if isinstance(one, click.Option)]


def choices(option: click.Parameter) -> list[str]:
    """The words that it takes, if they are known."""
    return list(option.type.choices) if isinstance(option.type, click.Choice) else []


def takes_file(one: click.Parameter) -> bool:
    """Whether a file's name is its value."""
    shown = (one.metavar or (one.name or "").upper()).strip("[].")
    return any(FILES.fullmatch(word) for word in shown.split("|"))


def summary(option: click.Option) -> str:
    """What it is, in its first sentence."""
    return re.split(r"(?<=[.:;])\s", option.help or "Show the help.")[0].rstrip(".:;")


# -- man pages ----------------------------------------------------------------------


def roff(text: str) -> str:
    """Text as roff reads it."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=[.'])", "\\\\&", text)


def paragraphs(text: str) -> Iterator[str]:
    """Help as click writes it: what follows \\b keeps its lines."""
    for block in text.replace("\x0c", "").split("\n\n"):
        if block.lstrip().startswith("\b"):
            lines = textwrap.dedent(block.replace("\b", "").strip("\n"))
            yield f".PP\n.nf\n{roff(lines)}\n.fi"
        else:
            yield f".PP\n{roff(' '.join(block.split()))}"


def page(name: str, command: click.Command, ctx: click.Context, day: str) -> str:
    """The page of a command, or of the program."""
    whole = f"{PROGRAM}-{name}" if name else PROGRAM
    usage = " ".join(command.collect_usage_pieces(ctx))
    words = whole.replace("-", " ") if name else PROGRAM
    told = COMMANDS.get(name, (command.help or "").partition("\n")[0])
    parts = [
        f'.TH {roff(whole.upper())} 1 {day} "{PROGRAM} {__version__}" "User Commands"',
        f".SH NAME\n{roff(whole)} \\- {roff(told[:1].lower() + told[1:].rstrip('.'))}",
        f".SH SYNOPSIS\n.B {words}\n{roff(usage)}",
        ".SH DESCRIPTION",
        "\n".join(paragraphs(command.help or "")).removeprefix(".PP\n"),
    ]
    if not name:
        parts.append(".SH COMMANDS")
        parts += [
            f".TP\n.BR {PROGRAM}\\-{one} (1)\n{roff(text)}"
            for one, text in COMMANDS.items()
        ]
    parts.append(".SH OPTIONS")
    for option in options(command, ctx):
        shown, told = option.get_help_record(ctx) or ("", "")
        parts.append(f".TP\n.B {roff(shown)}\n{roff(told)}")
    if command.epilog:
        title, _, examples = command.epilog.replace("\b", "").strip().partition("\n")
        shown = textwrap.dedent(examples) or title
        parts.append(f".SH EXAMPLES\n.nf\n{roff(shown)}\n.fi")
    parts.append(
        ".SH EXIT STATUS\n.TP\n0\nAll is well.\n.TP\n1\nWhat was looked for, or refused, was"
        " found.\n.TP\n2\nIt cannot be done; stderr says why, and what to do.\n.PP\n"
        "COMMAND of\n.B trioproxy learn\nhas a status of its own, which is passed on."
    )
    others = ["", *COMMANDS] if name else COMMANDS
    seen = [f"{PROGRAM}-{one}" if one else PROGRAM for one in others if one != name]
    parts.append(
        ".SH SEE ALSO\n"
        + ",\n".join(f".BR {roff(one)} (1)" for one in seen).replace(",\n", " ,\n")
    )
    return "\n".join(parts) + "\n"


# -- completions --------------------------------------------------------------------


def bash() -> str:
    """For bash. The line is split at blanks alone: bash itself splits at : and = too."""
    words = dict.fromkeys(COMMANDS, "")
    values, files = list[str](), list[str]()
    for name, command, ctx in commands():
        words[name] = " ".join(opt for one in options(command, ctx) for opt in one.opts)
        for one in options(command, ctx):
            if one.is_flag:
                continue
            for opt in one.opts:
                if known := choices(one):
                    values.append(
                        f"        {name}:{opt}) words={shlex.quote(' '.join(known))} ;;"
                    )
                elif takes_file(one):
                    files.append(f"{name}:{opt}")
                else:
                    values.append(f"        {name}:{opt}) return ;;")
    cases = "\n".join(
        f"        {name}) words={shlex.quote(text)} ;;" for name, text in words.items()
    )
    return f"""\
# bash completion for {PROGRAM} {__version__}
_{PROGRAM}() {{
    local line=${{COMP_LINE:0:COMP_POINT}} cur word command= words= asked= after=
    read -r -a given <<<"$line"
    [[ $line == *[[:space:]] ]] && given+=('')
    cur=${{given[-1]}}
    for word in "${{given[@]:1:${{#given[@]}}-2}}"; do
        [[ -n $after ]] && continue
        case $word in
        --) after=yes ;;
        -*) ;;
        *) [[ -z $command ]] && command=$word ;;
        esac
    done
    COMPREPLY=()
    if [[ -n $after ]]; then
        mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
        return
    fi
    asked=${{given[-2]}}
    if [[ $cur == --*=* ]]; then
        asked=${{cur%%=*}} cur=${{cur#*=}}
    fi
    case $command:$asked in
{os.linesep.join(values)}
        {" | ".join(files)}) words={shlex.quote(" ".join(names()))}
            mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        :*) words='{" ".join(COMMANDS)} --help --version' ;;
        *) if [[ $cur != -* ]]; then
                words={shlex.quote(" ".join(names()))}
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            else
                case $command in
{textwrap.indent(cases, "        ")}
                esac
            fi ;;
    esac
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -W "$words" -- "$cur")
    # What stands before a colon is a word of its own for bash, and is there already.
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${{COMPREPLY[@]#"${{cur%:*}}:"}}")
    fi
}}
complete -o filenames -o bashdefault -F _{PROGRAM} {PROGRAM}
"""


def zsh() -> str:
    """For zsh, by its own _arguments."""

    def escaped(text: str) -> str:
        return re.sub(r"([\[\]:\\])", r"\\\1", text)

    def spec(one: click.Option) -> Iterator[str]:
        repeats = "*" if one.multiple else f"({' '.join(one.opts)})"
        for opt in one.opts:
            value = ""
            if not one.is_flag and "--help" not in one.opts:
                known = choices(one)
                action = (
                    f"({' '.join(known)})"
                    if known
                    else "_trioproxy_policy"
                    if takes_file(one)
                    else " "
                )
                value = f":{escaped(one.metavar or 'value')}:{action}"
            equals = "=" if value and opt.startswith("--") else ""
            yield f"{repeats}{opt}{equals}[{escaped(summary(one))}]{value}"

    cases = list[str]()
    for name, command, ctx in commands():
        specs = [text for one in options(command, ctx) for text in spec(one)]
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        if name == "learn":
            specs.append("*::command: _normal")
        elif any(map(takes_file, arguments)):
            specs.append("*:file:_trioproxy_policy")
        lines = " \\\n            ".join(shlex.quote(text) for text in specs)
        cases.append(
            f"    {name})\n        _arguments -s -S \\\n            {lines} ;;"
        )
    described = "\n".join(
        f"        {shlex.quote(f'{name}:{escaped(text)}')}"
        for name, text in COMMANDS.items()
    )
    listed = "\n        ".join(map(shlex.quote, names()))
    return f"""\
#compdef {PROGRAM}
# zsh completion for {PROGRAM} {__version__}
_trioproxy_policy() {{
    local -a there=(
        {listed}
    )
    _alternative 'files:file:_files' 'policies:what comes with trioproxy:compadd -a there'
}}

_trioproxy() {{
    local curcontext=$curcontext state line
    local -a known=(
{described}
    )
    _arguments -C '(- *)'{{-h,--help}}'[Show the help]' '(- *)--version[Show the version]' \\
        '1: :->command' '*:: :->rest' && return
    if [[ $state == command ]]; then
        _describe -t commands command known
        return
    fi
    case $words[1] in
{os.linesep.join(cases)}
    esac
}}

_trioproxy "$@"
"""


def fish() -> str:
    """For fish."""

    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = [
        f"# fish completion for {PROGRAM} {__version__}",
        f"complete -c {PROGRAM} -f",
        f"complete -c {PROGRAM} -n __fish_use_subcommand -s h -l help -d 'Show the help'",
        f"complete -c {PROGRAM} -n __fish_use_subcommand -l version -d 'Show the version'",
    ]
    for name, command, ctx in commands():
        lines.append(
            f"complete -c {PROGRAM} -n __fish_use_subcommand -a {name} -d {quoted(COMMANDS[name])}"
        )
        within = f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from {name}'"
        for one in options(command, ctx):
            opts = " ".join(
                f"-l {opt[2:]}" if opt.startswith("--") else f"-s {opt[1:]}"
                for opt in one.opts
            )
            value = ""
            if not one.is_flag and "--help" not in one.opts:
                known = choices(one)
                value = (
                    f" -x -a {quoted(' '.join(known))}"
                    if known
                    else " -r -F"
                    if takes_file(one)
                    else " -x"
                )
            lines.append(f"{within} {opts}{value} -d {quoted(summary(one))}")
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        if any(map(takes_file, arguments)):
            lines.append(f"{within} -F -a {quoted(' '.join(names()))}")
        if name == "learn":
            lines.append(f"{within} -F -a '(__fish_complete_subcommand)'")
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    """Write all of them where a system looks for them."""
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    files = {
        f"man/man1/{PROGRAM}.1": page("", group, TOP, day),
        f"bash-completion/completions/{PROGRAM}": bash(),
        f"zsh/vendor-completions/_{PROGRAM}": zsh(),
        f"fish/vendor_completions.d/{PROGRAM}.fish": fish(),
    }
    for name, command, ctx in commands():
        files[f"man/man1/{PROGRAM}-{name}.1"] = page(name, command, ctx, day)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
