# A playbook against this machine: what community.docker's modules ask, twice, as plays are run.
cat >play.yaml <<'YAML'
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - community.docker.docker_host_info: {containers: true, images: true, networks: true, volumes: true, disk_usage: true}
    - community.docker.docker_network: {name: net}
    - community.docker.docker_volume: {volume_name: vol}
    - community.docker.docker_image: {name: busybox, source: local, repository: "tagged:1"}
    - community.docker.docker_image_info: {name: "tagged:1"}
    - community.docker.docker_container:
        name: box
        image: busybox
        command: sleep 600
        init: true
        networks: [{name: net}]
        volumes: ["vol:/vol"]
        labels: {a: b}
    - community.docker.docker_container_info: {name: box}
    - community.docker.docker_container_exec: {container: box, argv: [echo, hello]}
    - community.docker.docker_container_copy_into: {container: box, content: hello, mode: "0644", container_path: /copied}
    - community.docker.docker_network_info: {name: net}
    - community.docker.docker_volume_info: {name: vol}
    - community.docker.current_container_facts: {}
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - community.docker.docker_container: {name: box, image: busybox, command: sleep 601, init: true, force_kill: true}
    - community.docker.docker_container: {name: box, restart: true, state: started, stop_timeout: 1}
    - community.docker.docker_container: {name: box, state: stopped, stop_timeout: 1}
    - community.docker.docker_container: {name: box, state: absent}
    - community.docker.docker_network: {name: net, state: absent}
    - community.docker.docker_volume: {volume_name: vol, state: absent}
    - community.docker.docker_image_remove: {name: "tagged:1"}
    - community.docker.docker_prune: {containers: true}
YAML
ansible-playbook -i localhost, -c local play.yaml
