# Brings a container up for a folder, works in it, and brings it up a second time.
# It asks a shell for its environment; an interactive one of BusyBox greets it first, and the
# client takes the greeting, with its version, for a part of the first variable's name.
mkdir -p project/.devcontainer
cat >project/.devcontainer/devcontainer.json <<'JSON'
{
  "image": "busybox",
  "containerEnv": {"A": "b"},
  "postCreateCommand": "echo created >/tmp/created",
  "postStartCommand": "echo started",
  "updateRemoteUserUID": false,
  "userEnvProbe": "loginShell"
}
JSON
devcontainer read-configuration --workspace-folder project
devcontainer up --workspace-folder project
devcontainer exec --workspace-folder project cat /tmp/created | grep created
devcontainer up --workspace-folder project
