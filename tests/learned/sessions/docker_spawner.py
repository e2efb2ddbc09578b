"""What JupyterHub does with DockerSpawner: it starts a user's server, looks, and stops it.

The hub is not run. Its own class for users does what the hub's handlers let it do.
"""

import asyncio

from dockerspawner import DockerSpawner
from jupyterhub import orm, roles
from jupyterhub.objects import Hub
from jupyterhub.user import User
from tornado.httpclient import AsyncHTTPClient
from traitlets.config import Config

SERVE = """
mkdir -p /www/user/ada
echo hello >/www/user/ada/index.html
exec httpd -f -p 8888 -h /www
"""


def user() -> User:
    """A user of a hub whose spawner is configured as hubs do."""
    config = Config()
    config.DockerSpawner.image = "busybox:latest"
    config.DockerSpawner.cmd = ["sh", "-c", SERVE]
    config.DockerSpawner.network_name = "staged"
    config.DockerSpawner.use_internal_ip = True
    config.DockerSpawner.volumes = {"work-{username}": "/work"}
    config.DockerSpawner.mem_limit = "64M"
    config.DockerSpawner.cpu_limit = 0.5
    config.DockerSpawner.extra_host_config = {"init": True}
    config.DockerSpawner.extra_create_kwargs = {"labels": {"a": "b"}}
    config.DockerSpawner.post_start_cmd = "echo hello"
    config.DockerSpawner.http_timeout = 30
    db = orm.new_session_factory("sqlite:///:memory:")()
    for role in roles.get_default_roles():
        roles.create_role(db, role)
    known = orm.User(name="ada")
    db.add_all([known, orm.OAuthClient(identifier="jupyterhub")])
    db.commit()
    settings = {
        "config": config,
        "spawner_class": DockerSpawner,
        "hub": Hub(ip="127.0.0.1", port=8081, base_url="/hub/"),
        "base_url": "/",
        "internal_ssl": False,
    }
    return User(known, settings=settings)


async def main() -> None:
    """A first start, a stop, a second start of what is there, and one that is removed."""
    ada = user()
    for remove in (False, False, True):
        await ada.spawn()
        ada.spawner.remove = remove
        assert await ada.spawner.poll() is None
        answer = await AsyncHTTPClient().fetch(f"{ada.spawner.server.url}index.html")
        assert answer.body == b"hello\n"
        await ada.stop()


if __name__ == "__main__":
    asyncio.run(main())
