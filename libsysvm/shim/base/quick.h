/* SPDX-License-Identifier: MIT */
/* Where entry.S finds what it serves: offsets into the structs of ahead.h, which log.c checks. */
#ifndef SYSVM_SHIM_QUICK_H
#define SYSVM_SHIM_QUICK_H

/* struct quick, the first member of struct ahead */
#define QUICK_NEXT 0
#define QUICK_BUSY_SP 16
#define QUICK_LOG_SIGNALS 24
#define QUICK_LOG_CLOCK 32
#define QUICK_CLOCK 48
#define QUICK_AGE_NS 56
#define QUICK_STACK_LOW 64
#define QUICK_STACK_HIGH 72
#define QUICK_WRITE_LOW 80
#define QUICK_WRITE_HIGH 88

/* struct clock_words */
#define CLOCK_SECONDS 0
#define CLOCK_NANOSECONDS 8

/* struct log_entry */
#define LOG_RULE 8
#define LOG_MINUS_NR 16
#define LOG_ARG 24
#define LOG_RESULT 72
#define LOG_FROM 80
#define LOG_LENGTH 88
#define LOG_TO_MAX 96
#define LOG_OUT 104
#define LOG_POSITION 112
#define LOG_SIZE 120

/* struct follower_rule */
#define RULE_QUICK 48

#endif
