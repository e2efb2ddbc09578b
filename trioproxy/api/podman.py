"""The operations of Podman's own API, below `/libpod`: rows for `endpoints`.

From the routes of Podman 4.0 to 5.8; a `{name:.*}` takes slashes there, other parameters
do not. Names are the Docker Engine's where it has the same, behind `Libpod`. The routes
of manifests are those of version prefixes from v4 to v9: `target` refuses the others, by
which the same paths mean something else. Where two templates fit one path, the order is
Podman's, tried on 5.4: `POST /libpod/images/scp/x/tag` tags an image `scp/x`.
"""

TABLE = """\
LIBPOD_ARTIFACTS
POST    /libpod/artifacts/add                                       LibpodArtifactAdd           write upload         -       any    -   -            -------- destructive   stores an artifact, may replace one
GET     /libpod/artifacts/json                                      LibpodArtifactList          read  none           -       any    -   -            -------r info-leak     lists artifacts
POST    /libpod/artifacts/local/add                                 LibpodArtifactAddLocal      write none           packs   any    -   -            --h----- secret-leak   makes an artifact of any file of the host
POST    /libpod/artifacts/pull                                      LibpodArtifactPull          write follow         -       any    -   -            -----c-- destructive   pulls an artifact from any registry host
DELETE  /libpod/artifacts/remove                                    LibpodArtifactDeleteAll     write none           -       any    -   -            -------- destructive   removes several artifacts
DELETE  /libpod/artifacts/{name:.*}                                 LibpodArtifactDelete        write none           -       any    -   -            -------- destructive   removes an artifact
GET     /libpod/artifacts/{name:.*}/extract                         LibpodArtifactExtract       read  download       -       any    -   -            p------o secret-leak   downloads the files of an artifact
GET     /libpod/artifacts/{name:.*}/json                            LibpodArtifactInspect       read  none           -       any    -   -            -------r info-leak     shows an artifact
POST    /libpod/artifacts/{name:.*}/push                            LibpodArtifactPush          write follow         -       any    -   -            -----c-o secret-leak   uploads an artifact to any registry host
LIBPOD_BUILD
POST    /libpod/build                                               LibpodImageBuild            write upload+follow  packs   any    -   open         -------o host-root     runs build steps, with the host's network or devices
LIBPOD_COMMIT
POST    /libpod/commit                                              LibpodImageCommit           write none           packs   any    -   open         -------o destructive   turns a container into an image, may replace a tag
LIBPOD_CONTAINERS
POST    /libpod/containers/create                                   LibpodContainerCreate       write none           fills   any    -   open         -------- host-root     makes a container, privileged or with host mounts too
GET     /libpod/containers/json                                     LibpodContainerList         read  none           looks   any    -   -            -------a secret-leak   lists containers with their commands and labels
POST    /libpod/containers/prune                                    LibpodContainerPrune        write none           -       any    -   -            -------- destructive   removes every stopped container
GET     /libpod/containers/showmounted                              LibpodContainerShowMounted  read  none           -       any    -   -            -------- info-leak     lists where file systems of containers are on the host
GET     /libpod/containers/stats                                    LibpodContainerStatsAll     read  follow         -       any    -   -            -------- info-leak     watches what containers consume
GET     /libpod/containers/{name:.*}/healthcheck                    LibpodContainerHealthcheck  write none           -       any    -   -            p------r availability  runs a container's health command, by a GET
DELETE  /libpod/containers/{name}                                   LibpodContainerDelete       write none           -       any    -   -            -------- destructive   removes a container, running ones with force
GET     /libpod/containers/{name}/archive                           LibpodContainerArchive      read  download       packs   any    -   -            p-a----o secret-leak   copies any file out of a container
HEAD    /libpod/containers/{name}/archive                           LibpodContainerArchiveInfo  read  none           looks   any    -   -            p------- info-leak     looks up a path in a container
PUT     /libpod/containers/{name}/archive                           LibpodPutContainerArchive   write upload         unpacks any    -   open         -------- host-root     writes any file into a container as root
POST    /libpod/containers/{name}/attach                            LibpodContainerAttach       write hijack         -       any    -   open         -------o host-root     reads and feeds a container's main process
GET     /libpod/containers/{name}/changes                           LibpodContainerChanges      read  none           looks   any    -   -            -------- info-leak     lists the files that a container changed
POST    /libpod/containers/{name}/checkpoint                        LibpodContainerCheckpoint   write download       packs   any    -   -            --a----o secret-leak   takes a container's memory and file system out
POST    /libpod/containers/{name}/exec                              LibpodContainerExec         write none           -       any    -   open         -------- host-root     prepares a command to run in a container
GET     /libpod/containers/{name}/exists                            LibpodContainerExists       read  none           -       any    -   -            -------- low           asks whether there is a container
GET     /libpod/containers/{name}/export                            LibpodContainerExport       read  download       packs   any    -   -            p-a----o secret-leak   copies a container's whole file system out
POST    /libpod/containers/{name}/init                              LibpodContainerInit         write none           fills   any    -   -            -------- availability  prepares a container without starting it
GET     /libpod/containers/{name}/json                              LibpodContainerInspect      read  none           looks   any    -   -            -------a secret-leak   reads secrets from a container's environment
POST    /libpod/containers/{name}/kill                              LibpodContainerKill         write none           -       any    -   -            -------- availability  signals a container's main process
GET     /libpod/containers/{name}/logs                              LibpodContainerLogs         read  follow         -       any    -   -            -------o secret-leak   reads what a container printed
POST    /libpod/containers/{name}/mount                             LibpodContainerMount        write none           fills   any    -   -            -------- info-leak     mounts a container's file system on the host
POST    /libpod/containers/{name}/pause                             LibpodContainerPause        write none           -       any    -   -            -------- availability  freezes a container
POST    /libpod/containers/{name}/rename                            LibpodContainerRename       write none           -       any    -   -            -------- availability  renames a container, which may take over a DNS name
POST    /libpod/containers/{name}/resize                            LibpodContainerResize       write none           -       any    -   -            -------- low           sets a container's terminal size
POST    /libpod/containers/{name}/restart                           LibpodContainerRestart      write none           fills   any    -   -            -------- availability  restarts a container
POST    /libpod/containers/{name}/restore                           LibpodContainerRestore      write upload         unpacks any    -   open         -------- host-root     makes a container of a checkpoint, a client's own too
POST    /libpod/containers/{name}/start                             LibpodContainerStart        write none           fills   any    -   -            -------- availability  starts a container
GET     /libpod/containers/{name}/stats                             LibpodContainerStats        read  follow         -       any    -   -            -------- info-leak     watches what a container consumes
POST    /libpod/containers/{name}/stop                              LibpodContainerStop         write none           -       any    -   -            -------- availability  stops a container
GET     /libpod/containers/{name}/top                               LibpodContainerTop          read  follow         -       any    -   -            -------p secret-leak   lists processes, with their environment if asked
POST    /libpod/containers/{name}/unmount                           LibpodContainerUnmount      write none           -       any    -   -            -------- availability  unmounts a container's file system on the host
POST    /libpod/containers/{name}/unpause                           LibpodContainerUnpause      write none           -       any    -   -            -------- availability  thaws a frozen container
POST    /libpod/containers/{name}/update                            LibpodContainerUpdate       write none           -       any    -   open         -------- host-root     runs commands in any container, as its health check
POST    /libpod/containers/{name}/wait                              LibpodContainerWait         read  follow         -       any    -   -            -------- low           waits for a container's state
LIBPOD_EVENTS
GET     /libpod/events                                              LibpodEvents                read  follow         -       any    -   -            -------e secret-leak   watches what happens, other people's exec commands too
LIBPOD_EXEC
GET     /libpod/exec/{id}/json                                      LibpodExecInspect           read  none           -       any    -   -            -------a secret-leak   shows an exec's command and arguments
POST    /libpod/exec/{id}/remove                                    LibpodExecRemove            write none           -       any    -   -            -------- availability  removes an exec, a running one with force
POST    /libpod/exec/{id}/resize                                    LibpodExecResize            write none           -       any    -   -            -------- low           sets an exec's terminal size
POST    /libpod/exec/{id}/start                                     LibpodExecStart             write hijack         -       any    -   open         -------o host-root     runs a prepared command, with its input
LIBPOD_GENERATE
GET     /libpod/generate/kube                                       LibpodGenerateKube          read  none           -       any    -   -            -------x secret-leak   writes containers as Kubernetes YAML, with environment
GET     /libpod/generate/{name:.*}/systemd                          LibpodGenerateSystemd       read  none           -       any    -   -            -------x secret-leak   writes a container as a unit, with its environment
LIBPOD_IMAGES
GET     /libpod/images/export                                       LibpodImageExport           read  download       -       any    -   -            p------o secret-leak   downloads images
POST    /libpod/images/import                                       LibpodImageImport           write upload+follow  -       any    -   open         -----c-- destructive   imports an image from a client or any URL
GET     /libpod/images/json                                         LibpodImageList             read  none           -       any    -   -            -------r info-leak     lists images
POST    /libpod/images/load                                         LibpodImageLoad             write upload+follow  -       any    -   open         -------- destructive   loads images, may replace tags
POST    /libpod/images/prune                                        LibpodImagePrune            write none           -       any    -   -            -------- destructive   removes unused images
POST    /libpod/images/pull                                         LibpodImagePull             write follow         -       any    -   open         -----c-- secret-leak   pulls an image, from paths of the host too
DELETE  /libpod/images/remove                                       LibpodImageDeleteAll        write none           -       any    -   -            -------- destructive   removes several images
GET     /libpod/images/search                                       LibpodImageSearch           read  none           -       any    -   -            -----c-- info-leak     searches any registry host
DELETE  /libpod/images/{name:.*}                                    LibpodImageDelete           write none           -       any    -   -            -------- destructive   removes an image or a tag
GET     /libpod/images/{name:.*}/exists                             LibpodImageExists           read  none           -       any    -   -            -------- low           asks whether there is an image
GET     /libpod/images/{name:.*}/get                                LibpodImageGet              read  download       -       any    -   -            p------o secret-leak   downloads an image
GET     /libpod/images/{name:.*}/history                            LibpodImageHistory          read  none           -       any    -   -            -------e secret-leak   shows an image's build steps and their arguments
GET     /libpod/images/{name:.*}/json                               LibpodImageInspect          read  none           -       any    -   -            -------e secret-leak   shows an image's settings and environment
POST    /libpod/images/{name:.*}/push                               LibpodImagePush             write follow         -       any    -   -            -----c-o secret-leak   uploads an image to any registry host
GET     /libpod/images/{name:.*}/resolve                            LibpodImageResolve          read  none           -       any    -   -            -------- info-leak     says what a short name of an image may mean
POST    /libpod/images/{name:.*}/tag                                LibpodImageTag              write none           -       any    -   -            -------- destructive   sets a tag, replacing the image others start by it
GET     /libpod/images/{name:.*}/tree                               LibpodImageTree             read  none           -       any    -   -            -------- info-leak     shows the layers of an image
POST    /libpod/images/{name:.*}/untag                              LibpodImageUntag            write none           -       any    -   -            -------- destructive   removes a tag
GET     /libpod/images/{name}/changes                               LibpodImageChanges          read  none           -       any    -   -            -------- info-leak     lists the files that an image changed
POST    /libpod/images/scp/{name:.*}                                LibpodImageScp              write follow         -       any    -   open         -----c-o destructive   copies images out and in by Podman's keys
LIBPOD_INFO
GET     /libpod/info                                                LibpodInfo                  read  none           -       any    -   -            -------- info-leak     describes the host and Podman
LIBPOD_KUBE
POST    /libpod/kube/apply                                          LibpodKubeApply             write none           -       any    -   open         -----c-- secret-leak   sends YAML by keys at any path of the host
GET     /libpod/kube/generate                                       LibpodKubeGenerate          read  none           -       any    -   -            -------x secret-leak   writes containers as Kubernetes YAML, with environment
DELETE  /libpod/kube/play                                           LibpodKubeDown              write none           -       any    -   -            -------- destructive   removes what a YAML made
POST    /libpod/kube/play                                           LibpodKubePlay              write upload+follow  fills   any    -   open         -------- host-root     makes pods of a YAML, privileged or with host mounts
LIBPOD_LOCAL
POST    /libpod/local/build                                         LibpodImageBuildLocal       write follow         packs   any    -   open         -------o host-root     builds from any folder of the host
POST    /libpod/local/images/load                                   LibpodImageLoadLocal        write follow         -       any    -   open         -------- destructive   loads images from any file of the host
LIBPOD_MANIFESTS
DELETE  /libpod/manifests/{name:.*}                                 LibpodManifestDelete        write none           -       any    -   -            -------- destructive   removes a manifest list
POST    /libpod/manifests/{name:.*}/registry/{destination:.*}       LibpodManifestPush          write follow         -       any    -   -            -----c-o secret-leak   uploads a manifest list to any registry
POST    /libpod/manifests/{name:.*}                                 LibpodManifestCreate        write none           packs   any    -   open         --h----- destructive   makes a manifest list, of any file of the host too
PUT     /libpod/manifests/{name:.*}                                 LibpodManifestModify        write upload         packs   any    -   open         --h----- destructive   changes a manifest list, adds any file of the host
GET     /libpod/manifests/{name:.*}/exists                          LibpodManifestExists        read  none           -       any    -   -            -------- low           asks whether there is a manifest list
GET     /libpod/manifests/{name:.*}/json                            LibpodManifestInspect       read  none           -       any    -   -            -----c-r info-leak     shows a manifest list, from any registry host too
LIBPOD_NETWORKS
POST    /libpod/networks/create                                     LibpodNetworkCreate         write none           -       any    -   open         -------r availability  makes a network, of addresses that the host trusts
GET     /libpod/networks/json                                       LibpodNetworkList           read  none           -       any    -   -            -------r info-leak     lists networks
POST    /libpod/networks/prune                                      LibpodNetworkPrune          write none           -       any    -   -            -------- destructive   removes unused networks
DELETE  /libpod/networks/{name}                                     LibpodNetworkDelete         write none           -       any    -   -            -------- destructive   removes a network
GET     /libpod/networks/{name}                                     LibpodNetworkInspect        read  none           -       any    -   -            -------r info-leak     shows a network and who is on it
POST    /libpod/networks/{name}/connect                             LibpodNetworkConnect        write none           -       any    -   -            -------- availability  puts a container on a network, however separate
POST    /libpod/networks/{name}/disconnect                          LibpodNetworkDisconnect     write none           -       any    -   -            -------- availability  takes a container off a network
GET     /libpod/networks/{name}/exists                              LibpodNetworkExists         read  none           -       any    -   -            -------- low           asks whether there is a network
GET     /libpod/networks/{name}/json                                LibpodNetworkInspect        read  none           -       any    -   -            -------r info-leak     shows a network and who is on it
POST    /libpod/networks/{name}/update                              LibpodNetworkUpdate         write none           -       any    -   -            -------- availability  changes the DNS servers of a network
LIBPOD_PING
GET     /libpod/_ping                                               LibpodPing                  read  none           -       any    -   -            -------- low           asks whether Podman lives
HEAD    /libpod/_ping                                               LibpodPingHead              read  none           -       any    -   -            -------- low           asks whether Podman lives
LIBPOD_PLAY
DELETE  /libpod/play/kube                                           LibpodPlayKubeDown          write none           -       any    -   -            -------- destructive   removes what a YAML made (old name)
POST    /libpod/play/kube                                           LibpodPlayKube              write upload+follow  fills   any    -   open         -------- host-root     makes pods of a YAML, with host mounts too (old name)
LIBPOD_PODS
POST    /libpod/pods/create                                         LibpodPodCreate             write none           fills   any    -   open         -------- host-root     makes a pod, with the host's namespaces and mounts
GET     /libpod/pods/json                                           LibpodPodList               read  none           -       any    -   -            -------r info-leak     lists pods
POST    /libpod/pods/prune                                          LibpodPodPrune              write none           -       any    -   -            -------- destructive   removes every stopped pod
GET     /libpod/pods/stats                                          LibpodPodStats              read  follow         -       any    -   -            -------- info-leak     watches what pods consume
DELETE  /libpod/pods/{name}                                         LibpodPodDelete             write none           -       any    -   -            -------- destructive   removes a pod, running ones with force
GET     /libpod/pods/{name}/exists                                  LibpodPodExists             read  none           -       any    -   -            -------- low           asks whether there is a pod
GET     /libpod/pods/{name}/json                                    LibpodPodInspect            read  none           -       any    -   -            -------r info-leak     shows a pod
POST    /libpod/pods/{name}/kill                                    LibpodPodKill               write none           -       any    -   -            -------- availability  signals the processes of a pod
POST    /libpod/pods/{name}/pause                                   LibpodPodPause              write none           -       any    -   -            -------- availability  freezes a pod
POST    /libpod/pods/{name}/restart                                 LibpodPodRestart            write none           fills   any    -   -            -------- availability  restarts a pod
POST    /libpod/pods/{name}/start                                   LibpodPodStart              write none           fills   any    -   -            -------- availability  starts a pod
POST    /libpod/pods/{name}/stop                                    LibpodPodStop               write none           -       any    -   -            -------- availability  stops a pod
GET     /libpod/pods/{name}/top                                     LibpodPodTop                read  follow         -       any    -   -            -------p secret-leak   lists processes, with their environment if asked
POST    /libpod/pods/{name}/unpause                                 LibpodPodUnpause            write none           -       any    -   -            -------- availability  thaws a frozen pod
LIBPOD_QUADLETS
DELETE  /libpod/quadlets                                            LibpodQuadletDeleteAll      write none           -       any    -   -            -------- destructive   removes several unit files
POST    /libpod/quadlets                                            LibpodQuadletInstall        write upload         -       any    -   open         -------- host-root     installs units on the host: runs code there
GET     /libpod/quadlets/json                                       LibpodQuadletList           read  none           -       any    -   -            -------x info-leak     lists unit files
DELETE  /libpod/quadlets/{name}                                     LibpodQuadletDelete         write none           -       any    -   -            -------- destructive   removes a unit file
GET     /libpod/quadlets/{name}/exists                              LibpodQuadletExists         read  none           -       any    -   -            -------- low           asks whether there is a unit file
GET     /libpod/quadlets/{name}/file                                LibpodQuadletFile           read  none           -       any    -   -            -------x secret-leak   reads a unit file
LIBPOD_SECRETS
POST    /libpod/secrets/create                                      LibpodSecretCreate          write none           -       any    -   open         -------- host-root     adds a secret, by commands that it runs on the host
GET     /libpod/secrets/json                                        LibpodSecretList            read  none           -       any    -   -            -------r info-leak     lists the names of secrets
DELETE  /libpod/secrets/{name}                                      LibpodSecretDelete          write none           -       any    -   -            -------- destructive   removes a secret
GET     /libpod/secrets/{name}/exists                               LibpodSecretExists          read  none           -       any    -   -            -------- low           asks whether there is a secret
GET     /libpod/secrets/{name}/json                                 LibpodSecretInspect         read  none           -       any    -   -            p------e secret-leak   shows a secret, its content too if asked
LIBPOD_SWAGGER
GET     /libpod/swagger                                             LibpodSwagger               read  none           -       any    -   -            -------- low           describes the API
LIBPOD_SYSTEM
POST    /libpod/system/check                                        LibpodSystemCheck           write none           -       any    -   -            -------- destructive   checks the storage, removes what is damaged if asked
GET     /libpod/system/df                                           LibpodSystemDataUsage       read  none           looks   any    -   -            -------r availability  measures disk use by a slow scan, lists what there is
POST    /libpod/system/prune                                        LibpodSystemPrune           write none           -       any    -   -            -------- destructive   removes all that is unused
LIBPOD_VERSION
GET     /libpod/version                                             LibpodVersion               read  none           -       any    -   -            -------- info-leak     tells the versions of Podman and kernel
LIBPOD_VOLUMES
POST    /libpod/volumes/create                                      LibpodVolumeCreate          write none           -       any    -   open         -------r host-root     makes a volume, of any host path too
GET     /libpod/volumes/json                                        LibpodVolumeList            read  none           -       any    -   -            -------r secret-leak   lists volumes with their options and passwords of shares
POST    /libpod/volumes/prune                                       LibpodVolumePrune           write none           -       any    -   -            -------- destructive   removes unused volumes
DELETE  /libpod/volumes/{name}                                      LibpodVolumeDelete          write none           -       any    -   -            -------- destructive   removes a volume and its data
GET     /libpod/volumes/{name}/exists                               LibpodVolumeExists          read  none           -       any    -   -            -------- low           asks whether there is a volume
GET     /libpod/volumes/{name}/export                               LibpodVolumeExport          read  download       packs   any    -   -            p------o secret-leak   downloads what is in a volume
POST    /libpod/volumes/{name}/import                               LibpodVolumeImport          write upload         unpacks any    -   open         -------- host-root     replaces what is in a volume, or files of the host
GET     /libpod/volumes/{name}/json                                 LibpodVolumeInspect         read  none           -       any    -   -            -------r secret-leak   shows a volume's options and passwords of shares
"""
