// SPDX-License-Identifier: MIT
/*
 * Where `environ` is and what the auxiliary vector says, read from memory. The C library's functions for such
 * things (getauxval, dl_iterate_phdr) and even its variables are names that any other library may define too:
 * fakechroot's dl_iterate_phdr crashes when it is called before its own constructor. So the shim imports no
 * name at all.
 *
 * The kernel puts the auxiliary vector after the environment. The vector names the executable's program
 * headers; the executable's DT_DEBUG points to the loader's list of objects (made for debuggers, and an ABI:
 * <link.h>); and they are searched for the variable as the loader did. Runs in the constructor, with one
 * thread.
 *
 * Tested by tests/shim/entry (around.py: imports nothing; a library that interposes; the environment).
 */
#include "libsysvm/shim/process/linkmap.h"

#include <elf.h>
#include <link.h>

#include "libsysvm/shim/base/bytes.h"

static const Elf64_auxv_t *auxv;
static const struct link_map *first;

/* The kernel writes AT_PHDR, AT_PHENT and AT_PHNUM one after the other, and no pointer of an environment is
   as small as these. A library before us may have taken variables out: more words may lie between the
   environment and the vector. */
static const Elf64_auxv_t *find_auxv(char **argv, char **envp)
{
	const uint64_t *w = (const uint64_t *)envp, *strings = (const uint64_t *)argv[0];

	if (!strings || strings <= w)
		return 0; /* the strings lie above, and nothing is searched beyond them */
	for (; w + 6 <= strings; w++)
		if (w[0] == AT_PHDR && w[2] == AT_PHENT && w[3] == sizeof(Elf64_Phdr) && w[4] == AT_PHNUM)
			break;
	if (w + 6 > strings)
		return 0;
	while (w - 2 > (const uint64_t *)envp && w[-2] > AT_IGNORE && w[-2] < 4096)
		w -= 2;
	return (const Elf64_auxv_t *)w;
}

uint64_t linkmap_auxv(uint64_t type)
{
	for (const Elf64_auxv_t *a = auxv; a && a->a_type != AT_NULL; a++)
		if (a->a_type == type)
			return a->a_un.a_val;
	return 0;
}

static bool executable_bias(const Elf64_Phdr *ph, uint64_t n, uint64_t *bias)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)ph - 1; /* in the same page */

	for (uint64_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_PHDR) {
			*bias = (uint64_t)ph - ph[i].p_vaddr;
			return true;
		}
	if ((uint64_t)ph % 4096 != sizeof(*eh) || !bytes_equal(eh->e_ident, ELFMAG, SELFMAG))
		return false;
	*bias = linkmap_auxv(AT_ENTRY) - eh->e_entry;
	return true;
}

bool linkmap_init(char **argv, char **envp)
{
	const Elf64_Phdr *ph;
	uint64_t n, bias;

	if (!argv || !envp)
		return false;
	auxv = find_auxv(argv, envp);
	ph = (const Elf64_Phdr *)linkmap_auxv(AT_PHDR);
	n = linkmap_auxv(AT_PHNUM);
	if (!ph || !executable_bias(ph, n, &bias))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		const Elf64_Dyn *d = (const Elf64_Dyn *)(bias + ph[i].p_vaddr);

		if (ph[i].p_type != PT_DYNAMIC)
			continue;
		for (; d->d_tag != DT_NULL; d++)
			if (d->d_tag == DT_DEBUG && d->d_un.d_ptr)
				first = ((const struct r_debug *)d->d_un.d_ptr)->r_map;
	}
	return first != 0;
}

/* The loader has added the load address to the tables' addresses, unless it could not write there (the vDSO).
   */
static uint64_t table(const struct link_map *l, int64_t tag)
{
	for (const Elf64_Dyn *d = l->l_ld; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == tag)
			return d->d_un.d_ptr >= l->l_addr ? d->d_un.d_ptr : d->d_un.d_ptr + l->l_addr;
	return 0;
}

/* --- symbols -------------------------------------------------------------------------------------------- */

static void *defined(const struct link_map *l, const Elf64_Sym *s, const char *strings, const char *name)
{
	if (s->st_shndx == SHN_UNDEF || !s->st_value || ELF64_ST_TYPE(s->st_info) != STT_OBJECT ||
	    !bytes_same_text(strings + s->st_name, name))
		return 0;
	return (void *)(l->l_addr + s->st_value);
}

static void *look_up(const struct link_map *l, const char *name)
{
	const Elf64_Sym *symbols = (const Elf64_Sym *)table(l, DT_SYMTAB);
	const char *strings = (const char *)table(l, DT_STRTAB);
	const uint32_t *gnu = (const uint32_t *)table(l, DT_GNU_HASH),
		       *sysv = (const uint32_t *)table(l, DT_HASH);
	uint32_t hash = 5381, i;
	void *found = 0;

	if (!symbols || !strings)
		return 0;
	if (gnu) { /* buckets, symbols before the first that is hashed, words of the filter, its shift */
		const uint32_t *buckets = gnu + 4 + 2 * gnu[2], *chain = buckets + gnu[0];

		for (const char *c = name; *c; c++)
			hash = hash * 33 + (unsigned char)*c;
		i = gnu[0] ? buckets[hash % gnu[0]] : 0;
		if (i < gnu[1])
			return 0;
		do
			if ((chain[i - gnu[1]] | 1) == (hash | 1))
				found = defined(l, &symbols[i], strings, name);
		while (!found && !(chain[i++ - gnu[1]] & 1));
		return found;
	}
	for (i = 0; sysv && !found && i < sysv[1]; i++)
		found = defined(l, &symbols[i], strings, name);
	return found;
}

/* As the loader binds it: the first definition counts, and an executable that uses the name may have a copy.
   */
char ***linkmap_environ(void)
{
	for (const struct link_map *l = first; l; l = l->l_next) {
		char ***found = look_up(l, "__environ");

		if (found)
			return found;
	}
	return 0;
}
