// SPDX-License-Identifier: GPL-2.0
/*
 * What a program may not do with a call that it may make.
 *
 * 1. Our own device. The application does not know that it is open, so to a program its number is not an open
 *    one: -EBADF. (The run holds the file besides, so closing it under our feet does no harm.)
 * 2. ioctl and fcntl commands that are not on the list. An ioctl can be anything: enter the machine again and
 *    nest without end, or ask for a restart by a route of its own. Such a call is left to user space.
 *
 * The lists are those rows of uapi/syscalls.inc that only read, or change what is private to the descriptor,
 * and a few more by name. A descriptor may change between the check and the call. Rule 2 still holds then;
 * rule 1 is a courtesy.
 *
 * Tested by tests/qemu/test_calls.c (own descriptor, denied commands).
 */
#include <linux/file.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/ptrace.h>
#include <asm/ioctls.h>

#include "context.h"
#include "dispatch.h"
#include "uapi/syscalls.h"

static bool is_own_device(u64 fd)
{
	struct file *file = fget_raw((unsigned int)fd);
	bool own = file && file->f_op == &sysvm_fops;

	if (file)
		fput(file);
	return own;
}

static bool is_harmless(const struct sysvm_command_info *info)
{
	return info && (info->effect == SYSVM_EFFECT_PURE || info->effect == SYSVM_EFFECT_PRIV ||
			info->effect == SYSVM_EFFECT_FD);
}

static bool fcntl_allowed(u32 command)
{
	switch (command) {
	case F_SETFL:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return true;
	}
	return is_harmless(sysvm_fcntl_by_cmd(command));
}

static bool ioctl_allowed(u32 command)
{
	switch (command) {
	case FICLONE:
	case FICLONERANGE:
	case FIONBIO:
		return true;
	}
	return is_harmless(sysvm_ioctl_by_cmd(command));
}

enum sysvm_refusal sysvm_allow(unsigned int index, const struct pt_regs *regs)
{
	switch (index) {
	case SYSVM_CALL_ioctl:
		if (!ioctl_allowed(regs->si))
			return SYSVM_NOT_HERE;
		break;
	case SYSVM_CALL_fcntl:
		if (!fcntl_allowed(regs->si))
			return SYSVM_NOT_HERE;
		break;
	case SYSVM_CALL_dup2:
	case SYSVM_CALL_dup3:
		if (is_own_device(regs->si))
			return SYSVM_NOT_A_DESCRIPTOR;
		break;
	case SYSVM_CALL_mmap:
		return is_own_device(regs->r8) ? SYSVM_NOT_A_DESCRIPTOR : SYSVM_ALLOWED;
	case SYSVM_CALL_close:
	case SYSVM_CALL_dup:
		break;
	default:
		return SYSVM_ALLOWED;
	}
	return is_own_device(regs->di) ? SYSVM_NOT_A_DESCRIPTOR : SYSVM_ALLOWED;
}
