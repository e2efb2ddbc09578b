# The image: `docker build .`, or `make image`, which also works where the build
# container reaches no package registry. BASE_IMAGE needs Python 3.11 or newer with venv.
# It is named by its digest, of September 2026; a release takes the newest of that tag.
ARG BASE_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

# For whatever platform the image is, it is built on this machine's: all that is copied
# is Python, and the same files on each. Builders that set no BUILDPLATFORM take `linux`
# as Linux on this machine's processor.
FROM --platform=${BUILDPLATFORM:-linux} ${BASE_IMAGE} AS build
# Two builds of a commit give the same files: sets are written to bytecode in the order
# of their hashes, and the only bytecode is that of compileall, without a time in it.
ENV PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# A wheelhouse of `make image` lands beside the lock files; without one, pip downloads.
COPY requirements.lock requirements-build.lock wheelhouse* /locked/
RUN python3 -m venv /tools \
    && python3 -m venv --without-pip /opt/trioproxy \
    && if ls /locked/*.whl >/dev/null 2>&1; \
        then printf '[global]\nno-index = true\nfind-links = /locked\n' >/etc/pip.conf; fi \
    && /tools/bin/pip install --require-hashes --only-binary :all: \
        -r /locked/requirements-build.lock \
    && /tools/bin/pip --python /opt/trioproxy/bin/python install --no-compile \
        --require-hashes --only-binary :all: -r /locked/requirements.lock
COPY pyproject.toml README.md LICENSE /src/
COPY trioproxy /src/trioproxy
COPY learned /src/learned
COPY scripts/make_sbom.py /src/scripts/
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel /src \
    && /tools/bin/pip --python /opt/trioproxy/bin/python install --no-compile --no-deps \
        /wheel/trioproxy-*.whl \
    && rm -r /opt/trioproxy/lib/python3*/site-packages/trioproxy-*.dist-info/direct_url.json \
        /opt/trioproxy/lib/python3*/site-packages/trio/_tests \
    && /opt/trioproxy/bin/python /src/scripts/make_sbom.py /locked/requirements.lock \
        >/opt/trioproxy/sbom.cdx.json \
    && /opt/trioproxy/bin/python -m compileall -q -j 1 --invalidation-mode unchecked-hash \
        /opt/trioproxy/lib \
    && mkdir -p /image/opt && mv /opt/trioproxy /image/opt
# Nothing in the image installs anything. A base's pip is not deleted, since a layer that
# deletes has the time of the build in it: each file of it is covered by one that refuses.
RUN echo 'raise ImportError("there is no pip in this image")' >/refusal \
    && find / -xdev -regextype egrep ! -type d \( \
        -regex '/usr/(local/)?bin/pip[0-9.]*' \
        -o -regex '/usr/(local/)?lib/python[0-9.]*/ensurepip/.*' \
        -o -regex '/usr/(local/)?lib/python[0-9.]*/(site|dist)-packages/pip(-[^/]*)?/.*' \
        -o -regex '/usr/share/python-wheels/pip-[^/]*' \
        \) -exec install -D --mode=644 /refusal /image{} \; \
    && find /image -exec touch --no-dereference --date=@0 {} +

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="trioproxy" \
    org.opencontainers.image.description="A Docker socket proxy that learns: record what a client uses, then allow just that" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
# Inside a container all interfaces are the container's own: what is published decides.
# No variable here grants or refuses anything: the defaults are in the program.
ENV PATH=/opt/trioproxy/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    BIND_CONFIG=:2375 LOG_TO=stdout
EXPOSE 2375
HEALTHCHECK --interval=15s --timeout=7s --start-period=10s --start-interval=1s \
    CMD ["trioproxy", "health"]
ENTRYPOINT ["trioproxy"]
CMD ["enforce"]
