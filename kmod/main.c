// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/sysvm: a program that makes many system calls hands the kernel a small program that makes them.
 *
 * The device's verbs: open makes a context for the caller's address space, mmap a page for the calling
 * thread, ioctl runs the page's program or a stored procedure (uapi/sysvm.h). What a program may call is
 * bound when the module is loaded (dispatch.c); when it must stop is decided at every call (boundary.c). The
 * system call table is never touched, and nothing is entered through a probe.
 *
 * The device is root's (mode 0600) unless the administrator decides otherwise: docs/security.md says what is
 * at stake. Does not judge its caller's rights: every inner call does that itself, with the caller's
 * credentials.
 *
 * Tested by tests/qemu/.
 */
#include <linux/compat.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "boundary.h"
#include "context.h"
#include "dispatch.h"
#include "selftest.h"

static ushort mode = 0600;
module_param(mode, ushort, 0444);
MODULE_PARM_DESC(mode,
		 "permission bits of /dev/sysvm (0600); give it to a group by udev, see docs/security.md");

static bool fadvise;
module_param(fadvise, bool, 0444);
MODULE_PARM_DESC(fadvise,
		 "let programs in by fadvise64() too: shorter, and no security module is asked (off)");

static long query_ioctl(const struct sysvm_context *context, void __user *arg)
{
	struct sysvm_query query = {
		.abi = SYSVM_ABI_VERSION,
		.page_size = SYSVM_PAGE_SIZE,
		.max_procs = context->max_procs,
		.max_code = SYSVM_PROC_CODE_MAX,
		.max_fuel = sysvm_max_fuel,
		.features = SYSVM_FEATURE_CONTEXT | SYSVM_FEATURE_WIDE |
			    (fadvise ? SYSVM_FEATURE_FADVISE : 0),
		.device_abi = SYSVM_DEVICE_ABI_VERSION,
	};

	sysvm_dispatch_supported(query.supported);
	return copy_to_user(arg, &query, sizeof(query)) ? -EFAULT : 0;
}

/* What the context's programs are to the application: so far, whether they run ahead of it. */
static long context_ioctl(struct sysvm_context *context, void __user *arg)
{
	struct sysvm_context_settings settings;

	if (copy_from_user(&settings, arg, sizeof(settings)))
		return -EFAULT;
	if (settings.flags & ~SYSVM_CONTEXT_AHEAD || settings.reserved[0] || settings.reserved[1] ||
	    settings.reserved[2])
		return -EINVAL;
	WRITE_ONCE(context->ahead, settings.flags & SYSVM_CONTEXT_AHEAD);
	return 0;
}

static long sysvm_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	struct sysvm_context *context = file->private_data;
	void __user *user = (void __user *)arg;

	/* There is no compat_ioctl: 32-bit callers get ENOTTY. For whatever else may look like one: */
	if (in_compat_syscall())
		return -ENOTTY;
	if (unlikely(_IOC_TYPE(command) == SYSVM_IOC_MAGIC_1)) {
		pr_notice_once("sysvm: %s uses the ioctl numbers of an older sysvm, not of device ABI %u\n",
			       current->comm, SYSVM_DEVICE_ABI_VERSION);
		return -ENOTTY;
	}
	if (command == SYSVM_IOC_QUERY)
		return query_ioctl(context, user);
	/* Not the address space that opened: an inherited or a passed descriptor. */
	if (current->mm != context->mm)
		return -EPERM;
	switch (command) {
	case SYSVM_IOC_RUN:
		return sysvm_run_ioctl(file, user);
	case SYSVM_IOC_DEFINE:
		return sysvm_define_ioctl(context, user);
	case SYSVM_IOC_UNDEFINE:
		return sysvm_undefine_ioctl(context, user);
	case SYSVM_IOC_CONTEXT:
		return context_ioctl(context, user);
	}
	return -ENOTTY;
}

struct file_operations sysvm_fops __ro_after_init = {
	.owner = THIS_MODULE,
	.open = sysvm_open,
	.release = sysvm_release,
	.mmap = sysvm_mmap,
	.unlocked_ioctl = sysvm_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sysvm",
	.fops = &sysvm_fops,
};

static int __init sysvm_init(void)
{
	int ret;

	BUILD_BUG_ON(sizeof(struct sysvm_page) != SYSVM_PAGE_SIZE);
	BUILD_BUG_ON(SYSVM_PAGE_SIZE != PAGE_SIZE);
	BUILD_BUG_ON(offsetof(struct sysvm_page, reg) != SYSVM_HEADER_SIZE);
	BUILD_BUG_ON(sizeof(struct sysvm_thread_page) > 4096); /* what kmalloc gives at most of its size */
	BUILD_BUG_ON(offsetof(struct sysvm_page, code) != SYSVM_CODE_OFFSET);

	if (mode & ~0666)
		return -EINVAL;
	sysvm_boundary_init();
	sysvm_max_fuel = clamp_t(uint, sysvm_max_fuel, 1, SYSVM_FUEL_MAX);
	ret = sysvm_dispatch_bind();
	if (ret)
		return ret;
	ret = sysvm_selftest();
	if (ret)
		return ret;
	if (fadvise)
		sysvm_fops.fadvise = sysvm_run_fadvise;
	device.mode = mode;
	ret = misc_register(&device);
	if (ret)
		return ret;
	sysvm_debug_init();
	return 0;
}

static void __exit sysvm_exit(void)
{
	sysvm_debug_exit();
	misc_deregister(&device);
	rcu_barrier(); /* pages and procedures are freed by functions of this module */
}

module_init(sysvm_init);
module_exit(sysvm_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Runs small programs whose instructions are system calls");
MODULE_VERSION("0.1.0");
