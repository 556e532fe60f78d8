// SPDX-License-Identifier: MIT
/*
 * Reading a procedure file (svp.h, docs/svp-format.md). The file is hostile: it may come from another user,
 * another version, a broken disk. Nothing of it is used before it was checked, and every byte is checked:
 * what no structure covers is padding, and padding is zero.
 *
 * In order: the header, the section table, each section's checksum and the gaps between, then the tables'
 * contents, with each code last. The first thing that is wrong is named. What a procedure promises the
 * application (which followers may be run ahead of which trigger) is the system call table's word, so it is
 * checked here too; whether it holds at run time is the shim's business.
 *
 * No allocation, no call, no state; 2 KiB of stack for the verifier's bitmap. Tested by
 * tests/libsysvm/svp_test.cc.
 */
#include "svp.h"

#include <linux/errno.h>

#include "procedures/raw_bytes.h"
#include "uapi/syscalls.h"
#include "vm/text.h"
#include "vm/vm.h"

struct checker {
	const unsigned char *base;
	size_t size;
	struct svp *out;
	struct sysvm_text message;
	uint32_t proc; /* being checked */
};

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
	static const char *const names[] = {"?", "fuse", "run_ahead", "answer", "late_close", "defer"};

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "?";
}

/* --- messages
 * ------------------------------------------------------------------------------------------------- */

static struct sysvm_text *put(struct checker *c, const char *s)
{
	sysvm_text_str(&c->message, s);
	return &c->message;
}

static int refuse(struct checker *c, const char *what)
{
	put(c, what);
	return -EINVAL;
}

/* "what 7, expected at most 5" */
static int refuse_number(struct checker *c, const char *what, uint64_t found, const char *expected,
			 uint64_t number)
{
	sysvm_text_uint(put(c, what), found);
	sysvm_text_uint(put(c, expected), number);
	return -EINVAL;
}

/* "procedure 3 (open-read)" */
static void put_proc(struct checker *c)
{
	sysvm_text_uint(put(c, "procedure "), c->proc);
	put(c, " (");
	put(c, c->out->strings + c->out->procs[c->proc].name);
	put(c, ")");
}

static int refuse_proc(struct checker *c, const char *what)
{
	put_proc(c);
	put(c, ": ");
	return refuse(c, what);
}

/* "procedure 3 (open-read), follower 2: " */
static int refuse_row(struct checker *c, const char *row, uint32_t n, const char *what)
{
	put_proc(c);
	put(c, ", ");
	sysvm_text_uint(put(c, row), n);
	put(c, ": ");
	return refuse(c, what);
}

static int refuse_arg(struct checker *c, const char *row, uint32_t n, uint32_t arg, const char *what)
{
	refuse_row(c, row, n, "argument ");
	sysvm_text_uint(&c->message, arg);
	put(c, ": ");
	return refuse(c, what);
}

/* --- header and sections
 * -------------------------------------------------------------------------------------- */

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
		return refuse_number(c, "no procedure file: ", c->size, " bytes, expected a header of ", sizeof(*h));
	if (c->size > SVP_FILE_MAX)
		return refuse_number(c, "size ", c->size, ", expected at most ", SVP_FILE_MAX);
	if (!raw_equal(h->magic, SVP_MAGIC, sizeof(h->magic)))
		return refuse(c, "no procedure file: expected \"" SVP_MAGIC "\" at byte 0");
	if (h->version != SVP_VERSION) {
		put(c, h->version < SVP_VERSION ? "of an older sysvm (compile it anew): " : "of a newer sysvm: ");
		return refuse_number(c, "format version ", h->version, ", expected ", SVP_VERSION);
	}
	if (h->abi != SYSVM_ABI_VERSION) {
		put(c, h->abi < SYSVM_ABI_VERSION ? "of an older sysvm (compile it anew): " : "of a newer sysvm: ");
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
	static const char *const names[] = {"?",     "strings",	 "code",      "data",
					    "procs", "triggers", "followers", "notes", "loops"};

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

/* --- contents
 * ------------------------------------------------------------------------------------------------- */

static int is_zero(const void *p, size_t n)
{
	const unsigned char *b = p;

	while (n--)
		if (*b++)
			return 0;
	return 1;
}

static int place_is_good(const struct svp_place *place)
{
	uint32_t n = place->build_id_len;

	return n <= SVP_BUILD_ID_MAX && is_zero(place->build_id + n, SVP_BUILD_ID_MAX - n) &&
	       (n || !place->offset);
}

static int is_entry(const struct svp_arg *a)
{
	return a->kind == SVP_ARG_NAME || a->kind == SVP_ARG_UNDER || a->kind == SVP_ARG_ROW;
}

const struct svp_loop *svp_loop_of(const struct svp *svp, uint32_t proc)
{
	for (uint32_t i = 0; i < svp->nloops; i++)
		if (svp->loops[i].proc == proc)
			return &svp->loops[i];
	return NULL;
}

/* Fields that the kind does not use are 0. */
static const char *unused_fields(const struct svp_arg *a)
{
	int uses_reg = a->kind == SVP_ARG_REG || a->kind == SVP_ARG_COUNT || a->kind == SVP_ARG_KEPT;
	int uses_value = a->kind == SVP_ARG_CONST || a->kind == SVP_ARG_MASK || a->kind == SVP_ARG_STRING ||
			 a->kind == SVP_ARG_OUT || a->kind == SVP_ARG_ROW;

	if (a->kind > SVP_ARG_ROW)
		return "unknown kind";
	if (a->reserved || (a->reg && !uses_reg) || (a->value && !uses_value) ||
	    (a->mask && a->kind != SVP_ARG_MASK && a->kind != SVP_ARG_ROW) || (a->size && a->kind != SVP_ARG_OUT))
		return "a field that its kind does not use is not 0";
	return NULL;
}

/* The next name lies behind this one and its 0. */
static int row_is_good(const struct svp_arg *a)
{
	return (a->mask == 0 || a->mask == 7 || a->mask == 15) && a->value > a->mask && a->value <= SVP_ROW_GAP;
}

static int string_is_good(const struct svp *svp, const struct svp_proc *proc, uint64_t offset)
{
	for (; offset < proc->data_size; offset++)
		if (!svp->data[proc->data_offset + offset])
			return 1;
	return 0;
}

static int check_trigger(struct checker *c, const struct svp_proc *proc, uint32_t n)
{
	const struct svp_trigger *t = &c->out->triggers[proc->first_trigger + n];
	const struct sysvm_syscall_info *row = sysvm_syscall_by_nr(t->nr);
	uint32_t i;

	if (!row || row->index < 0)
		return refuse_row(c, "trigger ", n, "a system call that the machine does not make");
	if (proc->mode == SVP_RUN_AHEAD && !(row->flags & SYSVM_FLAG_TRIGGER))
		return refuse_row(c, "trigger ", n, "a system call that may not trigger run-ahead");
	if (t->path_arg > 6 || (t->path_arg < 6 && row->arg[t->path_arg].kind != SYSVM_KIND_PATH))
		return refuse_row(c, "trigger ", n, "path_arg is not the index of a path argument");
	if (t->reserved || (t->streak && t->nr != SYSVM_NR_fcntl))
		return refuse_row(c, "trigger ", n, "a reserved field that is not 0, or a streak of calls other than fcntl");
	if (!place_is_good(&t->site) || !place_is_good(&t->caller))
		return refuse_row(c, "trigger ", n, "a place has a bad build-id");
	for (i = 0; i < 6; i++) {
		const struct svp_arg *a = &t->arg[i];
		const char *wrong = unused_fields(a);

		if (wrong)
			return refuse_arg(c, "trigger ", n, i, wrong);
		if (a->kind > SVP_ARG_MASK && a->kind != SVP_ARG_STRING && !is_entry(a))
			return refuse_arg(c, "trigger ", n, i, "expected any, const, mask, string, name, under or row");
		if (a->kind == SVP_ARG_ROW && !row_is_good(a))
			return refuse_arg(c, "trigger ", n, i, "a row whose names would overlap, or lie too far apart");
		if (is_entry(a) && row->arg[i].kind != SYSVM_KIND_PATH)
			return refuse_arg(c, "trigger ", n, i, "an entry, but the system call takes no path here");
		if (is_entry(a) && !svp_loop_of(c->out, c->proc))
			return refuse_arg(c, "trigger ", n, i, "an entry, but the procedure has no loop");
		if (a->kind == SVP_ARG_STRING && row->arg[i].kind != SYSVM_KIND_PATH)
			return refuse_arg(c, "trigger ", n, i, "a string, but the system call takes no path here");
		if (a->kind == SVP_ARG_STRING && !string_is_good(c->out, proc, a->value))
			return refuse_arg(c, "trigger ", n, i, "its string does not end inside the procedure's data");
		if (a->kind == SVP_ARG_MASK && (a->value & ~a->mask))
			return refuse_arg(c, "trigger ", n, i,
					  "value has bits outside of mask: it never matches");
		if (a->kind != SVP_ARG_ANY && i >= row->nargs)
			return refuse_arg(c, "trigger ", n, i, "the system call does not have it");
	}
	return 0;
}

/* The row of a follower's command if it is an fcntl or ioctl; NULL if it may not be run ahead. */
static const struct sysvm_command_info *command_of(const struct svp_follower *f)
{
	const struct svp_arg *cmd = &f->arg[1];

	if (cmd->kind != SVP_ARG_CONST || cmd->value > UINT32_MAX)
		return NULL;
	return f->nr == SYSVM_NR_fcntl ? sysvm_fcntl_by_cmd(cmd->value) : sysvm_ioctl_by_cmd(cmd->value);
}

/* loop: the one that the follower belongs to, else NULL: its output lies in a record. */
static const char *wrong_follower_arg(const struct checker *c, const struct svp_proc *proc,
				      const struct svp_loop *loop, const struct svp_arg *a,
				      const struct sysvm_arg_info *kind)
{
	const char *wrong = unused_fields(a);
	uint64_t room = loop ? loop->stride : proc->staging;

	if (wrong)
		return wrong;
	if (a->kind == SVP_ARG_MASK)
		return "mask is for triggers only";
	if (a->kind == SVP_ARG_STRING && !string_is_good(c->out, proc, a->value))
		return "its string does not end inside the procedure's data";
	if (a->kind == SVP_ARG_OUT) {
		if (kind->kind != SYSVM_KIND_OUT && kind->kind != SYSVM_KIND_OUTN &&
		    kind->kind != SYSVM_KIND_OUTS)
			return "the system call does not fill a buffer here";
		if (a->value > room || a->size > room - a->value)
			return loop ? "reaches past the loop's record" : "reaches past the procedure's staging area";
		if (loop && a->value < 8 + 8 * (uint64_t)loop->followers)
			return "lies over the record's results";
		if (kind->kind == SYSVM_KIND_OUTS && a->size < kind->param)
			return "its place in the staging area is smaller than the structure";
	}
	if (is_entry(a) && (!loop || kind->kind != SYSVM_KIND_PATH))
		return "an entry's name, but this is no path of a loop's follower";
	if (a->kind == SVP_ARG_ROW && (a->value || a->mask))
		return "where a row's names lie is for triggers only";
	if (a->kind == SVP_ARG_KEPT && kind->kind != SYSVM_KIND_PATH)
		return "a kept path, but the system call takes no path here";
	if (a->kind == SVP_ARG_COUNT && kind->kind != SYSVM_KIND_SIZE)
		return "the system call does not take a size here";
	return NULL;
}

static int check_follower(struct checker *c, const struct svp_proc *proc, uint32_t n)
{
	const struct svp_follower *f = &c->out->followers[proc->first_follower + n];
	const struct sysvm_syscall_info *row = sysvm_syscall_by_nr(f->nr);
	const struct sysvm_command_info *command = NULL;
	const struct svp_loop *loop = svp_loop_of(c->out, c->proc);
	uint32_t i;

	if (loop && n - loop->first >= loop->followers)
		loop = NULL;
	if (!row || row->index < 0)
		return refuse_row(c, "follower ", n, "a system call that the machine does not make");
	if (f->nargs != row->nargs || f->reserved)
		return refuse_row(c, "follower ", n,
				  "wrong number of arguments, or a reserved field that is not 0");
	if (proc->mode == SVP_RUN_AHEAD && !(row->flags & SYSVM_FLAG_AHEAD))
		return refuse_row(c, "follower ", n, "a system call that may not be run ahead");
	if (f->nr == SYSVM_NR_fcntl || f->nr == SYSVM_NR_ioctl) {
		command = command_of(f);
		if (proc->mode == SVP_RUN_AHEAD && (!command || !(command->flags & SYSVM_FLAG_AHEAD)))
			return refuse_row(c, "follower ", n, "a command that may not be run ahead");
	}
	for (i = 0; i < 6; i++) {
		const struct sysvm_arg_info *kind = command && i == 2 ? &command->arg : &row->arg[i];
		const char *wrong = wrong_follower_arg(c, proc, loop, &f->arg[i], kind);

		if (!wrong && i >= row->nargs && f->arg[i].kind != SVP_ARG_ANY)
			wrong = "the system call does not have it";
		if (wrong)
			return refuse_arg(c, "follower ", n, i, wrong);
	}
	return 0;
}

/* Every DATA offset lies inside the procedure's data, or is its end. */
static int check_data_offsets(struct checker *c, const struct svp_proc *proc)
{
	const unsigned char *code = c->out->code + proc->code_offset;
	uint32_t at = 0;

	while (at < proc->code_size) {
		struct sysvm_insn insn;
		int size = sysvm_decode(code, proc->code_size, at, &insn);

		if (insn.op == SYSVM_OP_DATA && (uint64_t)insn.imm > proc->data_size) {
			put_proc(c);
			sysvm_text_uint(put(c, ", byte "), at);
			return refuse_number(c, ": data offset ", insn.imm, " past the end of its data ",
					     proc->data_size);
		}
		at += size;
	}
	return 0;
}

static int check_code(struct checker *c, const struct svp_proc *proc)
{
	uint8_t starts[SYSVM_STARTS_SIZE(SYSVM_PROC_CODE_MAX)];
	struct sysvm_text *m = &c->message;
	uint32_t error_at;

	if (proc->code_offset > c->out->code_size || proc->code_size > c->out->code_size - proc->code_offset)
		return refuse_proc(c, "its code reaches past the end of section code");
	put_proc(c);
	put(c, ", ");
	if (sysvm_verify(c->out->code + proc->code_offset, proc->code_size, starts, &error_at, m->to + m->len,
			 m->size - m->len))
		return -EINVAL;
	*m = sysvm_text_start(m->to, m->size);
	return check_data_offsets(c, proc);
}

static int range_is_good(uint32_t first, uint32_t n, uint32_t count, uint32_t max)
{
	return n <= max && first <= count && n <= count - first;
}

static int check_proc(struct checker *c, uint32_t number)
{
	const struct svp *svp = c->out;
	const struct svp_proc *proc = &svp->procs[number];
	uint32_t i;
	int err;

	c->proc = number;
	if (proc->name >= svp->strings_size)
		return refuse_number(c, "procedure ", number,
				     ": its name lies past the end of section strings at ",
				     svp->strings_size);
	if (proc->mode < SVP_FUSE || proc->mode > SVP_DEFER)
		return refuse_proc(c, "unknown mode");
	if (!is_zero(proc->reserved, sizeof(proc->reserved)))
		return refuse_proc(c, "reserved field is not 0");
	if (!place_is_good(&proc->exe) || proc->exe.offset)
		return refuse_proc(c, "the executable has a bad build-id");
	if (proc->data_offset > svp->data_size || proc->data_size > svp->data_size - proc->data_offset)
		return refuse_proc(c, "its data reaches past the end of section data");
	if (proc->staging > SVP_STAGING_MAX)
		return refuse_proc(c, "its staging area is larger than allowed");
	if (!range_is_good(proc->first_trigger, proc->triggers, svp->ntriggers, SVP_MAX_TRIGGERS))
		return refuse_proc(c, "its triggers are too many or past the end of section triggers");
	if (!range_is_good(proc->first_follower, proc->followers, svp->nfollowers, SVP_MAX_FOLLOWERS))
		return refuse_proc(c, "its followers are too many or past the end of section followers");
	for (i = 0; i < proc->triggers; i++) {
		err = check_trigger(c, proc, i);
		if (err)
			return err;
	}
	for (i = 0; i < proc->followers; i++) {
		err = check_follower(c, proc, i);
		if (err)
			return err;
	}
	return check_code(c, proc);
}

static int check_loop(struct checker *c, uint32_t number)
{
	const struct svp_loop *l = &c->out->loops[number];
	const struct svp_proc *proc;

	if (l->proc >= c->out->nprocs)
		return refuse_number(c, "a loop's procedure is ", l->proc, ", expected less than ", c->out->nprocs);
	proc = &c->out->procs[l->proc];
	if (svp_loop_of(c->out, l->proc) != l)
		return refuse_number(c, "procedure ", l->proc, " has more loops than ", 1);
	if (!l->followers || l->followers > SVP_LOOP_MAX || l->first > proc->followers ||
	    l->followers > proc->followers - l->first)
		return refuse_number(c, "procedure ", l->proc,
				     ": its loop's followers are none, past its own, or more than ", SVP_LOOP_MAX);
	if (l->stride % 8 || l->stride < 8 + 8 * l->followers || l->records % 8 || !l->capacity ||
	    l->records > proc->staging || l->capacity > (proc->staging - l->records) / l->stride)
		return refuse_number(c, "procedure ", l->proc,
				     ": its loop's records do not fit its staging area of ", proc->staging);
	if (proc->mode != SVP_RUN_AHEAD || (l->flags & ~SVP_LOOP_ALL) || !is_zero(l->reserved, sizeof(l->reserved)))
		return refuse_number(c, "procedure ", l->proc,
				     ": its loop has an unknown flag, or it does not run ahead, as mode ", SVP_RUN_AHEAD);
	return 0;
}

static int check_loops(struct checker *c)
{
	int err = 0;

	if (c->out->nprocs > SVP_MAX_PROCS)
		return 0; /* said below */
	for (uint32_t i = 0; !err && i < c->out->nloops; i++)
		err = check_loop(c, i);
	return err;
}

int svp_check(const void *base, size_t size, struct svp *out, char *message, size_t message_size)
{
	struct checker c = {base, size, out, sysvm_text_start(message, message_size), 0};
	uint32_t i;
	int err;

	raw_zero(out, sizeof(*out));
	out->base = base;
	err = check_header(&c);
	err = err ? err : check_sections(&c);
	err = err ? err : check_loops(&c);
	if (!err && out->nprocs > SVP_MAX_PROCS)
		err = refuse_number(&c, "procedures: ", out->nprocs, ", expected at most ", SVP_MAX_PROCS);
	for (i = 0; !err && i < out->nprocs; i++)
		err = check_proc(&c, i);
	if (err)
		raw_zero(out, sizeof(*out));
	return err;
}
