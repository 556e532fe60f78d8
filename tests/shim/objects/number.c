// SPDX-License-Identifier: MIT
/*
 * A library without system calls, and room for one: run.py makes copies of it, with the same build-id, that
 * have it.
 */
__attribute__((noinline, used)) long number_room(void)
{
	long result = 7;

	__asm__ volatile(".rept 16; nop; .endr" : "+a"(result) : : "rcx", "r11", "memory");
	return result;
}

__attribute__((aligned(4096))) unsigned char number_data[8192] = { 1 };
