# An environment of tox with a container that is built for it, and one of an image.
# tox-docker builds with a pull, so the built one starts from nothing.
cp "$(command -v busybox)" busybox
cat >Dockerfile <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "/bin"]
EXPOSE 80
CMD ["/bin/sh", "-c", "mkdir /www; echo $WORD >/www/index.html; exec httpd -f -h /www"]
DOCKERFILE
mkdir shared
cat >tox.ini <<INI
[tox]
requires = tox-docker
env_list = suite
[testenv:suite]
skip_install = true
docker =
    web
    other
allowlist_externals = sh
commands = sh -c 'wget -q -O - http://\$WEB_HOST:\$WEB_PORT/ | grep hello'
[docker:web]
dockerfile = {toxinidir}/Dockerfile
environment =
    WORD=hello
expose =
    WEB_PORT=80/tcp
healthcheck_cmd = wget -q -O - http://127.0.0.1/
healthcheck_interval = 0.2
healthcheck_timeout = 10
healthcheck_retries = 30
[docker:other]
image = busybox:latest
links =
    web:served
volumes =
    bind:ro:{toxinidir}/shared:/shared
INI
tox
