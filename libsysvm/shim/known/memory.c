// SPDX-License-Identifier: MIT
/*
 * Which memory of the application may be touched.
 *
 * The kernel answers EFAULT for a bad buffer; a copy made in user space would die of SIGSEGV (or of SIGBUS, on a
 * mapped file that was cut). So the shim copies only to and from memory that it knows to be there: private anonymous
 * mappings, the heap, the stack above the stack pointer, and the segments of the objects that the process started
 * with. Mappings change only by calls that the shim sees; whatever it cannot follow is taken out of the table, and
 * for an address that is not in the table the plain call is made.
 *
 * Tested by tests/shim/hazards (half-mapped buffer, truncated mapping, bad path pointer).
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"

#define STACK_GROWTH (8ull << 20)
#define PAGE_UP(x) (((x) + 4095) & ~4095ull)

#define RANGES 192
struct range {
	uint64_t low, high;
	uint32_t writable;
};
static struct range range[RANGES];
static unsigned int ranges;
static unsigned int last_read; /* where the last question was answered; for writing: quick.write_low and write_high */
static uint64_t heap_end; /* where the mapping of the heap ends: the break, rounded up to a page */

static void range_add(uint64_t low, uint64_t high, uint32_t writable)
{
	if (low >= high)
		return;
	for (unsigned int i = 0; i < ranges; i++) {
		if (range[i].writable != writable)
			continue;
		if (range[i].high == low) {
			range[i].high = high;
			return;
		}
		if (range[i].low == high) {
			range[i].low = low;
			return;
		}
	}
	if (ranges < RANGES)
		range[ranges++] = (struct range){ low, high, writable };
}

static void range_remove(uint64_t low, uint64_t high)
{
	ahead.q.write_low = ahead.q.write_high = 0;
	if (high > ahead.q.stack_low && low < ahead.q.stack_high)
		ahead.q.stack_high = 0; /* someone changes the stack's mapping: it is not known any more */
	for (unsigned int i = 0; i < ranges;) {
		struct range r = range[i];

		if (r.high <= low || r.low >= high) {
			i++;
			continue;
		}
		if (!r.writable)
			log_forget_strings();
		range[i] = range[--ranges];
		if (r.low < low && ranges < RANGES)
			range[ranges++] = (struct range){ r.low, low, r.writable };
		if (r.high > high && ranges < RANGES)
			range[ranges++] = (struct range){ high, r.high, r.writable };
		i = 0; /* pieces never overlap [low, high), so this ends */
	}
}

static uint64_t hex(const char **p)
{
	uint64_t v = 0;

	for (;; (*p)++) {
		char c = **p;

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (uint64_t)(c - 'a' + 10);
		else
			return v;
	}
}

/* One line of /proc/self/maps. */
static void take_line(const char *p)
{
	uint64_t low = hex(&p), high;
	bool readable, writable, private;

	p++;
	high = hex(&p);
	p++;
	readable = p[0] == 'r';
	writable = p[1] == 'w';
	private = p[3] == 'p';
	p += 5;
	hex(&p); /* offset */
	p++;
	while (*p && *p != ' ')
		p++; /* device */
	while (*p == ' ')
		p++;
	while (*p >= '0' && *p <= '9')
		p++; /* inode */
	while (*p == ' ')
		p++;
	if (p[0] == '[' && p[1] == 's' && p[2] == 't') { /* [stack]: grows, and is asked for by stack pointer */
		ahead.q.stack_low = low - STACK_GROWTH;
		ahead.q.stack_high = high;
		return;
	}
	if (p[0] == '[' && p[1] == 'v' && p[2] == 'v' && p[3] == 'a' && p[4] == 'r' && p[5] == ']')
		clock_find(low);
	if (p[0] == '[' && p[1] != 'h' && p[1] != 'a') /* vdso, vvar: special pages */
		return;
	/* At start-up every file mapping is a segment of an object that the process cannot live without. */
	if (readable && private)
		range_add(low, high, writable);
}

int memory_init(void)
{
	char buffer[4096];
	unsigned int have = 0;
	long fd, n;

	ranges = 0;
	heap_end = PAGE_UP((uint64_t)ahead_own(SYS_brk, 0, 0, 0, 0));
	fd = ahead_own(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return SHIM_OFF_ENGINE; /* without /proc the process cannot be judged */
	while ((n = ahead_own(SYS_read, (uint64_t)fd, (uint64_t)(buffer + have), sizeof(buffer) - 1 - have, 0)) > 0) {
		char *line = buffer, *end = buffer + have + n;

		for (char *p = buffer + have; p < end; p++) {
			if (*p != '\n')
				continue;
			*p = 0;
			take_line(line);
			line = p + 1;
		}
		have = (unsigned int)(end - line);
		if (have >= sizeof(buffer) - 1)
			break; /* a line longer than the buffer: the rest stays unknown */
		for (unsigned int i = 0; i < have; i++)
			((volatile char *)buffer)[i] = line[i];
	}
	ahead_own(SYS_close, (uint64_t)fd, 0, 0, 0);
	return ahead.q.stack_high ? SHIM_ON : SHIM_OFF_ENGINE;
}

void memory_after(const struct shim_call *c)
{
	uint64_t low = c->arg[0], high = PAGE_UP(c->arg[0] + c->arg[1]);

	switch (c->nr) {
	case SYS_brk:
		/* Only what came or went: pages below may have been protected since. */
		high = PAGE_UP((uint64_t)c->result);
		if (high > heap_end)
			range_add(heap_end, high, 1);
		else
			range_remove(high, heap_end);
		heap_end = high;
		break;
	case SYS_mmap:
		if (c->result < 0 && c->result >= -4095)
			break;
		low = (uint64_t)c->result;
		high = PAGE_UP(low + c->arg[1]);
		range_remove(low, high);
		if ((c->arg[3] & MAP_ANONYMOUS) && (c->arg[3] & 15) == MAP_PRIVATE && (c->arg[2] & PROT_READ) &&
		    !(c->arg[3] & (MAP_GROWSDOWN | MAP_HUGETLB)))
			range_add(low, high, (c->arg[2] & PROT_WRITE) != 0);
		break;
	case SYS_munmap:
	case SYS_mprotect: /* also when it failed: it may have done a part */
		range_remove(low, high);
		break;
	case SYS_mremap:
		range_remove(low, high);
		if (!(c->result < 0 && c->result >= -4095))
			range_remove((uint64_t)c->result, PAGE_UP((uint64_t)c->result + c->arg[2]));
		break;
	case SYS_madvise:
		if (c->arg[2] > MADV_WILLNEED && c->arg[2] != MADV_DONTNEED && c->arg[2] != MADV_FREE &&
		    c->arg[2] != MADV_HUGEPAGE && c->arg[2] != MADV_NOHUGEPAGE)
			range_remove(low, high);
		break;
	default: /* remap_file_pages, shmdt ...: whatever touches mappings and is not followed */
		range_remove(0, ~0ull);
	}
}

void memory_child(const struct shim_call *c)
{
	if (ahead.off)
		return;
	switch (c->nr) {
	case SYS_brk: /* only downwards is anything lost; 0 asks */
		if (c->arg[0] && c->arg[0] < heap_end)
			range_remove(c->arg[0] & ~4095ull, heap_end);
		break;
	case SYS_mmap:
		if (c->arg[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE))
			range_remove(c->arg[0], PAGE_UP(c->arg[0] + c->arg[1]));
		break;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise:
		range_remove(c->arg[0], PAGE_UP(c->arg[0] + c->arg[1]));
		break;
	case SYS_mremap:
	case SYS_remap_file_pages:
	case SYS_pkey_mprotect:
	case SYS_shmat:
	case SYS_shmdt:
		range_remove(0, ~0ull);
	}
}

static const struct range *range_of(uint64_t address, uint64_t size)
{
	for (unsigned int i = 0; i < ranges; i++)
		if (address >= range[i].low && address + size <= range[i].high)
			return &range[i];
	return NULL;
}

static bool on_stack(uint64_t address, uint64_t size, uint64_t sp)
{
	/* The page of the stack pointer and all above it are mapped. The stack of a handler, or of a coroutine,
	   lies elsewhere and is found among the ranges. */
	return sp >= ahead.q.stack_low && sp < ahead.q.stack_high && address >= (sp & ~4095ull) &&
	       address + size <= ahead.q.stack_high && address + size >= address;
}

bool memory_writable(uint64_t address, uint64_t size, uint64_t sp)
{
	const struct range *r;

	if (address + size < address)
		return false;
	if (on_stack(address, size, sp) || (address >= ahead.q.write_low && address + size <= ahead.q.write_high))
		return true;
	r = range_of(address, size);
	if (!r || !r->writable)
		return false;
	ahead.q.write_low = r->low;
	ahead.q.write_high = r->high;
	return true;
}

bool memory_constant(uint64_t address)
{
	const struct range *r = range_of(address, 1);

	return r && !r->writable;
}

long memory_string(uint64_t address, uint64_t max, uint64_t sp)
{
	const char *s = (const char *)address;
	const struct range *r;
	uint64_t room = 0;

	if (on_stack(address, 1, sp))
		room = ahead.q.stack_high - address;
	else if (last_read < ranges && address >= range[last_read].low && address < range[last_read].high)
		room = range[last_read].high - address;
	else if ((r = range_of(address, 1)))
		room = r->high - address, last_read = (unsigned int)(r - range);
	if (room > max)
		room = max;
	for (uint64_t i = 0; i < room; i++)
		if (!s[i])
			return (long)i;
	return -1;
}
