// SPDX-License-Identifier: MIT
/*
 * Which memory of the application may be touched.
 *
 * For a bad buffer the kernel returns EFAULT; a copy in user space would die of SIGSEGV (or of SIGBUS, on a
 * mapped file that was truncated). So the shim copies only to and from memory that it knows to be mapped:
 * private anonymous mappings, the heap, the stack above the stack pointer, and the segments of the objects
 * that the process started with. Mappings change only by calls that the shim sees. What it cannot follow is
 * removed from the table, and for an address that is not in the table the plain call is made.
 *
 * Tested by tests/shim/hazards (half-mapped buffer, truncated mapping, bad path pointer).
 */
#include "libsysvm/shim/known/memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/maps.h"

#define STACK_GROWTH (8ull << 20)
#define PAGE_UP(x) (((x) + 4095) & ~4095ull)

#define RANGES 192
struct range {
	uint64_t low, high;
	uint32_t writable;
};
static struct range range[RANGES];
static unsigned int ranges;
static unsigned int last_read; /* the range that answered last; for writing: quick.write_low and write_high */
static bool constants_gone; /* a mapping that was not writable has changed: memory_after reports it */
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
	quick.write_low = quick.write_high = 0;
	if (high > quick.stack_low && low < quick.stack_high)
		quick.stack_high = 0; /* someone changes the stack's mapping: it is not known any more */
	for (unsigned int i = 0; i < ranges;) {
		struct range r = range[i];

		if (r.high <= low || r.low >= high) {
			i++;
			continue;
		}
		constants_gone |= !r.writable;
		range[i] = range[--ranges];
		if (r.low < low && ranges < RANGES)
			range[ranges++] = (struct range){ r.low, low, r.writable };
		if (r.high > high && ranges < RANGES)
			range[ranges++] = (struct range){ high, r.high, r.writable };
		i = 0; /* pieces never overlap [low, high), so this ends */
	}
}

/* At start-up every file mapping is a segment of an object that the process cannot live without. */
static int visit(const struct map_line *l)
{
	if (l->path[0] == '[' && l->path[1] == 's') { /* [stack]: grows, and is known by the stack pointer */
		quick.stack_low = l->low - STACK_GROWTH;
		quick.stack_high = l->high;
		return 0;
	}
	if (bytes_same_text(l->path, "[vvar]"))
		clock_find(l->low);
	if (l->path[0] == '[' && l->path[1] != 'h' && l->path[1] != 'a') /* vdso, vvar: special pages */
		return 0;
	if (l->readable && !l->shared)
		range_add(l->low, l->high, l->writable);
	return 0;
}

static bool take_constants_gone(void)
{
	bool gone = constants_gone;

	constants_gone = false;
	return gone;
}

int memory_reset(void)
{
	ranges = 0;
	quick.stack_low = quick.stack_high = quick.write_low = quick.write_high = 0;
	heap_end = PAGE_UP((uint64_t)own_call(SYS_brk, 0, 0, 0, 0));
	(void)maps_read(visit); /* what it could not read stays unknown; without /proc there is no stack */
	return quick.stack_high ? SHIM_ON : SHIM_OFF_ENGINE;
}

bool memory_after(const struct shim_call *c)
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
		if ((c->arg[3] & MAP_ANONYMOUS) && (c->arg[3] & 15) == MAP_PRIVATE &&
		    (c->arg[2] & PROT_READ) && !(c->arg[3] & (MAP_GROWSDOWN | MAP_HUGETLB)))
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
	default: /* remap_file_pages, shmdt ...: calls that touch mappings and are not followed */
		range_remove(0, ~0ull);
	}
	return take_constants_gone();
}

bool memory_child(const struct shim_call *c)
{
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
	return take_constants_gone();
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
	/* The page of the stack pointer and all above it are mapped. The stack of a handler, or of a
	   coroutine, lies elsewhere and is found among the ranges. */
	return sp >= quick.stack_low && sp < quick.stack_high && address >= (sp & ~4095ull) &&
	       address + size <= quick.stack_high && address + size >= address;
}

bool memory_writable(uint64_t address, uint64_t size, uint64_t sp)
{
	const struct range *r;

	if (address + size < address)
		return false;
	if (on_stack(address, size, sp) || (address >= quick.write_low && address + size <= quick.write_high))
		return true;
	r = range_of(address, size);
	if (!r || !r->writable)
		return false;
	quick.write_low = r->low;
	quick.write_high = r->high;
	return true;
}

bool memory_constant(uint64_t address)
{
	const struct range *r = range_of(address, 1);

	return r && !r->writable;
}

uint64_t memory_room(uint64_t address, uint64_t sp)
{
	const struct range *r;

	if (on_stack(address, 1, sp))
		return quick.stack_high - address;
	if (last_read < ranges && address >= range[last_read].low && address < range[last_read].high)
		return range[last_read].high - address;
	r = range_of(address, 1);
	if (!r)
		return 0;
	last_read = (unsigned int)(r - range);
	return r->high - address;
}

long memory_string(uint64_t address, uint64_t max, uint64_t sp)
{
	uint64_t room = memory_room(address, sp), length;

	if (room > max)
		room = max;
	length = bytes_length((const void *)address, room);
	return length < room ? (long)length : -1;
}
