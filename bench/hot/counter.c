// SPDX-License-Identifier: MIT
/*
 * A plugin for QEMU that counts the instructions that a guest executes, in user and in kernel space, between
 * marks that the guest itself sets (marked.c). Exact: each instruction adds one, and no clock is asked.
 *
 *   -plugin counter.so,out=FILE      a line for each mark: its number, instructions in user and kernel space
 * so far, and rounds of string instructions in both
 *
 * A mark is a no-op of seven bytes that no compiler emits: nopl 0x6d767300 + number (%rax). One processor.
 * Debian installs no header of the interface, so its version 1 stands here (QEMU 7.2,
 * include/qemu/qemu-plugin.h). An instruction that faults and is executed again counts twice. The
 * rounds of string instructions (rep movsb) are counted apart: the emulator executes each for itself, a
 * processor many at once.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*tb_translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*insn_executed)(unsigned int cpu, void *data);
struct qemu_info_t;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_translated cb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum qemu_plugin_op op,
						void *to, uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, insn_executed cb,
					    enum qemu_plugin_cb_flags flags, void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static const unsigned char nopl[3] = {0x0f, 0x1f, 0x80};
static uint64_t count[2][2]; /* of user and kernel: instructions, rounds of string instructions */
static FILE *out;

static void marked(unsigned int cpu, void *number)
{
	(void)cpu;
	fprintf(out, "%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", (int)(intptr_t)number,
		count[0][0], count[1][0], count[0][1], count[1][1]);
	fflush(out);
}

/* rep movs, cmps, stos, lods, scas: each round would count. */
static bool is_repeated(const unsigned char *bytes, size_t size)
{
	unsigned char opcode = bytes[size - 1];

	return (bytes[0] == 0xf2 || bytes[0] == 0xf3) && size <= 3 &&
	       ((opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf));
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const unsigned char *bytes = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		uint64_t *one = &count[qemu_plugin_insn_vaddr(insn) >> 63][is_repeated(bytes, size)];

		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, one, 1);
		if (size == 7 && !memcmp(bytes, nopl, 3) && !memcmp(bytes + 4, "svm", 3))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(intptr_t)bytes[3]);
	}
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "w"))) {
		fprintf(stderr, "counter: give it out=FILE\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
