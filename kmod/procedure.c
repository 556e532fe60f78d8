// SPDX-License-Identifier: GPL-2.0
/*
 * Stored procedures: code that is copied once, verified, and from then on only run. They are numbered within their
 * context, counted by reference (a run keeps its procedure while another thread undefines it), and limited in
 * number and size.
 *
 * Tested by tests/qemu/ (test_module.c).
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "context.h"

void sysvm_procedure_put(struct sysvm_procedure *procedure)
{
	if (refcount_dec_and_test(&procedure->refs))
		kvfree(procedure);
}

struct sysvm_procedure *sysvm_procedure_get(struct sysvm_context *context, u32 number)
{
	struct sysvm_procedure *procedure;

	/* xa_load() takes no lock of its own; ours keeps the last reference from going in between. */
	xa_lock(&context->procs);
	procedure = number < SYSVM_MAX_PROCS ? xa_load(&context->procs, number) : NULL;
	if (procedure)
		refcount_inc(&procedure->refs);
	xa_unlock(&context->procs);
	return procedure;
}

void sysvm_procedures_drop(struct sysvm_context *context)
{
	struct sysvm_procedure *procedure;
	unsigned long number;

	xa_for_each(&context->procs, number, procedure)
		sysvm_procedure_put(procedure);
	xa_destroy(&context->procs);
}

/* Gives the procedure a number; the context's reference is the caller's. */
static int insert(struct sysvm_context *context, struct sysvm_procedure *procedure, u32 *number)
{
	int ret = -ENOSPC;

	mutex_lock(&context->procs_lock);
	if (context->proc_bytes + procedure->len <= SYSVM_MAX_PROC_BYTES) {
		ret = xa_alloc(&context->procs, number, procedure, XA_LIMIT(0, SYSVM_MAX_PROCS - 1),
			       GFP_KERNEL_ACCOUNT);
		if (!ret)
			context->proc_bytes += procedure->len;
		else if (ret == -EBUSY)
			ret = -ENOSPC;
	}
	mutex_unlock(&context->procs_lock);
	return ret;
}

static int remove(struct sysvm_context *context, u32 number)
{
	struct sysvm_procedure *procedure;

	if (number >= SYSVM_MAX_PROCS)
		return -ENOENT;
	mutex_lock(&context->procs_lock);
	procedure = xa_erase(&context->procs, number);
	if (procedure)
		context->proc_bytes -= procedure->len;
	mutex_unlock(&context->procs_lock);
	if (!procedure)
		return -ENOENT;
	sysvm_procedure_put(procedure);
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
	long ret;

	if (copy_from_user(&define, arg, sizeof(define)))
		return -EFAULT;
	if (define.flags || define.reserved0 || define.reserved[0] || define.reserved[1])
		return -EINVAL;
	if (define.code_len > SYSVM_PROC_CODE_MAX)
		return -E2BIG;

	procedure = kvmalloc(struct_size(procedure, code, define.code_len + SYSVM_STARTS_SIZE(define.code_len)),
			     GFP_KERNEL_ACCOUNT);
	if (!procedure)
		return -ENOMEM;
	refcount_set(&procedure->refs, 1);
	procedure->len = define.code_len;
	procedure->data_base = define.data_base;
	procedure->starts = procedure->code + define.code_len;
	ret = -EFAULT;
	if (copy_from_user(procedure->code, u64_to_user_ptr(define.code), define.code_len))
		goto err_put;
	ret = sysvm_verify(procedure->code, procedure->len, procedure->code + procedure->len, &define.error_at,
			   message, sizeof(message));
	if (ret) {
		if (tell(&define, message) || copy_to_user(arg, &define, sizeof(define)))
			ret = -EFAULT;
		goto err_put;
	}

	ret = insert(context, procedure, &define.proc);
	if (ret)
		goto err_put;
	if (copy_to_user(arg, &define, sizeof(define))) {
		remove(context, define.proc);
		return -EFAULT;
	}
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
