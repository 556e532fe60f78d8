// SPDX-License-Identifier: MIT
/* As fakeroot does: a library between the program and libc whose access() means something else. */
int access(const char *path, int mode)
{
	(void)path;
	return mode == 0 ? 0 : -1;
}
