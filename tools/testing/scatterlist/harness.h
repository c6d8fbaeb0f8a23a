/* SPDX-License-Identifier: GPL-2.0 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <linux/compiler.h>

#include "oracle.h"

/* Ends the test, which runs in a process of its own. */
void __noreturn __printf(3, 4)
check_failed(const char *file, int line, const char *what, ...);

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			check_failed(__FILE__, __LINE__, "%s", #cond);	\
	} while (0)

#define CHECK_EQ(got, want)						\
	do {								\
		long long __got = (long long)(got);			\
		long long __want = (long long)(want);			\
									\
		if (__got != __want)					\
			check_failed(__FILE__, __LINE__,		\
				     "%s is %#llx, not %#llx",		\
				     #got, __got, __want);		\
	} while (0)

/* Exactly n since the last call: of a WARN once, or of one for each time. */
#define CHECK_WARNS_ONCE(n)	check_warns(__FILE__, __LINE__, n, 0)
#define CHECK_WARNS_ALWAYS(n)	check_warns(__FILE__, __LINE__, 0, n)
void check_warns(const char *file, int line, unsigned int once,
		 unsigned int always);

/* The statement must hit a BUG_ON(). */
#define CHECK_DIES(statement)						\
	do {								\
		if (!setjmp(*harness_expect_bug())) {			\
			statement;					\
			check_failed(__FILE__, __LINE__,		\
				     "does not die:  %s", #statement);	\
		}							\
	} while (0)
void *harness_expect_bug_buf(void);
#define harness_expect_bug()	((jmp_buf *)harness_expect_bug_buf())

/* The n-th allocation from now fails, 0 for none. */
void harness_fail_alloc(unsigned int n);

void harness_init(void);
void harness_totals(void);
bool harness_failed(void);

void run(const char *name, void (*fn)(const void *arg), const void *arg);
/*
 * One test of many rounds, each with a seed of its own: seed, seed + 1, ...
 * Says how to have the round that failed again.
 */
void run_rounds(const char *name, void (*fn)(const void *seed),
		unsigned long long seed, unsigned int rounds);
void skip(const char *name, const char *reason);

/*
 * A list in one or several chunks, each exactly as long as it must be, so that
 * ASan sees who walks past its end.
 */
#define MAX_CHUNKS	8

struct scatterlist;
struct sg_mapping_iter;

struct list {
	struct scatterlist	*chunk[MAX_CHUNKS];
	unsigned int		used[MAX_CHUNKS];	/* less the link */
	unsigned int		nr_chunks;
};

/* The chunks hold used[0], used[1], ... entries, up to a 0. */
void list_alloc(struct list *list, const unsigned int *used);
void list_alloc_one(struct list *list, unsigned int used);
void list_free(struct list *list);
struct scatterlist *list_entry(const struct list *list, unsigned int i);
void list_set(const struct list *list, unsigned int i, const struct ent *ent);
void list_fill(const struct list *list, const struct model *m);

/* Compare what the code under test says or does with the oracle. */
void check_words(const struct list *list, const struct model *m);
void check_walk(const struct list *list, const struct model *m);
void check_entry(struct scatterlist *sg, const struct ent *ent);
void check_pages(const struct list *list, const struct model *m,
		 unsigned int first);
void check_copy(const struct list *list, const struct model *m, enum copy how,
		size_t len, size_t skip, unsigned int nents);
void check_miter(const struct list *list, const struct model *m,
		 unsigned int flags, size_t skip,
		 unsigned int (*consume)(unsigned int max));
void check_split(const struct list *list, const struct model *m, size_t skip,
		 const size_t *sizes, unsigned int n);

void pageless_tests(void);
void random_tests(unsigned long long seed, unsigned int rounds);

#endif /* HARNESS_H */
