#!/bin/sh
# SPDX-License-Identifier: MIT
# container.sh [-r] [-d NODE] BIN PROFILE CMD...: CMD in a container as an engine would make it: namespaces of
# its own (mount, pid, net, ipc, uts), Docker's default capabilities, its masked files, and the filter of the
# profile. The tree is this one.
#
#   without -r   as an engine without root does it: a user namespace besides, in which the caller is root, and
#                supplementary groups stay, as with podman's --group-add keep-groups
#   -r           as Docker's daemon does it for --user 1000 --group-add N, where N is the node's group
#   -d NODE      a /dev of its own with the usual nodes and NODE, as --device gives it: bound to it where made
#                without root, else made anew with its number, group and permissions
#
# mount -n: nobody's table of mounts is written to, for which the user lacks the right.
# Not done: the control group's list of devices (tests/containers/podman.sh has the engine itself do it).
set -eu
SYSVM_CONTAINER_ROOT= SYSVM_CONTAINER_DEVICE=
while getopts rd: option; do
	case $option in
	r) SYSVM_CONTAINER_ROOT=1 ;;
	d) SYSVM_CONTAINER_DEVICE=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
export SYSVM_CONTAINER_ROOT SYSVM_CONTAINER_DEVICE
user='--user --map-root-user'
[ -z "$SYSVM_CONTAINER_ROOT" ] || user=
# shellcheck disable=SC2086
exec unshare $user --mount --pid --fork --net --ipc --uts --mount-proc --kill-child sh -eu -c '
	bin=$1 profile=$2
	shift 2
	for masked in /proc/kcore /proc/keys /proc/timer_list /proc/sysrq-trigger; do
		[ ! -e $masked ] || mount -n --bind /dev/null $masked
	done
	device=$SYSVM_CONTAINER_DEVICE ids=
	[ -z "$SYSVM_CONTAINER_ROOT" ] || ids="--reuid=1000 --regid=1000 --groups=$(stat -c %g "$device")"
	if [ "$device" ]; then
		dev=$(mktemp -d)
		mount -n -t tmpfs -o mode=0755 dev "$dev"
		mkdir -m 1777 "$dev/shm"
		ln -s /proc/self/fd "$dev/fd"
		for node in /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$device"; do
			if [ "$SYSVM_CONTAINER_ROOT" ]; then
				# shellcheck disable=SC2046
				mknod -m "$(stat -c %a $node)" "$dev/${node#/dev/}" \
					$(stat -c "c 0x%t 0x%T" $node)
				chown "$(stat -c %u:%g $node)" "$dev/${node#/dev/}"
			else
				: >"$dev/${node#/dev/}"
				mount -n --bind $node "$dev/${node#/dev/}"
			fi
		done
		mount -n --move "$dev" /dev
		rmdir "$dev"
	fi
	hostname container
	kept=+audit_write,+chown,+dac_override,+fowner,+fsetid,+kill,+mknod,+net_bind_service,+net_raw
	kept=$kept,+setfcap,+setgid,+setpcap,+setuid,+sys_chroot
	# shellcheck disable=SC2086
	exec setpriv $ids --inh-caps=-all --bounding-set=-all,$kept \
		"$bin/under_profile" "$profile" "$@"' sh "$@"
