/* SPDX-License-Identifier: MIT */
/*
 * engine_fuzz: random valid programs on two engines, each over a scratch tree of its own; whatever comes of
 * them must be equal. What its files share; the story is in main.c.
 */
#ifndef SYSVM_TESTS_ENGINE_FUZZ_H
#define SYSVM_TESTS_ENGINE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sysvm.h"
#include "vm/opcodes.h"

/* Addresses that programs know. Nothing else is within 2 GiB of them. */
#define ARENA 0x100000000000ull /* memory that programs read and write */
#define ARENA_SIZE 16384
#define WINDOW 0x100040000000ull /* where programs map, unmap and protect */
#define WINDOW_PAGES 8
#define CONSTANTS 0x100080000000ull /* read-only: paths, structures; the data section */
#define CONSTANTS_SIZE 8192
#define NOWHERE 0x200000000000ull

#define FUEL 1500
#define MAX_STATEMENTS 60

/* Random numbers: the same ones for the same seed, everywhere. */
static inline uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/*
 * A program is a list of statements: one instruction, or a call with what sets its arguments up before it and
 * what takes out of its results, after it, what no two runs have in common (times, numbers of files and
 * processes). Jumps go to statements, and a run ends between two: so nobody sees what was not yet taken out.
 */
struct statement {
	uint8_t bytes[480];
	uint16_t len;
	int16_t target; /* statement that its last two bytes jump to, or -1 */
};

struct program {
	uint64_t seed;
	uint8_t map[64]; /* the machine's registers for ours */
	struct statement statements[MAX_STATEMENTS];
	unsigned int n;
	uint8_t code[SYSVM_PROC_CODE_MAX];
	uint32_t len;
	uint8_t between[SYSVM_PROC_CODE_MAX / 8]; /* bit n: a statement starts at byte n */
};

static inline bool is_between(const struct program *p, uint32_t at)
{
	return at < p->len && (p->between[at / 8] >> (at % 8) & 1);
}

/* Our names for registers; program.map says which ones they are. The first six are r0 to r5: short calls use
 * them. */
enum {
	R_VALUE = 0,
	R_VALUES = 16,
	R_FD = 16, /* results that are descriptors */
	R_FDS = 4,
	R_ADDRESS = 20, /* addresses in the arena; only call set-ups write them */
	R_ADDRESSES = 3,
	R_COUNTER = 23, /* of loops */
	R_COUNTERS = 4,
	R_ARGUMENT = 27, /* six */
	R_SCRATCH = 33,	 /* four */
	R_ZERO = 37,
	R_PID = 38,
	R_PPID = 39,
	R_COUNT = 40,
};

/* generate.c */
void generate(struct program *p, uint64_t seed);
void emit(struct program *p); /* statements to code */
uint64_t start_value(const struct program *p, unsigned int our_register);

/* calls.c: one call with random arguments. False: that call is not for us. */
bool generate_call(struct program *p, struct statement *s, uint64_t *random, unsigned int index);

/* entries.c: a wide instruction over dirents. */
void generate_entries(struct program *p, struct statement *s, uint64_t *random);

/* What generate.c, calls.c and entries.c put into statements. */
void put(struct statement *s, uint64_t value, unsigned int bytes);
void put_value(struct program *p, struct statement *s, unsigned int reg, uint64_t value, uint64_t *random);
void put_constant(struct program *p, struct statement *s, unsigned int reg, unsigned int offset);
void put_insn(struct program *p, struct statement *s, uint8_t op, unsigned int a, unsigned int b,
	      unsigned int c);
void put_memory(struct program *p, struct statement *s, uint8_t op, unsigned int a, unsigned int b,
		int offset);

/* constants.c */
enum constant {
	C_PATHS,
	C_NAMES,   /* of attributes */
	C_LINKS,   /* targets of symbolic links */
	C_IOVS,	   /* arrays of four */
	C_MSGS,	   /* struct msghdr */
	C_ADDRS,   /* struct sockaddr_un */
	C_TIMES,   /* struct timespec[2] */
	C_HOWS,	   /* struct open_how */
	C_LOCKS,   /* struct flock */
	C_LIMITS,  /* struct rlimit */
	C_EVENTS,  /* struct epoll_event */
	C_NUMBERS, /* int, eight bytes each */
	C_CLONES,  /* struct file_clone_range */
	C_DIRENTS, /* eight struct linux_dirent64 of 32 bytes */
	C_KINDS,
};
void make_constants(void);				    /* maps and fills them */
unsigned int constant(enum constant kind, uint64_t random); /* offset of one of that kind */
void describe_constant(unsigned int offset, char *text, size_t size);

/* world.c: the scratch tree */
int world_prepare(const char *scratch); /* 0, or -errno: this user cannot have one */
void world_make(void);			/* in the parent; nothing is there yet */
void world_enter(void);			/* in the child: root, working directory, descriptors 0 to 11 */
void world_describe_task(char *text, size_t size); /* in the child: descriptors, limits, working directory */
void world_describe_tree(char *text, size_t size);
void world_remove(void);

/* model.c: the machine once more, written from the tables' words, without its code. */
struct model {
	const uint8_t *code;
	uint32_t len;
	uint64_t data_base;
	uint64_t *opcodes;   /* [SYSVM_OPS] how often each was executed */
	uint64_t *succeeded; /* [256] calls: how often each succeeded */
};
/* Runs at most fuel instructions from page->pc on and leaves the page as an engine would. */
void model_run(const struct model *m, struct sysvm_page *page, uint64_t fuel);

/* run.c */
struct outcome {
	int finished; /* the child got to its end */
	int wait_status;
	uint32_t status, pc;
	int32_t error;
	uint64_t insns, calls;
	uint64_t reg[SYSVM_NREGS];
	uint8_t memory[ARENA_SIZE];
	uint32_t window[WINDOW_PAGES]; /* checksum, or 0 if it cannot be read */
	char trouble[256];	       /* what the engine itself said */
	char task[4096];
	char tree[16384];
	/* Not compared. */
	uint64_t fallbacks, entries;
	uint64_t opcodes[SYSVM_OPS], succeeded[256];
};
bool engine_known(const char *name);
/* Why that engine cannot be had here, or NULL. */
const char *engine_missing(const char *name);
void run_program(const char *engine, const struct program *p, uint64_t slices, struct outcome *out);

#endif
