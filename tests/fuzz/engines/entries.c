// SPDX-License-Identifier: MIT
/*
 * A wide instruction with random operands: names of the scratch tree and of what may come to be there,
 * below a descriptor that is mostly the directory's. The device that names are expected on is asked for
 * first, and what no two runs have in common is taken out of all records afterwards.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

#define MOST_NAMES 8 /* of a list in constants.c */
#define RECORDS 6

#define PICK(random, ...)                                                                                    \
	((const uint64_t[]){__VA_ARGS__}[next(random) % (sizeof((uint64_t[]){__VA_ARGS__}) / 8)])

/* Our registers for the operands, in their order. */
enum {
	DIRECTORY = R_ARGUMENT,
	FLAGS,
	ENTRY,
	END,
	WINDOW_,
	RECORD,
	LIMIT = R_SCRATCH,
	DEVICE,
	MASK,
	TEMPORARY,
};

/* DEVICE: of a file that may be there. */
static void put_device(struct program *p, struct statement *s, uint64_t *random, uint64_t buffer)
{
	put_value(p, s, TEMPORARY, buffer, random);
	put_constant(p, s, MASK, constant(C_PATHS, next(random)));
	put(s, SYSVM_OP_GOON, 1);
	put(s, SYSVM_OP_CALL_FULL + SYSVM_CALL_lstat, 1);
	put(s, p->map[DEVICE], 1);
	put(s, p->map[MASK], 1);
	put(s, p->map[TEMPORARY], 1);
	put_memory(p, s, SYSVM_OP_LD64, DEVICE, TEMPORARY, 0);
}

/* Zeros over the volatile words of all records, whether they were made or not, and over the device. */
static void put_after(struct program *p, struct statement *s, uint64_t *random, uint64_t records,
		      unsigned int stride, unsigned int structure, bool x)
{
	const uint64_t words = x ? 0xffffffffu & ~(1u << 0 | 1u << 2 | 1u << 3 | 1u << 5) : 0x7f03;
	unsigned int i, loop;

	put_value(p, s, TEMPORARY, records, random);
	put_value(p, s, LIMIT, records + RECORDS * stride, random);
	loop = s->len;
	for (i = 0; i < 32; i++)
		if (words >> i & 1)
			put_memory(p, s, SYSVM_OP_ST64, TEMPORARY, R_ZERO, structure + 8 * i);
	put_insn(p, s, SYSVM_OP_ADDI, TEMPORARY, TEMPORARY, 0);
	put(s, stride, 4);
	put_insn(p, s, SYSVM_OP_JB, TEMPORARY, LIMIT, 0);
	put(s, (uint64_t)((int)loop - (int)(s->len + 2)), 2);
	put_insn(p, s, SYSVM_OP_MOV, DEVICE, R_ZERO, 0);
	/* What the lstat of put_device has left. */
	put_value(p, s, TEMPORARY, records + RECORDS * stride, random);
	for (i = 0; i < 16; i++)
		if (0x7f03u >> i & 1)
			put_memory(p, s, SYSVM_OP_ST64, TEMPORARY, R_ZERO, 8 * i);
}

void generate_entries(struct program *p, struct statement *s, uint64_t *random)
{
	const bool x = next(random) % 4 == 0;
	const unsigned int followers = 1 + next(random) % 2, structure = 8 + 8 * followers;
	const unsigned int stride = structure + (x ? 256 : 144) + 8 * (next(random) % 3);
	const uint64_t records = ARENA + next(random) % ((ARENA_SIZE - 4096) / 8) * 8;
	const unsigned int names = constant(C_DIRENTS, next(random));
	const uint64_t end = CONSTANTS + names + 32 * (next(random) % (MOST_NAMES + 1)) +
			     (next(random) % 16 ? 0 : 25);
	unsigned int reg;

	put_device(p, s, random, records + RECORDS * stride);
	if (next(random) % 16 == 0)
		put_value(p, s, DEVICE, 0, random);
	if (next(random) % 8)
		put_value(p, s, DIRECTORY, PICK(random, (uint64_t)AT_FDCWD, 1, 1, 1, 0, 99), random);
	else
		put_insn(p, s, SYSVM_OP_MOV, DIRECTORY, R_FD + next(random) % R_FDS, 0);
	put_value(p, s, FLAGS,
		  PICK(random, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_NOFOLLOW,
		       AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, AT_EMPTY_PATH, 1u << 30),
		  random);
	put_constant(p, s, ENTRY, names);
	put_value(p, s, END, end, random);
	put_value(p, s, WINDOW_, PICK(random, 100, 100, 3, 1, 0), random);
	put_value(p, s, RECORD, next(random) % 24 ? records : NOWHERE, random);
	put_value(p, s, LIMIT, records + RECORDS * stride, random);
	put_value(p, s, MASK, PICK(random, 0x7ff, 0x17ff, 0), random);
	put(s, SYSVM_OP_EXTENDED | (x ? 0xc1 : 0xc0) << 8, 2);
	put(s, p->map[R_VALUE + next(random) % R_VALUES], 1);
	for (reg = DIRECTORY; reg <= RECORD; reg++)
		put(s, p->map[reg], 1);
	put(s, p->map[LIMIT], 1);
	put(s, p->map[DEVICE], 1);
	put(s, p->map[next(random) % 4 ? DEVICE : R_ZERO], 1);
	if (x)
		put(s, p->map[MASK], 1);
	put(s, stride, 2);
	put(s, followers, 1);
	put(s, next(random) % 3, 1);
	put(s, PICK(random, 0, 0, 1 << 4, 1 << 8, 1 << 10, 0xfffe), 2);
	put_after(p, s, random, records, stride, structure, x);
}
