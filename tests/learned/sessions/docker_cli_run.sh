# A person runs containers, as with the docker CLI every day.
docker run --rm busybox echo hello
echo hello | docker run --rm -i busybox cat
docker run -d --init --name box --label learned --volume kept:/kept busybox sleep 600
docker exec box echo hello
echo hello | docker exec -i box cat
echo hello >file
docker cp file box:/tmp/
docker cp box:/tmp/file back
cmp file back
docker logs box
docker pause box
docker unpause box
docker restart -t 1 box
docker rename box boxed
docker update --restart no boxed
docker stop -t 1 boxed
docker start boxed
docker kill boxed
docker wait boxed
docker rm boxed
docker create --name made busybox echo made
docker start --attach made
docker inspect made
docker ps -a
docker rm made
docker volume rm kept
