/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of DMA to mapped PCI BARs share: data, and allocations that fail.
 */
#ifndef _BAR_TEST_H
#define _BAR_TEST_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Different in each 8 bytes, and in each call. */
static inline void fill(volatile void *to, size_t len)
{
	static uint64_t seed = 88172645463325252ULL;
	volatile uint64_t *word = to;

	for (; len; len -= 8) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		*word++ = seed;
	}
}

/*
 * 8 bytes at a time, and no others: a BAR is no memory.  memset() and memcpy()
 * may use instructions that fault there, such as arm64's DC ZVA.
 */
static inline void copy(volatile void *to, const void *from, size_t len)
{
	const uint64_t *word = from;
	volatile uint64_t *p = to;

	for (; len; len -= 8)
		*p++ = *word++;
}

static inline void clear(volatile void *to, size_t len)
{
	volatile uint64_t *p = to;

	for (; len; len -= 8)
		*p++ = 0;
}

static inline bool same(const volatile void *a, const volatile void *b, size_t len)
{
	const volatile uint64_t *x = a, *y = b;

	for (; len; len -= 8)
		if (*x++ != *y++)
			return false;
	return true;
}

static inline int write_to(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY), ret;

	if (fd < 0)
		return -1;
	ret = write(fd, what, strlen(what)) < 0 ? -1 : 0;
	close(fd);
	return ret;
}

/* Nothing fails by itself: who fails is asked for in fail-nth. */
static inline bool let_everything_fail(void)
{
	static const char *const faults[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
	};
	char path[256];
	int i;

	for (i = 0; i < (int)(sizeof(faults) / sizeof(*faults)); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s",
			 faults[i][0]);
		if (write_to(path, faults[i][1]))
			return false;
	}
	return true;
}

#endif /* _BAR_TEST_H */
