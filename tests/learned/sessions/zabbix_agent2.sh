# Asks each item of the template "Docker by Zabbix agent 2", in the agent's test mode.
cat >agent.conf <<CONF
LogType=console
Server=127.0.0.1
Hostname=here
ControlSocket=$PWD/agent.sock
PidFile=$PWD/agent.pid
Plugins.Docker.Endpoint=$DOCKER_HOST
CONF
item() { # the answer to this key; a key that the agent does not support ends the session
    answer=$(zabbix_agent2 -c agent.conf -t "$1")
    echo "$answer"
    case $answer in *ZBX_NOTSUPPORTED*) exit 1 ;; esac
}
item docker.ping | grep 's|1'
item docker.info
item docker.containers
item docker.containers.discovery
item 'docker.containers.discovery[true]' | grep staged
item docker.images
item docker.images.discovery
item docker.data_usage
item 'docker.container_info[/staged]'
item 'docker.container_info[/staged,full]'
item 'docker.container_stats[/staged]'
