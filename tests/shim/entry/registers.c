// SPDX-License-Identifier: MIT
/*
 * A forwarded call changes rax, rcx and r11, as the kernel does, and nothing else: general and vector
 * registers, flags, the red zone. Calls getppid (mov, syscall, ret) with known values everywhere.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct state {
	uint64_t r[13]; /* rbx rbp rdi rsi rdx r8 r9 r10 r12 r13 r14 r15 flags */
	uint8_t xmm[16][16];
	uint64_t red[16];
};

/* in: rdi, out: rsi. The red zone of this function is 16 words below rsp. */
void probe(const struct state *in, struct state *out);
__asm__(".text\n"
	"probe:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi\n"
	"mov %rdi, %rax\n"
	".set n, 0\n"
	".rept 16\n mov 360+8*n(%rax), %rcx\n mov %rcx, -136+8*n(%rsp)\n .set n, n+1\n .endr\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu 104+16*\\n(%rax), %xmm\\n\n .endr\n"
	"push 96(%rax); popf\n"
	"mov 0(%rax),%rbx; mov 8(%rax),%rbp; mov 16(%rax),%rdi; mov 24(%rax),%rsi; mov 32(%rax),%rdx; mov "
	"40(%rax),%r8\n"
	"mov 48(%rax),%r9; mov 56(%rax),%r10; mov 64(%rax),%r12; mov 72(%rax),%r13; mov 80(%rax),%r14; mov "
	"88(%rax),%r15\n"
	/*
	 * the word that the call pushes is at -8; the callee's red zone begins below it, where ours was put
	 */
	"mov getppid@GOTPCREL(%rip), %rcx\n"
	"call *%rcx\n"
	"mov (%rsp), %rax\n"
	"mov %rbx,0(%rax); mov %rbp,8(%rax); mov %rdi,16(%rax); mov %rsi,24(%rax); mov %rdx,32(%rax); mov "
	"%r8,40(%rax)\n"
	"mov %r9,48(%rax); mov %r10,56(%rax); mov %r12,64(%rax); mov %r13,72(%rax); mov %r14,80(%rax); mov "
	"%r15,88(%rax)\n"
	".set n, 0\n"
	".rept 16\n mov -136+8*n(%rsp), %rcx\n mov %rcx, 360+8*n(%rax)\n .set n, n+1\n .endr\n"
	"pushf; pop 96(%rax)\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu %xmm\\n, 104+16*\\n(%rax)\n .endr\n"
	"pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n");

int main(void)
{
	/* CF, PF, AF, ZF, SF, OF in all combinations that matter; IF and the fixed bit stay. */
	static const uint64_t flags[] = { 0x202, 0x203, 0x206, 0x212, 0x242, 0x282, 0xa02, 0xad7 };
	struct state in, out;
	int wrong = 0;

	for (unsigned int k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
		for (int i = 0; i < 12; i++)
			in.r[i] = 0x1111111111111111ull * (unsigned)(i + 1) + k;
		in.r[12] = flags[k];
		for (unsigned int i = 0; i < sizeof(in.xmm); i++)
			((uint8_t *)in.xmm)[i] = (uint8_t)(i * 7 + k);
		for (int i = 0; i < 16; i++)
			in.red[i] = 0xabcdef0012340000ull + (unsigned)i + k;
		memset(&out, 0, sizeof(out));
		for (int times = 0; times < 3; times++)
			probe(&in, &out);
		for (int i = 0; i < 13; i++)
			if (out.r[i] != in.r[i])
				printf("register %d: %#lx became %#lx\n", i, in.r[i], out.r[i]), wrong++;
		if (memcmp(in.xmm, out.xmm, sizeof(in.xmm)))
			printf("vector registers changed\n"), wrong++;
		for (int i = 0; i < 16; i++)
			if (in.red[i] != out.red[i])
				printf("red zone word %d changed\n", i), wrong++;
	}
	printf("%d wrong\n", wrong);
	return wrong != 0;
}
