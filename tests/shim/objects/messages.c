// SPDX-License-Identifier: MIT
/*
 * Messages that the C library writes in parts: each counts the parts in a register that the slot's copy must
 * set once.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int main(void)
{
	struct iovec parts[3] = { { "a", 1 }, { "bc", 2 }, { "d\n", 2 } };

	h_errno = HOST_NOT_FOUND;
	herror("prog");
	h_errno = TRY_AGAIN;
	herror("a longer prefix");
	herror(NULL);
	errno = ENOENT;
	perror("perror");
	psignal(SIGTERM, "psignal");
	printf("%zd\n", writev(2, parts, 3));
	return 0;
}
