// SPDX-License-Identifier: MIT
/*
 * What is in the tables of a procedure file: loops, then each procedure with its triggers, followers and
 * code. The rules are numbers 4 to 8 of docs/svp-format.md. Tested by tests/libsysvm/svp_test.cc.
 */
#include "procedures/raw_bytes.h"
#include "procedures/svp_checker.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

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
	    (a->mask && a->kind != SVP_ARG_MASK && a->kind != SVP_ARG_ROW) ||
	    (a->size && a->kind != SVP_ARG_OUT))
		return "a field that its kind does not use is not 0";
	return NULL;
}

/* The next name lies after this one and its 0. */
static int row_is_good(const struct svp_arg *a)
{
	return (a->mask == 0 || a->mask == 7 || a->mask == 15) && a->value > a->mask &&
	       a->value <= SVP_ROW_GAP;
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
		return refuse_row(c, "trigger ", n,
				  "a reserved field that is not 0, or a streak of calls other than fcntl");
	if (!place_is_good(&t->site) || !place_is_good(&t->caller))
		return refuse_row(c, "trigger ", n, "a place has a bad build-id");
	for (i = 0; i < 6; i++) {
		const struct svp_arg *a = &t->arg[i];
		const char *wrong = unused_fields(a);

		if (wrong)
			return refuse_arg(c, "trigger ", n, i, wrong);
		if (a->kind > SVP_ARG_MASK && a->kind != SVP_ARG_STRING && !is_entry(a))
			return refuse_arg(c, "trigger ", n, i,
					  "expected any, const, mask, string, name, under or row");
		if (a->kind == SVP_ARG_ROW && !row_is_good(a))
			return refuse_arg(c, "trigger ", n, i,
					  "a row whose names would overlap, or lie too far apart");
		if (is_entry(a) && row->arg[i].kind != SYSVM_KIND_PATH)
			return refuse_arg(c, "trigger ", n, i,
					  "an entry, but the system call takes no path here");
		if (is_entry(a) && !svp_loop_of(c->out, c->proc))
			return refuse_arg(c, "trigger ", n, i, "an entry, but the procedure has no loop");
		if (a->kind == SVP_ARG_STRING && row->arg[i].kind != SYSVM_KIND_PATH)
			return refuse_arg(c, "trigger ", n, i,
					  "a string, but the system call takes no path here");
		if (a->kind == SVP_ARG_STRING && !string_is_good(c->out, proc, a->value))
			return refuse_arg(c, "trigger ", n, i,
					  "its string does not end inside the procedure's data");
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
			return loop ? "reaches past the loop's record"
				    : "reaches past the procedure's staging area";
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
	if (proc->mode < SVP_RUN_AHEAD || proc->mode > SVP_DEFER)
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
		return refuse_number(c, "a loop's procedure is ", l->proc, ", expected less than ",
				     c->out->nprocs);
	proc = &c->out->procs[l->proc];
	if (svp_loop_of(c->out, l->proc) != l)
		return refuse_number(c, "procedure ", l->proc, " has more loops than ", 1);
	if (!l->followers || l->followers > SVP_LOOP_MAX || l->first > proc->followers ||
	    l->followers > proc->followers - l->first)
		return refuse_number(c, "procedure ", l->proc,
				     ": its loop's followers are none, past its own, or more than ",
				     SVP_LOOP_MAX);
	if (l->stride % 8 || l->stride < 8 + 8 * l->followers || l->records % 8 || !l->capacity ||
	    l->records > proc->staging || l->capacity > (proc->staging - l->records) / l->stride)
		return refuse_number(c, "procedure ", l->proc,
				     ": its loop's records do not fit its staging area of ", proc->staging);
	if (proc->mode != SVP_RUN_AHEAD || (l->flags & ~SVP_LOOP_ALL) ||
	    !is_zero(l->reserved, sizeof(l->reserved)))
		return refuse_number(c, "procedure ", l->proc,
				     ": its loop has an unknown flag, or it does not run ahead, as mode ",
				     SVP_RUN_AHEAD);
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

int svp_check_contents(struct checker *c)
{
	int err = check_loops(c);

	if (!err && c->out->nprocs > SVP_MAX_PROCS)
		err = refuse_number(c, "procedures: ", c->out->nprocs, ", expected at most ", SVP_MAX_PROCS);
	for (uint32_t i = 0; !err && i < c->out->nprocs; i++)
		err = check_proc(c, i);
	return err;
}
