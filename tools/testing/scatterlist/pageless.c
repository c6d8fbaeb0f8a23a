// SPDX-License-Identifier: GPL-2.0
/* Odd lists, and one claim after the other about entries without a page. */
#include <setjmp.h>

#include <linux/scatterlist.h>

#include "harness.h"

#define P(page, off, len)	{ PAGED, RAM_PFN + (page), off, len }
#define M(pfn, off, len)	{ MEM, pfn, off, len }
#define IO(pfn, off, len)	{ MMIO, pfn, off, len }
#define KINDS			3

/* One entry of each kind, to set and to set again. */
static const struct ent kinds[KINDS] = {
	P(3, 5, 100), M(ABOVE_PFN, 6, 200), IO(BAR_PFN, 7, 300),
};

/* ---- Lists of every shape, on which everything is tried ---- */

static const struct odd_list {
	const char	*name;
	bool		pageless;
	unsigned int	used[MAX_CHUNKS];
	struct ent	ent[8];
} odd_lists[] = {
	{ "an empty entry", false, { 1 }, { P(0, 0, 0) } },
	{ "one byte", false, { 1 }, { P(0, 0, 1) } },
	{ "the last byte of a page", false, { 1 }, { P(1, 4095, 1) } },
	{ "an entry that crosses pages", false, { 1 }, { P(1, 4000, 9000) } },
	{ "an offset larger than a page", false, { 1 }, { P(2, 9001, 100) } },
	{ "an empty entry between others", false, { 3 },
	  { P(0, 1, 5), P(1, 0, 0), P(2, 3, 7) } },
	{ "all of the RAM", false, { 1 }, { P(0, 0, RAM_PAGES * 4096) } },
	{ "a chain of one entry a chunk", false, { 1, 1, 1 },
	  { P(9, 1, 5), P(7, 100, 4096), P(5, 3, 7) } },
	{ "a chain with an odd page pointer at each end", false, { 2, 2, 1 },
	  { P(1, 0, 1), P(3, 0, 2), P(5, 0, 3), P(7, 0, 4), P(9, 0, 5) } },
	{ "page-less: an empty entry", true, { 1 }, { M(BELOW_PFN, 0, 0) } },
	{ "page-less: an empty entry that nobody reaches", true, { 3 },
	  { M(BELOW_PFN, 0, 9), IO(BAR_PFN, 0, 0), M(BELOW_PFN, 9, 9) } },
	{ "page-less: one byte", true, { 1 }, { M(BELOW_PFN, 0, 1) } },
	{ "page-less: the last byte of a page", true, { 1 },
	  { M(BELOW_PFN, 4095, 1) } },
	{ "page-less: an entry that crosses pages", true, { 1 },
	  { M(ABOVE_PFN, 4000, 9000) } },
	{ "page-less: an offset larger than a page", true, { 1 },
	  { M(ABOVE_PFN, 9001, 5000) } },
	{ "page-less: all of a region", true, { 1 },
	  { M(ABOVE_PFN, 0, 8 * 4096) } },
	{ "page-less: the last byte of a region", true, { 1 },
	  { M(ABOVE_PFN, 8 * 4096 - 1, 1) } },
	{ "page-less: the last byte of all", true, { 1 },
	  { M(ORACLE_PFN_MAX, 4095, 1) } },
	{ "page-less: the last pages of all", true, { 2 },
	  { M(TOP_PFN, 1, 3 * 4096), M(ORACLE_PFN_MAX, 0, 4096) } },
	{ "page-less: neighbours in physical memory", true, { 5 },
	  { M(BELOW_PFN, 15 * 4096, 4096), P(0, 0, RAM_PAGES * 4096),
	    M(ABOVE_PFN, 0, 8 * 4096), M(ABOVE2_PFN, 0, 8 * 4096),
	    P(63, 4095, 1) } },
	{ "page-less: across two regions", true, { 3 },
	  { M(ABOVE_PFN, 0, 4), M(ABOVE_PFN, 8 * 4096 - 1, 2), P(0, 0, 4) } },
	{ "page-less: one byte past a region", true, { 2 },
	  { M(BELOW_PFN, 1, 4), M(ABOVE2_PFN, 8 * 4096 - 9, 10) } },
	{ "page-less: a chain of one entry a chunk", true, { 1, 1, 1, 1 },
	  { M(ABOVE_PFN, 1, 5), P(7, 100, 4096), M(BELOW_PFN, 3, 7),
	    P(8, 0, 1) } },
	{ "page-less: a chain, page-less beside each link", true, { 2, 2, 2 },
	  { P(1, 0, 1), M(ABOVE_PFN, 1, 5), M(BELOW_PFN, 3, 7), P(2, 0, 9),
	    P(3, 0, 1), M(ABOVE2_PFN, 3, 7) } },
	{ "page-less: no alias first", true, { 2 },
	  { M(DARK_PFN, 0, 5000), P(2, 3, 7) } },
	{ "page-less: no alias in the middle", true, { 3 },
	  { P(1, 4090, 100), M(DARK_PFN, 4095, 2), M(ABOVE_PFN, 3, 7) } },
	{ "page-less: no alias at the end", true, { 1, 2 },
	  { P(1, 4090, 100), M(BELOW_PFN, 3, 7), M(DARK_PFN, 8000, 1000) } },
	{ "page-less: no region", true, { 2 },
	  { P(1, 0, 100), M(HOLE_PFN, 3, 7) } },
	{ "page-less: device memory", true, { 1 }, { IO(BAR_PFN, 3, 5000) } },
	{ "page-less: device memory where there is an alias", true, { 2 },
	  { M(BELOW_PFN, 0, 9), IO(BELOW_PFN, 0, 9) } },
	{ "page-less: device memory between paged", true, { 3 },
	  { P(1, 0, 4096), IO(BAR_PFN, 4095, 2), P(2, 0, 4096) } },
	{ "page-less: all kinds, chained", true, { 2, 1, 3 },
	  { P(1, 1, 4096), M(ABOVE_PFN, 7, 4096), IO(BAR_PFN, 1, 3),
	    M(DARK_PFN, 5, 9), P(9, 9, 9), M(TOP_PFN, 2, 8000) } },
	{ }
};

static void try_copies(const struct list *list, const struct model *m)
{
	size_t total = oracle_total(m);
	size_t at[] = { 0, 1, 4095, 4096, 4097, total / 2, total - 1, total,
			total + 1 };
	unsigned int s, l, how;

	for (how = TO_BUFFER; how <= ZERO; how++) {
		for (s = 0; s < ARRAY_SIZE(at); s++)
			for (l = 0; l < ARRAY_SIZE(at); l++)
				if (at[s] <= total + 1 && at[l] <= total + 1)
					check_copy(list, m, how, at[l], at[s],
						   m->n);
		for (s = 0; s <= m->n + 1; s++)
			check_copy(list, m, how, total, 0, s);
		oracle_scramble(how);
	}
}

static unsigned int consume_half(unsigned int max)
{
	return (max + 1) / 2;
}

static void try_miters(const struct list *list, const struct model *m)
{
	static const unsigned int flags[] = {
		SG_MITER_TO_SG, SG_MITER_FROM_SG,
		SG_MITER_TO_SG | SG_MITER_ATOMIC,
		SG_MITER_FROM_SG | SG_MITER_ATOMIC,
	};
	size_t total = oracle_total(m);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		check_miter(list, m, flags[i], 0, NULL);
		check_miter(list, m, flags[i], 0, consume_half);
		check_miter(list, m, flags[i], total / 2, NULL);
		check_miter(list, m, flags[i], total, NULL);
		check_miter(list, m, flags[i], total + 1, NULL);
	}
}

static void try_splits(const struct list *list, const struct model *m)
{
	size_t total = oracle_total(m), skip;

	if (!total)
		return;
	for (skip = 0; skip < total; skip += total / 7 + 1) {
		size_t left = total - skip;
		size_t halves[] = { (left + 1) / 2, left / 2 };
		size_t over[] = { left, 1 };

		check_split(list, m, skip, &left, 1);
		if (left > 1)
			check_split(list, m, skip, halves, 2);
		check_split(list, m, skip, over, 2);
	}
}

static void test_odd_list(const void *arg)
{
	const struct odd_list *odd = arg;
	struct model m = { };
	struct list list;
	unsigned int i;

	list_alloc(&list, odd->used);
	for (i = 0; i < MAX_CHUNKS && odd->used[i]; i++)
		m.n += odd->used[i];
	memcpy(m.ent, odd->ent, m.n * sizeof(*m.ent));
	list_fill(&list, &m);

	check_words(&list, &m);
	check_walk(&list, &m);
	for (i = 0; i < 5; i++)
		check_pages(&list, &m, i);
	try_copies(&list, &m);
	try_miters(&list, &m);
	try_splits(&list, &m);
	check_words(&list, &m);
	list_free(&list);
}

/* ---- Tables that are used again ---- */

static void test_empty_list(const void *arg)
{
	CHECK_EQ(sg_nents(NULL), 0);
	CHECK_EQ(sg_nents_for_len(NULL, 0), 0);
	CHECK_EQ(sg_nents_for_len(NULL, 1), -EINVAL);
	CHECK_EQ(sg_copy_to_buffer(NULL, 0, NULL, 1), 0);
	CHECK_EQ(sg_zero_buffer(NULL, 0, 1, 0), 0);
}

/* Each entry of a table goes from every kind to every kind to every kind. */
static void test_end_is_carried(const void *arg)
{
	struct list list;
	struct model m = { .n = 3 };
	unsigned int i, walk;

	list_alloc_one(&list, 3);
	for (walk = 0; walk < 3 * KINDS * KINDS * KINDS; walk++) {
		unsigned int pos = walk % 3, how = walk / 3;

		for (i = 0; i < 3; i++)
			m.ent[i] = kinds[i];
		list_fill(&list, &m);
		for (i = 0; i < 3; i++, how /= KINDS) {
			m.ent[pos] = kinds[how % KINDS];
			list_set(&list, pos, &m.ent[pos]);
			check_words(&list, &m);
			check_walk(&list, &m);
		}
	}
	list_free(&list);
}

/* sg_set_buf(), sg_set_folio() and sg_init_table() over another encoding. */
static void test_set_other_ways(const void *arg)
{
	struct ent want = P(4, 33, 77);
	struct list list;
	struct model m = { .n = 2, .ent = { P(1, 1, 1), P(4, 33, 77) } };
	struct scatterlist *sg;

	list_alloc_one(&list, 2);
	list_set(&list, 0, &m.ent[0]);
	sg = list_entry(&list, 1);

	list_set(&list, 1, &kinds[1]);
	sg_set_buf(sg, oracle_addr(&want, 0), 77);
	check_words(&list, &m);

	list_set(&list, 1, &kinds[2]);
	sg_set_folio(sg, (struct folio *)&mem_map[4], 77, 33);
	check_words(&list, &m);

	list_set(&list, 1, &kinds[1]);
	sg_assign_page(sg, &mem_map[4]);
	CHECK_EQ(sg->page_link, oracle_word(&want, true));
	CHECK_EQ(sg->offset, kinds[1].offset);
	CHECK_EQ(sg->length, kinds[1].length);

	list_set(&list, 1, &kinds[2]);
	sg_init_one(sg, oracle_addr(&want, 0), 77);
	check_words(&list, &m);

	list_set(&list, 0, &kinds[1]);
	list_set(&list, 1, &kinds[2]);
	sg_init_table(list.chunk[0], 2);
	CHECK_EQ(list.chunk[0]->page_link, 0);
	CHECK_EQ(sg->page_link, 2);
	list_free(&list);
}

static void test_marks(const void *arg)
{
	struct list list;
	struct model m = { .n = 3 };
	unsigned int k, i;

	list_alloc_one(&list, 3);
	for (k = 0; k < KINDS; k++) {
		struct scatterlist *sg = list_entry(&list, 1);

		for (i = 0; i < 3; i++)
			m.ent[i] = kinds[(k + i + 2) % KINDS];
		list_fill(&list, &m);

		sg_mark_end(sg);
		CHECK_EQ(sg->page_link, oracle_word(&m.ent[1], true));
		CHECK(sg_is_last(sg) && !sg_next(sg));
		sg_mark_end(sg);
		CHECK_EQ(sg->page_link, oracle_word(&m.ent[1], true));
		sg_unmark_end(sg);
		CHECK_EQ(sg->page_link, oracle_word(&m.ent[1], false));
		CHECK(!sg_is_last(sg) && sg_next(sg) == sg + 1);
		sg_unmark_end(sg);
		check_words(&list, &m);
	}
	list_free(&list);
}

/* A chain link where an entry of another kind, perhaps the end, was. */
static void test_chain_over_entry(const void *arg)
{
	struct scatterlist sgl[2], next[1];
	unsigned int k, end;

	for (k = 0; k < KINDS; k++) {
		for (end = 0; end < 2; end++) {
			struct list list = { { sgl }, { 2 }, 1 };

			sg_init_table(sgl, 2);
			sg_init_table(next, 1);
			list_set(&list, 0, &kinds[k]);
			list_set(&list, 1, &kinds[k]);
			if (!end)
				sg_unmark_end(&sgl[1]);
			sg_chain(sgl, 2, next);
			CHECK_EQ(sgl[1].page_link, (unsigned long)next + 1);
			CHECK(!sgl[1].offset && !sgl[1].length);
			CHECK(sg_is_chain(&sgl[1]) && !sg_is_last(&sgl[1]));
			CHECK(sg_chain_ptr(&sgl[1]) == next);
			CHECK(sg_next(sgl) == next);
		}
	}
}

static unsigned int end_of(unsigned int request)
{
	return 1 + request * 5 % 6;
}

/* As blk_rq_map_sg() does it: only the end of the last use is forgotten. */
static void test_block_style(const void *arg)
{
	static const unsigned int used[MAX_CHUNKS] = { 3, 3 };
	struct list list;
	struct model m;
	unsigned int request, i;

	list_alloc(&list, used);
	for (request = 0; request < 3 * 36; request++) {
		struct scatterlist *sg = NULL;

		m.n = end_of(request);
		for (i = 0; i < m.n; i++) {
			if (sg) {
				sg_unmark_end(sg);
				sg = sg_next(sg);
			} else {
				sg = list.chunk[0];
			}
			CHECK(sg == list_entry(&list, i));
			m.ent[i] = kinds[(request + i * 2) % KINDS];
			list_set(&list, i, &m.ent[i]);
		}
		sg_mark_end(sg);
		check_words(&list, &m);
		check_walk(&list, &m);
	}
	list_free(&list);
}

/* ---- What sg_set_pfn() takes ---- */

static void check_set(struct scatterlist *sg, unsigned long pfn,
		      unsigned int len, unsigned int offset,
		      unsigned long flags, int want)
{
	struct scatterlist before = *sg;

	CHECK_EQ(sg_set_pfn(sg, pfn, len, offset, flags), want);
	if (want)
		CHECK(!memcmp(&before, sg, sizeof(*sg)));
	else
		CHECK_EQ(sg_pfn(sg), pfn);
}

/* On an entry of each kind, the last of its list and not. */
static void check_set_everywhere(unsigned long pfn, unsigned int len,
				 unsigned int offset, unsigned long flags,
				 int want)
{
	struct list list;
	unsigned int i;

	list_alloc_one(&list, 2);
	for (i = 0; i < 2 * KINDS; i++) {
		list_set(&list, i % 2, &kinds[i / 2]);
		check_set(list_entry(&list, i % 2), pfn, len, offset, flags,
			  want);
	}
	list_free(&list);
}

static const struct range {
	unsigned long	pfn;
	unsigned int	len;
	unsigned int	offset;
	int		want;
} ranges[] = {
	{ 0, 1, 0, 0 },
	{ ORACLE_PFN_MAX, 0, 0, 0 },
	{ ORACLE_PFN_MAX, 1, 0, 0 },
	{ ORACLE_PFN_MAX, 4096, 0, 0 },
	{ ORACLE_PFN_MAX, 4097, 0, -ERANGE },
	{ ORACLE_PFN_MAX, 1, 4095, 0 },
	{ ORACLE_PFN_MAX, 2, 4095, -ERANGE },
	{ ORACLE_PFN_MAX, 1, 4096, -ERANGE },
	{ ORACLE_PFN_MAX - 1, 4096, 4096, 0 },
	{ ORACLE_PFN_MAX - 1, 4097, 4096, -ERANGE },
	{ ORACLE_PFN_MAX + 1, 0, 0, -ERANGE },
	{ ORACLE_PFN_MAX + 1, 1, 0, -ERANGE },
	{ ~0UL, 1, 0, -ERANGE },
	{ ~0UL >> 1, 1, 0, -ERANGE },
	{ ~0UL >> 3, 1, 0, -ERANGE },
	/* length and offset together exceed 32 bits */
	{ ORACLE_PFN_MAX - 0xfffff, 0xffffffff, 1, 0 },
	{ ORACLE_PFN_MAX - 0xfffff, 0xffffffff, 2, -ERANGE },
	{ ORACLE_PFN_MAX - 0xffffe, 0xffffffff, 0, -ERANGE },
	{ ORACLE_PFN_MAX, 0xffffffff, 0xffffffff, -ERANGE },
};

static void test_ranges(const void *arg)
{
	const struct range *r;

	for (r = ranges; r < ranges + ARRAY_SIZE(ranges); r++) {
		check_set_everywhere(r->pfn, r->len, r->offset, 0, r->want);
		check_set_everywhere(r->pfn, r->len, r->offset, PAGELESS_MMIO,
				     r->want);
	}
}

static void test_unknown_flag(const void *arg)
{
	unsigned long flag;

	for (flag = 1; flag; flag <<= 1) {
		if (flag == PAGELESS_MMIO)
			continue;
		check_set_everywhere(1, 1, 0, flag, -EINVAL);
		check_set_everywhere(1, 1, 0, flag | PAGELESS_MMIO, -EINVAL);
	}
}

/* Each bit of a PFN survives, whatever stands beside it. */
static void test_pfn_bits(const void *arg)
{
	struct list list;
	struct model m = { .n = 2 };
	unsigned long bit;
	unsigned int i;

	list_alloc_one(&list, 2);
	for (bit = 1; bit && bit <= ORACLE_PFN_MAX; bit <<= 1) {
		for (i = 0; i < 8; i++) {
			struct ent ent = {
				i & 1 ? MMIO : MEM,
				(i & 2 ? ORACLE_PFN_MAX ^ bit : bit), i, 7
			};

			m.ent[0] = ent;
			m.ent[1] = ent;
			list_fill(&list, &m);
			check_words(&list, &m);
			check_walk(&list, &m);
		}
	}
	list_free(&list);
}

/* ---- Entries in the hands of those who want a page, or a link ---- */

/* Bit 2 of a page pointer belongs to the pointer. */
static void test_page_pointers(const void *arg)
{
	struct list list;
	struct model m = { .n = 2 };
	unsigned int i;

	list_alloc_one(&list, 2);
	for (i = 0; i < RAM_PAGES; i++) {
		m.ent[0] = (struct ent)P(i, 1, 2);
		m.ent[1] = (struct ent)P(RAM_PAGES - 1 - i, 1, 2);
		list_fill(&list, &m);
		check_words(&list, &m);
		check_walk(&list, &m);
	}
	list_free(&list);
}

/* NULL, and one WARN_ONCE each time; check_entry() counts them. */
static void test_no_page(const void *arg)
{
	struct list list;
	unsigned int k;

	list_alloc_one(&list, 1);
	for (k = 1; k < KINDS; k++) {
		list_set(&list, 0, &kinds[k]);
		check_entry(list_entry(&list, 0), &kinds[k]);
	}
	list_free(&list);
}

static void test_bug_on_link(const void *arg)
{
	struct scatterlist sgl[2], next[1];

	sg_init_table(next, 1);
	sg_init_table(sgl, 2);
	sg_chain(sgl, 2, next);
	CHECK_DIES(sg_page(&sgl[1]));
	CHECK_DIES(sg_assign_page(&sgl[1], &mem_map[0]));
	if (IS_ENABLED(CONFIG_DMA_PAGELESS)) {
		CHECK_EQ(sg_set_pfn(&sgl[1], 1, 1, 0, 0), -EINVAL);
		CHECK_WARNS_ONCE(1);
		CHECK_EQ(sg_chain_ptr(&sgl[1]) == next, true);
	}
	CHECK_DIES(sg_assign_page(sgl, (struct page *)3));
	sg_init_table(sgl, 2);
	CHECK_DIES(sg_last(sgl, 1));
}

/* ---- Tables from lib/ ---- */

static void fill_mixed(struct scatterlist *sgl, unsigned int n)
{
	struct scatterlist *sg;
	struct list list = { { NULL }, { 1 }, 1 };
	unsigned int i, count = IS_ENABLED(CONFIG_DMA_PAGELESS) ? KINDS : 1;

	for_each_sg(sgl, sg, n, i) {
		list.chunk[0] = sg;
		list_set(&list, 0, &kinds[i % count]);
	}
}

static void check_mixed(struct scatterlist *sgl, unsigned int n)
{
	unsigned int i, count = IS_ENABLED(CONFIG_DMA_PAGELESS) ? KINDS : 1;
	struct scatterlist *sg = sgl;

	CHECK_EQ(sg_nents(sgl), n);
	for (i = 0; i < n; i++) {
		CHECK_EQ(sg->page_link,
			 oracle_word(&kinds[i % count], i == n - 1));
		check_entry(sg, &kinds[i % count]);
		sg = sg_next(sg);
	}
	CHECK(!sg);
}

static const unsigned int table_sizes[] = {
	1, 2, 3, 8, 9, 127, 128, 129, 169, 170, 171, 255, 256, 257, 340, 700
};

static void test_alloc_table(const void *arg)
{
	struct sg_table sgt;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table_sizes); i++) {
		CHECK_EQ(sg_alloc_table(&sgt, table_sizes[i], GFP_KERNEL), 0);
		fill_mixed(sgt.sgl, sgt.orig_nents);
		check_mixed(sgt.sgl, table_sizes[i]);
		sg_free_table(&sgt);
	}
}

static void pool_table(unsigned int n, unsigned int first)
{
	struct scatterlist *chunk = NULL;
	struct sg_table sgt = { };
	unsigned int again;

	if (first)
		chunk = kmalloc_array(first, sizeof(*chunk), GFP_KERNEL);
	for (again = 0; again < 3; again++) {
		sgt.sgl = chunk;
		CHECK_EQ(sg_alloc_table_chained(&sgt, n, chunk, first), 0);
		fill_mixed(sgt.sgl, n);
		check_mixed(sgt.sgl, n);
		sg_free_table_chained(&sgt, first);
	}
	kfree(chunk);
}

static void test_pool(const void *arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table_sizes); i++) {
		pool_table(table_sizes[i], 0);
		pool_table(table_sizes[i], 2);
		pool_table(table_sizes[i], SG_CHUNK_SIZE);
	}
}

/*
 * A table of two entries and room for more. The second is made page-less, then
 * two pages are appended, which may follow on from it in physical memory.
 */
static void append_after(const struct ent *last)
{
	struct page *pages[] = { &mem_map[9], &mem_map[4] };
	struct page *more[] = { &mem_map[0], &mem_map[1] };
	struct sg_append_table append = { };
	struct list list = { { NULL }, { 1 }, 1 };
	struct ent want = P(0, 0, 8192);

	CHECK_EQ(sg_alloc_append_table_from_pages(&append, pages, 2, 0, 8192,
						  UINT_MAX, 2, GFP_KERNEL), 0);
	list.chunk[0] = append.prv;
	list_set(&list, 0, last);
	CHECK_EQ(sg_alloc_append_table_from_pages(&append, more, 2, 0, 8192,
						  UINT_MAX, 0, GFP_KERNEL), 0);
	CHECK_EQ(append.sgt.nents, 3);
	CHECK_EQ(append.sgt.sgl[1].page_link, oracle_word(last, false));
	CHECK_EQ(append.sgt.sgl[1].length, last->length);
	check_entry(&append.sgt.sgl[1], last);
	CHECK_EQ(append.prv->page_link, oracle_word(&want, true));
	CHECK_EQ(append.prv->length, 8192);
	CHECK_EQ(sg_nents(append.sgt.sgl), 3);
	sg_free_append_table(&append);
}

static const struct ent just_below[] = {
	M(BELOW_PFN, 15 * 4096, 4096), IO(BELOW_PFN + 15, 0, 4096),
	M(BELOW_PFN + 15, 4000, 96), M(DARK_PFN, 1, 2),
};

static void test_append(const void *arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(just_below); i++)
		append_after(&just_below[i]);
	CHECK_WARNS_ONCE(0);
}

/* The pages do not fit the table, and there is no memory for another chunk. */
static void test_append_enomem(const void *arg)
{
	struct page *pages[] = { &mem_map[9], &mem_map[4] };
	struct page *more[] = { &mem_map[0], &mem_map[5] };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(just_below); i++) {
		struct sg_append_table append = { };
		struct list list = { { NULL }, { 1 }, 1 };

		CHECK_EQ(sg_alloc_append_table_from_pages(&append, pages, 2, 0,
							  8192, UINT_MAX, 1,
							  GFP_KERNEL), 0);
		list.chunk[0] = append.prv;
		list_set(&list, 0, &just_below[i]);
		harness_fail_alloc(1);
		CHECK_EQ(sg_alloc_append_table_from_pages(&append, more, 2, 0,
							  8192, UINT_MAX, 0,
							  GFP_KERNEL), -ENOMEM);
		CHECK_EQ(append.prv->page_link,
			 oracle_word(&just_below[i], false));
		CHECK_EQ(append.prv->length, just_below[i].length);
		sg_free_append_table(&append);
	}
}

/* Of three, each allocation fails once. */
static void test_split_enomem(const void *arg)
{
	static const size_t sizes[] = { 3, 9000 };
	struct model m = {
		2, { M(ABOVE_PFN, 4000, 9000), IO(BAR_PFN, 1, 3) }
	};
	struct scatterlist *out[2];
	struct list list;
	unsigned int i;

	list_alloc_one(&list, 2);
	list_fill(&list, &m);
	for (i = 1; i <= 3; i++) {
		harness_fail_alloc(i);
		CHECK_EQ(sg_split(list.chunk[0], 0, 0, 2, sizes, out, NULL,
				  GFP_KERNEL), -ENOMEM);
	}
	check_split(&list, &m, 0, sizes, 2);
	list_free(&list);
}

/* The addresses of a mapped list are split beside the entries. */
static void test_split_mapped(const void *arg)
{
	static const size_t sizes[] = { 100, 9000 - 100 + 3 };
	struct model m = {
		2, { M(ABOVE_PFN, 4000, 9000), IO(BAR_PFN, 1, 3) }
	};
	struct scatterlist *out[2], *sg;
	struct list list;
	int nents[2];

	list_alloc_one(&list, 2);
	list_fill(&list, &m);
	sg = list.chunk[0];
	sg_dma_address(sg) = 0x10000;
	sg_dma_len(sg) = 9003;
	sg_dma_len(sg + 1) = 0;
	CHECK_EQ(sg_split(sg, 1, 0, 2, sizes, out, nents, GFP_KERNEL), 0);
	CHECK_EQ(nents[0], 1);
	CHECK_EQ(nents[1], 1);
	CHECK_EQ(sg_dma_address(out[0]), 0x10000);
	CHECK_EQ(sg_dma_len(out[0]), 100);
	CHECK_EQ(sg_dma_address(out[1]), 0x10000 + 100);
	CHECK_EQ(sg_dma_len(out[1]), 9003 - 100);
	CHECK_EQ(sg_phys(out[1]), sg_phys(sg) + 100);
	kfree(out[0]);
	kfree(out[1]);
	list_free(&list);
}

/* ---- */

/* Without the option: an error that changes nothing, and pages everywhere. */
static void test_disabled(const void *arg)
{
	struct scatterlist sg, before;
	unsigned int low;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, &mem_map[5], 6, 7);
	before = sg;
	CHECK_EQ(sg_set_pfn(&sg, 1, 1, 0, 0), -EOPNOTSUPP);
	CHECK_EQ(sg_set_pfn(&sg, 1, 1, 0, PAGELESS_MMIO), -EOPNOTSUPP);
	CHECK(!memcmp(&sg, &before, sizeof(sg)));
	for (low = 0; low < 16; low++) {
		sg.page_link = (before.page_link & ~15UL) | low;
		CHECK(sg_has_page(&sg) && !sg_is_mmio(&sg));
		CHECK(sg_has_kaddr(&sg) && !sg_kaddr(&sg));
		CHECK_EQ(sg_is_chain(&sg), low & 1);
		CHECK_EQ(sg_is_last(&sg), !!(low & 2));
	}
}

static const struct claim {
	const char	*name;
	void		(*fn)(const void *arg);
	bool		pageless;
} claims[] = {
	{ "a list of nothing", test_empty_list, false },
	{ "every bit of a page pointer is kept", test_page_pointers, false },
	{ "a link is not an entry (DEBUG_SG)", test_bug_on_link, false },
	{ "sg_page() and sg_virt() of a page-less entry", test_no_page, true },
	{ "an entry set again keeps its end mark", test_end_is_carried, true },
	{ "a page replaces a PFN in every way of setting", test_set_other_ways, true },
	{ "sg_mark_end() and sg_unmark_end() of every kind", test_marks, true },
	{ "a chain link replaces an entry of every kind", test_chain_over_entry, true },
	{ "a table is used again as the block layer does", test_block_style, true },
	{ "PFNs and ranges that fit, -ERANGE for others", test_ranges, true },
	{ "-EINVAL for each unknown flag", test_unknown_flag, true },
	{ "every bit of a PFN is kept", test_pfn_bits, true },
	{ "sg_alloc_table() chains entries of all kinds", test_alloc_table, false },
	{ "sg_alloc_table_chained() chains entries of all kinds", test_pool, false },
	{ "pages are not merged into a page-less entry", test_append, true },
	{ "appending that fails leaves the entry alone", test_append_enomem, true },
	{ "sg_split() that fails leaks nothing", test_split_enomem, true },
	{ "sg_split() splits a mapping", test_split_mapped, true },
};

static void run_if(bool pageless, const char *name,
		   void (*fn)(const void *arg), const void *arg)
{
	if (pageless && !IS_ENABLED(CONFIG_DMA_PAGELESS))
		skip(name, "CONFIG_DMA_PAGELESS=n");
	else
		run(name, fn, arg);
}

void pageless_tests(void)
{
	const struct odd_list *odd;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(claims); i++)
		run_if(claims[i].pageless, claims[i].name, claims[i].fn, NULL);
	if (!IS_ENABLED(CONFIG_DMA_PAGELESS))
		run("sg_set_pfn() is refused", test_disabled, NULL);
	for (odd = odd_lists; odd->name; odd++)
		run_if(odd->pageless, odd->name, test_odd_list, odd);
}
