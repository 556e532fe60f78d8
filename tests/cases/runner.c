// SPDX-License-Identifier: MIT
/*
 * case_runner ENGINE DIR: run every DIR/NAME.case on an engine (scripted, user, kernel). Prints a line for
 * each case that fails and "N passed, N failed" at the end; exits 0 only if none failed and at least one ran.
 * Links statically, so that it runs as it is in the guest.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procedures/assemble.h"
#include "runner.h"
#include "sysvm.h"
#include "vm/vm.h"

/* --- user and kernel engine
 * ------------------------------------------------------------------------------------ */

static struct sysvm_vm *vm;

static int vm_define(const void *code, size_t len, uint64_t data, uint32_t *proc, char *message, size_t size)
{
	return sysvm_define(vm, code, len, data, proc, message, size);
}

static void vm_undefine(uint32_t proc)
{
	sysvm_undefine(vm, proc);
}

static int vm_run(uint32_t proc, uint64_t fuel)
{
	return sysvm_run(vm, proc, fuel);
}

static int vm_resume(uint64_t fuel)
{
	return sysvm_resume(vm, fuel);
}

static struct sysvm_page *vm_page(void)
{
	return sysvm_page(vm);
}

static const struct engine vm_engine = {"vm", false, vm_define, vm_undefine, vm_run, vm_resume, vm_page};

/* --- one case
 * --------------------------------------------------------------------------------------------------- */

struct counters {
	uint64_t insns, calls, runs;
};

struct attempt {
	const struct engine *engine;
	const struct test_case *test;
	const char *directory;
	bool in_page; /* the variant */
	uint8_t code[SYSVM_PROC_CODE_MAX];
	size_t code_len;
	const unsigned char *data;
	uint32_t proc;
	bool defined;
	struct counters before;
	char why[512];
};

static unsigned char areas_memory[16384] __attribute__((aligned(4096)));
static size_t areas_used;

static bool failed(struct attempt *a, const struct step *s, const char *what, uint64_t found,
		   uint64_t expected)
{
	snprintf(a->why, sizeof(a->why), "line %u: %s is %lld (%#llx), expected %lld (%#llx)", s->line, what,
		 (long long)found, (unsigned long long)found, (long long)expected,
		 (unsigned long long)expected);
	return false;
}

static bool failed_text(struct attempt *a, const struct step *s, const char *what, const char *found,
			const char *expected)
{
	snprintf(a->why, sizeof(a->why), "line %u: %.160s is '%.120s', expected '%.120s'", s->line, what,
		 found, expected);
	return false;
}

static bool add_area(struct attempt *a, const struct step *s)
{
	struct area *area = &script.areas[script.nareas];

	if (script.nareas == sizeof(script.areas) / sizeof(script.areas[0]) ||
	    s->size > sizeof(areas_memory) - areas_used)
		return failed_text(a, s, "memory", "too much", "at most 16 areas and 16 KiB");
	strcpy(area->name, s->name);
	area->at = areas_memory + areas_used;
	area->size = s->size;
	memcpy(area->at, s->bytes, s->size);
	areas_used += (s->size + 63) / 64 * 64 + 64;
	script.nareas++;
	return true;
}

static bool write_file(struct attempt *a, const struct step *s)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", a->directory, s->name);
	f = fopen(path, "w");
	if (!f || fwrite(s->bytes, 1, s->size, f) != s->size || fclose(f))
		return failed_text(a, s, path, strerror(errno), "to be written");
	return true;
}

static bool set_reg(struct attempt *a, const struct step *s)
{
	uint64_t value;

	if (!script_value(&s->value, &value))
		return failed_text(a, s, "memory area", s->value.area, "one that the case has");
	a->engine->page()->reg[s->reg] = value;
	return true;
}

/* Put the code where the variant has it; the verifier's verdict comes with the run (page) or here
 * (procedure). */
static int place_code(struct attempt *a, char *message, size_t size)
{
	struct sysvm_page *page = a->engine->page();
	int err;

	if (a->in_page) {
		memcpy(page->code, a->code, a->code_len);
		page->code_len = a->code_len;
		page->data_base = (uintptr_t)a->data;
		a->proc = SYSVM_PROC_PAGE;
		return 0;
	}
	if (a->defined)
		return 0;
	err = a->engine->define(a->code, a->code_len, (uintptr_t)a->data, &a->proc, message, size);
	a->defined = !err;
	return err;
}

static bool run(struct attempt *a, const struct step *s)
{
	struct sysvm_page *page = a->engine->page();
	char message[256] = "";
	int err;

	if (s->kind == STEP_RUN) {
		err = place_code(a, message, sizeof(message));
		if (err)
			return failed_text(a, s, "verifier's verdict", message, "accepted");
		err = a->engine->run(a->proc, s->number);
	} else {
		err = a->engine->resume(s->number);
	}
	/*
	 * The kernel may ask a program to come back in a moment, whenever it likes: after a slow call, say.
	 */
	while (!err && !a->engine->scripted && page->status == SYSVM_YIELD) {
		a->before.runs++;
		err = a->engine->resume(page->fuel);
	}
	if (err)
		return failed(a, s, "result of the run", err, 0);
	if (page->status != s->status)
		return failed_text(a, s, "status", sysvm_status_name(page->status),
				   sysvm_status_name(s->status));
	if (s->pc >= 0 && page->pc != s->pc)
		return failed(a, s, "pc", page->pc, s->pc);
	if (s->error >= 0 && page->error != s->error)
		return failed(a, s, "error", page->error, s->error);
	return true;
}

static bool refused(struct attempt *a, const struct step *s)
{
	struct sysvm_page *page = a->engine->page();
	char message[256] = "";
	int err = place_code(a, message, sizeof(message));

	if (!a->in_page) {
		if (err != -EINVAL)
			return failed(a, s, "result of the verifier", err, -EINVAL);
		return !strcmp(message, s->message) || failed_text(a, s, "message", message, s->message);
	}
	err = a->engine->run(a->proc, CASE_DEFAULT_FUEL);
	if (err)
		return failed(a, s, "result of the run", err, 0);
	if (page->status != SYSVM_INVALID)
		return failed_text(a, s, "status", sysvm_status_name(page->status), "INVALID");
	return page->pc == s->number || failed(a, s, "refused byte", page->pc, s->number);
}

static bool expect_reg(struct attempt *a, const struct step *s)
{
	int64_t found = a->engine->page()->reg[s->reg];
	uint64_t number;
	int64_t value;
	char what[32];
	bool good;

	if (!script_value(&s->value, &number))
		return failed_text(a, s, "memory area", s->value.area, "one that the case has");
	value = number;
	good = !strcmp(s->op, "=")    ? found == value
	       : !strcmp(s->op, "!=") ? found != value
	       : !strcmp(s->op, "<")  ? found < value
				      : found >= value;
	snprintf(what, sizeof(what), "r%u (wanted %s)", s->reg, s->op);
	return good || failed(a, s, what, found, value);
}

static bool expect_memory(struct attempt *a, const struct step *s)
{
	struct area *area = script_area(s->name);

	if (!area || area->size < s->size)
		return failed_text(a, s, "memory area", s->name, "one that the case has, large enough");
	if (!memcmp(area->at, s->bytes, s->size))
		return true;
	return failed_text(a, s, s->name, (const char *)area->at, (const char *)s->bytes);
}

static bool expect_counter(struct attempt *a, const struct step *s)
{
	struct sysvm_page *page = a->engine->page();
	uint64_t found;

	if (!strcmp(s->name, "insns"))
		found = page->insns - a->before.insns;
	else if (!strcmp(s->name, "calls"))
		found = page->calls - a->before.calls;
	else if (!strcmp(s->name, "runs"))
		found = page->runs - a->before.runs;
	else if (!strcmp(s->name, "fuel"))
		found = page->fuel;
	else
		return failed_text(a, s, "counter", s->name, "insns, calls, runs or fuel");
	return found == s->number || failed(a, s, s->name, found, s->number);
}

static bool do_step(struct attempt *a, const struct step *s)
{
	switch (s->kind) {
	case STEP_FILE:
		return write_file(a, s);
	case STEP_MEMORY:
		return add_area(a, s);
	case STEP_DATA:
		a->data = s->bytes;
		/* Loads from it are loads from memory as any other. */
		script.areas[script.nareas++] = (struct area){"data", (unsigned char *)s->bytes, s->size};
		return true;
	case STEP_REG:
		return set_reg(a, s);
	case STEP_CALL:
		script.calls[script.ncalls++] = s;
		return true;
	case STEP_POLL:
		script.poll = s;
		script.polls = 0;
		return true;
	case STEP_RUN:
	case STEP_RESUME:
		return run(a, s);
	case STEP_REFUSED:
		return refused(a, s);
	case STEP_EXPECT_REG:
		return expect_reg(a, s);
	case STEP_EXPECT_MEMORY:
		return expect_memory(a, s);
	case STEP_EXPECT_COUNTER:
		return expect_counter(a, s);
	}
	return false;
}

static bool do_steps(struct attempt *a)
{
	struct sysvm_page *page = a->engine->page();
	size_t i;

	memset(&script, 0, sizeof(script));
	areas_used = 0;
	memset(page->reg, 0, sizeof(page->reg));
	page->data_base = 0;
	a->before = (struct counters){page->insns, page->calls, page->runs};
	for (i = 0; i < a->test->nsteps; i++) {
		if (!do_step(a, &a->test->steps[i]))
			return false;
		if (script.wrong[0]) {
			snprintf(a->why, sizeof(a->why), "line %u: %.200s", a->test->steps[i].line,
				 script.wrong);
			return false;
		}
	}
	if (script.made != script.ncalls && a->engine->scripted) {
		snprintf(a->why, sizeof(a->why), "%zu calls were made, expected %zu", script.made,
			 script.ncalls);
		return false;
	}
	return true;
}

static bool do_case(const struct engine *engine, const struct test_case *test, const char *directory,
		    bool in_page, char *why, size_t size)
{
	static struct attempt a;
	char message[256];
	bool good = false;

	memset(&a, 0, sizeof(a));
	a.engine = engine;
	a.test = test;
	a.directory = directory;
	a.in_page = in_page;
	if (sysvm_assemble(test->program, a.code, sizeof(a.code), &a.code_len, message, sizeof(message)))
		snprintf(a.why, sizeof(a.why), "program, %s", message);
	else if (in_page && a.code_len > SYSVM_PAGE_CODE_MAX)
		good = true; /* a procedure only */
	else
		good = do_steps(&a);
	if (a.defined)
		engine->undefine(a.proc);
	snprintf(why, size, "%s", a.why);
	return good;
}

/* --- all of them
 * ------------------------------------------------------------------------------------------------ */

struct totals {
	unsigned int passed, failed;
};

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	long size;

	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET)) {
		text = calloc(1, size + 1);
		if (text && fread(text, 1, size, f) != (size_t)size) {
			free(text);
			text = NULL;
		}
	}
	fclose(f);
	return text;
}

static void run_file(const struct engine *engine, const char *path, const char *directory,
		     struct totals *totals)
{
	static struct test_case test;
	struct case_reader reader;
	char *text = read_whole(path);
	char why[512];
	int more, in_page;

	if (!text) {
		printf("FAIL %s: %s\n", path, strerror(errno));
		totals->failed++;
		return;
	}
	case_start(&reader, path, text, directory);
	while ((more = case_next(&reader, &test)) > 0) {
		if (engine->scripted ? !test.scripted : !test.real)
			continue;
		for (in_page = 1; in_page >= 0; in_page--) {
			if (do_case(engine, &test, directory, in_page, why, sizeof(why))) {
				totals->passed++;
				continue;
			}
			totals->failed++;
			printf("FAIL %s: %s (%s): %s\n", path, test.name, in_page ? "page" : "procedure",
			       why);
		}
	}
	if (more < 0) {
		totals->failed++;
		printf("FAIL %s\n", reader.message);
	}
	free(text);
}

static int is_case(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".case");
}

static void remove_scratch(const char *directory)
{
	struct dirent *entry;
	DIR *d = opendir(directory);
	char path[512];

	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.' && unlink(path))
			rmdir(path);
	}
	if (d)
		closedir(d);
	rmdir(directory);
}

static const struct engine *open_engine(const char *name)
{
	int err;

	if (!strcmp(name, "scripted"))
		return &scripted_engine;
	if (strcmp(name, "user") && strcmp(name, "kernel")) {
		fprintf(stderr, "case_runner: engine '%s', expected scripted, user or kernel\n", name);
		return NULL;
	}
	vm = aligned_alloc(64, sysvm_size());
	err = sysvm_init(vm, name[0] == 'u' ? SYSVM_ENGINE_USER : SYSVM_ENGINE_KERNEL);
	if (err)
		fprintf(stderr, "case_runner: no %s engine: %s\n", name, strerror(-err));
	return err ? NULL : &vm_engine;
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	const struct engine *engine;
	struct totals totals = {0, 0};
	struct dirent **files;
	char scratch[256], path[512];
	int n, i;

	if (argc != 3) {
		fprintf(stderr, "usage: case_runner scripted|user|kernel DIR\n");
		return 2;
	}
	engine = open_engine(argv[1]);
	if (!engine)
		return 2;
	snprintf(scratch, sizeof(scratch), "%s/sysvm-cases-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(scratch)) {
		fprintf(stderr, "case_runner: %s: %s\n", scratch, strerror(errno));
		return 2;
	}
	n = scandir(argv[2], &files, is_case, alphasort);
	if (n < 0)
		fprintf(stderr, "case_runner: %s: %s\n", argv[2], strerror(errno));
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", argv[2], files[i]->d_name);
		run_file(engine, path, scratch, &totals);
		free(files[i]);
	}
	if (n >= 0)
		free(files);
	remove_scratch(scratch);
	if (vm)
		sysvm_exit(vm);
	printf("%u passed, %u failed\n", totals.passed, totals.failed);
	return totals.failed || !totals.passed;
}
