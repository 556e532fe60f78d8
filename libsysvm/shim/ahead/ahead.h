/* SPDX-License-Identifier: MIT */
/*
 * The ahead half's state: one struct for the one thread of the process (see shim.h).
 *
 * ahead.c     what happens at a call: the order of the rules
 * trigger.c   trigger -> machine run -> log
 * log.c       outstanding followers: matching, serving, taking back (entry.S serves the plainest itself)
 * ride.c      one entry for a late close, the present call, and what may be renewed
 * descriptors.c what is known about each descriptor
 * devices.c   which file systems may be read ahead
 * records.c loops over the entries of a directory; listing.c which entries; mounts.c which directories not; overlay.c
 *             which device its files may show; name_pool.c names in a row in memory instead
 * kept.c      paths that the application passes again and again
 * memory.c    which memory of the application may be touched
 * clock.c     coarse time without an entry
 * rules.c     what each system call means here, from the table
 */
#ifndef SYSVM_SHIM_AHEAD_H
#define SYSVM_SHIM_AHEAD_H

#include <stdbool.h>

#include "libsysvm/shim/names/names.h"
#include "libsysvm/shim/shim.h"
#include "libsysvm/sysvm.h"

#define AHEAD_CALLS 512 /* system call numbers below this have rules; others are forwarded and drop the log */
#define AHEAD_FDS 256	/* descriptors below this have facts */
#define AHEAD_STAGING SVP_STAGING_MAX
#define AHEAD_LATE 2		/* closes that may wait for one entry */
#define AHEAD_PATH_MAX 256 /* longest path that is snapshot, with its 0 */

/* What a call means here; rules.c fills one byte for each number. */
enum rule {
	RULE_QUIET = 1,	  /* carries no news: the log survives it */
	RULE_TRIGGER = 2, /* some procedure has it as a trigger */
	RULE_CLOSE = 4,
	RULE_WATCH = 8,	  /* its result changes facts or memory */
	RULE_ANSWER = 16, /* some procedure of mode answer names it */
	RULE_RIDE = 32,	  /* may be made by the machine behind a late close */
	RULE_KEEP = 64,	  /* some follower of it has a kept path */
	RULE_LOOK = 128,  /* only looks, never waits, and --relaxed=age was given */
};

struct fd_fact {
	uint8_t mine;	 /* made by this process, O_RDONLY, never handed on */
	uint8_t ours;	 /* made by this process, for reading and perhaps writing, never handed on, written to or mapped */
	uint8_t kind;	 /* enum fd_kind */
	uint8_t shared;	 /* another descriptor of this process has the same description */
	uint8_t cloexec; /* FD_CLOEXEC is set */
	uint32_t description; /* of the open that made it: copies have the same one, no other has ever had it */
	uint8_t noatime;      /* of its file system, as the guard found it */
	uint64_t device, inode; /* of a directory */
	int32_t getfl;	 /* what F_GETFL answered, -1: not known */
	int64_t position; /* file position, or directory cookie, as the application believes it; -1: not known */
};
enum fd_kind { KIND_UNKNOWN = 0, KIND_REGULAR = 1, KIND_DIRECTORY = 2 }; /* not UNKNOWN: on a good device */

/* Coarse monotonic time as the kernel keeps it for the vDSO. */
struct clock_words {
	uint64_t seconds, nanoseconds;
};
#define CLOCK_NEVER ~0ull /* seconds of a mark that nothing is fresh for */

enum undo { UNDO_NONE, UNDO_SEEK, UNDO_CLOSE, UNDO_CLOEXEC, UNDO_NEVER };

/* What the table says about a follower, looked up once; one for each svp_follower of the file. */
struct follower_rule {
	uint64_t mask[6];  /* the bits of each argument that must be equal: those that the kernel looks at */
	uint64_t quick[6]; /* the same for entry.S, which knows no strings and sizes: those are compared as words */
	uint64_t string;   /* quick only: where a string argument was last, if what is there cannot change; 0: not known */
	uint8_t undo;	   /* enum undo */
	uint8_t special;   /* bit i: argument i is a string or a size, and compared as such */
	uint8_t out;	   /* argument that is filled, 6: none */
	uint8_t out_bytes; /* 1: as many bytes as the result says (file content); 0: the structure, if it succeeds */
	uint8_t plain;	   /* entry.S may serve it: nothing but the result and what it fills comes of it */
	uint32_t out_size; /* bytes of the structure */
	uint32_t used;	   /* bytes of file content that may still be staged from a result that was served */
};

/* entry.S reads all but the first two. */
struct log_entry {
	const struct svp_follower *follower;
	struct follower_rule *rule;
	uint64_t minus_nr;  /* 0 - the call's number, LOG_NEVER: not for entry.S, or the end of the log */
	uint64_t arg[6];    /* what the code used, for REG, CONST and COUNT; for entry.S also where a string is */
	int64_t result;
	const unsigned char *from; /* staged bytes */
	uint64_t size;	    /* of them */
	uint64_t to_max;    /* highest address that the kernel would accept for the buffer */
	uint64_t out;	    /* which argument is the buffer */
	int64_t *position;  /* what the result is added to: a descriptor's, or a word that nobody reads */
};
#define LOG_NEVER (1ull << 62)

struct ahead_proc {
	uint32_t number;      /* in the engine */
	uint8_t defined;      /* 0: not yet in this process's engine */
	uint8_t off;	      /* switched itself off, or breaks a rule */
	uint8_t closes;	      /* late closes that the code begins with: 0, 1 or 2 */
	uint8_t needs_path;
	uint8_t at_entry;     /* its trigger is a call about a directory's entry (records.c) */
	uint32_t runs, hits;
	uint32_t window;      /* entries that a run of its loop may take */
	const struct svp_loop *loop; /* null: none */
	uint64_t device, noatime; /* as SVP_REG_DEVICE and SVP_REG_NOATIME: overlayfs has one st_dev for directories
				     and others for files, and a procedure meets one of them */
	uint64_t site[SVP_MAX_TRIGGERS], caller[SVP_MAX_TRIGGERS]; /* addresses, 0: any */
};

/*
 * What entry.S looks at. The log: entries [next, end) are outstanding, *end has minus_nr LOG_NEVER always. Claimed one by
 * one with log_claim().
 */
struct quick {
	struct log_entry *volatile next;
	struct log_entry *end;
	uint64_t busy_sp;     /* stack pointer of the call in progress, 0: none */
	uint64_t log_signals; /* shim_signals when the log was made */
	struct clock_words log_clock; /* when it was made */
	const volatile struct clock_words *clock; /* never null; without readable words: one whose seconds never match */
	uint64_t age_ns;
	uint64_t stack_low, stack_high; /* the main stack, as far down as it may grow; 0, 0: not known */
	uint64_t write_low, write_high; /* the range of writable memory that was asked for last */
};

struct ahead {
	struct quick q;
	uint8_t off;	/* enum shim_reason */
	uint8_t strict;
	uint8_t locks;	/* the process has used a file lock or lease: no late close */
	uint8_t missed; /* a follower of this log was not consumed */
	uint8_t used;	/* some follower_rule.used is not 0 */
	uint8_t streak; /* fcntl calls in a row with this descriptor and command */
	uint32_t streak_fd, streak_cmd;
	uint32_t log_proc;
	uint64_t log_time; /* clock_ms() when the log was made */
	struct log_entry *volatile counted; /* entries of the log below this are in the counters */
	struct log_entry log[SVP_MAX_FOLLOWERS + 1];

	/* Descriptors that the application has closed and the kernel has not yet: late[0 .. pending), oldest first. */
	uint32_t pending;
	int32_t late[AHEAD_LATE];

	struct shim_settings set;
	struct svp svp;
	struct ahead_proc *proc; /* svp.nprocs of them */
	struct sysvm_vm *vm;	 /* null: to be made at the next use */
	struct sysvm_page *page;
	int device_fd;
	unsigned char *staging;
	char *path; /* AHEAD_PATH_MAX bytes, snapshot of the trigger's path */
	char *kept; /* KEPT_BYTES */

	struct follower_rule *follower; /* svp.nfollowers of them */
	uint8_t rule[AHEAD_CALLS];
	struct fd_fact fd[AHEAD_FDS];

	/* Counted here, added to the shared statistics by stats_flush(). */
	struct {
		uint64_t answered, runs, inner, own;
		uint64_t quick; /* of those answered: by entry.S, without dispatch.c */
		struct {
			uint32_t hits, misses, undone, runs, off;
		} *proc;
	} n;
};
extern struct ahead ahead;

/*
 * A run takes some 900 bytes of stack. The main stack has them; an alternate signal stack may be as small as the
 * application dared, so on any other stack calls are answered from what is there, and made plainly.
 */
static inline bool ahead_has_room(const struct shim_call *c)
{
	return c->sp >= ahead.q.stack_low && c->sp < ahead.q.stack_high;
}

/* ahead.c */
long ahead_own(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3); /* a call for ourselves, counted */
void ahead_engine_drop(void); /* give the machine (and its descriptor) back; made anew at the next use */
int ahead_engine_make(void);  /* 0 or -errno; defines nothing yet */
void stats_flush(void);
void close_oldest(void); /* of the late closes */

/* trigger.c */
int start_check(uint32_t proc); /* at init: 0, or -1: the procedure breaks a rule and stays off */
bool start_run(uint32_t proc, uint32_t trigger, struct shim_call *call); /* true: call->result is the trigger's */
bool start_match(uint32_t proc, uint32_t trigger, const struct shim_call *call);

void start_machine(uint32_t proc, const struct shim_call *call, uint64_t signals); /* runs its code; the caller has set what is special */
void start_judge(uint32_t proc); /* switches it off if it does not pay */

/* log.c */
static inline bool log_outstanding(void)
{
	return ahead.q.next != ahead.q.end;
}
bool log_fresh(void);
bool log_serve(struct shim_call *call);	 /* true: answered from the next entry */
void log_start(uint32_t proc, uint64_t signals); /* an empty log of a run that began when shim_signals was that */
void log_add(uint32_t follower, int64_t result); /* index into the file's followers */
void log_cut(struct log_entry *end);
void log_count(void);			 /* what entry.S has served goes into the counters */
void log_wipe_used(void);		 /* no file content is left in the staging area; outstanding results are void */
void log_take_back(void);		 /* undo what is outstanding, forget it */
void log_closed(int fd);		 /* the descriptor goes away: what is outstanding on it needs no undo */
bool log_same_count(uint64_t asked, uint64_t used, int64_t result);
bool log_same_string(uint64_t address, const char *expected, uint64_t sp);
bool log_renewable(void);		 /* everything outstanding can be made again after another call */
void log_renewed(struct log_entry *e, int64_t result); /* it was */
void log_forget_strings(void);		 /* memory that was constant may have changed */

/* ride.c */
bool ride(struct shim_call *call, bool renew); /* true: made, call->result set */

/* descriptors.c */
struct fd_fact *fact(uint64_t fd); /* null: out of range */
void facts_opened(int fd, uint64_t flags);
bool facts_stat(int fd, const unsigned char *st, uint64_t *noatime); /* of the guard; true: a good device */
void facts_after(const struct shim_call *call);
void facts_forget_all(void);
bool facts_read_only(uint64_t flags); /* open flags that make a descriptor a candidate */

/* devices.c */
enum device_verdict { DEVICE_UNKNOWN = 0, DEVICE_GOOD = 1, DEVICE_BAD = 2 };
enum device_verdict device_of_fd(int fd, uint64_t st_dev, uint64_t *noatime);

/* memory.c */
int memory_init(void); /* 0, or a shim_reason */
void memory_after(const struct shim_call *call);
bool memory_writable(uint64_t address, uint64_t size, uint64_t sp);
bool memory_constant(uint64_t address); /* in a mapping that is not writable: as long as no mapping changes */
/* Length of the string at address, at most max - 1, or -1: not all of it is known to be readable. */
long memory_string(uint64_t address, uint64_t max, uint64_t sp);

/* kept.c */
#define KEPT_PATHS 16
#define KEPT_BYTES (KEPT_PATHS * AHEAD_PATH_MAX)
bool kept_init(void); /* false: more than that */
void kept_set(uint32_t proc); /* registers, before a run: nothing may be outstanding */
void kept_start(void);	      /* a log begins: its first kept path is expected next */
void kept_see(const struct shim_call *call); /* a call that nothing has answered */
bool kept_same(const struct svp_follower *follower, uint64_t address, uint64_t sp);
uint64_t kept_address(const struct svp_follower *follower); /* of the copy */
void kept_forget(void);

/* clock.c */
void clock_init(void);
bool clock_works(void);
uint64_t clock_ms(void);      /* monotonic, coarse */
uint64_t clock_mark(struct clock_words *mark); /* the same; the mark is for entry.S, to be compared with *quick.clock */
void clock_find(uint64_t vvar); /* where the kernel keeps it, if it can be told */
uint64_t clock_seconds(void); /* real time, coarse */

/* rules.c */
void rules_init(void);
bool rules_memory(uint64_t nr); /* it changes mappings: memory.c follows it, descriptors.c does not */
bool rules_kept(const struct svp_follower *follower);
bool rules_follower(const struct svp_follower *follower); /* the contract lets it be run ahead */
void rules_prepare(const struct svp_follower *follower, struct follower_rule *rule);

#endif
