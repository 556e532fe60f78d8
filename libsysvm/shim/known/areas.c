// SPDX-License-Identifier: MIT
/* Memory for the application's data (areas.h). Tested by tests/shim/hazards (secret). */
#include "libsysvm/shim/known/areas.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/count.h"

#define AREAS_BYTES (STAGING_BYTES + 4096 + KEPT_BYTES)

struct areas areas;

/* The first `secret` bytes are kept out of cores and children. */
static unsigned char *map(size_t size, size_t secret)
{
	long p = own_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);

	if (raw_failed(p))
		return NULL;
	own_call(SYS_madvise, (uint64_t)p, secret, MADV_DONTDUMP, 0);
	own_call(SYS_madvise, (uint64_t)p, secret, MADV_WIPEONFORK, 0);
	return (unsigned char *)p;
}

void *areas_map(size_t size)
{
	return map(size, size);
}

void *areas_init(size_t more)
{
	unsigned char *memory = map(AREAS_BYTES + ((more + 4095) & ~4095ull), AREAS_BYTES);

	if (!memory)
		return NULL;
	areas.staging = memory;
	areas.path = (char *)memory + STAGING_BYTES;
	areas.kept = (char *)memory + STAGING_BYTES + 4096;
	return memory + AREAS_BYTES;
}
