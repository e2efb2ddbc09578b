import os
import re
import string
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.errors import ConfigError
from trioproxy.file.envfile import decode_value, format_value, parse

READ = [
    ("", {}),
    ("\n \n\t\n", {}),
    ("# A=1\n  # B=1\n", {}),
    ("POST=1\nINFO=", {"POST": "1", "INFO": ""}),
    ("  POST=1\n\tINFO=0\n", {"POST": "1", "INFO": "0"}),
    ("ALLOW_OPERATIONS=A,GET:/x/{y},%2A", {"ALLOW_OPERATIONS": "A,GET:/x/{y},%2A"}),
    ("FOO=thing$all#here  \n", {"FOO": "thing$all#here  "}),
    ("FOO='$(b) c;'  \n", {"FOO": "'$(b) c;'  "}),
    ("FOO=\"a b;\"\n", {"FOO": "\"a b;\""}),
    ("FOO=http://x/?a=1&b=2&c=\n", {"FOO": "http://x/?a=1&b=2&c="}),
    ("FOO='x&POST=1'\n", {"FOO": "'x&POST=1'"}),
    ("# \t %43 ; $( ` ' \\ \nPOST=1", {"POST": "1"}),
    (f"#{'x' * 32767}\nFOO={'x' * 32764}", {"FOO": "x" * 32764}),
    ("FOO=a=b=c\n", {"FOO": "a=b=c"}),
    ("FOO='it is'\n", {"FOO": "'it is'"}),
    ("FOO=\u00a0é\n", {"FOO": "\u00a0é"}),
]  # fmt: skip


def test_the_page_says_which_bytes_stand_as_they_are() -> None:
    """All others are written `%XX`, as the page on messages says."""
    page = (Path(__file__).parents[2] / "docs/messages.tsv").read_text()
    (told,) = re.findall(r"Bytes other than `A-Za-z0-9(\S+)` and commas", page)
    found = set[str]()
    for one in map(chr, range(0x21, 0x7F)):
        with suppress(ConfigError):
            parse(f"ALLOW_X={one}\n", name="x.env")
            found.add(one)
    assert found == {*string.ascii_letters, *string.digits, *told, ","}


BAD = [
    ("POST=1\nPOST=1\n", 2, "POST is set twice, first in line 1", "keep one of the two"),
    ("\nFOO=1\n\nFOO=2", 4, "FOO is set twice, first in line 2", ""),
    ("POST", 1, "'POST' has no value", "write NAME=value"),
    ("export POST=1", 1, "'export POST'", "without export"),
    ("POST =1", 1, "'POST ' is no name", "no space before ="),
    ("\u00a0POST=1", 1, "'\\xa0POST' is no name", "no digit first"),
    ("1POST=1", 1, "'1POST' is no name", "no digit first"),
    ("POST-X=1", 1, "'POST-X' is no name", ""),
    ("=1", 1, "'' is no name", ""),
    ("POST=\"1\"", 1, "POST has the value '\"1\"'", "without quotes"),
    ("POST='1'", 1, "POST has the value", "without quotes"),
    ("POST= 1", 1, "POST has the value ' 1'", "write no space behind ="),
    ("POST=1 EVENTS=0; opens 5", 1, "POST has the value", "write each NAME=value on a line"),
    ("POST=1;EVENTS=0", 1, "POST has the value", "write each NAME=value on a line"),
    ("{\"format\": 3}", 1, "'{\"format\": 3}' has no value", "name the env file next to it"),
    ("POST=1 ", 1, "POST has the value '1 '", "remove the space at the end"),
    ("POST=1 # yes", 1, "POST has the value", "a line of its own"),
    ("POST=$X", 1, "POST has the value", "nothing is substituted"),
    ("POST=`x`", 1, "POST has the value", "nothing is substituted"),
    ("CREATE_BINDS=/srv,~/a", 1, "CREATE_BINDS has the value", "nothing is substituted"),
    ("ALLOW_OPERATIONS=A,\\\nB", 1, "ALLOW_OPERATIONS has the value", "a value is one line"),
    ("ALLOW_OPERATIONS=%2", 1, "ALLOW_OPERATIONS has the value", "write %25"),
    ("ALLOW_OPERATIONS=%zz", 1, "ALLOW_OPERATIONS has the value", "write %25"),
    ("ALLOW_OPERATIONS=A;B", 1, "ALLOW_OPERATIONS has the value", "a list has commas alone"),
    ("ALLOW_OPERATIONS=A, B", 1, "ALLOW_OPERATIONS has the value", "no space behind a comma"),
    (f"ALLOW_OPERATIONS={'A,' * 64}B&C", 1, f"ALLOW_OPERATIONS has the value '{'A,' * 16}B&C'", ""),
    ("ALLOW_OPERATIONS=é", 1, "ALLOW_OPERATIONS has the value", "any other byte as %XX"),
    ("ONLY_OWNER=x y", 1, "ONLY_OWNER has the value 'x y'", "a list has commas alone; a space in a value is %20"),
    ("ALLOW_X=a b", 1, "ALLOW_X has the value", "a space in a value is %20"),
    ("POST=1\r\nINFO=1\r\n", 1, "a CR", "Unix line ends"),
    ("INFO=1\nA=\0", 2, "a NUL byte", ""),
    ("\ufeffPOST=1", 1, "a byte order mark", "plain UTF-8"),
    ("# lists\rALLOW_OPERATIONS=ContainerCreate\n", 1, "a CR", "Unix line ends"),
    ("#\n# a\x0bPOST=1\n", 2, "the character U+000B", "it hides"),
    ("# \x1b[8mEXEC", 1, "the character U+001B", "it hides"),
    ("# a\x85POST=0", 1, "the character U+0085", "it hides"),
    ("# a\u2028POST=0", 1, "the character U+2028", "it hides"),
    ("FOO=\u202e1=TSOP", 1, "the character U+202E", "it hides"),
    ("POST=1\nFOO=\ufeff", 2, "a byte order mark", ""),
    (f"POST=1\nFOO={'x' * 32765}", 2, "longer than 32768 bytes", "a * stands for many"),
    (f"#{'é' * 16384}", 1, "longer than 32768 bytes", "split it"),
    ("ALLOW_OPERATIONS=Container%43reate", 1, "ALLOW_OPERATIONS has the value", "written as they are"),
    ("ALLOW_OPERATIONS=GET:%2Fx", 1, "ALLOW_OPERATIONS has the value", "written as they are"),
    ("ALLOW_OPERATIONS=%7a%61", 1, "ALLOW_OPERATIONS has the value", "written as they are"),
    ("FOO=a POST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO= POST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a # b", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=any thing", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=$(", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=`id`", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=\"`id`\"", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=${POST:=1}", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=\"$((POST=1))\"", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=$[POST=1]", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=$'a\\'b'", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=<<E\nPOST=1\nE", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a;POST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a|b", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=(POST=1)", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a&POST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a&b=c&ALLOW_X=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a&OPTIND=a\nPOST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a&&POST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a&id", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("UID=1000\nEVENTS=0", 1, "sh may stop at UID", "would not be read"),
    *((f"{one}=1\nEVENTS=0", 1, f"sh may stop at {one}", "take it out") for one in ("BASHOPTS", "BASH_VERSINFO", "EUID", "OPTIND", "PPID", "SHELLOPTS")),
    ("FOO=a'b'", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a\\ b", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a'$(b) c;'\\;\"d e\"", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=\"a\\\"b\"", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO='a'POST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO='a\\'\nPOST=1\n#'", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=\"a\\\"\nPOST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=\"a\nPOST=1\nB=\"", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=it's\nPOST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO='a\"b\nPOST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("FOO=a\\\nPOST=1", 1, "the value of FOO is neither one plain word", "quote all of it"),
    ("A=1\n # x\\\nPOST=0", 2, "a comment that ends in a backslash", "systemd before 254"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "variables"), READ, ids=ascii)
def test_read(text: str, variables: dict[str, str]) -> None:
    """Lines that all readers take alike are read; what is not ours stays as it is."""
    assert parse(text, name="f") == variables


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"), BAD, ids=lambda v: ascii(v)[:30]
)
def test_bad(text: str, line: int, message: str, hint: str) -> None:
    """A line that readers take differently is an error with file, line and advice."""
    with pytest.raises(ConfigError) as caught:
        parse(text, name="app.env")
    assert str(caught.value).startswith(f"app.env, line {line}: {message}")
    assert hint in caught.value.hint


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.binary().map(os.fsdecode))
def test_format_round_trip(value: str) -> None:
    """Any text survives a file, whatever bytes it holds, and stays one plain value."""
    line = f"ALLOW_OPERATIONS={format_value(value)}"
    read = parse(line, name="f")["ALLOW_OPERATIONS"]
    assert decode_value(read) == value
    assert not set(read) & set("*,{}~ \n\"'$`\\")


@given(st.text())
def test_never_crashes(text: str) -> None:
    """Any text is read or refused with one clear error."""
    try:
        variables = parse(text, name="f")
    except ConfigError as error:
        assert str(error).startswith("f, line ")  # noqa: PT017  either outcome is right
    else:
        assert all(name and "\n" not in value for name, value in variables.items())


def test_a_shell_reads_the_same(tmp_path: Path) -> None:
    """What is accepted as a value of ours reaches a POSIX shell unchanged."""
    value = "A:/x/{y}/*,B@c+d-e_f.%0a,~".replace("~", format_value("~ $(touch x)`'\""))
    text = f"# comment\nALLOW_OPERATIONS={value}\nPOST=1\n"
    assert parse(text, name="f")["ALLOW_OPERATIONS"] == value
    (tmp_path / "app.env").write_text(text)
    read = subprocess.run(
        ["sh", "-c", '. ./app.env; printf %s "$ALLOW_OPERATIONS"'],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert read.stdout == value
    assert [path.name for path in tmp_path.iterdir()] == ["app.env"]


def test_a_value_of_any_bytes() -> None:
    """What is no text has one form, and comes back from that."""
    assert decode_value("a%FF%C3%A9") == "a\udcff\u00e9"
    assert format_value("a\udcff\u00e9") == "a%FF%C3%A9"
