# The packages of an image that the Engine has.
export SYFT_CHECK_FOR_APP_UPDATE=false
syft scan docker:busybox --output syft-table | grep busybox
