// SPDX-License-Identifier: MIT
/* A filter that kills calls which the application never makes: nothing may be made in their place. */
#include "hazard.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	char b[65536];
	static const int kill_these[] = { SYS_pread64, SYS_lseek,     SYS_preadv2,
					  SYS_fstatfs, SYS_fadvise64, SYS_ioctl };
	struct sock_filter f[32];
	int n = 0, count = sizeof(kill_these) / sizeof(kill_these[0]);

	enter(argc, argv);
	make_text("data", "data\n");
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < count; i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)kill_these[i], 0,
						      1);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { (unsigned short)n, f };

	int before = open("data", O_RDONLY); /* something may be outstanding on it */
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	say("read", read(before, b, 2));
	close(before);
	for (int i = 0; i < 5; i++) {
		int fd = open("data", O_RDONLY);

		say("read", read(fd, b, 3));
		close(fd);
	}
	return 0;
}
