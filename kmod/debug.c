// SPDX-License-Identifier: GPL-2.0
/*
 * What the module is doing, for its administrator: /sys/kernel/debug/sysvm/contexts (root only), and what the
 * selftest found. One line for the module, one for each user who has a context open, one for each context and
 * each of its procedures. Counters are read while they change: each is correct by itself.
 *
 * Tested by tests/qemu/observe.sh.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

#include "context.h"
#include "dispatch.h"
#include "selftest.h"

static struct dentry *directory;

static void add(struct sysvm_counters *sum, const struct sysvm_counters *more)
{
	unsigned int i;

	sum->calls += READ_ONCE(more->calls);
	sum->names += READ_ONCE(more->names);
	for (i = 0; i < SYSVM_STATUSES; i++)
		sum->stops[i] += READ_ONCE(more->stops[i]);
}

static void show_context(struct seq_file *file, struct sysvm_context *context)
{
	struct sysvm_thread_page *tpage;
	struct sysvm_counters sum;
	u32 i, npages;

	spin_lock(&context->pages_lock);
	sum = context->past;
	npages = context->npages;
	hash_for_each(context->pages, i, tpage, node)
		add(&sum, &tpage->counters);
	spin_unlock(&context->pages_lock);

	/* A task chooses its name: it is not to begin a line or a field of its own. */
	seq_printf(file, "context pid=%d comm=", context->opener);
	seq_escape(file, context->comm, " \t\n\\");
	seq_printf(file, " pages=%u bytes=%zu code_bytes=%u rejected=%lld calls=%llu", npages,
		   READ_ONCE(context->bytes), READ_ONCE(context->proc_bytes),
		   atomic64_read(&context->rejected), sum.calls);
	if (sum.names)
		seq_printf(file, " names=%llu", sum.names);
	for (i = 0; i < SYSVM_STATUSES; i++)
		if (sum.stops[i])
			seq_printf(file, " %s=%llu", sysvm_status_name(i), sum.stops[i]);
	seq_putc(file, '\n');

	rcu_read_lock();
	for (i = 0; i < context->max_procs; i++) {
		struct sysvm_procedure *procedure = rcu_dereference(context->procs[i]);

		if (procedure)
			seq_printf(file, "  procedure %u bytes=%u runs=%lld\n", i, procedure->program.len,
				   atomic64_read(&procedure->runs));
	}
	rcu_read_unlock();
}

static int contexts_show(struct seq_file *file, void *data)
{
	struct sysvm_context *context;

	seq_printf(file, "sysvm abi=%u device_abi=%u calls=%u\n", SYSVM_ABI_VERSION, SYSVM_DEVICE_ABI_VERSION,
		   sysvm_dispatch_count());
	sysvm_accounts_show(file);
	mutex_lock(&sysvm_contexts_lock);
	list_for_each_entry(context, &sysvm_contexts, node)
		show_context(file, context);
	mutex_unlock(&sysvm_contexts_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(contexts);

static int selftest_show(struct seq_file *file, void *data)
{
	const struct sysvm_selftest_result *result = &sysvm_selftest_result;

	if (!result->checks)
		seq_puts(file, "not run: load with selftest=1\n");
	else
		seq_printf(file, "%u checks, %u failed%s\n", result->checks, result->failed,
			   result->skipped_calls ? ", calls not tried" : "");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(selftest);

/* The machine works without it, so results are ignored. */
void sysvm_debug_init(void)
{
	directory = debugfs_create_dir("sysvm", NULL);
	debugfs_create_file("contexts", 0400, directory, NULL, &contexts_fops);
	debugfs_create_file("selftest", 0400, directory, NULL, &selftest_fops);
}

void sysvm_debug_exit(void)
{
	debugfs_remove(directory);
}
