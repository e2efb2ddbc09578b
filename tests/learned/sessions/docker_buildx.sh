# Builds with the Engine's own BuildKit, from an image that is there.
mkdir context
echo hello >context/file
cat >context/Dockerfile <<'DOCKERFILE'
FROM busybox AS build
COPY file /file
RUN --mount=type=cache,target=/cache tr a-z A-Z </file >/out
RUN --mount=type=secret,id=word cat /run/secrets/word >>/out
FROM scratch
COPY --from=build /out /out
DOCKERFILE
echo secret >word
docker buildx version
docker buildx ls
docker buildx inspect
docker buildx build --secret id=word,src=word --tag built:learned context
docker buildx build --secret id=word,src=word --output type=local,dest=out context
grep -q HELLO out/out
docker buildx build --secret id=word,src=word --no-cache --progress plain --tag built:learned context
docker build --secret id=word,src=word --tag built:learned context
docker buildx du
docker buildx prune --force
