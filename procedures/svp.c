// SPDX-License-Identifier: MIT
/*
 * Reading a procedure file (svp.h, docs/svp-format.md). The file is hostile: it may come from another user,
 * another version, a broken disk. Nothing of it is used before it was checked, and every byte is checked:
 * what no structure covers is padding, and padding is zero.
 *
 * In order: the header, the section table, each section's checksum and the gaps between (here), then the
 * tables' contents, with each code last (svp_contents.c), and the lists (svp_lists.c). The first thing that
 * is wrong is named. What a procedure promises the application (which followers may be run ahead of which
 * trigger) is the system call table's word, so it is checked too; whether it holds at run time is the shim's
 * business.
 *
 * No allocation, no call, no state; 2 KiB of stack for the verifier's bitmap. Tested by
 * tests/libsysvm/svp_test.cc.
 */
#include "procedures/svp.h"

#include "procedures/raw_bytes.h"
#include "procedures/svp_checker.h"

uint64_t svp_checksum(const void *bytes, size_t size, uint64_t start)
{
	const unsigned char *p = bytes;
	uint64_t h = start;

	while (size--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

const char *svp_mode_name(uint32_t mode)
{
	static const char *const names[] = {"?",	  "?",	   "run_ahead", "answer",
					    "late_close", "defer", "prefetch"};

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "?";
}

static int check_header(struct checker *c)
{
	const struct svp_header *h = (const struct svp_header *)c->base;
	struct svp_header copy;
	uint64_t sum, table;

	if ((uintptr_t)c->base % 8)
		return refuse(c, "the file is mapped at an odd address, expected a multiple of 8");
	if (c->size >= 8 && raw_equal(c->base, "SYSVMTRC", 8))
		return refuse(c, "a trace; expected a procedure file, as 'sysvm compile' makes one of it");
	if (c->size < sizeof(*h))
		return refuse_number(c, "no procedure file: ", c->size, " bytes, expected a header of ",
				     sizeof(*h));
	if (c->size > SVP_FILE_MAX)
		return refuse_number(c, "size ", c->size, ", expected at most ", SVP_FILE_MAX);
	if (!raw_equal(h->magic, SVP_MAGIC, sizeof(h->magic)))
		return refuse(c, "no procedure file: expected \"" SVP_MAGIC "\" at byte 0");
	if (h->version != SVP_VERSION) {
		put(c, h->version < SVP_VERSION ? "of an older sysvm (compile it anew): "
						: "of a newer sysvm: ");
		return refuse_number(c, "format version ", h->version, ", expected ", SVP_VERSION);
	}
	if (h->abi != SYSVM_ABI_VERSION) {
		put(c, h->abi < SYSVM_ABI_VERSION ? "of an older sysvm (compile it anew): "
						  : "of a newer sysvm: ");
		return refuse_number(c, "made for ABI version ", h->abi, ", expected ", SYSVM_ABI_VERSION);
	}
	if (h->file_size != c->size)
		return refuse_number(c, "the header says ", h->file_size, " bytes, the file has ", c->size);
	table = (uint64_t)h->sections * sizeof(struct svp_section);
	if (table > c->size - sizeof(*h))
		return refuse_number(c, "section table of ", h->sections, " entries does not fit a file of ",
				     c->size);
	raw_copy(&copy, h, sizeof(copy));
	copy.checksum = 0;
	sum = svp_checksum(&copy, sizeof(copy), SVP_CHECKSUM_START);
	sum = svp_checksum(c->base + sizeof(*h), table, sum);
	if (sum != h->checksum)
		return refuse(c, "header: wrong checksum");
	if (h->reserved)
		return refuse(c, "header: reserved field is not 0");
	return 0;
}

static int refuse_section(struct checker *c, const struct svp_section *s, const char *what)
{
	static const char *const names[] = {"?",        "strings",   "code",  "data", "procs",
					    "triggers", "followers", "notes", "loops",
					    "lists",    "items",     "paths"};

	put(c, "section ");
	if (s->kind && s->kind < sizeof(names) / sizeof(names[0]))
		put(c, names[s->kind]);
	else
		sysvm_text_uint(&c->message, s->kind);
	put(c, ": ");
	return refuse(c, what);
}

static uint64_t align8(uint64_t n)
{
	return (n + 7) & ~7ull;
}

/* Bytes that belong to nobody. */
static int check_gap(struct checker *c, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		if (c->base[from])
			return refuse_number(c, "byte ", from, " is padding, expected ", 0);
	return 0;
}

/* A table of n-byte rows: where it is and how many. */
static int take_table(struct checker *c, const struct svp_section *s, size_t row, uint32_t *count)
{
	if (s->size % row) {
		refuse_section(c, s, "");
		return refuse_number(c, "size ", s->size, ", expected a multiple of ", row);
	}
	*count = s->size / row;
	return 0;
}

static int take_section(struct checker *c, const struct svp_section *s)
{
	const unsigned char *p = c->base + s->offset;
	struct svp *out = c->out;

	switch (s->kind) {
	case SVP_STRINGS:
		if (!s->size || p[0] || p[s->size - 1])
			return refuse_section(c, s, "expected a 0 at its start and at its end");
		out->strings = (const char *)p;
		out->strings_size = s->size;
		return 0;
	case SVP_CODE:
		out->code = p;
		out->code_size = s->size;
		return 0;
	case SVP_DATA:
		out->data = p;
		out->data_size = s->size;
		return 0;
	case SVP_PROCS:
		out->procs = (const struct svp_proc *)p;
		return take_table(c, s, sizeof(struct svp_proc), &out->nprocs);
	case SVP_TRIGGERS:
		out->triggers = (const struct svp_trigger *)p;
		return take_table(c, s, sizeof(struct svp_trigger), &out->ntriggers);
	case SVP_FOLLOWERS:
		out->followers = (const struct svp_follower *)p;
		return take_table(c, s, sizeof(struct svp_follower), &out->nfollowers);
	case SVP_LOOPS:
		out->loops = (const struct svp_loop *)p;
		return take_table(c, s, sizeof(struct svp_loop), &out->nloops);
	case SVP_NOTES:
		out->notes = (const char *)p;
		out->notes_size = s->size;
		return 0;
	default:
		return 0; /* of a later version */
	}
}

static int check_sections(struct checker *c)
{
	const struct svp_header *h = (const struct svp_header *)c->base;
	const struct svp_section *table = (const struct svp_section *)(h + 1);
	uint64_t end = sizeof(*h) + (uint64_t)h->sections * sizeof(*table);
	uint32_t i, j;
	int err;

	if (h->sections > 64)
		return refuse_number(c, "sections: ", h->sections, ", expected at most ", 64);
	for (i = 0; i < h->sections; i++) {
		const struct svp_section *s = &table[i];

		for (j = 0; j < i; j++)
			if (table[j].kind == s->kind)
				return refuse_section(c, s, "occurs twice");
		if (s->reserved)
			return refuse_section(c, s, "reserved field is not 0");
		if (s->offset != align8(end)) {
			refuse_section(c, s, "");
			return refuse_number(c, "offset ", s->offset, ", expected ", align8(end));
		}
		if (s->offset > c->size || s->size > c->size - s->offset)
			return refuse_section(c, s, "reaches past the end of the file");
		err = check_gap(c, end, s->offset);
		if (err)
			return err;
		if (svp_checksum(c->base + s->offset, s->size, SVP_CHECKSUM_START) != s->checksum)
			return refuse_section(c, s, "wrong checksum");
		err = take_section(c, s);
		if (err)
			return err;
		end = s->offset + s->size;
	}
	if (c->size > align8(end))
		return refuse_number(c, "the sections end at ", end, ", the file at ", c->size);
	return check_gap(c, end, c->size);
}

int svp_check(const void *base, size_t size, struct svp *out, char *message, size_t message_size)
{
	struct checker c = {base, size, out, sysvm_text_start(message, message_size), 0};
	int err;

	raw_zero(out, sizeof(*out));
	out->base = base;
	err = check_header(&c);
	err = err ? err : check_sections(&c);
	err = err ? err : svp_check_contents(&c);
	err = err ? err : svp_check_lists(&c);
	if (err)
		raw_zero(out, sizeof(*out));
	return err;
}
