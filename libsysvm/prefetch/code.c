// SPDX-License-Identifier: MIT
/*
 * The programs of code.h as text, assembled once when the prefetcher starts.
 *
 * Opening a directory: openat2 with O_PATH, never across a mount or through a link; fstat; then "." below it,
 * which is the same directory whatever happens to the name in the meantime. With O_NOATIME; where that is
 * refused, only if the read leaves the atime alone: the rule of the shim's guard (svp.h). Opening a file: the
 * same, then its name in /proc/self/fd. Its pages come by readahead, which changes no atime and does not
 * wait. On a slow disk any amount could be queued in that way, and the command's own reads would come after
 * it: there the last byte of the last file of a request is then read, wherever that changes no atime either.
 *
 * Anything but a directory gets a stat that starts no automount; a directory is opened by O_PATH, since a
 * stat would cross over to what is mounted on it.
 */
#define _GNU_SOURCE
#include "code.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "procedures/assemble.h"

#define STAT_MODE "24"
#define STAT_SIZE "48"
#define STAT_ATIME "72"
#define STAT_ATIME_NS "80"
#define STAT_MTIME "88"
#define STAT_MTIME_NS "96"
#define STAT_CTIME "104"
#define STAT_CTIME_NS "112"

/* r60 0, r61 AT_EMPTY_PATH, r62 S_IFMT, r63 S_IFDIR, r64 -EPERM, r65 room that dirents need, r66 DT_DIR, r67
   flags of a stat, r68 ".", r69 "..", r70 DT_REG, r71 S_IFREG, r80 room for a stat that nobody
   reads; the body's: r100 to r199 */
static const char prelude[] =
	"	movi8 r60, 0\n"
	"	movi16 r61, 0x1000\n"
	"	movi32 r62, 0xf000\n"
	"	movi16 r63, 0x4000\n"
	"	movi8 r64, -1\n"
	"	movi16 r65, 1024\n"
	"	movi8 r66, 4\n"
	"	movi16 r67, 0x900\n"
	"	movi8 r68, 0x2e\n"
	"	movi16 r69, 0x2e2e\n"
	"	movi8 r70, 8\n"
	"	movi32 r71, 0x8000\n"
	"	movi32 r72, 0x40000\n" /* O_NOATIME */
	"	movi16 r80, 256\n"
	"	add r80, r80, r4\n";

static const char enter[] =
	"	goon openat2 r30, r0, r1, r2, r3\n"
	"	mov r20, r30\n"
	"	jneg r30, done\n"
	"	movi8 r20, -20\n" /* -ENOTDIR */
	"	goon newfstatat r31, r30, r9, r4, r61\n"
	"	jneg r31, shut\n"
	"	ld32 r32, [r4+" STAT_MODE "]\n"
	"	and r32, r32, r62\n"
	"	jne r32, r63, shut\n"
	"	goon openat r20, r30, r8, r7, r60\n"
	"	jne r20, r64, shut\n"
	"	jnz r12, bare\n"
	"	ld64 r32, [r4+" STAT_ATIME "]\n"
	"	ld64 r34, [r4+" STAT_ATIME_NS "]\n"
	"	jle r32, r251, shut\n"
	"	ld64 r33, [r4+" STAT_MTIME "]\n"
	"	jlt r32, r33, shut\n"
	"	jne r32, r33, modified\n"
	"	ld64 r35, [r4+" STAT_MTIME_NS "]\n"
	"	jbe r34, r35, shut\n"
	"modified: ld64 r33, [r4+" STAT_CTIME "]\n"
	"	jlt r32, r33, shut\n"
	"	jne r32, r33, bare\n"
	"	ld64 r35, [r4+" STAT_CTIME_NS "]\n"
	"	jbe r34, r35, shut\n"
	"bare:	xor r36, r7, r72\n"
	"	goon openat r20, r30, r8, r36, r60\n"
	"shut:	goon close r31, r30\n"
	"	jneg r20, done\n";

static const char more[] =
	"	mov r248, r5\n"
	"	mov r247, r5\n"
	"more:	goon getdents64 r21, r20, r5, r6\n"
	"	jneg r21, look\n"
	"	jz r21, look\n"
	"	add r5, r5, r21\n"
	"	sub r6, r6, r21\n"
	"	mov r247, r5\n"
	"	jb r65, r6, more\n";

/* Ends at `next` with the dirent in r248, its size in r40. */
static const char head[] =
	"look:	jz r13, done\n"
	"	jbe r247, r248, done\n"
	"	ld16 r40, [r248+16]\n"
	"	ld8 r41, [r248+18]\n"
	"	addi r42, r248, 19\n";

static const char only_files[] = /* a list has only the types of code.h */
	"	movi8 r78, 12\n"
	"	jeq r41, r78, dirents\n"
	"	jeq r41, r66, through\n";

static const char file[] =
	"	jeq r41, r70, file\n"
	"	jnz r41, kind\n"
	"file:	goon openat2 r50, r20, r42, r2, r3\n"
	"	jneg r50, next\n"
	"	goon newfstatat r51, r50, r9, r4, r61\n"
	"	jneg r51, left\n"
	"	ld32 r52, [r4+" STAT_MODE "]\n"
	"	and r52, r52, r62\n"
	"	jne r52, r71, left\n"
	"	ld64 r53, [r4+" STAT_SIZE "]\n"
	"	jz r53, left\n";

static const char part[] = /* the first r16 bytes */
	"	mov r56, r53\n"
	"	jbe r53, r16, whole\n"
	"	mov r56, r16\n"
	"whole:	mov r74, r60\n";

static const char range[] = /* where it begins and its bytes stand in the dirent */
	"	add r75, r248, r40\n"
	"	addi r75, r75, -24\n"
	"	ld64 r76, [r75+0]\n"
	"	jneg r76, same\n"
	"	jne r76, r53, other_file\n"
	"	ld64 r76, [r75+8]\n"
	"	ld64 r77, [r4+" STAT_MTIME "]\n"
	"	jne r76, r77, other_file\n"
	"	ld64 r76, [r75+16]\n"
	"	ld64 r77, [r4+" STAT_MTIME_NS "]\n"
	"	jeq r76, r77, same\n"
	"other_file: addi r19, r19, 1\n"
	"	jmp left\n"
	"same:	ld64 r74, [r248+0]\n"
	"	ld64 r56, [r248+8]\n"
	"	jbe r53, r74, left\n"
	"	sub r53, r53, r74\n"
	"	jbe r56, r53, inside\n"
	"	mov r56, r53\n"
	"inside: jz r56, left\n";

static const char fetch[] = /* r79: whether it may be read from */
	"	movi8 r73, 3\n"
	"	shl r54, r50, r73\n"
	"	add r54, r54, r14\n"
	"	movi8 r79, 1\n"
	"	movi32 r59, 0xc0800\n" /* O_RDONLY | O_NONBLOCK | O_NOATIME | O_CLOEXEC */
	"	goon openat r55, r15, r54, r59, r60\n"
	"	jne r55, r64, opened\n"
	"	xor r59, r59, r72\n"
	"	goon openat r55, r15, r54, r59, r60\n"
	"	mov r79, r12\n"
	"	jnz r12, opened\n"
	"	ld64 r32, [r4+" STAT_ATIME "]\n"
	"	jle r32, r251, opened\n"
	"	ld64 r33, [r4+" STAT_MTIME "]\n"
	"	jle r32, r33, opened\n"
	"	ld64 r33, [r4+" STAT_CTIME "]\n"
	"	jle r32, r33, opened\n"
	"	movi8 r79, 1\n"
	"opened: jneg r55, left\n"
	"	addi r18, r18, 1\n"
	"	add r17, r17, r56\n";

/* One readahead brings at most what the device takes at once: hence in pieces. */
static const char body[] =
	"	mov r100, r74\n"
	"	mov r101, r56\n"
	"	movi32 r102, 131072\n"
	"ahead:	jz r101, wait\n"
	"	mov r103, r101\n"
	"	jbe r101, r102, last\n"
	"	mov r103, r102\n"
	"last:	goon readahead r104, r55, r100, r103\n"
	"	jneg r104, read\n"
	"	add r100, r100, r103\n"
	"	sub r101, r101, r103\n"
	"	jmp ahead\n"
	"wait:	and r79, r79, r23\n"
	"	jz r79, read\n"
	"	movi8 r103, 1\n"
	"	jne r13, r103, read\n"
	"	addi r100, r100, -1\n"
	"	goon pread64 r104, r55, r10, r103, r100\n";

/* Dirents of a directory, opened as in `enter`; nobody reads them. */
static const char dirents[] =
	"	jmp read\n"
	"dirents: goon openat2 r50, r20, r42, r2, r3\n"
	"	jneg r50, next\n"
	"	goon newfstatat r51, r50, r9, r4, r61\n"
	"	jneg r51, left\n"
	"	ld32 r52, [r4+" STAT_MODE "]\n"
	"	and r52, r52, r62\n"
	"	jne r52, r63, left\n"
	"	goon openat r55, r50, r8, r7, r60\n"
	"	jne r55, r64, listed\n"
	"	jnz r12, plain\n"
	"	ld64 r32, [r4+" STAT_ATIME "]\n"
	"	ld64 r34, [r4+" STAT_ATIME_NS "]\n"
	"	jle r32, r251, left\n"
	"	ld64 r33, [r4+" STAT_MTIME "]\n"
	"	jlt r32, r33, left\n"
	"	jne r32, r33, newer\n"
	"	ld64 r35, [r4+" STAT_MTIME_NS "]\n"
	"	jbe r34, r35, left\n"
	"newer:	ld64 r33, [r4+" STAT_CTIME "]\n"
	"	jlt r32, r33, left\n"
	"	jne r32, r33, plain\n"
	"	ld64 r35, [r4+" STAT_CTIME_NS "]\n"
	"	jbe r34, r35, left\n"
	"plain:	xor r36, r7, r72\n"
	"	goon openat r55, r50, r8, r36, r60\n"
	"listed: jneg r55, left\n"
	"	addi r22, r22, 1\n"
	"dirent: goon getdents64 r57, r55, r10, r11\n"
	"	jneg r57, read\n"
	"	jz r57, read\n"
	"	jmp dirent\n";

static const char shut_file[] =
	"read:	goon close r57, r55\n"
	"left:	goon close r57, r50\n"
	"	jmp next\n"
	"kind:	jmp other\n";

static const char look[] =
	"other:	jeq r41, r66, folder\n"
	"	jz r41, folder\n"
	"	goon newfstatat r43, r20, r42, r80, r67\n"
	"	jmp next\n"
	"folder: ld16 r44, [r42+0]\n"
	"	jeq r44, r68, next\n"
	"	jne r44, r69, through\n"
	"	ld8 r45, [r42+2]\n"
	"	jz r45, next\n"
	"through: goon openat2 r43, r20, r42, r2, r3\n"
	"	jneg r43, next\n"
	"	goon close r44, r43\n"
	"next:	jz r40, done\n"
	"	add r248, r248, r40\n"
	"	addi r13, r13, -1\n"
	"	jmp look\n"
	"done:	end\n";

static const char *const parts[CODE_KINDS][12] = {
	[CODE_ENTER] = { prelude, enter, more, head, look },
	[CODE_MORE] = { prelude, more, head, look },
	[CODE_LOOK] = { prelude, head, look },
	[CODE_DATA] = { prelude, head, file, part, fetch, body, shut_file, look },
	[CODE_LIST] = { prelude, head, only_files, file, range, fetch, body, dirents, shut_file, look },
};

static int define(struct sysvm_async *pool, int kind, uint32_t *proc, char *message, size_t size)
{
	char text[12288] = "";
	uint8_t code[4096];
	size_t len = 0;
	int err;

	for (int i = 0; i < 12 && parts[kind][i]; i++) /* some 4 KB in all */
		strcat(text, parts[kind][i]);
	err = sysvm_assemble(text, code, sizeof(code), &len, message, size);
	return err ? err : sysvm_async_define(pool, code, len, 0, proc, message, size);
}

int code_define(struct sysvm_async *pool, uint32_t procs[CODE_KINDS], char *message, size_t size)
{
	int err = 0;

	for (int kind = 0; kind < CODE_KINDS && !err; kind++)
		err = define(pool, kind, &procs[kind], message, size);
	return err;
}

struct consts {
	struct open_how how;
	char dot[8], empty[8];
	char numbers[CODE_NUMBERS][8];
};

size_t code_consts_size(void)
{
	return sizeof(struct consts);
}

void code_consts(void *memory)
{
	struct consts *c = memory;

	c->how = (struct open_how){
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	c->dot[0] = '.';
	for (unsigned int i = 0; i < CODE_NUMBERS; i++)
		snprintf(c->numbers[i], sizeof(c->numbers[i]), "%u", i);
}

void code_registers(uint64_t *reg, const void *memory, int self_fd)
{
	const struct consts *c = memory;

	memset(reg, 0, SYSVM_NREGS * sizeof(*reg));
	reg[REG_HOW] = (uintptr_t)&c->how;
	reg[REG_HOW_SIZE] = sizeof(c->how);
	reg[REG_DIRECTORY] = O_RDONLY | O_DIRECTORY | O_NOATIME | O_NONBLOCK | O_CLOEXEC;
	reg[REG_DOT] = (uintptr_t)c->dot;
	reg[REG_EMPTY] = (uintptr_t)c->empty;
	reg[REG_NUMBERS] = (uintptr_t)c->numbers;
	reg[REG_SELF] = (uint64_t)self_fd;
	reg[REG_FD] = (uint64_t)-EIO;
}
