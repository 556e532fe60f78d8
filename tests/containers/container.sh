#!/bin/sh
# SPDX-License-Identifier: MIT
# container.sh BIN PROFILE CMD...: CMD in a container as an engine without root would make it: namespaces of
# its own (user, mount, pid, net, ipc, uts), Docker's default capabilities, its masked files, and the filter
# of the profile. The tree is this one. Supplementary groups stay, as with podman's --group-add keep-groups.
set -eu
exec unshare --user --map-root-user --mount --pid --fork --net --ipc --uts --mount-proc --kill-child \
	sh -eu -c '
	bin=$1 profile=$2
	shift 2
	for masked in /proc/kcore /proc/keys /proc/timer_list /proc/sysrq-trigger; do
		[ ! -e $masked ] || mount --bind /dev/null $masked
	done
	hostname container
	kept=+audit_write,+chown,+dac_override,+fowner,+fsetid,+kill,+mknod,+net_bind_service,+net_raw
	kept=$kept,+setfcap,+setgid,+setpcap,+setuid,+sys_chroot
	exec setpriv --inh-caps=-all --bounding-set=-all,$kept \
		"$bin/under_profile" "$profile" "$@"' sh "$@"
