# A person looks around: nothing is changed.
docker version
docker info
docker ps
docker ps -a --size --filter label=staged
docker inspect staged
docker logs staged
docker logs --tail 1 --timestamps staged
timeout 3 docker logs --follow --since 1s staged || [ $? = 124 ]
docker top staged
docker stats --no-stream
docker stats --no-stream staged
docker port staged
docker diff staged
docker events --since 10m --until 0s
docker system df
docker system df -v
docker images
docker image inspect busybox
docker image history busybox
docker network ls
docker network inspect staged
docker volume ls
docker volume inspect staged
docker container ls --format json
docker plugin ls
