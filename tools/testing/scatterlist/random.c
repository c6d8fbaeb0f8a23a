// SPDX-License-Identifier: GPL-2.0
/*
 * Random lists and random operations, against the oracle. Round i of seed s is
 * round 0 of seed s + i, so that one round can be had again.
 */
#include <setjmp.h>

#include <linux/scatterlist.h>

#include "harness.h"

static unsigned long long state;

/* splitmix64 */
static unsigned int rnd(unsigned int below)
{
	unsigned long long z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % below;
}

/* 1 to max, all of it more often than not */
static unsigned int rnd_consume(unsigned int max)
{
	return rnd(4) ? max : 1 + rnd(max);
}

static unsigned int rnd_size(unsigned int max)
{
	static const unsigned int edges[] = {
		1, 2, 511, 4095, 4096, 4097, 8191, 8192, 8193
	};
	unsigned int n;

	n = rnd(3) ? rnd(rnd(2) ? 64 : 9000) + 1 :
		     edges[rnd(ARRAY_SIZE(edges))];
	return n < max ? n : max;
}

static const struct place {
	enum kind	kind;
	unsigned long	pfn;
	unsigned int	npages;
} places[] = {
	{ PAGED, RAM_PFN, RAM_PAGES },
	{ MEM, BELOW_PFN, 16 },
	{ MEM, ABOVE_PFN, 8 },
	{ MEM, ABOVE2_PFN, 8 },
	{ MEM, TOP_PFN, 4 },
	/* what the CPU cannot reach */
	{ MEM, DARK_PFN, 16 },
	{ MEM, ABOVE_PFN, 16 },
	{ MEM, HOLE_PFN, 16 },
	{ MMIO, BAR_PFN, 16 },
	{ MMIO, BELOW_PFN, 16 },
};

#define PLACES_REACHABLE	5

static void rnd_ent(struct ent *ent, bool dark)
{
	const struct place *place = &places[0];
	unsigned int room, skip;

	if (IS_ENABLED(CONFIG_DMA_PAGELESS) && rnd(2))
		place = &places[1 + rnd(PLACES_REACHABLE - 1)];
	if (IS_ENABLED(CONFIG_DMA_PAGELESS) && dark && !rnd(6))
		place = &places[PLACES_REACHABLE +
				rnd(ARRAY_SIZE(places) - PLACES_REACHABLE)];

	ent->kind = place->kind;
	skip = rnd(place->npages);
	ent->pfn = place->pfn + skip;
	room = (place->npages - skip) * PAGE_SIZE;
	if (!rnd(12)) {
		ent->offset = 0;
		ent->length = 0;
		return;
	}
	ent->offset = rnd(3) ? rnd_size(room) - 1 : 0;
	ent->length = rnd_size(room - ent->offset);
}

/* Chunks of any size; entries are set several times over, ends come and go. */
static void rnd_list(struct list *list, struct model *m)
{
	unsigned int used[MAX_CHUNKS] = { }, chunks, c, i, n;
	bool dark = rnd(2);

	chunks = 1 + (rnd(2) ? rnd(MAX_CHUNKS - 1) : 0);
	for (m->n = 0, c = 0; c < chunks; c++, m->n += n) {
		n = 1 + rnd(chunks == 1 ? MAX_ENTS : MAX_ENTS / MAX_CHUNKS);
		used[c] = n;
	}
	list_alloc(list, used);

	for (i = rnd(2 * m->n); i; i--) {
		struct scatterlist *sg;

		n = rnd(m->n);
		sg = list_entry(list, n);
		rnd_ent(&m->ent[0], true);
		list_set(list, n, &m->ent[0]);
		if (sg_is_last(sg) || rnd(2))
			continue;
		sg_mark_end(sg);
		rnd_ent(&m->ent[0], true);
		list_set(list, n, &m->ent[0]);
		CHECK(!sg_next(sg));
		sg_unmark_end(sg);
		CHECK(sg_next(sg) == list_entry(list, n + 1));
	}
	for (i = 0; i < m->n; i++)
		rnd_ent(&m->ent[i], dark);
	list_fill(list, m);
}

static void rnd_copy(const struct list *list, const struct model *m)
{
	size_t total = oracle_total(m);
	unsigned int nents = m->n;

	if (!rnd(4))
		nents = rnd(2) ? rnd(m->n + 1) : m->n + 5;
	check_copy(list, m, rnd(3), rnd(total + 9), rnd(3) ? rnd(total + 2) : 0,
		   nents);
}

static void rnd_miter(const struct list *list, const struct model *m)
{
	unsigned int flags = rnd(2) ? SG_MITER_TO_SG : SG_MITER_FROM_SG;

	if (rnd(2))
		flags |= SG_MITER_ATOMIC;
	check_miter(list, m, flags, rnd(2) ? rnd(oracle_total(m) + 2) : 0,
		    rnd_consume);
}

static void rnd_split(const struct list *list, const struct model *m)
{
	size_t left = oracle_total(m), sizes[8], skip;
	unsigned int n = 0, parts = 1 + rnd(ARRAY_SIZE(sizes));

	if (left < 2)
		return;
	skip = rnd(2) ? rnd(left) : 0;
	for (left -= skip; n + 1 < parts && left > 1; left -= sizes[n++])
		sizes[n] = 1 + rnd(left - 1);
	sizes[n++] = rnd(2) && left > 1 ? 1 + rnd(left - 1) : left + !rnd(8);
	check_split(list, m, skip, sizes, n);
}

static void rnd_reset(const struct list *list, struct model *m)
{
	unsigned int i = rnd(m->n);

	rnd_ent(&m->ent[i], true);
	list_set(list, i, &m->ent[i]);
}

/* End a list early, look at it, and give it back its old end. */
static void rnd_truncate(const struct list *list, struct model *m)
{
	unsigned int n = m->n;

	m->n = 1 + rnd(n);
	if (m->n == n)
		return;
	sg_mark_end(list_entry(list, m->n - 1));
	check_words(list, m);
	check_walk(list, m);
	sg_unmark_end(list_entry(list, m->n - 1));
	m->n = n;
}

static void rnd_step(const struct list *list, struct model *m)
{
	switch (rnd(8)) {
	case 0:
		return rnd_miter(list, m);
	case 1:
		return rnd_split(list, m);
	case 2:
		return rnd_reset(list, m);
	case 3:
		return rnd_truncate(list, m);
	case 4:
		return check_pages(list, m, rnd(5));
	default:
		return rnd_copy(list, m);
	}
}

static void rnd_round(void)
{
	struct list list;
	struct model m;
	unsigned int i;

	rnd_list(&list, &m);
	check_words(&list, &m);
	check_walk(&list, &m);
	for (i = 4 + rnd(8); i; i--) {
		rnd_step(&list, &m);
		check_words(&list, &m);
	}
	list_free(&list);
}

static void test_random(const void *arg)
{
	const unsigned long long *seed = arg;

	state = *seed * 0x2545f4914f6cdd1dULL;
	rnd_round();
}

void random_tests(unsigned long long seed, unsigned int rounds)
{
	run_rounds("random lists", test_random, seed, rounds);
}
