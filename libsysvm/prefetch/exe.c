// SPDX-License-Identifier: MIT
/*
 * The executable is being executed, so what is read of it here lies in memory. The file may be anything:
 * everything it says about itself is bounded.
 */
#define _GNU_SOURCE
#include "exe.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOTES_MAX 4096
#define SEGMENTS_MAX 64

static unsigned int in_notes(const uint8_t *notes, size_t len, uint8_t *id, unsigned int size)
{
	size_t at = 0;

	while (at + sizeof(Elf64_Nhdr) <= len) {
		Elf64_Nhdr n;
		size_t name, text;

		memcpy(&n, notes + at, sizeof(n));
		name = at + sizeof(n);
		if (n.n_namesz > len || n.n_descsz > len)
			return 0;
		text = name + ((n.n_namesz + 3) & ~3u);
		if (text + n.n_descsz > len)
			return 0;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && !memcmp(notes + name, "GNU", 4) &&
		    n.n_descsz <= size) {
			memcpy(id, notes + text, n.n_descsz);
			return n.n_descsz;
		}
		at = text + ((n.n_descsz + 3) & ~3u);
	}
	return 0;
}

unsigned int exe_build_id(int pid, uint8_t *id, unsigned int size)
{
	Elf64_Phdr segments[SEGMENTS_MAX];
	uint8_t notes[NOTES_MAX];
	unsigned int len = 0;
	Elf64_Ehdr head;
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || memcmp(head.e_ident, ELFMAG, SELFMAG) ||
	    head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(Elf64_Phdr))
		head.e_phnum = 0;
	if (head.e_phnum > SEGMENTS_MAX)
		head.e_phnum = SEGMENTS_MAX;
	n = head.e_phnum ? pread(fd, segments, head.e_phnum * sizeof(*segments), (off_t)head.e_phoff) : 0;
	for (ssize_t i = 0; !len && (i + 1) * (ssize_t)sizeof(*segments) <= n; i++) {
		ssize_t got;

		if (segments[i].p_type != PT_NOTE)
			continue;
		got = pread(fd, notes, segments[i].p_filesz < NOTES_MAX ? segments[i].p_filesz : NOTES_MAX,
			    (off_t)segments[i].p_offset);
		len = got > 0 ? in_notes(notes, (size_t)got, id, size) : 0;
	}
	close(fd);
	return len;
}
