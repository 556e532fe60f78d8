/* SPDX-License-Identifier: MIT */
/*
 * Inside the entry half.
 *
 * trigger.c is the ahead half's; here:
 * entry.S     from a patched site to shim_dispatch and back
 * init.c      constructor: environment, bundle, reasons to stay off, patching
 * bundle.c    checks the bundle
 * patch.c     writes jumps and slots
 * linkmap.c   where the environment is, what the auxiliary vector says
 * limits.c    whether there is room for us
 * maps.c      reads /proc/self/maps
 * objects.c   which object files are mapped, and which executable memory belongs to none that is known
 * dispatch.c  what each call means for the process: one table
 * tasks.c   fork, vfork, clone, exit
 * environment.c takes our variables out of it
 * exec.c      puts our environment back where the new program can use it
 * target.c    whether it can
 * signals.c   handlers are counted
 * copy.c      the application's memory, without faults
 */
#ifndef SYSVM_SHIM_ENTRY_H
#define SYSVM_SHIM_ENTRY_H

#include <stdbool.h>

#include "libsysvm/shim/bundle/bundle.h"
#include "libsysvm/shim/base/raw.h"
#include "libsysvm/shim/shim.h"
#include "libsysvm/shim/process/slots.h"

/* What is true of this process. Written in the constructor and by the one thread; only read by a vfork child. */
struct entry {
	const struct sysvm_bundle *bundle; /* null: no bundle, nothing was patched */
	struct shim_stats_file *file;	   /* shared; or private if it could not be mapped */
	uint32_t off;			   /* enum shim_reason */
	uint32_t patched, left;		   /* sites */
	uint32_t slots;			   /* used */
	bool confined;			   /* our calls may be judged, or our files not be seen: exec plainly */
	bool alone;			   /* no other process of this run writes the statistics */
};
extern struct entry entry;

/* entry.S */
extern unsigned char shim_slots[], shim_stubs[];
extern uint8_t shim_mode;		    /* 1: on. 0: plain */
extern uint64_t shim_vfork_return;	    /* behind the syscall of the vfork in progress */
extern uint64_t shim_vfork_mask;	    /* its caller's signal mask */
extern uint8_t shim_vfork_mode;		    /* shim_mode for the parent when it returns */
extern uint8_t shim_plain_looks[PLAIN_CALLS]; /* calls that come to shim_dispatch even while plain */
extern uint64_t *shim_plain_counter;	    /* the first of its lines */
extern uint64_t shim_handlers[STUBS];

static inline void bump_n(uint64_t *counter, uint64_t n)
{
	if (entry.alone)
		*(volatile uint64_t *)counter += n;
	else
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}
static inline void bump(uint64_t *counter)
{
	bump_n(counter, 1);
}

/* A system call for ourselves, counted as such. */
#define own4(nr, a, b, c, d) (bump(&entry.file->stats.own), raw4(nr, a, b, c, d))
#define own3(nr, a, b, c) own4(nr, a, b, c, 0)
#define own2(nr, a, b) own4(nr, a, b, 0, 0)
#define own1(nr, a) own4(nr, a, 0, 0, 0)

/* bundle.c: the mapped and checked bundle, or null */
const struct sysvm_bundle *bundle_open(const char *path);
bool bundle_allows_filter(const char *path);

/* limits.c */
bool limits_leave_room(void);

/* patch.c: writes the jumps of one mapping [low, high), r-x and private, of a file from `offset` on. Returns how many
   sites stay unseen that should not, or -1 if the rights of its text could not be changed. */
int patch_mapping(uint64_t low, uint64_t high, uint64_t offset, const struct sysvm_site *sites, uint32_t count,
		  bool all);

/* objects.c */
enum shim_reason objects_find(void);	  /* what is mapped: 0, UNSEEN or SHARED */
enum shim_reason objects_patch(bool all); /* patches it: 0, UNSEEN or LIBC */
/* What is known about code mapped from `offset` on; null: nothing. */
const struct sysvm_object *objects_by_fd(int fd, uint64_t offset);
struct stat;
const struct sysvm_object *objects_by_stat(const struct stat *st);
void objects_note_unknown(int fd);		/* tell the next run */
bool objects_is_gconv_cache(int fd);
uint32_t objects_exe_build_id(uint8_t *build_id);

/* dispatch.c */
void dispatch_init(void);
void dispatch_look_at_child(bool on);
void process_stop(enum shim_reason reason); /* ahead_stop, and plain from now on */

/* tasks.c */
int process_fork(struct shim_call *call);
int process_vfork(struct shim_call *call);
int process_clone(struct shim_call *call);
int process_clone3(struct shim_call *call);
int process_exit(struct shim_call *call);
void process_after_fork(int64_t result);
void process_not_alone(void);

/* environment.c */
void environment_hide(char **envp, bool *disabled, char *bundle_path, unsigned long size);

/* exec.c */
void exec_init(void);
int exec_before(struct shim_call *call);

/* signals.c */
int signals_action(struct shim_call *call);
uint64_t signals_hold(void);
void signals_release(uint64_t mask);
void signals_stop(void); /* handlers without stubs from now on */

/* copy.c: 0, or -1 if some of it is not there. sp: the application's stack pointer. */
#define COPY_START 16 /* bytes of a string's start; zeros after its page's end */
struct iovec;
int copy_from(void *to, uint64_t from, unsigned long n, uint64_t sp);
void copy_start_on(char *to, uint64_t from, struct iovec *there); /* over the page's end, as far as anything is there */
int copy_to(uint64_t to, const void *from, unsigned long n, uint64_t sp);
long copy_some(void *to, uint64_t from, unsigned long n, uint64_t sp); /* how many bytes, or negative */
int copy_starts(char (*to)[COPY_START], const uint64_t *from, unsigned int strings, struct iovec *there, char *packed,
		uint64_t sp); /* there, packed: room for as many */

#endif
