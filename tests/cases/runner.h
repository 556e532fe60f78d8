/* SPDX-License-Identifier: MIT */
/*
 * The engines as the case runner sees them, and what the scripted engine must know of the case that runs.
 */
#ifndef SYSVM_TESTS_RUNNER_H
#define SYSVM_TESTS_RUNNER_H

#include "case.h"
#include "uapi/sysvm.h"

struct engine {
	const char *name;
	bool scripted;
	int (*define)(const void *code, size_t len, uint64_t data, uint32_t *proc, char *message,
		      size_t size);
	void (*undefine)(uint32_t proc);
	int (*run)(uint32_t proc, uint64_t fuel);
	int (*resume)(uint64_t fuel);
	struct sysvm_page *(*page)(void);
};

/* Memory of a case, fresh for each variant. */
struct area {
	char name[CASE_NAME_MAX];
	unsigned char *at;
	size_t size;
};

struct script {
	struct area areas[16];
	size_t nareas;
	const struct step *calls[CASE_MAX_STEPS]; /* in the order in which they must come */
	size_t ncalls, made;
	const struct step *poll; /* or NULL */
	unsigned int polls;	 /* questions since poll was set */
	char wrong[256];	 /* what the program did that the case does not allow */
};

extern struct script script;
extern const struct engine scripted_engine;

/* The address or number that v stands for; false if there is no such area. */
bool script_value(const struct value *v, uint64_t *to);
struct area *script_area(const char *name);

#endif
