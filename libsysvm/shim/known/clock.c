// SPDX-License-Identifier: MIT
/*
 * Coarse time without a kernel crossing.
 *
 * Each answer asks how old it is, so asking must cost a few ns: the vDSO's coarse clocks (a tick old at most,
 * 1-10 ms) are read straight from the kernel's data page. The vDSO is found by its ELF headers, since libc's
 * clock_gettime may be interposed by the application. Without a vDSO nothing is run ahead.
 *
 * A call of the vDSO costs 5 ns and registers, so entry.S reads the two words of the data page that the vDSO
 * would return. No ABI says where they are. So they are found by their value at start-up, and each time
 * answers are staged they must equal what the vDSO returns then; if not, entry.S serves nothing any more. The
 * two are read without the vDSO's sequence count; while the kernel writes them, or in a new second, they
 * differ from the mark, and C decides.
 * Tested by tests/shim/hazards (quick, lease).
 */
#include "libsysvm/shim/known/clock.h"

#include <elf.h>
#include <time.h>

#include "libsysvm/shim/base/bytes.h"

static const volatile struct clock_words no_clock = { CLOCK_NEVER, 0 };
static int (*vdso_clock_gettime)(clockid_t, struct timespec *);

void clock_reset(uint64_t vdso)
{
	const unsigned char *base = (const unsigned char *)vdso;
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *ph;
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;
	const uint32_t *hash = NULL, *gnu = NULL;
	uint64_t bias = 0;
	uint32_t n = 0;
	int found = 0;

	vdso_clock_gettime = NULL;
	quick.clock = &no_clock;
	if (!base || eh->e_ident[0] != 0x7f || eh->e_ident[1] != 'E')
		return;
	ph = (const Elf64_Phdr *)(base + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && !found) {
			bias = (uint64_t)base + ph[i].p_offset - ph[i].p_vaddr;
			found = 1;
		} else if (ph[i].p_type == PT_DYNAMIC) {
			dyn = (const Elf64_Dyn *)(base + ph[i].p_offset);
		}
	}
	if (!found || !dyn)
		return;
	for (; dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag == DT_SYMTAB)
			sym = (const Elf64_Sym *)(bias + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_STRTAB)
			str = (const char *)(bias + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_HASH)
			hash = (const uint32_t *)(bias + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_GNU_HASH)
			gnu = (const uint32_t *)(bias + dyn->d_un.d_ptr);
	}
	if (!sym || !str)
		return;
	if (hash) {
		n = hash[1];
	} else if (gnu) { /* the highest index in any chain */
		const uint32_t *buckets = gnu + 4 + gnu[2] * 2, *chain = buckets + gnu[0];

		for (uint32_t b = 0; b < gnu[0]; b++) {
			uint32_t i = buckets[b];

			if (i < gnu[1])
				continue;
			while (!(chain[i - gnu[1]] & 1))
				i++;
			if (i + 1 > n)
				n = i + 1;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		if (sym[i].st_shndx != SHN_UNDEF &&
		    bytes_same_text(str + sym[i].st_name, "__vdso_clock_gettime"))
			vdso_clock_gettime = (int (*)(clockid_t, struct timespec *))(bias + sym[i].st_value);
}

bool clock_works(void)
{
	struct timespec ts;

	return vdso_clock_gettime && vdso_clock_gettime(CLOCK_MONOTONIC_COARSE, &ts) == 0;
}

void clock_find(uint64_t vvar)
{
	const volatile uint64_t *word = (const volatile uint64_t *)vvar;
	const volatile uint64_t *found = NULL;
	struct timespec ts;

	vdso_clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	for (unsigned int i = 0; i + 1 < 4096 / 8; i++) {
		if (word[i] != (uint64_t)ts.tv_sec || word[i + 1] != (uint64_t)ts.tv_nsec)
			continue;
		if (found)
			return; /* two of them: neither is trusted */
		found = word + i;
	}
	if (found)
		quick.clock = (const volatile struct clock_words *)found;
}

uint64_t clock_mark(struct clock_words *mark)
{
	const volatile struct clock_words *words = quick.clock;
	struct clock_words before = { words->seconds, words->nanoseconds }, after;
	struct timespec ts = { 0, 0 };

	vdso_clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	mark->seconds = (uint64_t)ts.tv_sec;
	mark->nanoseconds = (uint64_t)ts.tv_nsec;
	if (before.seconds != mark->seconds || before.nanoseconds != mark->nanoseconds) {
		after = (struct clock_words){ words->seconds, words->nanoseconds };
		if (after.seconds != mark->seconds || after.nanoseconds != mark->nanoseconds)
			quick.clock = &no_clock;
	}
	return mark->seconds * 1000 + mark->nanoseconds / 1000000;
}

uint64_t clock_ms(void)
{
	struct timespec ts = { 0, 0 };

	vdso_clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_seconds(void)
{
	struct timespec ts = { 0, 0 };

	vdso_clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (uint64_t)ts.tv_sec;
}
