"""The arguments: what requests ask for beyond their route, and which variable limits it.

Tables only: `bodies` reads a body by them, `asking` finds the arguments in it, `limits`
compares those with what a file lists. A field is harmless (it gives no power over the
host or over what belongs to others), or it names a reader, which tells its arguments; one
that says neither does not import. What is not in the table is no oversight that passes:
it is asked for by its name, as a value of the family's `_OPTIONS`.

Facts are from the Engine's sources and API documents, 1.24 to 1.56.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from trioproxy.api.families import LIMITS, VARIABLES, Family
from trioproxy.api.routes import ENDPOINTS, row_of
from trioproxy.values import settle, value_class


class JsonKind(StrEnum):
    """What the Engine's decoder takes for a field; anything else is its 400, and ours."""

    TEXT = "text"
    FLAG = "flag"
    NUMBER = "number"
    NUMBERS = "numbers"
    TEXTS = "texts"
    WORDS = "words"
    """Texts, or one text (Engines before 29)."""
    LISTS = "lists"
    """Lists of texts."""
    MAP = "map"
    """Names to texts. Names of a map are told apart by case, those of a struct are not."""
    KEYS = "keys"
    """Names to empty structs."""
    STRUCT = "struct"
    STRUCTS = "structs"
    STRUCT_MAP = "structmap"
    STRUCT_LISTS = "structlists"
    """Names to lists of structs."""
    ANY = "any"
    """Passed on as it is, and only where it is listed as a whole."""
    UNREAD = "unread"
    """Of no use to an Engine, sent by some clients: left out."""


_TYPES: Final = {JsonKind.TEXT: str, JsonKind.FLAG: bool, JsonKind.NUMBER: int}
"""Kinds of which a value is right if it has this type, and no other."""


@value_class
class Struct:
    """An object whose names the Engine compares without case."""

    name: str
    fields: Mapping[str, "Field"] = field(hash=False)
    """By name in lower case: what is not ASCII there is refused before it is looked up."""
    drops_others: bool = False
    """Whether names that it does not know are left out and not asked for."""


NO_STRUCT: Final = Struct(name="", fields=MappingProxyType({}))
"""What a field holds that holds no struct."""


@value_class
class Field:
    """A field of a struct."""

    name: str
    kind: JsonKind
    struct: Struct = NO_STRUCT
    """For the kinds that hold structs."""
    reader: str = ""
    """What tells its arguments; empty: harmless at any value."""
    finder: str = ""
    """What tells which images, containers, networks and volumes it names; see `references`."""
    plain: type | None = field(init=False, compare=False)
    """The type of values that are right, and that nobody is told: as most fields have."""

    def __post_init__(self) -> None:
        is_told = self.reader or self.finder
        settle(self, plain=None if is_told else _TYPES.get(self.kind))


# Embedded structs are flat in JSON, as Go writes them: it is `HostConfig.Devices`, never
# `HostConfig.Resources.Devices`. So their fields are those of the heading, and a body is known by the same names in
# whichever version it is read.
# A struct a heading: its name, then the structs that the Engine embeds in it, `...` if
# names besides its own are left out. Then kind and names a line; `:Struct` says what a
# name holds. Each that holds no struct has a sign: `>reader`, who tells its arguments, or
# `-`, harmless at any value. `@finder` says who tells what it names.
_STRUCTS = """\
= Healthcheck
texts      Test>health-command
number     Interval- Timeout- Retries- StartPeriod- StartInterval-
= Config
text       Hostname- Domainname- User- WorkingDir- StopSignal- MacAddress-
flag       AttachStdin- AttachStdout- AttachStderr- Tty- OpenStdin- StdinOnce- ArgsEscaped- NetworkDisabled-
texts      Env>environment OnBuild- Shell-
words      Cmd- Entrypoint-
keys       ExposedPorts- Volumes>volumes@volumes
map        Labels-
number     StopTimeout-
struct     Healthcheck:Healthcheck
= WeightDevice
text       Path>with-parent
number     Weight-
= ThrottleDevice
text       Path>with-parent
number     Rate-
= Device
text       PathOnHost>with-parent PathInContainer- CgroupPermissions-
= DeviceRequest
text       Driver>with-parent
number     Count-
texts      DeviceIDs-
lists      Capabilities>with-parent
map        Options>option-keys
= Ulimit
text       Name-
number     Soft- Hard-
= RestartPolicy
text       Name-
number     MaximumRetryCount-
= Resources
number     CpuShares- Memory- NanoCpus- BlkioWeight- CpuPeriod- CpuQuota- CpuRealtimePeriod- CpuRealtimeRuntime-
number     MemoryReservation- MemorySwap- MemorySwappiness- PidsLimit- CpuCount- CpuPercent- IOMaximumIOps- IOMaximumBandwidth-
number     KernelMemory- KernelMemoryTCP-
text       CpusetCpus- CpusetMems- CgroupParent>option
flag       OomKillDisable-
structs    BlkioWeightDevice:WeightDevice>device-paths
structs    BlkioDeviceReadBps:ThrottleDevice>device-paths BlkioDeviceWriteBps:ThrottleDevice>device-paths
structs    BlkioDeviceReadIOps:ThrottleDevice>device-paths BlkioDeviceWriteIOps:ThrottleDevice>device-paths
structs    Devices:Device>devices DeviceRequests:DeviceRequest>device-requests Ulimits:Ulimit
texts      DeviceCgroupRules>device-rules
= LogConfig
text       Type>log-driver
map        Config>log-options
= Driver
text       Name>volume-driver
map        Options>driver-options
= BindOptions
text       Propagation>propagation
flag       NonRecursive- CreateMountpoint- ReadOnlyNonRecursive>with-parent ReadOnlyForceRecursive-
= VolumeOptions
flag       NoCopy-
map        Labels-
text       Subpath>with-parent
struct     DriverConfig:Driver
= ImageOptions
text       Subpath>with-parent
= TmpfsOptions
number     SizeBytes- Mode-
lists      Options>memory-options
= ClusterOptions
= Mount
text       Type>with-parent Source>with-parent Target>with-parent Consistency>with-parent
flag       ReadOnly>with-parent
struct     BindOptions:BindOptions VolumeOptions:VolumeOptions ImageOptions:ImageOptions
struct     TmpfsOptions:TmpfsOptions ClusterOptions:ClusterOptions
= PortBinding
text       HostIp>with-parent HostPort>with-parent
= HostConfig Resources
texts      Binds>binds@binds CapAdd>caps Capabilities>caps CapDrop- Dns- DnsOptions- DnsSearch- ExtraHosts- GroupAdd-
texts      Links>links@links SecurityOpt>security VolumesFrom>volumes-from@volumes-from MaskedPaths>masked ReadonlyPaths>readonly
text       NetworkMode>network-mode@network-mode VolumeDriver>volume-driver CgroupnsMode>cgroup-mode@namespace
text       IpcMode>ipc-mode@namespace Cgroup>option@namespace PidMode>pid-mode@namespace UTSMode>uts-mode@namespace UsernsMode>userns-mode@namespace
text       Runtime>runtime Isolation-
flag       AutoRemove- Privileged>privileged PublishAllPorts>publish-all ReadonlyRootfs- Init-
number     OomScoreAdj- ShmSize-
numbers    ConsoleSize-
map        Annotations>option-keys StorageOpt>storage-options Tmpfs>tmpfs Sysctls>sysctls
struct     LogConfig:LogConfig RestartPolicy:RestartPolicy
structs    Mounts:Mount>mounts@mounts
unread     ContainerIDFile
structlists PortBindings:PortBinding>ports
= IPAMConfig
text       IPv4Address- IPv6Address-
texts      LinkLocalIPs-
= Endpoint
struct     IPAMConfig:IPAMConfig
texts      Links>links@aliases Aliases- DNSNames-
text       MacAddress- NetworkID-@pinned EndpointID- Gateway- IPAddress- IPv6Gateway- GlobalIPv6Address-
number     GwPriority- IPPrefixLen- GlobalIPv6PrefixLen-
map        DriverOpts>option-keys
= NetworkingConfig ...
structmap  EndpointsConfig:Endpoint>endpoints@endpoints
= ContainerCreate Config
text       Image>image@image
struct     HostConfig:HostConfig NetworkingConfig:NetworkingConfig
unread     Name Platform
= ContainerUpdate Resources
struct     RestartPolicy:RestartPolicy
flag       Init-
= ContainerExec
text       User>exec-user DetachKeys- WorkingDir-
flag       Privileged>exec-privileged Tty- AttachStdin- AttachStdout- AttachStderr- Detach-
numbers    ConsoleSize-
texts      Env>exec-environment Cmd>exec-command
unread     Container
= ExecStart
flag       Detach- Tty-
numbers    ConsoleSize-
unread     Stdin Hijack Stream Stdout Stderr
= VolumeCreate
text       Name-@volume Driver>volume-driver
map        DriverOpts>driver-options Labels-
any        ClusterVolumeSpec>present
= ConfigFrom
text       Network-@network
= AddressPool
text       Subnet>option-value IPRange- Gateway-
map        AuxiliaryAddresses-
= IPAM
text       Driver>ipam-driver
structs    Config:AddressPool
map        Options>option-keys
= NetworkCreate
text       Name- Driver>network-driver Scope>network-scope
flag       Internal- EnableIPv4- EnableIPv6- CheckDuplicate- Attachable>option Ingress>option ConfigOnly>option
map        Options>network-options Labels-
struct     IPAM:IPAM ConfigFrom:ConfigFrom>option
= NetworkConnect
text       Container-@container
struct     EndpointConfig:Endpoint
= NetworkDisconnect
text       Container-@container
flag       Force-
= ImageCommit Config
text       Image-
"""


WITH_PARENT: Final = "with-parent"
"""The reader of what is told together with the field that holds it."""

# A reader finds nothing in a kind that it does not expect, and nothing found is nothing asked: so it says here what it
# reads, and a field of another kind cannot name it.
# The variable that limits what is found, the kinds that are read, and who reads them.
_READERS = """\
CREATE_BINDS      texts            binds
CREATE_BINDS      structs          mounts
CREATE_BINDS      keys             volumes
CREATE_BINDS      map              driver-options
CREATE_CAPS       texts            caps
CREATE_DEVICES    structs          device-paths device-requests devices
CREATE_DEVICES    texts            device-rules
CREATE_DRIVERS    text             volume-driver ipam-driver log-driver network-driver
CREATE_IMAGES     text             image
CREATE_NAMESPACES text             cgroup-mode ipc-mode network-mode pid-mode
CREATE_NAMESPACES text             userns-mode uts-mode
CREATE_NAMESPACES structmap        endpoints
CREATE_NAMESPACES texts            links volumes-from
CREATE_PORTS      structlists      ports
CREATE_PORTS      flag             publish-all
CREATE_PRIVILEGED flag             privileged
CREATE_RUNTIMES   text             runtime
CREATE_SECURITY   texts            masked readonly security
CREATE_TAGS       text             import-tag push-tag tag build-tag
CREATE_OPTIONS    texts            environment health-command
CREATE_OPTIONS    map              log-options network-options option-keys
CREATE_OPTIONS    map              storage-options sysctls tmpfs
CREATE_OPTIONS    lists            memory-options
CREATE_OPTIONS    text             network-scope option-value propagation
CREATE_OPTIONS    flag,struct,text option
CREATE_OPTIONS    any              present
BUILD_OPTIONS     text             build-file build-network build-option build-remote
BUILD_OPTIONS     text             build-version
EXEC_COMMANDS     texts            exec-command
EXEC_OPTIONS      texts            exec-environment
EXEC_PRIVILEGED   flag             exec-privileged
EXEC_USERS        text             exec-user
PULL_IMAGES       text             pull-image
"""


class Source(NamedTuple):
    """A row of `SOURCES`."""

    variable: str
    """What limits what a reader finds."""
    kinds: frozenset[JsonKind]
    """What it reads; a field of another kind that names it is refused at import."""


def _parse_readers(table: str) -> Mapping[str, Source]:
    found = {WITH_PARENT: Source("", frozenset(JsonKind))}
    for variable, kinds, *names in map(str.split, table.splitlines()):
        if variable not in LIMITS:
            raise AssertionError(f"nothing is called {variable}")
        source = Source(variable, frozenset(map(JsonKind, kinds.split(","))))
        found |= dict.fromkeys(names, source)
    return found


SOURCES: Final = _parse_readers(_READERS)
"""Who tells the arguments of a field, and the variable that limits what is found."""


@value_class
class Operation:
    """An operation whose arguments are known."""

    name: str
    family: Family
    body: Struct
    """Its JSON body; none: a body, if there is one, is content and not read."""
    query: Mapping[str, str] = field(hash=False)
    """The keys of its query that the Engine reads, and their readers; empty: harmless."""
    finders: Mapping[str, str] = field(hash=False)
    """The keys of its query that name something, in lower case, and what tells it."""
    many: frozenset[str]
    """The keys of which the Engine reads every value, not the first alone."""
    variables: frozenset[str] = field(init=False, compare=False)
    """The variables that limit what it can ask for."""

    def __post_init__(self) -> None:
        readers = {one.reader for _, one in rows(self)} | {*self.query.values()}
        found = {SOURCES[reader].variable for reader in readers - {"", WITH_PARENT}}
        settle(self, variables=frozenset({*found, self.family.options}))

    @property
    def has_body(self) -> bool:
        """Whether its body is JSON, and read."""
        return self.body is not NO_STRUCT


def rows(operation: Operation) -> Iterator[tuple[str, Field]]:
    """List every field of a body with its path: `HostConfig.Binds`."""
    todo = [("", operation.body)]
    while todo:
        prefix, struct = todo.pop()
        for one in struct.fields.values():
            path = f"{prefix}{one.name}"
            yield path, one
            todo.append((f"{path}.", one.struct))


def variables_of(operations: Iterable[str]) -> frozenset[str]:
    """The variables that limit what some operations can ask for."""
    known = (ARGUED[name].variables for name in operations if name in ARGUED)
    return frozenset[str]().union(*known)


# A body of an operation is the struct of its name above; without one it is content, as a tar, and not read. A key of a
# query that is not here is asked for by its name, as a field is.
# An operation a row, then the keys of its query: signs as above, `*` for those that may repeat.
_OPERATIONS = """\
ContainerCreate  name- platform-
ContainerUpdate
VolumeCreate
NetworkCreate
NetworkConnect
NetworkDisconnect
ImageCommit      container-@container repo>tag tag>with-parent author- comment- pause- changes*-
ImageTag         repo>tag tag>with-parent force-
ImagePush        tag>push-tag platform-
ContainerExec
ExecStart
ImageCreate      fromImage>pull-image fromSrc>pull-image repo>import-tag tag>with-parent message- changes*- platform-
ImageBuild       dockerfile>build-file q- nocache- pull- rm- forcerm- memory- memswap- cpushares- cpusetcpus- cpusetmems- cpuperiod- cpuquota- shmsize- ulimits- buildargs- labels- target- platform- extrahosts*- cachefrom- squash- isolation- t*>build-tag remote>build-remote networkmode>build-network@build-network cgroupparent>build-option securityopt*>build-option outputs>build-option session>build-option buildid>build-option version>build-version
"""


def _parse_structs(table: str) -> Mapping[str, Struct]:
    structs = dict[str, Struct]()
    for part in table.removeprefix("= ").split("\n= "):
        heading, *lines = part.splitlines()
        name, *embedded = heading.split()
        fields = dict[str, Field]()
        for other in embedded:
            fields |= structs[other].fields if other != "..." else {}
        for kind, *words in map(str.split, lines):
            found = (_parse_field(JsonKind(kind), word, structs) for word in words)
            fields |= {one.name.lower(): one for one in found}
        is_open = "..." in embedded
        structs[name] = Struct(name=name, fields=fields, drops_others=is_open)
    return structs


_HOLDING: Final = frozenset(
    {JsonKind.STRUCT, JsonKind.STRUCTS, JsonKind.STRUCT_MAP, JsonKind.STRUCT_LISTS}
)


def _parse_field(kind: JsonKind, word: str, structs: Mapping[str, Struct]) -> Field:
    if kind is JsonKind.UNREAD:
        return Field(name=word, kind=kind)
    signed, _, finder = word.partition("@")
    signed, _, reader = signed.partition(">")
    name, _, struct = signed.removesuffix("-").partition(":")
    if reader and reader not in SOURCES:
        raise AssertionError(f"{word}: nobody is called {reader}")
    if reader and kind not in SOURCES[reader].kinds:
        raise AssertionError(f"{word}: {reader} does not read a {kind}")
    if (signed[-1:] == "-") == bool(reader or struct):
        raise AssertionError(f"{word}: say who reads it, or by a - that it is harmless")
    if (kind in _HOLDING) != bool(struct):
        raise AssertionError(f"{word}: either a {kind} holds no struct, or say which")
    return Field(
        name=name,
        kind=kind,
        struct=structs[struct] if struct else NO_STRUCT,
        reader=reader,
        finder=finder,
    )


def _parse_operations(table: str) -> Mapping[str, Operation]:
    operations = dict[str, Operation]()
    for name, *words in map(str.split, table.splitlines()):
        keys = [_parse_field(JsonKind.TEXT, one.replace("*", ""), {}) for one in words]
        body = STRUCTS.get(name, NO_STRUCT)
        _check_told(name, body, is_told=False)
        if not (row := row_of(name)) or not row.families:
            raise AssertionError(f"{name}: its route says that nothing limits it")
        operations[name] = Operation(
            name=name,
            family=row.families[0],
            body=body,
            query={one.name: one.reader for one in keys},
            finders={one.name.casefold(): one.finder for one in keys if one.finder},
            many=frozenset(one.partition("*")[0] for one in words if "*" in one),
        )
    return operations


def _check_told(name: str, struct: Struct, *, is_told: bool) -> None:
    """Refuse a field that is told with what holds it, where nobody reads that."""
    for one in struct.fields.values():
        if one.reader == WITH_PARENT and not is_told:
            raise AssertionError(f"{name}: nobody reads what holds {one.name}")
        is_read = one.reader not in {"", WITH_PARENT}
        _check_told(name, one.struct, is_told=is_told or is_read)


STRUCTS: Final = _parse_structs(_STRUCTS)
"""All objects of the bodies, by their names here."""

ARGUED: Final = _parse_operations(_OPERATIONS)
"""All operations whose arguments are known."""


class Podmans(NamedTuple):
    """A key of a query that Podman's handler reads and Docker's does not."""

    key: str
    """Podman takes it in any case; here it stands in lower case."""
    does: str
    """What Podman does by it beyond what the operation says, for people."""
    is_flag: bool = False
    """Whether it does nothing where it is false."""


PODMANS: Final[Mapping[str, Podmans]] = {
    "ContainerChanges": Podmans("parent", "compares with any other container"),
    "ImagePush": Podmans("destination", "writes files anywhere on its host"),
    "NetworkDelete": Podmans("force", "removes the containers on the network", True),
    "SecretInspect": Podmans("showsecret", "tells the secret", True),
}
"""By operation, the key by which Podman does more than Docker."""

HOST_CONFIG: Final = STRUCTS["HostConfig"]
"""What Engines before 27 also read at the top of a create, if `HostConfig` is absent."""


FINDER_NAMES: Final = frozenset(
    one.finder for struct in STRUCTS.values() for one in struct.fields.values()
).union(*(one.finders.values() for one in ARGUED.values())) - {""}
"""Who tells what is named, by the names that the tables use."""


def _check_routes() -> None:
    """Refuse a route of which its row does not say what is read here."""
    for name, one in PODMANS.items():
        read = ARGUED[name].query if name in ARGUED else {}
        if not row_of(name) or one.key != one.key.lower() or one.key in read:
            raise AssertionError(f"{name}: {one.key} is no key that Podman alone reads")
    for row in ENDPOINTS:
        name, known = row.operation, ARGUED.get(row.operation)
        limited = {VARIABLES[one].family for one in known.variables} if known else set()
        if limited != set(row.families):
            raise AssertionError(f"{name} is limited as its route does not say")
        fields = (one for _, one in rows(known)) if known else ()
        finders = known.finders if known else {}
        if (finders or any(one.finder for one in fields)) and not row.names:
            raise AssertionError(f"{name}: its route says that it names nothing")


_check_routes()
