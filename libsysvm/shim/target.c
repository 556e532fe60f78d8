// SPDX-License-Identifier: MIT
/*
 * Can the shim be loaded into the program that execve is about to run? If not, our variables must not be there: ld.so
 * would complain on the program's standard error, or the program would show them.
 *
 * Yes for a 64-bit x86 program whose interpreter is glibc's, without setuid, setgid or file capabilities, that does
 * not load a sanitizer first, when our library and bundle are where they were, seen from this root. A script's
 * interpreter is looked at in its place. On any doubt: no.
 * Tested by tests/shim/entry (static, setuid, 32-bit, script, chroot, sanitizer).
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "libsysvm/shim/bytes.h"
#include "libsysvm/shim/entry.h"

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

static bool loads_sanitizer(long fd, const Elf64_Ehdr *eh, const Elf64_Phdr *dynamic)
{
	Elf64_Dyn d;
	Elf64_Phdr ph;
	uint64_t strtab = 0, entries = dynamic->p_filesz / sizeof(d);
	char name[8];

	if (entries > 256)
		return true; /* doubt */
	for (uint64_t i = 0; i < entries; i++) {
		if (!read_at(fd, &d, sizeof(d), dynamic->p_offset + i * sizeof(d)))
			return true;
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_STRTAB)
			strtab = d.d_un.d_ptr;
	}
	for (unsigned int i = 0; i < eh->e_phnum; i++) { /* address to file offset */
		if (!read_at(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)))
			return true;
		if (ph.p_type == PT_LOAD && strtab >= ph.p_vaddr && strtab - ph.p_vaddr < ph.p_filesz) {
			strtab = strtab - ph.p_vaddr + ph.p_offset;
			break;
		}
	}
	for (uint64_t i = 0; i < entries; i++) {
		if (!read_at(fd, &d, sizeof(d), dynamic->p_offset + i * sizeof(d)))
			return true;
		if (d.d_tag != DT_NEEDED) /* the linker puts them first */
			break;
		if (!read_at(fd, name, sizeof(name), strtab + d.d_un.d_val) || is_sanitizer(name))
			return true;
	}
	return false;
}

static bool elf_takes_us(long fd, const Elf64_Ehdr *eh)
{
	Elf64_Phdr ph, dynamic = { 0 };
	bool loader = false;
	char name[sizeof(LOADER)];

	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_X86_64 || eh->e_phentsize != sizeof(ph) ||
	    eh->e_phnum > 64)
		return false;
	for (unsigned int i = 0; i < eh->e_phnum; i++) {
		if (!read_at(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)))
			return false;
		if (ph.p_type == PT_DYNAMIC)
			dynamic = ph;
		if (ph.p_type == PT_INTERP)
			loader = ph.p_filesz == sizeof(name) && read_at(fd, name, sizeof(name), ph.p_offset) &&
				 bytes_equal(name, LOADER, sizeof(name));
	}
	return loader && dynamic.p_filesz && !loads_sanitizer(fd, eh, &dynamic);
}

/* The interpreter of a "#!" line, cut out in place; 0: there is none. */
static char *script_interpreter(char *line, unsigned int n)
{
	unsigned int from = 2, to;

	while (from < n && (line[from] == ' ' || line[from] == '\t'))
		from++;
	for (to = from; to < n && line[to] != ' ' && line[to] != '\t' && line[to] != '\n' && line[to]; to++)
		;
	if (to == n || to == from)
		return 0;
	line[to] = 0;
	return line + from;
}

static bool file_takes_us(int dirfd, const char *path, int flags, int depth)
{
	union {
		Elf64_Ehdr eh;
		char line[128];
	} head;
	const struct sysvm_object *known;
	struct stat st;
	bool yes = false;
	char *interpreter;
	long fd, n;

	/* The kernel follows the application's pointers here, and says EFAULT if it must. */
	if (own4(SYS_newfstatat, dirfd, path, &st, flags) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_mode & (S_ISUID | S_ISGID))
		return false;
	if (flags & AT_EMPTY_PATH)
		return false; /* fexecve of a nameless file */
	known = objects_by_stat(&st);
	if (known && known->takes_shim) /* the analyser has looked at it; capabilities may have come since */
		return own4(SYS_getxattr, path, "security.capability", 0, 0) < 0 && dirfd == AT_FDCWD;
	fd = own4(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
	if (fd < 0)
		return false;
	n = own4(SYS_pread64, fd, &head, sizeof(head), 0);
	if (n >= (long)sizeof(head.eh) && bytes_equal(head.eh.e_ident, ELFMAG, SELFMAG)) {
		yes = own4(SYS_fgetxattr, fd, "security.capability", 0, 0) < 0 && elf_takes_us(fd, &head.eh);
	} else if (n > 2 && head.line[0] == '#' && head.line[1] == '!' && depth < 4) {
		interpreter = script_interpreter(head.line, (unsigned int)n);
		yes = interpreter && file_takes_us(AT_FDCWD, interpreter, 0, depth + 1);
	}
	own1(SYS_close, fd);
	return yes;
}

static bool readable_here(const char *path, const struct sysvm_identity *identity)
{
	struct stat st;
	long fd = own3(SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
	bool same;

	if (fd < 0)
		return false;
	same = own2(SYS_fstat, fd, &st) == 0 && (!identity || (st.st_dev == identity->dev && st.st_ino == identity->ino));
	own1(SYS_close, fd);
	return same;
}

bool target_takes_us(int dirfd, const char *path, int flags)
{
	return file_takes_us(dirfd, path, flags, 0) &&
	       (!entry.moved || (readable_here(entry.bundle->library_path, &entry.library) &&
				 readable_here(entry.bundle->bundle_path, 0)));
}
