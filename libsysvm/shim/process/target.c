// SPDX-License-Identifier: MIT
/*
 * Can the shim be loaded into the program that execve is about to run? If not, our variables must not be
 * there: ld.so would complain on the program's standard error, or the program would show them.
 *
 * Yes for a 64-bit x86 program whose interpreter is glibc's, without setuid, setgid or file capabilities,
 * that does not load a sanitizer first. A script's interpreter is checked in its place. On any doubt: no.
 * Everything that is read lies in the workspace (exec.h).
 * Tested by tests/shim/entry (static, setuid, 32-bit, script, chroot, sanitizer).
 */
#include <fcntl.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/process/objects.h"
#include "libsysvm/shim/process/process.h"
#include "libsysvm/shim/process/exec.h"

#define LOADER "/lib64/ld-linux-x86-64.so.2"

static bool read_at(long fd, void *to, uint64_t n, uint64_t offset)
{
	return own4(SYS_pread64, fd, to, n, offset) == (long)n;
}

static bool is_sanitizer(const char *name) /* 8 bytes */
{
	static const char names[][8] = { "libasan", "libtsan", "liblsan", "libhwas", "libmsan" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bytes_equal(name, names[i], 7))
			return true;
	return false;
}

__attribute__((noinline)) static bool loads_sanitizer(struct exec_work *w, long fd)
{
	uint64_t strtab = 0, at = w->dynamic.p_offset, entries = w->dynamic.p_filesz / sizeof(w->dyn);

	if (entries > 256)
		return true; /* doubt */
	for (uint64_t i = 0; i < entries; i++) {
		if (!read_at(fd, &w->dyn, sizeof(w->dyn), at + i * sizeof(w->dyn)))
			return true;
		if (w->dyn.d_tag == DT_NULL)
			break;
		if (w->dyn.d_tag == DT_STRTAB)
			strtab = w->dyn.d_un.d_ptr;
	}
	for (unsigned int i = 0; i < w->head.eh.e_phnum; i++) { /* address to file offset */
		if (!read_at(fd, &w->ph, sizeof(w->ph), w->head.eh.e_phoff + i * sizeof(w->ph)))
			return true;
		if (w->ph.p_type == PT_LOAD && strtab >= w->ph.p_vaddr &&
		    strtab - w->ph.p_vaddr < w->ph.p_filesz) {
			strtab = strtab - w->ph.p_vaddr + w->ph.p_offset;
			break;
		}
	}
	for (uint64_t i = 0; i < entries; i++) {
		if (!read_at(fd, &w->dyn, sizeof(w->dyn), at + i * sizeof(w->dyn)))
			return true;
		if (w->dyn.d_tag != DT_NEEDED) /* the linker puts them first */
			break;
		if (!read_at(fd, w->interpreter, 8, strtab + w->dyn.d_un.d_val) ||
		    is_sanitizer(w->interpreter))
			return true;
	}
	return false;
}

__attribute__((noinline)) static bool elf_takes_us(struct exec_work *w, long fd)
{
	const Elf64_Ehdr *eh = &w->head.eh;
	bool loader = false;

	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_X86_64 ||
	    eh->e_phentsize != sizeof(w->ph) || eh->e_phnum > 64)
		return false;
	w->dynamic.p_filesz = 0;
	for (unsigned int i = 0; i < eh->e_phnum; i++) {
		if (!read_at(fd, &w->ph, sizeof(w->ph), eh->e_phoff + i * sizeof(w->ph)))
			return false;
		if (w->ph.p_type == PT_DYNAMIC)
			bytes_copy(&w->dynamic, &w->ph, sizeof(w->ph));
		if (w->ph.p_type == PT_INTERP)
			loader = w->ph.p_filesz == sizeof(LOADER) &&
				 read_at(fd, w->interpreter, sizeof(LOADER), w->ph.p_offset) &&
				 bytes_equal(w->interpreter, LOADER, sizeof(LOADER));
	}
	return loader && w->dynamic.p_filesz;
}

/* The interpreter of a "#!" line; false: there is none, or the line is too long. */
static bool script_interpreter(struct exec_work *w, unsigned int n)
{
	const char *line = w->head.line;
	unsigned int from = 2, to;

	while (from < n && (line[from] == ' ' || line[from] == '\t'))
		from++;
	for (to = from; to < n && line[to] != ' ' && line[to] != '\t' && line[to] != '\n' && line[to]; to++)
		w->interpreter[to - from] = line[to];
	if (to == n || to == from)
		return false;
	w->interpreter[to - from] = 0;
	return true;
}

/* One file: yes, no, or it is a script, whose interpreter is in the workspace. */
enum target { NO, YES, SCRIPT };

static enum target check(struct exec_work *w, int dirfd, const char *path, int flags)
{
	const struct sysvm_object *known;
	enum target answer = NO;
	long fd, n;

	/* The kernel follows the application's pointers here, and returns EFAULT if it must. */
	if (own4(SYS_newfstatat, dirfd, path, &w->st, flags) != 0 || !S_ISREG(w->st.st_mode) ||
	    w->st.st_mode & (S_ISUID | S_ISGID))
		return NO;
	known = objects_by_stat(&w->st);
	if (known && known->takes_shim && dirfd == AT_FDCWD) /* analysed; but capabilities may be new */
		return own4(SYS_getxattr, path, "security.capability", 0, 0) < 0 ? YES : NO;
	fd = own4(SYS_openat, dirfd, path,
		  O_RDONLY | O_CLOEXEC | O_NONBLOCK | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
	if (fd < 0)
		return NO;
	n = own4(SYS_pread64, fd, &w->head, sizeof(w->head), 0);
	if (n >= (long)sizeof(w->head.eh) && bytes_equal(w->head.eh.e_ident, ELFMAG, SELFMAG)) {
		if (own4(SYS_fgetxattr, fd, "security.capability", 0, 0) < 0 && elf_takes_us(w, fd) &&
		    !loads_sanitizer(w, fd))
			answer = YES;
	} else if (n > 2 && w->head.line[0] == '#' && w->head.line[1] == '!' &&
		   script_interpreter(w, (unsigned int)n)) {
		answer = SCRIPT;
	}
	own1(SYS_close, fd);
	return answer;
}

__attribute__((noinline)) bool target_takes_us(struct exec_work *w, int dirfd, const char *path, int flags)
{
	enum target answer;

	if (flags & AT_EMPTY_PATH)
		return false; /* fexecve of a nameless file */
	answer = check(w, dirfd, path, flags);
	for (unsigned int depth = 0; answer == SCRIPT && depth < 4; depth++)
		answer = check(w, AT_FDCWD, w->interpreter, 0);
	return answer == YES;
}
