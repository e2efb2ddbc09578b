"""Names as real tools make them, and names that people choose: a row each.

A maker gives another name each time that it is called, as a run of its client would. Beside
it stands the item that two of its names have to become.
"""

import random
import string
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, NamedTuple

_ALNUM: Final = string.ascii_letters + string.digits
_SMALL: Final = string.ascii_lowercase + string.digits
_KINDS: Final[dict[str, Callable[[random.Random, int], str]]] = {
    # What the letters of a row's maker stand for; the number is how many.
    "A": lambda chance, n: "".join(chance.choices(_ALNUM, k=n)),
    "a": lambda chance, n: "".join(chance.choices(_SMALL, k=n)),
    "p": lambda chance, n: "".join(chance.choices(f"{_SMALL}_", k=n)),
    "h": lambda chance, n: "".join(chance.choices("0123456789abcdef", k=n)),
    "n": lambda chance, n: str(chance.randint(10 ** (n - 1), 10**n - 1)),
    "C": lambda chance, n: "".join(chance.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=n)),
    "U": lambda chance, _: str(uuid.UUID(int=chance.getrandbits(128), version=4)).upper(),
    "u": lambda chance, _: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    "d": lambda chance, _: str(_day(chance)),
    "D": lambda chance, _: f"{_day(chance):%Y%m%d}",
    "t": lambda chance, _: f"{chance.randrange(24):02}{chance.randrange(60):02}{chance.randrange(60):02}",
    "o": lambda chance, _: str(chance.randint(1000, 9999)),
}  # fmt: skip


def _day(chance: random.Random) -> date:
    return date(2026, 1, 1) + timedelta(days=chance.randrange(3000))


class Shape(NamedTuple):
    """How a tool names things."""

    tool: str
    variable: str
    maker: str
    """A name of it: `<p8>` stands for eight characters as Python's tempfile has them."""
    item: str

    def name(self, chance: random.Random, front: str = "") -> str:
        """Make one up."""
        made = front
        for part in self.maker.split("<"):
            code, mark, rest = part.partition(">")
            if mark:
                made += _KINDS[code[0]](chance, int(code[1:] or 0)) + rest
            else:
                made += part
        return made


def _rows(variable: str, table: str) -> list[Shape]:
    rows = (map(str.strip, row.split("|")) for row in table.strip().splitlines())
    return [Shape(tool, variable, maker, item) for tool, maker, item in rows]


SHAPES: Final = [
    *_rows("CREATE_BINDS", """
        Python mkdtemp              | /tmp/tmp<p8>                        | /tmp/tmp{rand8}
        Python mkdtemp, below it    | /tmp/tmp<p8>/work/out               | /tmp/tmp{rand8}/work/out
        Python mkdtemp, a prefix    | /tmp/build-<p8>                     | /tmp/build-{rand8}
        Python mkdtemp, prefix with _ | /tmp/app_<p8>:ro                  | /tmp/app_{rand8}:ro
        Python NamedTemporaryFile   | /tmp/tmp<p8>.yml                    | /tmp/tmp{rand8}.yml
        pytest tmp_path             | /tmp/pytest-of-me/pytest-<n2>/test_db0/data | /tmp/pytest-of-me/pytest-{num}/test_db0/data
        pytest-xdist                | /tmp/pytest-of-me/pytest-<n3>/popen-gw<n1>/test_db0 | /tmp/pytest-of-me/pytest-{num}/popen-gw{num}/test_db0
        pip                         | /tmp/pip-req-build-<p8>             | /tmp/pip-req-build-{rand8}
        Airflow                     | /tmp/airflowtmp<p8>                 | /tmp/airflowtmp{rand8}
        Toil                        | /tmp/toilwf-<h32>/<h4>/job          | /tmp/toilwf-{hex32}/{hex4}/job
        coreutils mktemp -d         | /tmp/tmp.<A10>                      | /tmp/tmp.{rand10}
        coreutils mktemp job.XXXXXX | /tmp/job.<A6>                       | /tmp/job.{rand6}
        coreutils mktemp XXXXXXXX   | /var/tmp/<A8>                       | /var/tmp/{rand8}
        coreutils mktemp, below it  | /var/tmp/run-<A8>/out:ro            | /var/tmp/run-{rand8}/out:ro
        Go os.MkdirTemp             | /tmp/docker-<n9>                    | /tmp/docker-{num}
        Go T.TempDir                | /tmp/TestServe<n10>/001             | /tmp/TestServe{num}/001
        Go build                    | /tmp/go-build<n9>/b001/exe          | /tmp/go-build{num}/b001/exe
        Node fs.mkdtemp             | /tmp/app-<A6>                       | /tmp/app-{rand6}
        Node randomUUID             | /tmp/<u>                            | /tmp/{uuid}
        Playwright                  | /tmp/playwright_chromiumdev_profile-<A6> | /tmp/playwright_chromiumdev_profile-{rand6}
        npm                         | /tmp/npm-<n5>-<h8>                  | /tmp/npm-{num}-{hex8}
        mongodb-memory-server       | /tmp/mongo-mem-<n4>-<A6>            | /tmp/mongo-mem-{num}-{rand6}
        Java createTempDirectory    | /tmp/junit<n18>                     | /tmp/junit{num}
        Java createTempFile         | /tmp/data<n17>.tmp                  | /tmp/data{num}.tmp
        JUnit 5 TempDir             | /tmp/junit-<n17>/db                 | /tmp/junit-{num}/db
        Surefire                    | /tmp/surefire<n16>                  | /tmp/surefire{num}
        Spark                       | /tmp/spark-<u>/userFiles-<u>        | /tmp/spark-{uuid}/userFiles-{uuid}
        Embedded Postgres           | /tmp/embedded-pg/PG-<h32>           | /tmp/embedded-pg/PG-{hex32}
        Rust tempfile               | /tmp/.tmp<A6>                       | /tmp/.tmp{rand6}
        Ruby Dir.mktmpdir           | /tmp/d<D>-<n5>-<a6>                 | /tmp/d{date}-{num}-{rand6}
        Perl File::Temp             | /tmp/<A10>                          | /tmp/{rand10}
        PHP tempnam                 | /tmp/php<A6>                        | /tmp/{rand9}
        GitHub _temp                | /home/runner/work/_temp/<u>         | /home/runner/work/_temp/{uuid}
        GitHub script               | /home/runner/work/_temp/<u>.sh      | /home/runner/work/_temp/{uuid}.sh
        GitHub file commands        | /home/runner/work/_temp/_runner_file_commands/set_env_<u> | /home/runner/work/_temp/_runner_file_commands/set_env_{uuid}
        GitLab builds               | /builds/<A8>/0/acme/app             | /builds/{rand8}/0/acme/app
        GitLab project number       | /builds/project-<n5>/<n2>/src       | /builds/project-{num}/{num}/src
        Jenkins second workspace    | /srv/jenkins/workspace/app%40<n1>   | /srv/jenkins/workspace/app%40{num}
        Jenkins durable task        | /srv/jenkins/workspace/app%40tmp/durable-<h8> | /srv/jenkins/workspace/app%40tmp/durable-{hex8}
        Jenkins builds              | /srv/jenkins/jobs/my%20app/builds/<n3> | /srv/jenkins/jobs/my%20app/builds/{num}
        Buildkite                   | /tmp/job-env-<u>                    | /tmp/job-env-{uuid}
        Concourse                   | /worker-state/volumes/live/<u>/volume | /worker-state/volumes/live/{uuid}/volume
        Drone                       | /tmp/drone-<a16>/drone/src          | /tmp/drone-{rand16}/drone/src
        Woodpecker                  | /tmp/woodpecker-local-<n9>          | /tmp/woodpecker-local-{num}
        act                         | /home/me/.cache/act/<h16>/hostexecutor | /home/me/.cache/act/{hex16}/hostexecutor
        Nomad alloc                 | /opt/nomad/data/alloc/<u>/web/local | /opt/nomad/data/alloc/{uuid}/web/local
        Bazel sandbox               | /home/me/.cache/bazel/_bazel_me/<h32>/sandbox/linux-sandbox/<n2>/execroot | /home/me/.cache/bazel/_bazel_me/{hex32}/sandbox/linux-sandbox/{num}/execroot
        Bazel test folder           | /home/me/.cache/bazel/_bazel_me/execroot/_main/_tmp/<h32> | /home/me/.cache/bazel/_bazel_me/execroot/_main/_tmp/{hex32}
        Kubernetes pods             | /srv/pods/<u>/volumes               | /srv/pods/{uuid}/volumes
        systemd-private             | /tmp/systemd-private-<h32>-app.service-<A6>/tmp | /tmp/systemd-private-{hex32}-app.service-{rand6}/tmp
        dated folder                | /backup/<d>/db                      | /backup/{date}/db
        dated file                  | /backup/db-<D>.tar.gz               | /backup/db-{date}.tar.gz
        dated with time             | /backup/<D>T<t>                     | /backup/{date}T{num}
        dated with time, dashes     | /backup/<d>_<n2>-<n2>-<n2>          | /backup/{date}_{num}-{num}-{num}
        Capistrano release          | /srv/app/releases/<D><t>            | /srv/app/releases/{num}
        numbered folder             | /srv/run-<n2>                       | /srv/run-{num}
        numbered folder with _      | /srv/out_<n3>/in:ro                 | /srv/out_{num}/in:ro
        numbered, a space           | /srv/my%20run%20<n1>                | /srv/my%20run%20{num}
        numbered, a percent sign    | /srv/100%25-<n3>                    | /srv/100%25-{num}
        socket with a process id    | /tmp/agent-<n5>.sock                | /tmp/agent-{num}.sock
        Compose build metadata      | /tmp/compose-build-metadataFile-<n9>.json | /tmp/compose-build-metadataFile-{num}.json
        BuildKit                    | /tmp/buildkit-mount<n10>            | /tmp/buildkit-mount{num}
        devcontainers features      | /tmp/devcontainercli-me/container-features/0.52.1-<n13> | /tmp/devcontainercli-me/container-features/0.52.1-{num}
        Gradle worker               | /home/me/.gradle/.tmp/gradle-worker-classpath<n18>txt | /home/me/.gradle/.tmp/gradle-worker-classpath{num}txt
        Cargo build script          | /home/me/app/target/debug/build/openssl-<h16>/out | /home/me/app/target/debug/build/openssl-{hex16}/out
        Slurm array                 | /srv/slurm/out_<n6>_<n2>            | /srv/slurm/out_{num}_{num}
        macOS uuidgen               | /tmp/job-<U>/in                     | /tmp/job-{rand8}-{rand4}-{rand4}-{rand4}-{rand12}/in
        a ULID                      | /srv/jobs/01<C24>                   | /srv/jobs/{rand26}
        a KSUID                     | /srv/jobs/2<A26>                    | /srv/jobs/{rand27}
        an ObjectId                 | /srv/jobs/<h24>/in                  | /srv/jobs/{hex24}/in
        time.time()                 | /srv/runs/17<n8>.<n7>               | /srv/runs/{num}.{num}
        date -u, dashes and Z       | /backup/<d>T<n2>-<n2>-<n2>Z         | /backup/{date}T{num}-{num}-{num}Z
        Terraform                   | /tmp/terraform-provider<n9>         | /tmp/terraform-provider{num}
        LocalStack                  | /tmp/zipfile.<h8>                   | /tmp/zipfile.{hex8}
        kind                        | /tmp/kind-<n9>/config               | /tmp/kind-{num}/config
        below the checkout          | {base}/build/tmp-<h12>/x            | {base}/build/tmp-{hex12}/x
        a checkout's runs           | {base}/runs/<n2>                    | {base}/runs/{num}
    """),
    *_rows("CREATE_TAGS", """
        testcontainers-java         | localhost/testcontainers/<a16>:latest | localhost/testcontainers/{rand16}:latest
        testcontainers-node         | localhost/<h32>:<h32>               | localhost/{hex32}:{hex32}
        testcontainers-go           | <u>:<u>                             | {uuid}:{uuid}
        short commit                | acme/app:<h7>                       | acme/app:{hex7}
        commit                      | registry.example:5000/acme/app:<h40> | registry.example:5000/acme/app:{hex40}
        metadata-action             | acme/app:sha-<h7>                   | acme/app:sha-{hex7}
        pull request                | acme/app:pr-<n4>                    | acme/app:pr-{num}
        pipeline                    | registry.example/acme/app:<n7>      | registry.example/acme/app:{num}
        nightly                     | acme/app:<D>                        | acme/app:{date}
        nightly with commit         | acme/app:nightly-<d>-<h8>           | acme/app:nightly-{date}-{hex8}
        Flux                        | acme/app:main-<h7>-<n10>            | acme/app:main-{hex7}-{num}
        Tilt                        | app:tilt-<h16>                      | app:tilt-{hex16}
        Skaffold                    | app:<h7>-dirty                      | app:{hex7}-dirty
        git describe                | acme/app:v1.2.3-<n2>-g<h7>          | acme/app:v1.2.3-{num}-g{hex7}
        Azure Pipelines             | acme/app:<D>.<n1>                   | acme/app:{date}.{num}
        Skaffold's dateTime         | app:<d>_<n2>-<n2>-<n2>              | app:{date}_{num}-{num}-{num}
        Maven snapshot              | acme/app:1.4.0-<D>.<t>-<n2>         | acme/app:1.4.0-{date}.{num}-{num}
        devcontainers               | vsc-app-<h64>-uid:latest            | vsc-app-{hex64}-uid:latest
        a release and a commit      | acme/app:1.27.3-<h8>                | acme/app:1.27.3-{hex8}
    """),
    *_rows("PULL_IMAGES", """
        ttl.sh                      | ttl.sh/<u>:1h                       | ttl.sh/{uuid}:1h
        a branch's image            | registry.example/acme/app:<h8>      | registry.example/acme/app:{hex8}
    """),
    *_rows("EXEC_COMMANDS", """
        a script that was copied    | /tmp/job-<p8>.sh                    | /tmp/job-{rand8}.sh
        Ansible                     | /root/.ansible/tmp/ansible-tmp-17<n8>.<n7>-<n5>-<n15>/AnsiballZ.py | /root/.ansible/tmp/ansible-tmp-{num}.{num}-{num}-{num}/AnsiballZ.py
    """),
    *_rows("BUILD_OPTIONS", """
        a build from a commit       | ImageBuild:remote=https%3A//git.example/app.git%23<h40> | ImageBuild:remote=https%3A//git.example/app.git%23{hex40}
    """),
    *_rows("EXEC_USERS", """
        docker exec -u id           | <o>                                 | {uid}
        docker exec -u id:id        | <o>%3A<o>                           | {uid}%3A{uid}
        docker exec -u id:staff     | <o>%3A20                            | {uid}%3A20
    """),
]  # fmt: skip

WORDS: Final = [
    tuple(row.split())
    for row in """
    CREATE_BINDS /srv/config-prod /srv/config-staging
    CREATE_BINDS /srv/customer_acme /srv/customer_globex
    CREATE_BINDS /srv/data /srv/logs
    CREATE_BINDS /srv/frontend /srv/database
    CREATE_BINDS /srv/app/conf.d /srv/app/conf.old
    CREATE_BINDS /home/me/notebooks /home/me/documents
    CREATE_BINDS /srv/alice /srv/bobby
    CREATE_BINDS /srv/customers/globex/in /srv/customers/initech/in
    CREATE_BINDS /srv/eu-west /srv/us-east
    CREATE_BINDS /srv/app-v1 /srv/app-v2
    CREATE_BINDS /srv/app-1.27 /srv/app-1.28
    CREATE_BINDS /opt/python3.11/lib /opt/python3.12/lib
    CREATE_BINDS /srv/my%20music /srv/my%20films
    CREATE_BINDS /srv/a%40home /srv/a%40work
    CREATE_BINDS /srv/README.md /srv/LICENSE.md
    CREATE_BINDS /srv/MacAdam /srv/Macleod
    CREATE_BINDS /srv/project_alpha /srv/project_gamma
    CREATE_BINDS /srv/test_alpha1 /srv/test_gamma2
    CREATE_BINDS {base}/src {base}/docs
    CREATE_BINDS {base}/fixtures {base}/snapshot
    CREATE_BINDS /srv/amd64 /srv/arm64
    CREATE_BINDS /var/log/nginx /var/log/mysql
    CREATE_BINDS /srv/tenant_a /srv/tenant_b
    CREATE_BINDS /srv/clusterA /srv/clusterB
    CREATE_BINDS /srv/app_v1 /srv/app_v2
    CREATE_BINDS /srv/data_v1_2 /srv/data_v1_3
    CREATE_BINDS /srv/v1beta1 /srv/v1beta2
    CREATE_BINDS /srv/apiv1 /srv/apiv2
    CREATE_BINDS /srv/rack01a /srv/rack02b
    CREATE_BINDS /srv/us_east_1a /srv/us_west_2b
    CREATE_BINDS /srv/k8smaster /srv/k8sworker
    CREATE_BINDS /srv/mp3files /srv/mp4files
    CREATE_BINDS /srv/log4shell /srv/log4cplus
    CREATE_BINDS /srv/web2project /srv/sql2project
    CREATE_BINDS /srv/s3bucket /srv/ec2hosts
    CREATE_BINDS /srv/1stfloor /srv/2ndfloor
    CREATE_BINDS /srv/3dmodels /srv/2dmodels
    CREATE_BINDS /srv/oauth2 /srv/saml2x
    CREATE_BINDS /srv/x86_64 /srv/armv7l
    CREATE_BINDS /srv/ppc64le /srv/aarch64
    CREATE_BINDS /srv/2026jan /srv/2026feb
    CREATE_BINDS /srv/2025dec /srv/2026feb
    CREATE_BINDS /srv/deadbeef /srv/cafebabe
    CREATE_BINDS /srv/986d /srv/b712
    CREATE_BINDS /srv/4098c22fa3a450eb/face /srv/9d6fe35372d35c9d/dead
    CREATE_BINDS /srv/facade1 /srv/decade2
    CREATE_BINDS /srv/__init__ /srv/__main__
    CREATE_BINDS /srv/_shared /srv/_public
    CREATE_BINDS /srv/o_reilly /srv/d_angelo
    CREATE_BINDS /srv/py39env /srv/py38env
    CREATE_BINDS /tmp/tmpfrontend /tmp/tmpdatabase
    CREATE_BINDS /srv/2026-11-20-frontend /srv/2026-11-20-database
    CREATE_IMAGES acme/service_a:1 acme/service_b:1
    CREATE_IMAGES acme/mp3conv:1 acme/mp4conv:1
    CREATE_IMAGES acme/app:arm64v8 acme/app:amd64v1
    CREATE_IMAGES acme/app:cu118py acme/app:cu121py
    CREATE_IMAGES acme/app:release-2024 acme/app:release-2025
    CREATE_IMAGES mssql/server:2019 mssql/server:2022
    CREATE_IMAGES acme/app:2022-latest acme/app:2019-latest
    CREATE_IMAGES acme/app:1.2.3-rc1 acme/app:1.2.3-rc2
    CREATE_IMAGES acme/app:1.4.20 acme/app:1.4.21
    CREATE_IMAGES redis:7 redis:alpine
    CREATE_IMAGES redis:7 redis:8
    CREATE_IMAGES acme/api:stable acme/api:edge
    CREATE_IMAGES acme/api:latest acme/api:stable
    CREATE_IMAGES postgres:16.1 postgres:16.2
    CREATE_IMAGES postgres:16-alpine postgres:17-alpine
    CREATE_IMAGES node:20-bookworm node:22-bookworm
    CREATE_IMAGES python:3.11-slim python:3.12-slim
    CREATE_IMAGES acme/app:v12 acme/app:v13
    CREATE_IMAGES acme/app:v1.2.3 acme/app:v1.2.4
    CREATE_IMAGES acme/frontend:1 acme/database:1
    CREATE_IMAGES acme/web:1 acme/api:1
    CREATE_IMAGES ubuntu:20.04 ubuntu:22.04
    CREATE_IMAGES ubuntu:jammy ubuntu:noble
    CREATE_IMAGES debian:bookworm debian:bullseye
    CREATE_IMAGES ruby32:1 ruby33:1
    CREATE_IMAGES acme/app:release acme/app:3fa8b21
    CREATE_TAGS acme/app:staging acme/app:preview
    PULL_IMAGES ab12cd34/app:1 xy34ab12/app:1
    PULL_IMAGES src:http%3A//h/a1 src:http%3A//h/a2
    EXEC_COMMANDS pg_dump psql
    EXEC_COMMANDS /usr/bin/python3 /usr/bin/perl5
    EXEC_USERS 0 1000
    EXEC_USERS postgres www-data
    CREATE_PORTS 80 8080
    CREATE_PORTS 5432 6379
    CREATE_CAPS NET_ADMIN NET_RAW
    """.strip().splitlines()
]
"""Two values that a person chose, and that stay two."""

CHOSEN: Final = [
    "acme",
    "alpha",
    "api",
    "apple",
    "archive",
    "backend",
    "backup",
    "beta",
    "billing",
    "blue",
    "books",
    "cache",
    "canary",
    "catalog",
    "certs",
    "charts",
    "client",
    "cloud",
    "config",
    "core",
    "customer",
    "dashboard",
    "data",
    "database",
    "default",
    "demo",
    "deploy",
    "design",
    "docs",
    "documents",
    "dumps",
    "edge",
    "engine",
    "europe",
    "events",
    "export",
    "family",
    "feature",
    "files",
    "films",
    "finance",
    "fixtures",
    "front",
    "frontend",
    "gamma",
    "gateway",
    "github",
    "globex",
    "green",
    "harvest",
    "homepage",
    "images",
    "import",
    "index",
    "initech",
    "invoices",
    "jenkins",
    "journal",
    "kafka",
    "keys",
    "ledger",
    "legal",
    "library",
    "logs",
    "mail",
    "main",
    "manager",
    "market",
    "media",
    "metrics",
    "mobile",
    "models",
    "module",
    "mysql",
    "nginx",
    "north",
    "notes",
    "oracle",
    "orders",
    "partner",
    "payment",
    "photos",
    "pictures",
    "pipeline",
    "postgres",
    "preview",
    "printer",
    "private",
    "prod",
    "production",
    "products",
    "profile",
    "project",
    "public",
    "python",
    "queue",
    "rabbit",
    "redis",
    "release",
    "reports",
    "resources",
    "results",
    "sales",
    "samples",
    "scripts",
    "search",
    "secrets",
    "service",
    "session",
    "settings",
    "shared",
    "shop",
    "source",
    "south",
    "staging",
    "static",
    "stats",
    "storage",
    "store",
    "stripe",
    "system",
    "tables",
    "target",
    "tenant",
    "testing",
    "themes",
    "tickets",
    "tools",
    "training",
    "uploads",
    "users",
    "vendor",
    "videos",
    "volume",
    "warehouse",
    "web",
    "website",
    "west",
    "worker",
    "yellow",
    "zebra",
]
"""Words of which people make names."""
