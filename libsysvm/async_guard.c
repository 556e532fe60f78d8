// SPDX-License-Identifier: MIT
/*
 * A helper thread has the credentials and namespaces of the moment at which it was made. So before the
 * process changes its own, what was submitted under the old ones is brought to its end and the threads are
 * ended; later ones are made with the new. These wrappers come before the C library's functions because the
 * application links libsysvm-async; a process without a pool pays for a lock.
 *
 * unshare(CLONE_NEWUSER) and setns() of a user namespace fail in a process with more than one thread: one
 * more reason.
 *
 * Does not see raw system calls.
 * Tested by tests/libsysvm/async_test.cc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

#include "async_pool.h"

/* The next definition of this name: the C library's. */
#define WRAP(type, name, parameters, arguments)                                                              \
	__attribute__((visibility("default"))) type name parameters;                                         \
	type name parameters                                                                                 \
	{                                                                                                    \
		type(*next) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name);                        \
		type result;                                                                                 \
                                                                                                             \
		if (!next) {                                                                                 \
			errno = ENOSYS;                                                                      \
			return -1;                                                                           \
		}                                                                                            \
		sysvm_pools_pause();                                                                         \
		result = next arguments;                                                                     \
		{                                                                                            \
			int saved = errno;                                                                   \
                                                                                                             \
			sysvm_pools_go_on();                                                                 \
			errno = saved;                                                                       \
		}                                                                                            \
		return result;                                                                               \
	}

WRAP(int, setuid, (uid_t u), (u))
WRAP(int, setgid, (gid_t g), (g))
WRAP(int, seteuid, (uid_t u), (u))
WRAP(int, setegid, (gid_t g), (g))
WRAP(int, setreuid, (uid_t r, uid_t e), (r, e))
WRAP(int, setregid, (gid_t r, gid_t e), (r, e))
WRAP(int, setresuid, (uid_t r, uid_t e, uid_t s), (r, e, s))
WRAP(int, setresgid, (gid_t r, gid_t e, gid_t s), (r, e, s))
WRAP(int, setfsuid, (uid_t u), (u))
WRAP(int, setfsgid, (gid_t g), (g))
WRAP(int, setgroups, (size_t n, const gid_t *list), (n, list))
WRAP(int, initgroups, (const char *user, gid_t group), (user, group))
WRAP(int, capset, (void *header, const void *data), (header, data))
WRAP(int, chroot, (const char *path), (path))
WRAP(int, unshare, (int flags), (flags))
WRAP(int, setns, (int fd, int type), (fd, type))
