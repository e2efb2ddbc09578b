"""The operations of the Engine, and which of them a request is.

The table follows the Engine's own router; a name of its API document where there is one,
one of ours where not. Which of them are allowed is not known here.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from itertools import chain
from typing import Final, NamedTuple

from trioproxy.api import podman
from trioproxy.api.families import OBJECTS, Family, Hides, Kind
from trioproxy.api.target import Target
from trioproxy.errors import BadTarget
from trioproxy.quoting import in_quotes


class Effect(StrEnum):
    """Whether an operation changes anything or gives a way to write into a process."""

    READ = "read"
    WRITE = "write"


class Stream(StrEnum):
    """What kind of stream an operation carries besides its heads."""

    NONE = "none"
    FOLLOW = "follow"
    """The answer may never end."""
    DOWNLOAD = "download"
    UPLOAD = "upload"
    UPLOAD_FOLLOW = "upload+follow"
    HIJACK = "hijack"
    """Raw bytes both ways, with or without `Upgrade`."""
    H2C = "h2c"
    WEBSOCKET = "websocket"


class Files(StrEnum):
    """What the Engine does for an operation on files that a client's process can change.

    The Engine is root on the host and goes to these files by their paths, while what runs
    in the container can put links and nodes of disks in their places. So each of these is
    led elsewhere by who may do it beside running anything (`meaning` says when). What goes
    into an image or comes out of one is none of it: no process has that in its hands yet.
    """

    NONE = "-"
    FILLS = "fills"
    """Copies what an image has into a volume, following links."""
    LOOKS = "looks"
    """Walks them, and tells names, kinds and sizes; opens none."""
    PACKS = "packs"
    """Reads them for a client or into an image: by a walk, then by opening what was there."""
    UNPACKS = "unpacks"
    """Writes what a client sends."""


class Risk(StrEnum):
    """The worst known use of an operation: the same words in files, on screen, in JSON."""

    LOW = "low"
    INFO_LEAK = "info-leak"
    SECRET_LEAK = "secret-leak"  # noqa: S105  a kind of risk, no password
    AVAILABILITY = "availability"
    DESTRUCTIVE = "destructive"
    HOST_ROOT = "host-root"

    @property
    def shown(self) -> str:
        """The word for people: what a reviewer must not read over is in capitals."""
        is_loud = self in {Risk.HOST_ROOT, Risk.DESTRUCTIVE}
        return self.upper() if is_loud else self.value


MEANINGS: Final[Mapping[Risk, str]] = {
    Risk.HOST_ROOT: "gives root on the host",
    Risk.DESTRUCTIVE: "removes or replaces things",
    Risk.AVAILABILITY: "starts, stops or disturbs what runs",
    Risk.SECRET_LEAK: "reads secrets",
    Risk.INFO_LEAK: "reads about the host and its containers",
    Risk.LOW: "harmless",
}
"""What each risk means, the worst first."""

CONNECTS = "connects"
"""The mark of an operation by which the Engine connects to a host that the client names."""


class Touch(StrEnum):
    """What an operation does with containers, networks and volumes, which lists hold.

    The kind is that of its section. Whoever is confined to what is listed must not get
    around that by a route that has no name to be looked up.
    """

    NONE = "-"
    NAMES = "names"
    """One stands in its path, as the first parameter."""
    MAKES = "makes"
    PRUNES = "prunes"
    """Removes some without naming them."""
    ANY = "any"
    """Reaches everybody's by names that nobody looks up, or by none."""


class Bound(StrEnum):
    """What limits the power that an operation gives, beside whether it may be used.

    Half a guard is none: where a file limits anything, the doors that are open to the
    same power pass only where they are granted by name, and the start names them.
    """

    NONE = "-"
    """It gives none that a variable limits."""
    OPEN = "open"
    """It gives such power, and nothing limits that."""
    ONLY = "only"
    """Nothing limits what it asks for; lists of objects hold what it asks that of."""
    CREATE = "create"
    EXEC = "exec"
    PULL = "pull+create"
    """By its own family first; the one behind it limits the tags that it writes."""
    BUILD = "build+create"


class PowerLetters(NamedTuple):
    """A letter or a `-` for each question that few operations answer with yes.

    Always all of them: a row with one letter too few is no row.
    """

    post: str
    """`p`: by GET or HEAD, and writes, or carries a file system or a key out."""
    shows: str
    """`s`: shows the objects of everybody, for answers are not filtered yet."""
    reach: str
    """What of a container, or of the host, the client gets by it; see `LETTERS`."""
    runs: str
    """`w`: lets a container run, or something in it, be it by a restart policy; `j`: and
    has it join its networks."""
    chooses: str
    """`x`: lets a client choose what runs: by that, a hole of the Engine's programs may
    let out."""
    connects: str
    """`c`: the Engine connects to a host that the client names. Those at host-root have no
    such letter, for it would be the least of what they can do; but a build is limited as if
    it were harmless, and connects all the same."""
    labels: str
    """`b`: what it makes is marked, in the labels of its body; `q`: its query may have
    labels, and what it makes is content, which has no mark."""
    tells: str
    """Whether its answer tells an environment, a command or labels: `-` never. What `REDACT`
    hides is read in an answer (`api.redaction`): `e`, the secrets of it are environments;
    `a`, they may stand in commands and labels, too; `p`, the same, and its query has
    arguments of `ps`; `r`, what is hidden is none of them.
    `o`: it passes as it is, and can show secrets; `x`: it has a form that nobody reads, so
    that it never passes beside `REDACT`."""


LETTERS: Final = PowerLetters("p", "s", "reatlh", "wj", "x", "c", "bq", "erapox")
"""What may stand in each place. Of `reach`: `r` has what the container has, so that this is
judged as if it were asked for; the others give root where that may be anybody's: `e` enters
it, `a` copies files out, `t` takes all of them with their nodes, `l` reads them by links
that lead out of it, `h` reads the host's."""


_READ: Final = "erap"
"""The letters of `tells` of what is read."""
_HIDING: Final = {"e": frozenset({Hides.ENV})} | dict.fromkeys("ap", frozenset(Hides))
"""The words that hide the secrets of an answer, by its letter."""


_KINDS: Final = {"EXEC": Kind.EXEC} | {
    name.removeprefix("ONLY_"): kind for name, kind in OBJECTS.items()
}
"""The sections of what lists of objects hold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # one is itself, and a key
class Endpoint:
    """A method and path template of the Engine, with what it does."""

    method: str
    """A method, or `ANY`: engines before 28 look at no method below /debug."""
    template: str
    operation: str
    section: str
    effect: Effect
    stream: Stream
    files: Files
    touch: Touch
    names: tuple[Kind, ...]
    """What its body or query names, or makes."""
    bound: Bound
    powers: PowerLetters
    risk: Risk
    summary: str

    @property
    def is_unlimitable(self) -> bool:
        """Whether it gives power that no variable for arguments limits."""
        return self.bound in {Bound.OPEN, Bound.ONLY}

    @property
    def is_held_by_objects(self) -> bool:
        """Whether it reaches into what lists of objects hold, and gives what that has."""
        return self.bound is Bound.ONLY

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of variables that limit what it asks for, its own first."""
        if self.bound in {Bound.NONE, Bound.OPEN, Bound.ONLY}:
            return ()
        return tuple(Family(name.upper()) for name in self.bound.split("+"))

    @property
    def kind(self) -> Kind | None:
        """The kind of what it names in its path, makes or prunes."""
        if self.touch in {Touch.NONE, Touch.ANY}:
            return None
        return _KINDS[self.section]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of all that it names, makes or prunes; first the one that it is about.

        An exec is its container's: no list holds one.
        """
        own = (Kind.CONTAINER if self.kind is Kind.EXEC else self.kind,)
        return tuple(dict.fromkeys(kind for kind in (*own, *self.names) if kind))

    @property
    def is_unconfined(self) -> bool:
        """Whether it reaches objects of everybody without naming one that is looked up."""
        return self.touch is Touch.ANY

    @property
    def needs_post(self) -> bool:
        """Whether it is a GET or HEAD that passes where writes do."""
        return self.powers.post != "-"

    @property
    def shows_all(self) -> bool:
        """Whether it shows objects that are not listed."""
        return self.powers.shows != "-"

    @property
    def is_redacted(self) -> bool:
        """Whether its answer is read, for what `REDACT` hides in it."""
        return self.powers.tells in _READ

    @property
    def inspects(self) -> bool:
        """Whether it tells of one object what that is, and nothing else."""
        is_bare = self.template.rpartition("}")[2] in {"", "/json"}
        return is_bare and self.method == "GET" and self.touch is Touch.NAMES

    @property
    def takes_definitions(self) -> bool:
        """Whether its body may say what something shall be, as an answer said what it is."""
        has_body = self.stream is Stream.NONE and self.method in {"POST", "PUT"}
        return self.effect is Effect.WRITE and has_body

    @property
    def makes_images(self) -> bool:
        """Whether its answer tells the id of an image that it made: it marks what it packs."""
        return self.files is Files.PACKS and self.powers.labels != "-"

    @property
    def lists_processes(self) -> bool:
        """Whether its query has arguments of `ps`, which can print environments."""
        return self.powers.tells == "p"

    @property
    def is_untellable(self) -> bool:
        """Whether nobody can tell where secrets stand in its answer."""
        return self.powers.tells == "x"

    @property
    def shows_what_is_hidden(self) -> bool:
        """Whether it passes as it is beside `REDACT`, and can show secrets."""
        return self.powers.tells == "o"

    @property
    def hiding(self) -> frozenset[Hides]:
        """The words of `REDACT` beside which it reads no secrets; none: they change nothing."""
        return _HIDING.get(self.powers.tells, frozenset())

    @property
    def reaches(self) -> bool:
        """Whether it reaches into a container, or lets it run: it has what that has."""
        return self.powers.reach != "-"

    @property
    def joins(self) -> bool:
        """Whether it makes a container join its networks."""
        return self.powers.runs == "j"

    @property
    def takes_slashes(self) -> bool:
        """Whether a parameter may hold slashes, as the Engine's `{name:.*}` does."""
        return "{" in self.template and not _ONE_SEGMENT.match(self.template)

    @property
    def is_reachable(self) -> bool:
        """Whether requests mean it: one exists over HTTP/2 only, which never passes."""
        return not self.template.startswith("/{grpc.")

    @property
    def touches_containers(self) -> bool:
        """Whether the Engine reads or writes files for it that a process can change, and these
        are a container's that the client names: no build's own."""
        is_touched = self.files in {Files.PACKS, Files.UNPACKS}
        return is_touched and self.section in {"COMMIT", "CONTAINERS"}

    @property
    def is_podmans(self) -> bool:
        """Whether it is one of Podman's own routes."""
        return self.template.startswith("/libpod/")

    @property
    def connects(self) -> bool:
        """Whether the Engine connects for it to any host that the client names."""
        return self.powers.connects != "-"

    @property
    def marks(self) -> str:
        """Risk and mark, for people: `HOST-ROOT`, `info-leak, connects`."""
        return f"{self.risk.shown}, {CONNECTS}" if self.connects else self.risk.shown

    @property
    def held(self) -> str:
        """What it does where lists hold it: behind a comma stands what nobody can do then."""
        return self.summary.partition(",")[0]


# The Engine writes these parameters as `{id}`, all others as `{name:.*}`; of Podman's own
# routes a template says which are which.
_ONE_SEGMENT = re.compile(
    r"/(?:services|nodes|tasks|secrets|configs|debug)/|.*/\{checkpoint\}\Z"
    r"|/libpod/(?!.*:\.\*\})"
)

PODMAN = "libpod"
"""The first segment of Podman's own routes, which no Docker Engine has."""

# A section a heading, then a row a route: method (two with a comma: a route by each), template,
# operation, effect, stream, files, touch, names (`c` a container, `n` a network, `v` a volume), bound, powers
# (a letter or `-` in the order of `PowerLetters`: p s reatlh wj x c bq erapox), risk, summary.
# Each row says all of it.
# Where two templates of a method fit one path, the upper is meant, as in the Engine's router.
_TABLE = """\
AUTH
POST    /auth                                      SystemAuth               read   none           -       -      -   -            -----c-- info-leak     tries registry credentials on any host
BUILD
POST    /build                                     ImageBuild               write  upload+follow  packs   -      cn  build+create ----xcqo host-root     builds as root, from any image and any host
POST    /build/cancel                              BuildCancel              write  none           -       -      -   -            -------- availability  stops a running build
POST    /build/prune                               BuildPrune               write  none           -       -      -   -            -------- destructive   empties the build cache
COMMIT
POST    /commit                                    ImageCommit              write  none           packs   -      c   create       --l---bo host-root     packs a container into an image, or files of the host
CONFIGS
GET     /configs                                   ConfigList               read   none           -       any    -   -            -------e secret-leak   shows all swarm configs with their content
POST    /configs/create                            ConfigCreate             write  none           -       any    -   -            -------- low           adds a swarm config
GET     /configs/{id}                              ConfigInspect            read   none           -       any    -   -            -------e secret-leak   shows a swarm config with its content
DELETE  /configs/{id}                              ConfigDelete             write  none           -       any    -   -            -------- destructive   removes a swarm config
POST    /configs/{id}/update                       ConfigUpdate             write  none           -       any    -   -            -------- low           relabels a swarm config
CONTAINERS
GET     /containers/json                           ContainerList            read   none           looks   -      -   -            -s-----a secret-leak   lists containers with their commands and labels
POST    /containers/create                         ContainerCreate          write  none           fills   makes  cnv create       ----x-b- host-root     makes a container, privileged or with host mounts too
POST    /containers/prune                          ContainerPrune           write  none           -       prunes -   -            -------- destructive   removes every stopped container
GET     /containers/{id}/archive                   ContainerArchive         read   download       packs   names  -   -            p-a----o secret-leak   copies any file out of a container
HEAD    /containers/{id}/archive                   ContainerArchiveInfo     read   none           looks   names  -   -            p-r----- info-leak     looks up a path in a container
PUT     /containers/{id}/archive                   PutContainerArchive      write  upload         unpacks names  -   only         --r----- host-root     writes any file into a container as root
POST    /containers/{id}/attach                    ContainerAttach          write  hijack         -       names  -   -            --e-x--o host-root     reads and feeds a container's main process
GET     /containers/{id}/attach/ws                 ContainerAttachWebsocket write  websocket      -       names  -   -            p-e-x--o host-root     reads and feeds a main process, by a GET
GET     /containers/{id}/changes                   ContainerChanges         read   none           looks   names  -   -            -------- info-leak     lists the files that a container changed
GET     /containers/{id}/checkpoints               CheckpointList           read   none           -       names  -   -            -------- info-leak     lists checkpoints, or folders anywhere on the host
POST    /containers/{id}/checkpoints               CheckpointCreate         write  none           packs   names  -   open         --r----- host-root     writes a container's memory anywhere on the host
DELETE  /containers/{id}/checkpoints/{checkpoint}  CheckpointDelete         write  none           -       names  -   open         -------- destructive   removes a folder, anywhere on the host
DELETE  /containers/{id}                           ContainerDelete          write  none           -       names  -   -            -------- destructive   removes a container, running ones with force
POST    /containers/{id}/copy                      ContainerCopyLegacy      read   download       -       names  -   -            -------o low           answers 404, a remnant of old engines
POST    /containers/{id}/exec                      ContainerExec            write  none           -       names  -   exec         --ewx--- host-root     prepares a command to run in a container
GET     /containers/{id}/export                    ContainerExport          read   download       packs   names  -   -            p-t----o secret-leak   copies a container's whole file system out
GET     /containers/{id}/json                      ContainerInspect         read   none           looks   names  -   -            -------a secret-leak   reads secrets from a container's environment
POST    /containers/{id}/kill                      ContainerKill            write  none           -       names  -   -            -------- availability  signals a container's main process
GET     /containers/{id}/logs                      ContainerLogs            read   follow         -       names  -   -            -------o secret-leak   reads what a container printed
POST    /containers/{id}/pause                     ContainerPause           write  none           -       names  -   -            -------- availability  freezes a container
POST    /containers/{id}/rename                    ContainerRename          write  none           -       names  -   -            -------- availability  renames a container, which may take over a DNS name
POST    /containers/{id}/resize                    ContainerResize          write  none           -       names  -   -            -------- low           sets a container's terminal size
POST    /containers/{id}/restart                   ContainerRestart         write  none           -       names  -   -            --rj---- availability  restarts a container
POST    /containers/{id}/start                     ContainerStart           write  none           -       names  -   -            --rjx--- availability  starts a container
GET     /containers/{id}/stats                     ContainerStats           read   follow         -       names  -   -            -------- info-leak     watches what a container consumes
POST    /containers/{id}/stop                      ContainerStop            write  none           -       names  -   -            -------- availability  stops a container
GET     /containers/{id}/top                       ContainerTop             read   none           -       names  -   -            -------p secret-leak   lists processes, with their environment if asked
POST    /containers/{id}/unpause                   ContainerUnpause         write  none           -       names  -   -            ---w---- availability  thaws a frozen container
POST    /containers/{id}/update                    ContainerUpdate          write  none           -       names  -   create       --rw---- availability  changes a container's limits and restart policy
POST    /containers/{id}/wait                      ContainerWait            read   follow         -       names  -   -            -------- low           waits for a container's exit code
DEBUG
GET,ANY /debug/vars                                DebugVars                read   none           -       -      -   -            -------- info-leak     shows the daemon's command line and memory
GET,ANY /debug/pprof/                              DebugPprofIndex          read   none           -       -      -   -            -------- info-leak     lists the daemon's profiles
GET,ANY /debug/pprof/cmdline                       DebugPprofCmdline        read   none           -       -      -   -            -------- info-leak     shows the daemon's command line
GET,ANY /debug/pprof/profile                       DebugPprofProfile        read   download       -       -      -   -            -------- availability  profiles the daemon for as long as asked
GET,ANY /debug/pprof/symbol                        DebugPprofSymbol         read   none           -       -      -   -            -------- info-leak     looks up functions of the daemon
GET,ANY /debug/pprof/trace                         DebugPprofTrace          read   download       -       -      -   -            -------- availability  traces the daemon for as long as asked
GET,ANY /debug/pprof/{name}                        DebugPprofNamed          read   download       -       -      -   -            -------- info-leak     downloads a profile of the daemon
DISTRIBUTION
GET     /distribution/{name}/json                  DistributionInspect      read   none           -       -      -   -            -----c-r info-leak     has any registry host asked for a manifest
EVENTS
GET     /events                                    SystemEvents             read   follow         -       -      -   -            -s-----e secret-leak   watches what happens, other people's exec commands too
EXEC
GET     /exec/{id}/json                            ExecInspect              read   none           -       names  -   -            -------a secret-leak   shows an exec's command and arguments
POST    /exec/{id}/resize                          ExecResize               write  none           -       names  -   -            -------- low           sets an exec's terminal size
POST    /exec/{id}/start                           ExecStart                write  hijack         -       names  -   exec         --ewx--o host-root     runs a prepared command, with its input
GRPC
POST    /grpc                                      BuildKitControl          write  h2c            packs   -      -   open         -------o host-root     opens BuildKit: builds, caches, history
POST    /{grpc.Service}/{Method}                   BuildKitGrpc             write  h2c            packs   -      -   open         -------o host-root     calls BuildKit over HTTP/2, which is not passed on
IMAGES
POST    /images/create                             ImageCreate              write  upload+follow  -       -      -   pull+create  -----cq- destructive   pulls or imports an image, replaces tags
GET     /images/get                                ImageGetAll              read   download       -       -      -   -            p------o secret-leak   downloads images
GET     /images/json                               ImageList                read   none           -       -      -   -            -s-----r info-leak     lists images
POST    /images/load                               ImageLoad                write  upload+follow  -       -      -   open         -------- destructive   loads images, may replace tags
POST    /images/prune                              ImagePrune               write  none           -       -      -   -            -------- destructive   removes unused images
GET     /images/search                             ImageSearch              read   none           -       -      -   -            -----c-- info-leak     searches any registry host
DELETE  /images/{name}                             ImageDelete              write  none           -       -      -   -            -------- destructive   removes an image or a tag
GET     /images/{name}/attestations                ImageAttestations        read   none           -       -      -   -            -------e secret-leak   shows how an image was built, its arguments too
GET     /images/{name}/get                         ImageGet                 read   download       -       -      -   -            p------o secret-leak   downloads an image
GET     /images/{name}/history                     ImageHistory             read   none           -       -      -   -            -------e secret-leak   shows an image's build steps and their arguments
GET     /images/{name}/json                        ImageInspect             read   none           -       -      -   -            -s-----e secret-leak   shows an image's settings and environment
POST    /images/{name}/push                        ImagePush                write  follow         -       -      -   create       -----c-o secret-leak   uploads an image to any registry host
POST    /images/{name}/tag                         ImageTag                 write  none           -       -      -   create       -------- destructive   sets a tag, replacing the image others start by it
INFO
GET     /info                                      SystemInfo               read   none           -       -      -   -            -------r info-leak     describes the host and the daemon
NETWORKS
GET     /networks                                  NetworkList              read   none           -       -      -   -            -s-----r info-leak     lists networks
GET     /networks/                                 NetworkList              read   none           -       -      -   -            -s-----r info-leak     lists networks
POST    /networks/create                           NetworkCreate            write  none           -       makes  n   create       ------b- host-root     makes a network, of addresses that the host trusts
POST    /networks/prune                            NetworkPrune             write  none           -       prunes -   -            -------- destructive   removes unused networks
DELETE  /networks/{id}                             NetworkDelete            write  none           -       names  -   -            -------- destructive   removes a network
GET     /networks/{id}                             NetworkInspect           read   none           -       names  -   -            -s-----r info-leak     shows a network and who is on it
POST    /networks/{id}/connect                     NetworkConnect           write  none           -       names  c   create       -------- availability  puts a container on a network, however separate
POST    /networks/{id}/disconnect                  NetworkDisconnect        write  none           -       names  c   create       -------- availability  takes a container off a network
NODES
GET     /nodes                                     NodeList                 read   none           -       any    -   -            -------r info-leak     lists swarm nodes
DELETE  /nodes/{id}                                NodeDelete               write  none           -       any    -   -            -------- destructive   removes a swarm node
GET     /nodes/{id}                                NodeInspect              read   none           -       any    -   -            -------r info-leak     shows a swarm node
POST    /nodes/{id}/update                         NodeUpdate               write  none           -       any    -   open         -------- host-root     promotes or drains a swarm node
PING
GET     /_ping                                     SystemPing               read   none           -       -      -   -            -------- low           asks whether the daemon lives
HEAD    /_ping                                     SystemPingHead           read   none           -       -      -   -            -------- low           asks whether the daemon lives
PLUGINS
GET     /plugins                                   PluginList               read   none           -       -      -   -            -------e secret-leak   lists plugins with their environment
POST    /plugins/create                            PluginCreate             write  upload         -       -      -   open         -------- host-root     makes a plugin that may ask for the whole host
GET     /plugins/privileges                        GetPluginPrivileges      read   none           -       -      -   -            -----c-- info-leak     asks any registry host what a plugin wants
POST    /plugins/pull                              PluginPull               write  follow         -       -      -   open         -------- host-root     installs a plugin with the privileges it asks for
DELETE  /plugins/{name}                            PluginDelete             write  none           -       -      -   -            -------r destructive   removes a plugin
POST    /plugins/{name}/disable                    PluginDisable            write  none           -       -      -   -            -------- availability  stops a plugin, be it one that guards the Engine
POST    /plugins/{name}/enable                     PluginEnable             write  none           -       -      -   open         -------- host-root     starts a plugin with its privileges
GET     /plugins/{name}/json                       PluginInspect            read   none           -       -      -   -            -------e secret-leak   shows a plugin with its environment
POST    /plugins/{name}/push                       PluginPush               write  follow         -       -      -   -            -----c-o secret-leak   uploads a plugin to any registry host
POST    /plugins/{name}/set                        PluginSet                write  none           -       -      -   open         -------- host-root     changes a plugin's mounts, devices and environment
POST    /plugins/{name}/upgrade                    PluginUpgrade            write  follow         -       -      -   open         -------- host-root     swaps a plugin for another, with new privileges
GET     /plugins/{name}                            PluginInspectLegacy      read   none           -       -      -   -            -------e secret-leak   shows a plugin (Docker 1.12 only)
SECRETS
GET     /secrets                                   SecretList               read   none           -       any    -   -            -------r info-leak     lists the names of swarm secrets
POST    /secrets/create                            SecretCreate             write  none           -       any    -   -            -------- low           adds a swarm secret
DELETE  /secrets/{id}                              SecretDelete             write  none           -       any    -   -            -------- destructive   removes a swarm secret
GET     /secrets/{id}                              SecretInspect            read   none           -       any    -   -            -------r info-leak     shows a swarm secret's labels
POST    /secrets/{id}/update                       SecretUpdate             write  none           -       any    -   -            -------- low           relabels a swarm secret
SERVICES
GET     /services                                  ServiceList              read   none           -       any    -   -            -------a secret-leak   lists swarm services with their environment
POST    /services/create                           ServiceCreate            write  none           fills   any    -   open         -------- host-root     runs containers on any node, with host mounts too
DELETE  /services/{id}                             ServiceDelete            write  none           -       any    -   -            -------- destructive   removes a swarm service
GET     /services/{id}                             ServiceInspect           read   none           -       any    -   -            -------a secret-leak   shows a swarm service with its environment
GET     /services/{id}/logs                        ServiceLogs              read   follow         -       any    -   -            -------o secret-leak   reads what a service's tasks printed
POST    /services/{id}/update                      ServiceUpdate            write  none           fills   any    -   open         -------- host-root     rewrites a swarm service, as powerful as its creation
SESSION
POST    /session                                   Session                  write  h2c            -       -      -   open         -------- low           offers files and credentials to later builds
SWARM
GET     /swarm                                     SwarmInspect             read   none           -       any    -   open         -------r host-root     shows the join tokens, by which anybody becomes a manager
POST    /swarm/init                                SwarmInit                write  none           -       any    -   open         -------- host-root     makes a swarm of the host, with a key of the client's
POST    /swarm/join                                SwarmJoin                write  none           -       any    -   open         -------- host-root     hands the host to another swarm's managers
POST    /swarm/leave                               SwarmLeave               write  none           -       any    -   -            -------- destructive   leaves the swarm, with force its state is lost
POST    /swarm/unlock                              SwarmUnlock              write  none           -       any    -   -            -------- availability  unlocks a swarm manager
GET     /swarm/unlockkey                           SwarmUnlockkey           read   none           -       any    -   -            p------o secret-leak   shows the manager's unlock key
POST    /swarm/update                              SwarmUpdate              write  none           -       any    -   open         -------- host-root     changes the swarm's authority and join tokens
SYSTEM
GET     /system/df                                 SystemDataUsage          read   none           looks   -      -   -            -s-----r availability  measures disk use by a slow scan, lists what there is
TASKS
GET     /tasks                                     TaskList                 read   none           -       any    -   -            -------a secret-leak   lists swarm tasks with their environment
GET     /tasks/{id}                                TaskInspect              read   none           -       any    -   -            -------a secret-leak   shows a swarm task with its environment
GET     /tasks/{id}/logs                           TaskLogs                 read   follow         -       any    -   -            -------o secret-leak   reads what a swarm task printed
VERSION
GET     /version                                   SystemVersion            read   none           -       -      -   -            -------- info-leak     tells the versions of engine and kernel
VOLUMES
GET     /volumes                                   VolumeList               read   none           -       -      -   -            -s-----r secret-leak   lists volumes with their options and passwords of shares
POST    /volumes/create                            VolumeCreate             write  none           -       makes  v   create       ------br host-root     makes a volume, of any host path or disk too
POST    /volumes/prune                             VolumePrune              write  none           -       prunes -   -            -------- destructive   removes unused volumes
DELETE  /volumes/{name}                            VolumeDelete             write  none           -       names  -   -            -------- destructive   removes a volume and its data
GET     /volumes/{name}                            VolumeInspect            read   none           -       names  -   -            -------r secret-leak   shows a volume's options and passwords of shares
PUT     /volumes/{name}                            VolumeUpdate             write  none           -       names  -   open         -------- availability  changes a swarm cluster volume
ANY
OPTIONS /{any}                                     SystemOptions            read   none           -       -      -   -            -------- low           answers 200 whatever the path
"""


_NAMED: Final = {kind[0]: kind for kind in OBJECTS.values()}


def _parse_table(table: str) -> tuple[Endpoint, ...]:
    endpoints = list[Endpoint]()
    section = ""
    for line in table.splitlines():
        if " " not in line:
            section = line
            continue
        methods, template, operation, effect, stream, *columns = line.split(None, 11)
        files, touch, names, bound, powers, risk, summary = columns
        endpoints.extend(
            Endpoint(
                method=sys.intern(method),
                template=template,
                operation=operation,
                section=section,
                effect=Effect(effect),
                stream=Stream(stream),
                files=Files(files),
                touch=Touch(touch),
                names=_parse_names(names),
                bound=Bound(bound),
                powers=_parse_powers(powers),
                risk=Risk(risk),
                summary=summary,
            )
            for method in methods.split(",")
        )
    return tuple(endpoints)


@cache  # few are different: rows share them
def _parse_names(letters: str) -> tuple[Kind, ...]:
    return () if letters == "-" else tuple(_NAMED[letter] for letter in letters)


@cache
def _parse_powers(letters: str) -> PowerLetters:
    powers = PowerLetters(*letters)
    for name, letter in powers._asdict().items():
        if letter not in f"-{getattr(LETTERS, name)}":
            raise AssertionError(f"{letters}: {letter} says nothing of {name}")
    return powers


def _check(endpoints: tuple[Endpoint, ...]) -> None:
    """Refuse rows that belie themselves or one another: the worse of two may be true."""
    said = dict[str, tuple[object, ...]]()
    roaming = {one.section for one in endpoints if one.touch is Touch.ANY}
    for one in endpoints:
        for lie in chain(_lies_of_objects(one), _lies_of_power(one)):
            raise AssertionError(f"{one.method} {one.template} {lie}")
        if one.section in roaming and one.touch is not Touch.ANY:
            raise AssertionError(f"{one.section}: others reach any objects")
        # A file grants operations, and some have several routes. These columns are read off the first of them
        # (`row_of`), so they must be true of each; whoever may use one of the routes may use all.
        columns = (one.touch, one.names, one.bound, one.powers)
        if said.setdefault(one.operation, columns) != columns:
            raise AssertionError(f"{one.operation}: a row says otherwise than another")


def _lies_of_objects(one: Endpoint) -> Iterator[str]:
    is_named = one.touch is Touch.NAMES
    if one.touch not in {Touch.NONE, Touch.ANY} and one.section not in _KINDS:
        yield "has no objects that it could name, make or prune"
    if one.section in _KINDS and is_named != ("{" in one.template):
        yield "names just what stands in its path"
    if one.is_podmans and one.touch is not Touch.ANY:
        yield "is Podman's, whose objects nobody looks up"
    if one.touch is Touch.MAKES and one.powers.labels != "b":
        yield "makes what is not marked"
    if one.names and not one.families:
        yield "names objects in what is not read"


def _lies_of_power(one: Endpoint) -> Iterator[str]:
    # A row is believed: what its columns leave out nobody else looks for. So each of these is two columns that cannot
    # both be true. A letter of `reach` that is missing would let who is limited into a container that has more than his
    # limits; `-` for what tells secrets would pass them beside `REDACT`; a root without a bound would stay open beside
    # lists.
    reach, by_get = one.powers.reach, one.method in {"GET", "HEAD"}
    has_container = Kind.CONTAINER in one.kinds
    if reach not in {"-", "h"} and not has_container and not one.is_podmans:
        yield "reaches into a container, and names none"
    if reach == "-" and one.touches_containers:
        yield "touches files of a container, and does not reach into it"
    if one.powers.runs != "-" and not has_container:
        yield "lets a container run, and names none"
    if one.needs_post and not by_get:
        yield "needs POST by its method"
    if by_get and one.effect is Effect.WRITE and not one.needs_post:
        yield "writes by a method that passes without POST"
    if one.risk is Risk.SECRET_LEAK and one.method == "GET" and one.powers.tells == "-":
        yield "reads secrets, and says nothing of its answer"
    if one.risk is Risk.HOST_ROOT and one.bound is Bound.NONE and reach in {"-", "r"}:
        yield "is root, and says neither what limits that nor that nothing does"


def _by_operation(
    endpoints: tuple[Endpoint, ...],
) -> Mapping[str, tuple[Endpoint, ...]]:
    found = dict[str, tuple[Endpoint, ...]]()
    for one in endpoints:
        found[one.operation] = (*found.get(one.operation, ()), one)
    return dict(sorted(found.items()))


ENDPOINTS = (*_parse_table(_TABLE), *_parse_table(podman.TABLE))
"""Every route of the Engine, then Podman's own; a request is the first that fits."""
_check(ENDPOINTS)
del _TABLE, podman.TABLE  # 34 KB, which no process needs again

OPERATIONS = _by_operation(ENDPOINTS)
"""The same by operation name, sorted; some operations have several routes."""


LIMITED: Final[Mapping[str, tuple[Family, ...]]] = {
    name: rows[0].families for name, rows in OPERATIONS.items() if rows[0].families
}
"""The operations that are limited, each with its own family first."""


def of_family(family: Family, operations: Iterable[str]) -> list[str]:
    """Those of some operations whose own family it is, by name."""
    return sorted(name for name in operations if family in LIMITED.get(name, ())[:1])


def row_of(operation: str) -> Endpoint | None:
    """The row of an operation, the first if it has several routes; None for none of ours."""
    return OPERATIONS.get(operation, (None,))[0]


def packing(operations: Iterable[str]) -> list[str]:
    """Those for which the Engine packs or unpacks files of a container that they name."""
    rows = filter(None, map(row_of, operations))
    return sorted(one.operation for one in rows if one.touches_containers)


def kinds_of(operation: str) -> tuple[Kind, ...]:
    """The kinds of what an operation names or makes, first the one that it is about."""
    row = row_of(operation)
    return row.kinds if row else ()


_OF_PODMAN = "LIBPOD_"
_BY_NO_VARIABLE = """
    ANY DEBUG LIBPOD_ARTIFACTS LIBPOD_BUILD LIBPOD_COMMIT LIBPOD_KUBE LIBPOD_LOCAL
    LIBPOD_QUADLETS LIBPOD_SWAGGER
"""
"""Sections that the other proxies have no variable for: a list alone opens them."""

_VARIABLES = sorted({e.section for e in ENDPOINTS} - {*_BY_NO_VARIABLE.split()})

SECTIONS = tuple(name for name in _VARIABLES if not name.startswith(_OF_PODMAN))
"""The section variables, `POST` aside; no variable opens /debug."""

LIBPOD_SECTIONS = tuple(name for name in _VARIABLES if name.startswith(_OF_PODMAN))
"""linuxserver's section variables for Podman's own routes, all below `/libpod`."""

ALL_SECTIONS = (*SECTIONS, *LIBPOD_SECTIONS)


class _Routes:
    """The routes of one method that begin alike, in the order of the table."""

    def __init__(self) -> None:
        self.endpoints = list[Endpoint]()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """One group for each endpoint; the first alternative that fits is the one."""
        return re.compile("|".join(map(_pattern, self.endpoints)))

    def find(self, path: str) -> Endpoint | None:
        found = self.pattern.fullmatch(path)
        group = found.lastindex if found else None
        return self.endpoints[group - 1] if group else None


# The whole template decides, from its end: where a name takes slashes, `/containers/prune/start` starts what is called
# `prune`, and `/images/load/push` pushes `load`. The Engine's `.*` also fits an empty name, and each id begins with
# that (`DELETE /networks/`): such a path is no route here. `.` leaves out an end of a line in Go and in Python; `$`
# does not mean the same in both, so paths are matched in full.
def _pattern(endpoint: Endpoint) -> str:
    parameter = ".+" if endpoint.takes_slashes else "[^/]+"
    return f"({expression_of(endpoint.template, parameter)})"


PARAMETER: Final = re.compile(r"\{[^}]*\}")


def expression_of(template: str, parameter: str) -> str:
    """Write the paths of a template as a regular expression; `parameter`: what one of its
    parameters may be."""
    return parameter.join(map(re.escape, PARAMETER.split(template)))


def _beginning(path: str) -> str:
    """By what routes are looked up: one segment, and two of Podman's own."""
    first, _, rest = path[1:].partition("/")
    return f"/{PODMAN}/{rest.partition('/')[0]}" if first == PODMAN else f"/{first}"


def _index(endpoints: tuple[Endpoint, ...]) -> Mapping[tuple[str, str], _Routes]:
    grouped = defaultdict[tuple[str, str], _Routes](_Routes)
    for endpoint in endpoints:
        # The two that begin with a parameter: one fits every path, one is no HTTP/1 route.
        if not endpoint.template.startswith("/{"):
            key = endpoint.method, _beginning(endpoint.template)
            grouped[key].endpoints.append(endpoint)
    return dict(grouped)


_ROUTES = _index(ENDPOINTS)


def compile_dockers() -> None:
    """Compile the patterns of Docker's routes, so that no request waits for its own.

    Podman's are compiled when one is asked for: most proxies stand before Docker.
    """
    for (_, begins), routes in _ROUTES.items():
        if not begins.startswith(f"/{PODMAN}/"):
            _ = routes.pattern


(OPTIONS,) = OPERATIONS["SystemOptions"]
"""What the Engine answers on every path: its section is that of the path."""


def match(method: str, target: Target) -> Endpoint | None:
    """Find the endpoint that the Engine would serve; None if it knows no such route.

    `BadTarget`: a trailing slash or an encoded slash where no route has one.
    """
    endpoint = _find(method, target.path)
    template = endpoint.template if endpoint else ""
    if target.path.endswith("/") and not template.endswith("/"):
        raise BadTarget(f"no route ends in a slash here: {target.shown[-64:]!r}")
    # Docker's router matches the decoded path and Podman's the encoded one, so that a `%2F` makes two routes of one
    # path. Where it stands in a name that takes slashes they mean the same.
    if target.encoded_slash and not (endpoint and endpoint.takes_slashes):
        raw_path = target.raw.partition(b"?")[0]
        raise BadTarget(f"no route takes an encoded slash here: {in_quotes(raw_path)}")
    return endpoint


def _find(method: str, path: str) -> Endpoint | None:
    if method == "OPTIONS":
        return OPTIONS
    # The Engine has few HEAD routes, but whoever may GET learns nothing more by asking for a head.
    methods = ("HEAD", "GET", "ANY") if method == "HEAD" else (method, "ANY")
    begins = _beginning(path)
    for name in methods:
        routes = _ROUTES.get((name, begins))
        if routes and (endpoint := routes.find(path)):
            return endpoint
    return None


def section_prefix(section: str) -> str:
    """Where the paths of a section begin."""
    if section in LIBPOD_SECTIONS:
        return f"/{PODMAN}{section_prefix(section.removeprefix(_OF_PODMAN))}"
    return "/_ping" if section == "PING" else f"/{section.lower()}"


_BY_PREFIX = {section_prefix(one): one for one in ALL_SECTIONS}


def section_of(path: str) -> str | None:
    """Name the section variable of a path, known or not; None if none covers it."""
    return _BY_PREFIX.get(_beginning(path))


def unlisted(method: str, section: str) -> str:
    """Write, as a template, what stands for the routes of a section that no row has.

    Empty where a row has each path: `GET /volumes/...` is all one route.
    """
    template = f"{section_prefix(section)}/{{name}}/{{more}}"
    return "" if _find(method, template) else template
