/* SPDX-License-Identifier: MIT */
/*
 * Calls made while plain are counted by the threads of all processes at once: in one of several cache lines,
 * chosen by where the stack is. For entry.S, too.
 */
#ifndef SYSVM_SHIM_PLAIN_LINES_H
#define SYSVM_SHIM_PLAIN_LINES_H

#define PLAIN_LINES_BITS 4
#define PLAIN_LINES (1 << PLAIN_LINES_BITS)
#define PLAIN_LINE_SHIFT 6 /* bytes of a line */

#endif
