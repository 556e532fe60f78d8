/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names from the program, word by word.
 *
 * A path walk's getname() has to serve any path. It copies with strncpy_from_user(), whose target is checked
 * against the kernel's own objects because its size is not known at compile time, and a '/' is searched for
 * later, byte by byte. The names of a directory are short, and there is one for each call: for them the
 * checks cost more than the copying. Here the size of every access is known, so nothing is left to check.
 */
#ifndef SYSVM_USER_WORDS_H
#define SYSVM_USER_WORDS_H

#include <asm/word-at-a-time.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "names.h"

/*
 * Bytes of the name, which stands in `to` with its 0; 0: it is not one of a single component that is short
 * enough, or it cannot be read. Reads at most a word beyond its end; where that word is not there, all of it
 * is left to the caller (0), who knows slower ways.
 */
static __always_inline unsigned int sysvm_copy_component(char *to, const char __user *from)
{
	const struct word_at_a_time constants = WORD_AT_A_TIME_CONSTANTS;
	const unsigned long slashes = REPEAT_BYTE('/');
	unsigned long slash = 0, word, zero, of_slash;
	unsigned int n = 0;

	if (!user_read_access_begin(from, SYSVM_NAME_MOST))
		return 0;
	for (;; n += sizeof(word)) {
		if (n == SYSVM_NAME_MOST)
			goto no_component;
		unsafe_get_user(word, (const unsigned long __user *)(from + n), no_component);
		*(unsigned long *)(to + n) = word;
		if (has_zero(word ^ slashes, &of_slash, &constants))
			slash = 1; /* or it stands after the name's end, in what is not the name */
		if (has_zero(word, &zero, &constants))
			break;
		if (slash)
			goto no_component;
	}
	user_read_access_end();
	zero = create_zero_mask(prep_zero_mask(word, zero, &constants));
	n += find_zero(zero);
	if (unlikely(slash) && memchr(to + (n & ~(sizeof(word) - 1)), '/', n & (sizeof(word) - 1)))
		return 0;
	return n;
no_component:
	user_read_access_end();
	return 0;
}

#endif
