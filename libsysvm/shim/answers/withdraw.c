// SPDX-License-Identifier: MIT
/*
 * Withdraws what is outstanding: the records of a loop first, then the log, in which answers may be hidden
 * that come after the loop.
 * Tested by tests/shim/ahead/directory_test.cc.
 */
#include "libsysvm/shim/answers/withdraw.h"

void withdraw_loop(void)
{
	records_drop();
	log_reveal();
}

void withdraw(void)
{
	if (!records_outstanding() && !log_hidden() && !log_outstanding()) /* what most calls find */
		return;
	withdraw_loop();
	log_take_back();
}

void withdraw_for_close(int fd, bool shared)
{
	if (records_survive_close(fd) && !log_hidden() && !log_outstanding())
		return;
	if (shared || loop_outstanding() || !log_closed(fd))
		withdraw();
}
