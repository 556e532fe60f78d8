// SPDX-License-Identifier: GPL-2.0
/*
 * Stored procedures: code that is copied once, verified, and from then on only run. They are numbered within
 * their context, counted by reference (a run keeps its procedure while another thread undefines it), and
 * limited in number and size.
 *
 * Tested by tests/qemu/ (test_calls.c, test_limits.c, test_account.c).
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "context.h"
#include "dispatch.h"
#include "trace.h"

uint sysvm_max_procs = 256;
module_param_named(max_procs, sysvm_max_procs, uint, 0644);
MODULE_PARM_DESC(max_procs, "procedures of one context, 1 to 4096 (256)");

static uint max_proc_bytes = 1 << 20;
module_param(max_proc_bytes, uint, 0644);
MODULE_PARM_DESC(max_proc_bytes, "bytes of code of all procedures of one context (1048576)");

void sysvm_procedure_free(struct sysvm_procedure *procedure)
{
	sysvm_uncharge(&procedure->charge);
	kvfree(procedure);
}

/* With the file: nobody else is here. */
void sysvm_procedures_drop(struct sysvm_context *context)
{
	struct sysvm_procedure *procedure;
	u32 number;

	for (number = 0; number < context->max_procs; number++) {
		procedure = rcu_dereference_protected(context->procs[number], true);
		if (!procedure)
			continue;
		sysvm_charge_leaves(context, &procedure->charge);
		sysvm_procedure_put(procedure);
	}
}

/* Gives the procedure the lowest free number; the context's reference is the caller's. */
static int insert(struct sysvm_context *context, struct sysvm_procedure *procedure, u32 *number)
{
	int ret = -ENOSPC;
	u32 i;

	mutex_lock(&context->procs_lock);
	if (context->proc_bytes + procedure->program.len > READ_ONCE(max_proc_bytes))
		goto out;
	for (i = 0; i < context->max_procs; i++) {
		if (rcu_access_pointer(context->procs[i]))
			continue;
		rcu_assign_pointer(context->procs[i], procedure);
		context->proc_bytes += procedure->program.len;
		*number = i;
		ret = 0;
		break;
	}
out:
	mutex_unlock(&context->procs_lock);
	return ret;
}

/* Nobody can find it any more: drop the context's reference, on which finding it relied. */
static void put_rcu(struct rcu_head *rcu)
{
	sysvm_procedure_put(container_of(rcu, struct sysvm_procedure, rcu));
}

static int remove(struct sysvm_context *context, u32 number)
{
	struct sysvm_procedure *procedure;

	if (number >= context->max_procs)
		return -ENOENT;
	number = array_index_nospec(number, context->max_procs);
	mutex_lock(&context->procs_lock);
	procedure = rcu_replace_pointer(context->procs[number], NULL, lockdep_is_held(&context->procs_lock));
	if (procedure)
		context->proc_bytes -= procedure->program.len;
	mutex_unlock(&context->procs_lock);
	if (!procedure)
		return -ENOENT;
	sysvm_charge_leaves(context, &procedure->charge);
	call_rcu(&procedure->rcu, put_rcu);
	return 0;
}

/* The verifier's message, cut to what the caller has room for. */
static int tell(const struct sysvm_define *define, const char *message)
{
	size_t len = min_t(size_t, strlen(message) + 1, define->message_len);
	char __user *user = u64_to_user_ptr(define->message);

	if (!define->message || !len)
		return 0;
	if (copy_to_user(user, message, len) || put_user(0, user + len - 1))
		return -EFAULT;
	return 0;
}

long sysvm_define_ioctl(struct sysvm_context *context, void __user *arg)
{
	struct sysvm_procedure *procedure;
	struct sysvm_define define;
	char message[160]; /* the longest has 100 */
	size_t size;
	long ret;

	if (copy_from_user(&define, arg, sizeof(define)))
		return -EFAULT;
	if (define.flags || define.reserved0 || define.reserved[0] || define.reserved[1])
		return -EINVAL;
	if (define.code_len > SYSVM_PROC_CODE_MAX)
		return -E2BIG;

	size = struct_size(procedure, code, define.code_len + SYSVM_STARTS_SIZE(define.code_len));
	procedure = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!procedure)
		return -ENOMEM;
	refcount_set(&procedure->refs, 1);
	atomic64_set(&procedure->runs, 0);
	procedure->charge = (struct sysvm_charge){ 0 };
	procedure->program.len = define.code_len;
	procedure->program.code = procedure->code;
	procedure->program.starts = procedure->code + define.code_len;
	procedure->program.data_base = define.data_base;
	ret = -EFAULT;
	if (copy_from_user(procedure->code, u64_to_user_ptr(define.code), define.code_len))
		goto err_put;
	ret = sysvm_verify(procedure->code, define.code_len, procedure->code + define.code_len,
			   &define.error_at, message, sizeof(message));
	sysvm_forget_branches(); /* The verifier's branches were the caller's to choose. */
	if (ret) {
		atomic64_inc(&context->rejected);
		trace_sysvm_reject(define.code_len, define.error_at, message);
		if (tell(&define, message) || copy_to_user(arg, &define, sizeof(define)))
			ret = -EFAULT;
		goto err_put;
	}

	ret = sysvm_charge(context, &procedure->charge, sysvm_real_size(procedure, size));
	if (ret)
		goto err_put;
	ret = insert(context, procedure, &define.proc);
	if (ret) {
		sysvm_charge_leaves(context, &procedure->charge);
		goto err_put;
	}
	if (copy_to_user(arg, &define, sizeof(define))) {
		remove(context, define.proc);
		return -EFAULT;
	}
	trace_sysvm_define(define.proc, define.code_len);
	return 0;

err_put:
	sysvm_procedure_put(procedure);
	return ret;
}

long sysvm_undefine_ioctl(struct sysvm_context *context, void __user *arg)
{
	u32 number;

	if (get_user(number, (u32 __user *)arg))
		return -EFAULT;
	return remove(context, number);
}
