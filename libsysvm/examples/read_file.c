/* SPDX-License-Identifier: MIT */
/*
 * read_file FILE: the whole file to standard output, read by one program: open, read until the end, close. In
 * C, with the program as text.
 *
 *     cc read_file.c $(pkg-config --cflags --libs sysvm)
 */
#include <assemble.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysvm.h>
#include <unistd.h>

/* r0: path, r1: buffer, r2: its size. Result in r3: bytes read. */
static const char program[] = "        movi8 r10, -100            ; AT_FDCWD\n"
			      "        movi8 r11, 0               ; O_RDONLY, and no mode\n"
			      "        movi8 r3, 0\n"
			      "        openat r4, r10, r0, r11, r11\n"
			      "more:   add r5, r1, r3\n"
			      "        sub r6, r2, r3\n"
			      "        read r7, r4, r5, r6\n"
			      "        add r3, r3, r7\n"
			      "        jnz r7, more               ; 0: the end, or no room\n"
			      "        close r7, r4\n"
			      "        end\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "read_file: %s: %s\n", what, why);
	return 1;
}

int main(int argc, char **argv)
{
	struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());
	const size_t size = 16 << 20;
	char *buffer = malloc(size), why[160];
	struct sysvm_page *page;
	uint8_t code[128];
	uint32_t proc;
	size_t len;
	int err;

	if (argc != 2)
		return fail("usage", "read_file FILE");
	if (!vm || !buffer)
		return fail("memory", "none");
	if (sysvm_assemble(program, code, sizeof(code), &len, why, sizeof(why)))
		return fail("program", why);
	err = sysvm_init(vm, SYSVM_ENGINE_BEST);
	if (err)
		return fail("sysvm_init", strerror(-err));
	if (sysvm_define(vm, code, len, 0, &proc, why, sizeof(why)))
		return fail("sysvm_define", why);

	page = sysvm_page(vm);
	page->reg[0] = (uintptr_t)argv[1];
	page->reg[1] = (uintptr_t)buffer;
	page->reg[2] = size;
	err = sysvm_run_through(vm, proc, 1000000);
	if (err)
		return fail("sysvm_run", strerror(-err));
	if (page->status == SYSVM_ERROR)
		return fail(argv[1], strerror(page->error));
	if (page->status != SYSVM_DONE)
		return fail(argv[1], sysvm_status_text(page, why, sizeof(why)));

	fwrite(buffer, 1, page->reg[3], stdout);
	fprintf(stderr, "%llu calls in %llu runs\n", (unsigned long long)page->calls,
		(unsigned long long)page->runs);
	sysvm_exit(vm);
	free(buffer);
	free(vm);
	return 0;
}
