/* SPDX-License-Identifier: MIT */
/*
 * Whole directories: what the loop of a procedure (svp.h, struct svp_loop) has made for the entries of one, and which
 * entries the application has read. records.c, overlay.c, listing.c, mounts.c, name_pool.c.
 */
#ifndef SYSVM_SHIM_DIRECTORY_H
#define SYSVM_SHIM_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "procedures/svp.h"

struct shim_call;
struct fd_fact;
struct follower_rule;

#define LISTING_SLOTS 16 /* and one for name_pool.c */
#define LISTING_BYTES (256u << 10) /* of one directory; a longer one is known in parts, as the application reads it */
#define LISTING_PATH_MAX 256	   /* with '/' and 0 */

/* The entries of one directory as the application has read them: a prediction of what it asks next, never an answer. */
struct listing {
	uint32_t description; /* of the descriptor it was read through (fd_fact), 0: free */
	uint32_t used;	      /* when, for the choice of the one to give up */
	uint32_t size, next;  /* bytes of names; offset of the entry expected next */
	uint32_t searches;    /* of the whole listing, since it grew */
	uint16_t under;	      /* bytes of path, with its '/'; 0 for ".", where names stand alone */
	uint8_t has_path;
	uint8_t noatime;
	uint64_t device, inode;
	char path[LISTING_PATH_MAX];
	unsigned char *names; /* struct linux_dirent64, checked */
};

/* An entry in it: offsets as in the kernel's struct linux_dirent64. */
static inline uint32_t entry_length(const unsigned char *entry)
{
	return *(const uint16_t *)(const void *)(entry + 16);
}
static inline uint8_t entry_type(const unsigned char *entry)
{
	return entry[18];
}
static inline const char *entry_name(const unsigned char *entry)
{
	return (const char *)entry + 19;
}

/* Records of one run that the application has not asked for yet. */
struct loop_log {
	volatile uint32_t next; /* record * followers + follower; claimed by compare-and-exchange, as the log is */
	uint32_t end;
	uint32_t hidden; /* entries of the log behind the loop: from ahead.q.end on */
	uint32_t proc, made;
	const struct svp_loop *loop;
	unsigned char *records;
	const unsigned char *own, *own_end; /* the names lie in here */
	uint64_t signals, time;
	uint64_t arg[SVP_LOOP_MAX][6];
	uint16_t under; /* bytes of the directory's path, with its '/' */
	char path[LISTING_PATH_MAX];
};
extern struct loop_log loop_log;

/* records.c */
void directory_init(void);
void directory_trust(void); /* the machine may touch what its loops read */
static inline bool directory_outstanding(void)
{
	return loop_log.next != loop_log.end || loop_log.hidden;
}
#define SHIM_PRIVATE -2 /* to be made, late closes first; if it succeeds the records stay */
/* A call while records are outstanding: an enum shim_verdict, SHIM_PRIVATE, or -1: go on with the other rules. */
int directory_decide(struct shim_call *call, uint8_t rule);
bool directory_serve(struct shim_call *call); /* answered from a record, if one is of that call */
void directory_drop(void); /* the loop's rest is void; the log's entries behind it are outstanding again */
bool directory_survives_close(int fd);

/* rules.c */
bool directory_allowed(uint32_t proc); /* at init: the contract lets its loop run ahead */
static inline bool is_entry(const struct svp_arg *a)
{
	return a->kind == SVP_ARG_NAME || a->kind == SVP_ARG_UNDER || a->kind == SVP_ARG_ROW;
}

/* Which argument is the entry's path, or the kept one: the first or the second (uapi/syscalls.inc). */
static inline unsigned int path_of(const struct svp_follower *f)
{
	return f->arg[0].kind == SVP_ARG_UNDER || f->arg[0].kind == SVP_ARG_ROW ? 0 : 1;
}

/* window.c */
struct ahead_proc;
#define DIRECTORY_WINDOW 256 /* the first */
void directory_window_init(void);
void directory_learn(uint32_t next); /* the records are used up, or void from this one on */
void directory_counted(void); /* the first call of an entry was answered */
void directory_news(const struct shim_call *call); /* it is about to be made: what is outstanding may not survive it */
uint32_t directory_window(const struct ahead_proc *proc); /* entries that a run should take */

/* run.c */
bool directory_find(uint32_t proc, uint32_t trigger, const struct shim_call *call);
bool directory_run(uint32_t proc, struct shim_call *call);
void directory_prepare(uint32_t proc, uint32_t trigger, const struct shim_call *call); /* registers, before an open */
void directory_take(uint32_t proc, uint32_t before); /* records, after it; before: log entries that precede the loop */

/* overlay.c */
uint64_t overlay_files(uint64_t device); /* what the regular files in directories on it show, as far as it is known: else itself */
void overlay_learn(uint32_t proc, const unsigned char *record); /* of the entry that a loop has left behind */

/* listing.c */
bool listing_init(void);
uint16_t listing_under(char *to, const char *path, long length); /* what stands before a name in it: its bytes */
void listing_opened(const struct shim_call *call, uint64_t path); /* a directory, perhaps: remember its path */
void listing_seen(const struct shim_call *call);	/* getdents64 has filled the application's buffer */
void listing_forget(uint32_t description);		/* it is read from another place */
void listing_forget_all(void);
struct listing *listing_by_fd(uint64_t fd);
struct listing *listing_by_path(const char *path, long length, const char **name);
const unsigned char *listing_entry(struct listing *listing, const char *name, long length);
extern struct listing listings[LISTING_SLOTS];
extern char *listing_path; /* the buffer of SVP_REG_UNDER, 1024 bytes */

/* name_pool.c */
extern struct listing row_listing; /* names that lie in a row in memory, and the directories on the way to them */
bool rows_find(const struct svp_arg *row, uint64_t path, uint64_t sp);
bool rows_list(const struct svp_arg *row, uint32_t most, uint64_t sp);
void rows_wipe(void);
void rows_failed(void); /* a run has answered nothing */
void rows_forget(void);

/* mounts.c */
bool mounts_known(void); /* false: whole directories are not read ahead now */
bool mounts_avoid(uint64_t inode);
bool mounts_here(uint64_t *device); /* mounts_known(), and so for paths below the working directory without links, of one device */
void mounts_moved(void); /* it is another one */
bool mounts_path(const char *path); /* mounts_known(): to look that path up asks nobody that may wait or count, and moves no atime */
extern uint64_t mounts_avoided[]; /* closed by 0 */
extern const unsigned long mounts_avoided_size;
struct mount_point {
	char *path;
	bool good;
};
bool mounts_take(char *text, struct mount_point *mount, unsigned int room); /* for the test */

#endif
