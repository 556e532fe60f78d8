// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Lookup in the system call table: by number, by call index, by name, and the commands of fcntl and ioctl.
 *
 * The rows are indexed by number, so a lookup by number or index is one load; commands are few and searched
 * in order. Tested by tests/uapi/.
 */
#include "env.h"
#include "opcodes.h"
#include "../uapi/syscalls.h"

static const struct sysvm_syscall_info rows[SYSVM_NR_END] = {
#define SYSVM_SYSCALL(nr_, name_, index_, nargs_, effect_, result_, undo_, flags_, a0, a1, a2, a3, a4, a5)   \
	[nr_] = {.name = #name_,                                                                             \
		 .nr = nr_,                                                                                  \
		 .index = index_,                                                                            \
		 .nargs = nargs_,                                                                            \
		 .effect = SYSVM_EFFECT_##effect_,                                                           \
		 .result = SYSVM_RESULT_##result_,                                                           \
		 .undo = SYSVM_UNDO_##undo_,                                                                 \
		 .flags = SYSVM_FLAG_##flags_,                                                               \
		 .arg = {SYSVM_ARG_##a0, SYSVM_ARG_##a1, SYSVM_ARG_##a2, SYSVM_ARG_##a3, SYSVM_ARG_##a4,     \
			 SYSVM_ARG_##a5}},
#include "../uapi/syscalls.inc"
};

/*
 * Call index -> number. Calls without an index all land in the last element, on purpose: hence the pragma. A
 * number that two calls claim would be overwritten silently; tests/uapi/ counts them.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const __u16 nr_of_index[SYSVM_CALL_MAX + 1] = {
#define SYSVM_SYSCALL(nr, name, index, ...) [(index) < 0 ? SYSVM_CALL_MAX : (index)] = nr,
#include "../uapi/syscalls.inc"
};
#pragma GCC diagnostic pop

static const struct sysvm_command_info fcntls[] = {
#define SYSVM_FCNTL(cmd, name, effect, result, undo, flags, arg)                                             \
	{#name,                                                                                              \
	 cmd,                                                                                                \
	 SYSVM_EFFECT_##effect,                                                                              \
	 SYSVM_RESULT_##result,                                                                              \
	 SYSVM_UNDO_##undo,                                                                                  \
	 SYSVM_FLAG_##flags,                                                                                 \
	 SYSVM_ARG_##arg},
#include "../uapi/syscalls.inc"
};

static const struct sysvm_command_info ioctls[] = {
#define SYSVM_IOCTL(cmd, name, effect, result, undo, flags, arg)                                             \
	{#name,                                                                                              \
	 cmd,                                                                                                \
	 SYSVM_EFFECT_##effect,                                                                              \
	 SYSVM_RESULT_##result,                                                                              \
	 SYSVM_UNDO_##undo,                                                                                  \
	 SYSVM_FLAG_##flags,                                                                                 \
	 SYSVM_ARG_##arg},
#include "../uapi/syscalls.inc"
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

const struct sysvm_syscall_info *sysvm_syscall_by_nr(unsigned int nr)
{
	return nr < SYSVM_NR_END && rows[nr].name ? &rows[nr] : NULL;
}

const struct sysvm_syscall_info *sysvm_syscall_by_index(unsigned int index)
{
	const struct sysvm_syscall_info *row = index < SYSVM_CALL_MAX ? &rows[nr_of_index[index]] : NULL;

	return row && row->index == (int)index ? row : NULL; /* indices past the last used lead to row 0 */
}

const struct sysvm_syscall_info *sysvm_syscall_by_name(const char *name)
{
	unsigned int nr;

	for (nr = 0; nr < SYSVM_NR_END; nr++)
		if (rows[nr].name && same(rows[nr].name, name))
			return &rows[nr];
	return NULL;
}

static const struct sysvm_command_info *find_command(const struct sysvm_command_info *table, size_t n,
						     __u32 cmd)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (table[i].cmd == cmd)
			return &table[i];
	return NULL;
}

const struct sysvm_command_info *sysvm_fcntl_by_cmd(unsigned int cmd)
{
	return find_command(fcntls, COUNT(fcntls), cmd);
}

const struct sysvm_command_info *sysvm_ioctl_by_cmd(unsigned int cmd)
{
	return find_command(ioctls, COUNT(ioctls), cmd);
}

const char *sysvm_effect_name(unsigned int effect)
{
	static const char *const names[] = {"PURE", "QUIET", "ADVICE", "FD",  "POS", "PRIV",
					    "FREE", "MUT",   "SYNC",   "CTX", "TASK"};

	return effect < COUNT(names) ? names[effect] : "?";
}

const char *sysvm_result_name(unsigned int result)
{
	static const char *const names[] = {"INT",  "UINT", "FD",  "BYTES", "POS",
					    "ADDR", "ZERO", "PID", "SIG",   "NONE"};

	return result < COUNT(names) ? names[result] : "?";
}

const char *sysvm_undo_name(unsigned int undo)
{
	static const char *const names[] = {"NONE", "SEEK", "CLOSE", "CLRFD", "NEVER"};

	return undo < COUNT(names) ? names[undo] : "?";
}

const char *sysvm_kind_name(unsigned int kind)
{
	static const char *const names[] = {"_",    "FD",    "DIRFD",  "PATH",	  "STR",    "INT",
					    "UINT", "FLAGS", "MODE",   "SIZE",	  "OFF",    "PID",
					    "SIG",  "PTR",   "CMD",    "IN",	  "OUT",    "OUTN",
					    "INS",  "OUTS",  "IOV_IN", "IOV_OUT", "MSG_IN", "MSG_OUT"};

	return kind < COUNT(names) ? names[kind] : "?";
}
