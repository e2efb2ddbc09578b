# Brings a container up for a folder, works in it, and brings it up a second time.
mkdir -p project/.devcontainer
cat >project/.devcontainer/devcontainer.json <<'JSON'
{
  "image": "busybox",
  "containerEnv": {"A": "b"},
  "postCreateCommand": "echo created >/tmp/created",
  "postStartCommand": "echo started",
  "updateRemoteUserUID": false
}
JSON
devcontainer read-configuration --workspace-folder project
devcontainer up --workspace-folder project
devcontainer exec --workspace-folder project cat /tmp/created | grep created
devcontainer up --workspace-folder project
