// SPDX-License-Identifier: GPL-2.0
/*
 * Does this kernel's struct seccomp_filter begin as kmod/judge.c says (struct filter_start)? By the kernel's
 * own type information, read here in full: it has a hundred thousand types, and bpftool's text of them takes
 * minutes in the guest.
 */
#include "harness.h"

#include <linux/btf.h>
#include <sys/stat.h>

static const char *types, *strings, *types_end;

/* Bytes behind the head of a type; the kernel's Documentation/bpf/btf.rst. */
static size_t behind(const struct btf_type *type)
{
	unsigned int n = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO:
		return n * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return n * 12;
	}
	return 0;
}

/* Bit at which the member of that struct lies. */
static long place_of(const char *structure, const char *member)
{
	const struct btf_type *type;

	for (const char *at = types; at < types_end; at += sizeof(*type) + behind(type)) {
		type = (const struct btf_type *)at;
		if (BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT ||
		    strcmp(strings + type->name_off, structure))
			continue;
		const struct btf_member *m = (const struct btf_member *)(type + 1);

		for (unsigned int i = 0; i < BTF_INFO_VLEN(type->info); i++)
			if (!strcmp(strings + m[i].name_off, member))
				return BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(m[i].offset)
								  : m[i].offset;
	}
	return -1;
}

int main(void)
{
	const struct btf_header *head;
	size_t have = 0, room = 64 << 20;
	char *all = malloc(room);
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	CHECK(fd >= 0 && all);
	while ((n = read(fd, all + have, room - have)) > 0)
		have += n;
	head = (const struct btf_header *)all;
	CHECK(have > sizeof(*head) && head->magic == BTF_MAGIC);
	types = all + head->hdr_len + head->type_off;
	types_end = types + head->type_len;
	strings = all + head->hdr_len + head->str_off;
	CHECK_EQ(place_of("seccomp_filter", "refs"), 0);
	CHECK_EQ(place_of("seccomp_filter", "users"), 32);
	CHECK_EQ(place_of("seccomp_filter", "log"), 64);
	CHECK_EQ(place_of("seccomp_filter", "wait_killable_recv"), 72);
	CHECK_EQ(place_of("seccomp_filter", "cache"), 128);
	CHECK_EQ(place_of("action_cache", "allow_native"), 0);
	return 0;
}
