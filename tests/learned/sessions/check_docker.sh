# Each of its checks, on a container that is well.
checked() {
    check_docker --connection "${DOCKER_HOST#*://}" --containers staged --present "$@"
}
checked --status running
checked --uptime 0:0
checked --restarts 3:5
checked --cpu 98:99
checked --memory 98:99:%
checked --memory 98:99:B || true
checked --image-age 99999:99999
