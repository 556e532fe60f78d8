// SPDX-License-Identifier: MIT
/* A library without one. */
int twice(int x)
{
	return 2 * x;
}
