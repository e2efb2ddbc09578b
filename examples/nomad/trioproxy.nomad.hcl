# A proxy on every node that has a Docker Engine: nomad job run trioproxy.nomad.hcl
# The image is in a registry, or on each node: docker tag trioproxy trioproxy:local
#
# A client, a task of the docker driver, has such a volume, DOCKER_HOST=unix:///run/trioproxy/app.sock
# and, where it is not root, group_add = ["2375"]. The nodes allow these volumes with
# plugin "docker" { config { volumes { enabled = true } } }.
job "trioproxy" {
  type = "system"

  group "proxy" {
    task "trioproxy" {
      driver = "docker"

      config {
        image           = "trioproxy:local" # yours; Nomad pulls what has no tag at each start
        args            = ["enforce", "--listen", "unix:///run/trioproxy/app.sock?mode=0660&gid=2375&policy=/local/app.env"]
        group_add       = ["2375"]
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        readonly_rootfs = true
        network_mode    = "none"
        volumes         = ["/run/trioproxy:/run/trioproxy"] # made where it is not there, as after a boot

        mount {
          type   = "bind"
          source = "/var/run/docker.sock"
          target = "/var/run/docker.sock"
        }
      }

      # A changed policy is read again; what it refuses is cut, and nothing else.
      template {
        destination   = "local/app.env"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-EOT
          ALLOW_OPERATIONS=ContainerInspect,ContainerList,SystemPing,SystemPingHead,SystemVersion
        EOT
      }

      kill_timeout = "15s" # finite requests have 8 seconds to finish
      resources {
        cpu    = 50
        memory = 128
      }
    }
  }
}
