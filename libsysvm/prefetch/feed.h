/* SPDX-License-Identifier: MIT */
/*
 * What the command does, seen from outside: whether it waits for storage, which directories and files it has
 * open then, what it was asked to do. The command does not have to cooperate, so any program will do: static,
 * with threads, under seccomp.
 *
 * Reads /proc, nothing else.
 * Tested by tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_FEED_H
#define SYSVM_PREFETCH_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pace.h"

#define FEED_PROCESSES 64
#define FEED_PATH 4096

struct feed_process {
	int pid;
	int stat_fd, sched_fd, io_fd;
	unsigned int waits; /* a bit for each of the latest samples */
	bool running;
	bool alive;
	unsigned int scans;
	/* As the latest sample found it. */
	uint64_t at_ns, ran_ns, delayed_ns, slices, read_bytes;
	uint64_t wait_from_ns; /* the first sample that found this wait, 0: none */
	bool wait_reads, wait_is_long;
};

struct feed {
	struct feed_process process[FEED_PROCESSES];
	unsigned int count, samples;
	bool measures; /* pace is kept */
	struct pace_sums pace;
};

/* A file that a process has open, or its directory. */
struct feed_seen {
	int pid;
	char link[FEED_PATH]; /* in /proc: opens the very file */
	char path[FEED_PATH];
	bool directory, working; /* working: it is the working directory */
	bool reading;		 /* open for reading only */
	bool listing;		 /* it waits for dirents of it */
	bool way;		 /* a directory that holds another one that it has open */
	uint64_t dev, ino, mount;
	uint64_t size, position;
};

/* path lies below the directory root. */
size_t parent_length(const char *path); /* of the directory that it lies in, in bytes of path */
bool path_is_below(const char *path, const char *root);

void feed_init(struct feed *feed, int pid);

/* Samples each process. Returns whether one of them waits now. */
bool feed_sample(struct feed *feed);

/* Whether it has waited often enough that its files matter, and waits now. */
bool feed_waits(const struct feed_process *process);

/* It has waited lately, and is not asleep for another reason: where it is may matter. */
bool feed_works(const struct feed_process *process);

/* What a process has open; its working directory first. */
void feed_files(struct feed_process *process, void (*seen)(void *to, const struct feed_seen *what), void *to);

/* The call that the process's first thread is in, by /proc. nr -1: none (it waits for a page), or unknown. */
struct feed_call {
	long nr;
	unsigned long long arg[6];
};
struct feed_call feed_call(const struct feed_process *process);

/* The path that the call names, whose argument number i is a string; below an open directory (number dir, or
   -1) with that one's path in front, else below the working directory. Absolute, or "". */
void feed_call_path(const struct feed_process *process, const struct feed_call *call, int dir, int i,
		    char *path, unsigned int size);

/* The words of its command line, each with its closing 0. Returns the bytes. */
unsigned int feed_words(int pid, char *words, unsigned int size);

#endif
