/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What is kept of the memory that a call's arguments point to: strings, the results of the stat family, and
 * short pieces of other structures (struct call_desc says which). Read at the return, when the kernel has
 * just touched the pages. If a page has been swapped out all the same, the read fails, and the event says
 * so. Another thread may have changed the memory in between.
 */
#ifndef SYSVM_TRACER_CAPTURE_BPF_H
#define SYSVM_TRACER_CAPTURE_BPF_H

/* In this order from user space: struct msghdr, 64 bits. */
struct user_msghdr {
	__u64 name;
	__u64 name_len;
	__u64 iov;
	__u64 iov_len;
};

static __always_inline bool read_stat(struct rec_stat *out, const void *user, bool is_statx)
{
	struct {
		__u64 st_dev, st_ino, st_nlink;
		__u32 st_mode, st_uid, st_gid, pad;
		__u64 st_rdev, st_size;
	} st;
	struct { /* struct statx from byte 28 to byte 48 */
		__u16 mode, pad;
		__u64 ino, size;
	} __attribute__((packed)) stx;
	struct {
		__u32 major, minor;
	} dev;

	if (!is_statx) {
		if (bpf_probe_read_user(&st, sizeof(st), user))
			return 0;
		out->dev = st.st_dev;
		out->ino = st.st_ino;
		out->size = st.st_size;
		out->mode = st.st_mode;
	} else {
		if (bpf_probe_read_user(&stx, sizeof(stx), user + 28) ||
		    bpf_probe_read_user(&dev, sizeof(dev), user + 136))
			return 0;
		out->dev = (dev.minor & 0xff) | (dev.major & 0xfff) << 8 | (__u64)(dev.minor & ~0xff) << 12 |
			   (__u64)(dev.major & ~0xfff) << 32;
		out->ino = stx.ino;
		out->size = stx.size;
		out->mode = stx.mode;
	}
	out->pad = 0;
	return 1;
}

/* Bytes of the string that were put at "to", closing 0 included; 0 if there is none. */
static __always_inline __u32 read_string(char *to, __u64 user, __u32 *flags)
{
	long n;

	if (!user)
		return 0;
	n = bpf_probe_read_user_str(to, TRACE_PATH_MAX, (const void *)user);
	if (n <= 0) {
		*flags |= EV_PATH_FAULT;
		return 0;
	}
	if (n >= TRACE_PATH_MAX)
		*flags |= EV_PATH_CUT;
	return n & 0x1fff;
}

/* Bytes of data that were put at "to". */
static __always_inline __u32 read_data(char *to, struct task_state *s, const struct call_desc *desc, long ret)
{
	__u64 user = s->args[desc->data & 7], n = 1;
	struct user_msghdr msg;

	if (!user)
		return 0;
	if (desc->data_len == 0xfc) {
		if (bpf_probe_read_user(&msg, sizeof(msg), (const void *)user))
			return 0;
		user = msg.iov;
		n = msg.iov_len;
	} else if (desc->data_len == 0xfe) {
		if (ret <= 0)
			return 0;
		n = ret;
	} else if (desc->data_len != 0xfd) {
		n = s->args[desc->data_len & 7];
	}
	if (n > TRACE_DATA_MAX)
		n = TRACE_DATA_MAX;
	n *= desc->data_size;
	if (n > desc->data_max)
		n = desc->data_max;
	if (n > TRACE_DATA_MAX)
		n = TRACE_DATA_MAX;
	if (!n || bpf_probe_read_user(to, n, (const void *)user))
		return 0;
	return n;
}

#endif
