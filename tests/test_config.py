"""Addresses, levels and limits are read as documented, or refused with a clear line."""

from ipaddress import ip_network

import pytest

from trioproxy import config
from trioproxy.config import (
    ENTRY_HINT,
    Level,
    TcpAddress,
    UnixAddress,
    parse_address,
    parse_listener,
)
from trioproxy.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        pytest.param(
            "tcp://127.0.0.1:2375", TcpAddress(host="127.0.0.1", port=2375), id="ipv4"
        ),
        pytest.param("tcp://[::1]:80", TcpAddress(host="::1", port=80), id="ipv6"),
        pytest.param("tcp://:2375", TcpAddress(host="", port=2375), id="all"),
        pytest.param("tcp://*:65535", TcpAddress(host="", port=65535), id="star"),
        pytest.param(
            "unix:///run/x.sock",
            UnixAddress(path="/run/x.sock", mode=0o600, uid=-1, gid=-1),
            id="unix",
        ),
        pytest.param(
            "unix:///run/x.sock?mode=0660&uid=1&gid=999",
            UnixAddress(path="/run/x.sock", mode=0o660, uid=1, gid=999),
            id="unix-owner",
        ),
        pytest.param(
            "unix:///run/x+y=z.sock?mode=0660+gid=999",
            UnixAddress(path="/run/x+y=z.sock", mode=0o660, gid=999),
            id="unix-owner-in-an-env-file",
        ),
        pytest.param(
            "unix:///x?uid=4294967294",
            UnixAddress(path="/x", uid=4_294_967_294),
            id="user-of-a-directory",
        ),
        pytest.param("unix:///a%20b", UnixAddress(path="/a b"), id="unix-escaped"),
    ],
)
def test_address_is_read(url: str, address: config.Address) -> None:
    """An address URL becomes the address it names."""
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("tcp://127.0.0.1", "port is missing", id="no-port"),
        pytest.param("tcp://h:65536", "out of range", id="port-range"),
        pytest.param("tcp://h:1/x", "nothing behind", id="path"),
        pytest.param("tcp://u@h:1", "nothing behind", id="user"),
        pytest.param("unix://run/x", "must be absolute", id="relative"),
        pytest.param("unix:///x?mode=888", "octal", id="mode"),
        pytest.param("unix:///x?uid=a", "is not a number", id="uid"),
        pytest.param("unix:///x?uid=4294967295", "is the last", id="leave-it"),
        pytest.param("unix:///x?gid=99999999999", "is the last", id="too-long"),
        pytest.param("unix:///a%00b", "zero byte", id="zero"),
        pytest.param("unix:///x?policy=a", "no parameter", id="parameter"),
        pytest.param("unix:///x?uid=1&uid=2", "twice", id="twice"),
        pytest.param("unix:///x?uid=1+uid=2", "twice", id="twice-by-plus"),
        pytest.param("unix:///x?uid=1+2", "is not a number", id="plus-in-a-value"),
        pytest.param("unix:///a%2", "two hex digits", id="bad-escape"),
        pytest.param("unix:///a#b", "with %23 for a #", id="fragment"),
        pytest.param("tcp://[::1", "nothing behind", id="open-bracket"),
        pytest.param("ssh://host", "bad address", id="ssh"),
        pytest.param("/run/x.sock", "bad address", id="bare-path"),
    ],
)
def test_bad_address_is_refused(url: str, said: str) -> None:
    """An address that is not understood is refused, with what is wrong."""
    with pytest.raises(ConfigError, match=said):
        parse_address(url)


@pytest.mark.parametrize(
    ("url", "said", "hint"),
    [
        pytest.param("tcp://h:x", "nothing behind", "write tcp://HOST:PORT", id="tcp"),
        pytest.param("unix://x", "be absolute", "write unix:///absolute/path", id="unix"),
        pytest.param("tcp://:1?mode=0660", "'mode' is not supported there", ENTRY_HINT, id="mode"),
        pytest.param("fd://x y", "no word of ASCII", ENTRY_HINT, id="fd"),
    ],
)  # fmt: skip
def test_a_hint_offers_what_was_begun(url: str, said: str, hint: str) -> None:
    """Whoever wrote unix:// is told of no TCP, and a parameter for another kind is named."""
    with pytest.raises(ConfigError, match=said) as refused:
        parse_listener(url)
    assert refused.value.hint == hint


@pytest.mark.parametrize("listed", [",", "10.0.0.0/8,", ",,10.0.0.0/8"])
def test_an_empty_place_in_allow_is_refused(listed: str) -> None:
    """A list of which a variable left nothing would let in everybody."""
    with pytest.raises(ConfigError, match="does not appear to be"):
        parse_listener(f"tcp://:1?allow={listed}")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("allow=fe80::1%eth0", "names an interface", id="interface"),
        pytest.param("policy=/a%00b/x.env", "zero byte", id="zero"),
    ],
)
def test_what_no_listener_can_go_by_is_refused(query: str, said: str) -> None:
    """An address on one interface would be let in on all, and no file has a zero byte in its path."""
    with pytest.raises(ConfigError, match=said):
        parse_listener(f"tcp://:1?{query}")


@pytest.mark.parametrize(
    "url", ["unix:///a,127.0.0.1:1", "unix:///a?policy=b.env,/c", "tcp://:1,:2"]
)
def test_listeners_without_a_scheme_are_not_part_of_a_path(url: str) -> None:
    """Who wrote two listeners and a scheme for one got one odd socket."""
    with pytest.raises(ConfigError, match="no scheme behind a comma"):
        config.listen_addresses((), {"LISTEN": url})
    assert parse_listener("unix:///a%2Cb") == UnixAddress(path="/a,b")


@pytest.mark.parametrize(
    ("listed", "network"),
    [("::ffff:10.1.0.0/112", "10.1.0.0/16"), ("::ffff:10.1.2.3", "10.1.2.3/32")],
)
def test_an_ipv4_network_within_ipv6_is_itself(listed: str, network: str) -> None:
    """Clients come from IPv4 addresses, whatever listens for them."""
    entry = parse_listener(f"tcp://:1?allow={listed}").entry
    assert entry.allow == (ip_network(network),)


def test_missing_port_takes_the_default() -> None:
    """Where a default port exists a URL may leave it out."""
    assert parse_address("tcp://h", port=2375) == TcpAddress(host="h", port=2375)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param(":2375", TcpAddress(host="", port=2375), id="port"),
        pytest.param("*:2375", TcpAddress(host="", port=2375), id="star"),
        pytest.param(":::2375 v4v6", TcpAddress(host="::", port=2375), id="tecnativa"),
        pytest.param("[::]:2375 v4v6", TcpAddress(host="::", port=2375), id="brackets"),
        pytest.param(
            "[::]:1 v6only",
            TcpAddress(host="::", port=1, dual_stack=False),
            id="v6only",
        ),
        pytest.param(
            ":1 v4v6", TcpAddress(host="::", port=1), id="option-without-host"
        ),
        pytest.param("127.0.0.1:9", TcpAddress(host="127.0.0.1", port=9), id="ipv4"),
    ],
)
def test_bind_config_is_read_as_the_incumbent_does(
    text: str, address: TcpAddress
) -> None:
    """BIND_CONFIG keeps its meaning."""
    assert config.parse_bind_config(text) == address


@pytest.mark.parametrize(
    "text", ["2375", "", ":x", ":99999", ":1 ssl", "a:1 b", ":1,:2", "ipv4@:1"]
)
def test_bad_bind_config_is_refused(text: str) -> None:
    """A BIND_CONFIG with anything unknown in it is refused."""
    with pytest.raises(ConfigError, match="BIND_CONFIG"):
        config.parse_bind_config(text)


def test_disable_ipv6_binds_ipv4_only() -> None:
    """DISABLE_IPV6 keeps its meaning where all interfaces are asked for."""
    environ = {"BIND_CONFIG": ":2375", "DISABLE_IPV6": "1"}
    assert config.listen_addresses((), environ) == (
        TcpAddress(host="0.0.0.0", port=2375),
    )


def test_listen_order() -> None:
    """Options come first, then LISTEN, then BIND_CONFIG, then loopback."""
    environ = {"LISTEN": " tcp://a:1, unix:///b, ", "BIND_CONFIG": ":3"}
    listed = (TcpAddress(host="a", port=1), UnixAddress(path="/b"))
    assert config.listen_addresses(("tcp://o:9",), environ) == (
        TcpAddress(host="o", port=9),
    )
    assert config.listen_addresses((), environ) == listed
    assert config.listen_addresses((), {"BIND_CONFIG": ":3"}) == (
        TcpAddress(host="", port=3),
    )
    assert config.listen_addresses((), {}) == (TcpAddress(host="127.0.0.1", port=2375),)


def test_upstream_order() -> None:
    """The option comes first, then SOCKET_PATH, then (learn) DOCKER_HOST."""
    environ = {"SOCKET_PATH": "/s", "DOCKER_HOST": "unix:///d"}
    assert config.upstream_address("/o", environ) == UnixAddress(path="/o")
    assert config.upstream_address(None, environ) == UnixAddress(path="/s")
    host = {"DOCKER_HOST": "unix:///d"}
    assert config.upstream_address(None, host) == UnixAddress(
        path=config.DEFAULT_SOCKET
    )
    assert config.upstream_address(None, host, docker_host=True) == UnixAddress(
        path="/d"
    )


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"DOCKER_HOST": "ssh://h"}, id="ssh"),
        pytest.param(
            {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1"}, id="tls"
        ),
    ],
)
def test_engine_out_of_reach_stops_learning(environ: dict[str, str]) -> None:
    """An Engine behind ssh or TLS is an error that says so, never a wrong socket."""
    with pytest.raises(ConfigError, match=r"supported|bad address"):
        config.upstream_address(None, environ, docker_host=True)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        pytest.param("info", Level.INFO, id="info"),
        pytest.param("NOTICE", Level.NOTICE, id="upper"),
        pytest.param("err", Level.ERR, id="err"),
        pytest.param("error", Level.ERR, id="alias"),
        pytest.param("warn", Level.WARNING, id="alias-warn"),
    ],
)
def test_level_is_read(text: str, level: Level) -> None:
    """LOG_LEVEL takes the syslog names in either case."""
    assert config.parse_level(text) is level


def test_bad_settings_are_refused() -> None:
    """A value that cannot be read is refused, whatever the setting."""
    with pytest.raises(ConfigError, match="LOG_LEVEL"):
        config.parse_level("loud")
    with pytest.raises(ConfigError, match="MAX_CONNECTIONS"):
        read(MAX_CONNECTIONS="0")
    with pytest.raises(ConfigError, match="DISABLE_IPV6"):
        config.parse_flag("DISABLE_IPV6", "maybe")


def read(**environ: str) -> config.Config:
    """Read the limits and the log's settings."""
    engine = config.UnixAddress(path="/engine")
    return config.Config.read((), engine, environ, level="info")


def test_where_and_how_the_log_is_written() -> None:
    """LOG_TO and LOG_FORMAT are words, in either case; unset is stderr and text."""
    assert (read().log_fd, read().log_format) == (2, config.LogFormat.TEXT)
    found = read(LOG_TO="STDOUT", LOG_FORMAT=" json ")
    assert (found.log_fd, found.log_format) == (1, config.LogFormat.JSON)
    for name in ("LOG_TO", "LOG_FORMAT"):
        with pytest.raises(ConfigError, match=f"bad {name} 'file'"):
            read(**{name: "file"})


def test_max_connections_is_read() -> None:
    """MAX_CONNECTIONS is a plain count."""
    assert read(MAX_CONNECTIONS="200").max_connections == 200
    assert config.parse_flag("DISABLE_IPV6", "on")
    assert not config.parse_flag("DISABLE_IPV6", "off")


@pytest.mark.parametrize(
    ("environ", "limits"),
    [
        pytest.param({}, (config.DEFAULT_MAX_CONNECTIONS, None), id="unset"),
        pytest.param(
            {"MAX_CONNECTIONS": "200", "MAX_CONNECTIONS_PER_CLIENT": "20"},
            (200, 20),
            id="both",
        ),
        pytest.param(
            {"MAX_CONNECTIONS": "", "MAX_CONNECTIONS_PER_CLIENT": ""},
            (config.DEFAULT_MAX_CONNECTIONS, None),
            id="empty",
        ),
    ],
)
def test_connection_limits_are_read(
    environ: dict[str, str], limits: tuple[int, int | None]
) -> None:
    """Both limits come from the environment, and an empty one is as if it were not set."""
    found = read(**environ)
    assert (found.max_connections, found.max_connections_per_client) == limits


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "\u0661", "99999999"])
def test_bad_limit_of_a_client_is_refused(text: str) -> None:
    """What is no count stops the start, with the name of the setting that has it."""
    with pytest.raises(ConfigError, match="bad MAX_CONNECTIONS_PER_CLIENT"):
        read(MAX_CONNECTIONS_PER_CLIENT=text)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("MAX_CONNECTIONS", 1, 9_999_999),
        ("MAX_BODY", 4_096, 67_108_864),
        ("ASK_SECONDS", 1, 30),
    ],
)
def test_numbers_have_bounds(name: str, least: int, most: int) -> None:
    """The least and the most are taken, and nothing beyond them."""
    for number in (least, most):
        assert getattr(read(**{name: str(number)}), name.lower()) == number
    for number in (least - 1, most + 1):
        with pytest.raises(ConfigError, match=f"bad {name} '{number}'"):
            read(**{name: str(number)})


@pytest.mark.parametrize(
    ("wanted", "connections", "limit"),
    [
        pytest.param(None, 4_000, 2_000, id="half"),
        pytest.param(None, 1, 1, id="one"),
        pytest.param(100, 4_000, 100, id="said"),
        pytest.param(9_000, 4_000, 4_000, id="more-than-all"),
    ],
)
def test_limit_of_a_client(wanted: int | None, connections: int, limit: int) -> None:
    """One client gets half of the connections unless said otherwise, never none."""
    assert config.client_limit(wanted, connections) == limit


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("", set(), id="empty"),
        pytest.param("proxy.example.org", {"proxy.example.org"}, id="one"),
        pytest.param("a.lan,b.lan , c", {"a.lan", "b.lan", "c"}, id="commas"),
        pytest.param("a.lan b.lan\n", {"a.lan", "b.lan"}, id="spaces"),
        pytest.param("NAS.Example.ORG.", {"nas.example.org"}, id="upper-and-dot"),
        pytest.param("my_proxy_1", {"my_proxy_1"}, id="underscore"),
    ],
)
def test_allowed_hosts_are_read(text: str, names: set[str]) -> None:
    """Names become what a Host is compared with: lower case, without a final dot."""
    assert config.parse_allowed_hosts(text) == names


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("*", "in full", id="star"),
        pytest.param("*.example.org", "in full", id="pattern"),
        pytest.param(".example.org", "in full", id="domain"),
        pytest.param("proxy.lan:2375", "without", id="port"),
        pytest.param("http://proxy.lan", "without", id="url"),
        pytest.param("good.lan,b@d.lan", "without", id="userinfo"),
        pytest.param("a..b", "without", id="empty-label"),
        pytest.param("m\u00fcll.example", "without", id="not-ascii"),
        pytest.param("\u212aube.example", "without", id="kelvin-sign"),
    ],
)
def test_bad_allowed_hosts_are_refused(text: str, hint: str) -> None:
    """What could allow more names than were meant, or none, stops the start."""
    with pytest.raises(ConfigError, match="ALLOWED_HOSTS") as caught:
        config.parse_allowed_hosts(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        pytest.param(TcpAddress(host="127.0.0.2", port=1), True, id="127"),
        pytest.param(TcpAddress(host="::1", port=1), True, id="v6"),
        pytest.param(TcpAddress(host="localhost", port=1), True, id="name"),
        pytest.param(TcpAddress(host="", port=1), False, id="all"),
        pytest.param(TcpAddress(host="10.0.0.1", port=1), False, id="private"),
        pytest.param(TcpAddress(host="LocalHost", port=1), True, id="name-in-capitals"),
        pytest.param(TcpAddress(host="0:0:0:0:0:0:0:1", port=1), True, id="v6-long"),
        pytest.param(TcpAddress(host="::ffff:127.0.0.1", port=1), True, id="v4-in-v6"),
        pytest.param(
            TcpAddress(host="127.attacker.example", port=1), False, id="127-name"
        ),
        pytest.param(
            TcpAddress(host="127.0.0.1.nip.io", port=1), False, id="127-domain"
        ),
        pytest.param(
            TcpAddress(host="127.0.0.256", port=1), False, id="127-no-address"
        ),
        pytest.param(
            TcpAddress(host="localhost.evil.example", port=1), False, id="prefix"
        ),
    ],
)
def test_loopback_is_told_apart(address: TcpAddress, is_loopback: bool) -> None:
    """Only loopback counts as this machine alone."""
    assert address.is_loopback is is_loopback


def test_addresses_are_shown_as_they_are_written() -> None:
    """An address in a log line can be pasted as an option."""
    for url in ("tcp://127.0.0.1:1", "tcp://[::1]:2", "unix:///run/x"):
        assert str(parse_address(url)) == url
