// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of scatterlist entries with and without a struct page, on real
 * pages and real regions.
 *
 * The oracle is an array with the address of each byte of a list, computed
 * from the table of the test and not by scatterlist helpers. tools/testing/
 * scatterlist says more, in user space, where regions are played.
 */
#include <kunit/pageless.h>
#include <kunit/test.h>
#include <linux/dma-region.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pageless.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <trace/events/error_report.h>

#define NPAGES		8UL		/* of pages, and of each region */
#define NPAGES_ORDER	3
#define REGIONS_SIZE	(256UL << 20)

enum place { PAGES, ALIAS, ALIAS2, DARK, BAR, BAR_ALIAS, NPLACES };

struct ent {
	enum place	place;
	unsigned int	offset;
	unsigned int	length;
};

static struct dma_region regions[] = {
	[ALIAS]  = { .attr = DMA_REGION_WB, .name = "kunit-alias" },
	[ALIAS2] = { .attr = DMA_REGION_WB, .name = "kunit-alias2" },
	[DARK]   = { .attr = DMA_REGION_WB, .name = "kunit-dark" },
	[BAR]    = { .attr = DMA_REGION_MMIO, .name = "kunit-bar" },
};

static bool warn;
module_param(warn, bool, 0444);
MODULE_PARM_DESC(warn, "Run the tests that make the kernel warn, too");

static struct page *pages;
static unsigned long base_pfn;

/* ---- Where things are ---- */

static bool is_mmio(enum place place)
{
	return place == BAR || place == BAR_ALIAS;
}

/* BAR_ALIAS is device memory, wrongly, where there is an alias. */
static unsigned long place_pfn(enum place place)
{
	if (place == PAGES)
		return page_to_pfn(pages);
	return regions[place == BAR_ALIAS ? ALIAS : place].pfn;
}

static void *place_memory(enum place place)
{
	if (place == PAGES)
		return page_address(pages);
	return is_mmio(place) ? NULL : regions[place].kaddr;
}

/* The alias of an entry, which has to lie in one region. */
static u8 *ent_memory(const struct ent *ent)
{
	u8 *memory = place_memory(ent->place);

	if (!memory || ent->offset + ent->length > NPAGES * PAGE_SIZE)
		return NULL;
	return memory + ent->offset;
}

static void set_ent(struct kunit *test, struct scatterlist *sg,
		    const struct ent *ent)
{
	if (ent->place == PAGES)
		sg_set_page(sg, pages, ent->length, ent->offset);
	else
		KUNIT_ASSERT_EQ(test, 0,
				sg_set_pfn(sg, place_pfn(ent->place),
					   ent->length, ent->offset,
					   is_mmio(ent->place) ?
					   PAGELESS_MMIO : 0));
}

static unsigned long ent_word(const struct ent *ent, bool end)
{
	if (ent->place == PAGES)
		return (unsigned long)pages + (end ? 2 : 0);
	return place_pfn(ent->place) * 16 + (is_mmio(ent->place) ? 8 : 0) +
	       (end ? 4 : 0) + 3;
}

static void scatterlist_suite_exit(struct kunit_suite *suite)
{
	int i;

	for (i = ALIAS; i <= BAR; i++) {
		if (regions[i].npages)
			dma_region_unregister(&regions[i]);
		regions[i].npages = 0;
		vfree(regions[i].kaddr);
		regions[i].kaddr = NULL;
	}
	if (pages)
		__free_pages(pages, NPAGES_ORDER);
	pages = NULL;
}

/* All of them adjacent; vmalloc() is not contiguous, as no alias need be. */
static int add_region(enum place place)
{
	struct dma_region *region = &regions[place];
	int ret;

	if (place == ALIAS || place == ALIAS2) {
		region->kaddr = vmalloc(NPAGES * PAGE_SIZE);
		if (!region->kaddr)
			return -ENOMEM;
	}
	region->pfn = base_pfn + (place - ALIAS) * NPAGES;
	region->npages = NPAGES;
	ret = dma_region_register(region);
	if (ret)
		region->npages = 0;
	return ret;
}

static int scatterlist_suite_init(struct kunit_suite *suite)
{
	int ret = 0, i;

	base_pfn = PHYS_PFN(kunit_find_phys_space(REGIONS_SIZE, 0));
	if (!base_pfn)
		ret = -ENODEV;
	pages = alloc_pages(GFP_KERNEL, NPAGES_ORDER);
	if (!pages)
		ret = -ENOMEM;
	for (i = ALIAS; !ret && i <= BAR; i++)
		ret = add_region(i);
	if (ret)
		scatterlist_suite_exit(suite);
	return ret;
}

static void fill_memory(u8 seed)
{
	int place, i;

	for (place = PAGES; place <= ALIAS2; place++)
		for (i = 0; i < NPAGES * PAGE_SIZE; i++)
			((u8 *)place_memory(place))[i] =
				(i * 167 + (i >> 12) * 13 + seed) ^ place;
}

/* ---- Counting warnings ---- */

static atomic_t warns;

static void probe_warn(void *ignored, enum error_detector detector,
		       unsigned long id)
{
	if (detector == ERROR_DETECTOR_WARN)
		atomic_inc(&warns);
}

static void skip_unless_warn(struct kunit *test)
{
	if (!warn)
		kunit_skip(test,
			   "makes a warning, needs scatterlist_kunit.warn=1");
}

/* ---- Entries ---- */

static const struct ent kinds[] = {
	{ PAGES, 5, 100 }, { ALIAS, 6, 200 }, { BAR, 7, 300 },
	{ DARK, 4097, 9000 }, { ALIAS, 9001, 5000 }, { BAR_ALIAS, 8, 8 },
};

static void expect_entry(struct kunit *test, struct scatterlist *sg,
			 const struct ent *ent, bool end)
{
	bool paged = ent->place == PAGES;
	u8 *alias = paged ? NULL : ent_memory(ent);

	KUNIT_EXPECT_EQ(test, sg->page_link, ent_word(ent, end));
	KUNIT_EXPECT_EQ(test, sg->offset, ent->offset);
	KUNIT_EXPECT_EQ(test, sg->length, ent->length);
	KUNIT_EXPECT_EQ(test, sg_is_last(sg), end);
	KUNIT_EXPECT_FALSE(test, sg_is_chain(sg));
	KUNIT_EXPECT_EQ(test, sg_has_page(sg), paged);
	KUNIT_EXPECT_EQ(test, sg_is_mmio(sg), is_mmio(ent->place));
	KUNIT_EXPECT_EQ(test, sg_pfn(sg), place_pfn(ent->place));
	KUNIT_EXPECT_EQ(test, (u64)sg_phys(sg),
			(u64)place_pfn(ent->place) * PAGE_SIZE + ent->offset);
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)sg_kaddr(sg), alias);
	KUNIT_EXPECT_EQ(test, sg_has_kaddr(sg), paged || alias);
	if (paged) {
		KUNIT_EXPECT_PTR_EQ(test, sg_page(sg), pages);
		KUNIT_EXPECT_PTR_EQ(test, (u8 *)sg_virt(sg), ent_memory(ent));
	}
}

/* Every kind after every kind, at the end of the list and not. */
static void sg_entry_set_again(struct kunit *test)
{
	struct scatterlist sgl[2];
	int from, to, pos;

	sg_init_table(sgl, 2);
	for (from = 0; from < ARRAY_SIZE(kinds); from++) {
		for (to = 0; to < ARRAY_SIZE(kinds); to++) {
			for (pos = 0; pos < 2; pos++) {
				set_ent(test, &sgl[pos], &kinds[from]);
				expect_entry(test, &sgl[pos], &kinds[from],
					     pos);
				set_ent(test, &sgl[pos], &kinds[to]);
				expect_entry(test, &sgl[pos], &kinds[to], pos);
			}
			KUNIT_EXPECT_EQ(test, sg_nents(sgl), 2);
			sg_mark_end(&sgl[0]);
			expect_entry(test, &sgl[0], &kinds[to], true);
			KUNIT_EXPECT_EQ(test, sg_nents(sgl), 1);
			sg_unmark_end(&sgl[0]);
			expect_entry(test, &sgl[0], &kinds[to], false);
			KUNIT_EXPECT_PTR_EQ(test, sg_next(sgl), &sgl[1]);
		}
	}
}

static void sg_chain_over_entry(struct kunit *test)
{
	struct scatterlist sgl[2], next[1];
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		sg_init_table(sgl, 2);
		sg_init_table(next, 1);
		set_ent(test, &sgl[0], &kinds[i]);
		set_ent(test, &sgl[1], &kinds[i]);
		sg_chain(sgl, 2, next);
		KUNIT_EXPECT_EQ(test, sgl[1].page_link,
				(unsigned long)next + 1);
		KUNIT_EXPECT_PTR_EQ(test, sg_next(sgl), &next[0]);
	}
}

static const struct pfn_case {
	const char	*name;
	long		pfn;		/* less the largest */
	unsigned int	len;
	unsigned int	offset;
	unsigned long	flags;
	int		ret;
} pfn_cases[] = {
	{ "largest PFN", 0, PAGE_SIZE, 0, 0, 0 },
	{ "largest PFN, MMIO", 0, 1, PAGE_SIZE - 1, PAGELESS_MMIO, 0 },
	{ "one PFN more", 1, 1, 0, 0, -ERANGE },
	{ "one byte more", 0, PAGE_SIZE + 1, 0, 0, -ERANGE },
	{ "offset past the largest PFN", 0, 1, PAGE_SIZE, 0, -ERANGE },
	{ "last byte fits", -1, PAGE_SIZE, PAGE_SIZE, 0, 0 },
	{ "length and offset exceed 32 bits", 0, UINT_MAX, UINT_MAX, 0,
	  -ERANGE },
	{ "unknown flag", -9, 1, 0, 1, -EINVAL },
	{ "unknown flag beside MMIO", -9, 1, 0, PAGELESS_MMIO | PAGELESS_END,
	  -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(pfn, pfn_cases, name);

static void sg_set_pfn_takes_or_refuses(struct kunit *test)
{
	const struct pfn_case *c = test->param_value;
	unsigned long pfn = PAGELESS_PFN_MAX + c->pfn;
	struct scatterlist sg, before;
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		sg_init_table(&sg, 1);
		set_ent(test, &sg, &kinds[i]);
		before = sg;
		KUNIT_EXPECT_EQ(test, c->ret, sg_set_pfn(&sg, pfn, c->len,
							 c->offset, c->flags));
		if (c->ret)
			KUNIT_EXPECT_MEMEQ(test, &sg, &before, sizeof(sg));
		else
			KUNIT_EXPECT_EQ(test, sg_pfn(&sg), pfn);
		KUNIT_EXPECT_TRUE(test, sg_is_last(&sg));
	}
}

static void sg_kaddr_ends_with_region(struct kunit *test)
{
	struct dma_region *region = &regions[ALIAS2];
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	set_ent(test, &sg, &(struct ent){ ALIAS2, 1, 2 });
	KUNIT_EXPECT_PTR_EQ(test, sg_kaddr(&sg), region->kaddr + 1);
	dma_region_unregister(region);
	KUNIT_EXPECT_NULL(test, sg_kaddr(&sg));
	KUNIT_EXPECT_FALSE(test, sg_has_kaddr(&sg));
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(region));
	KUNIT_EXPECT_PTR_EQ(test, sg_kaddr(&sg), region->kaddr + 1);

	/* What runs on into the next region has no one alias. */
	set_ent(test, &sg, &(struct ent){ ALIAS, NPAGES * PAGE_SIZE - 1, 1 });
	KUNIT_EXPECT_NOT_NULL(test, sg_kaddr(&sg));
	set_ent(test, &sg, &(struct ent){ ALIAS, NPAGES * PAGE_SIZE - 1, 2 });
	KUNIT_EXPECT_NULL(test, sg_kaddr(&sg));
}

/* ---- Lists ---- */

#define MAX_ENTS	8

/* Entries to the first of length 0; a chunk is two of them. */
static const struct list_case {
	const char	*name;
	struct ent	ent[MAX_ENTS + 1];
	bool		dark;		/* the CPU cannot reach it all */
} list_cases[] = {
	{ "one byte", { { PAGES, 0, 1 } } },
	{ "page-less byte", { { ALIAS, 0, 1 } } },
	{ "last byte of a region", { { ALIAS, NPAGES * PAGE_SIZE - 1, 1 } } },
	{ "all of a region", { { ALIAS2, 0, NPAGES * PAGE_SIZE } } },
	{ "crossing pages", { { ALIAS, 4000, 9000 } } },
	{ "offset above a page", { { ALIAS, 9001, 5000 }, { PAGES, 9001, 9 } } },
	{ "mixed", { { PAGES, 1, 4096 }, { ALIAS, 7, 4096 }, { PAGES, 8000, 9 },
		     { ALIAS2, 4095, 2 }, { ALIAS, 20000, 1 } } },
	{ "page-less beside each link",
	  { { ALIAS, 10, 5 }, { ALIAS2, 20, 6 }, { ALIAS, 30, 7 },
	    { ALIAS2, 40, 8 }, { ALIAS, 50, 9 }, { ALIAS2, 60, 10 },
	    { ALIAS, 70, 11 }, { ALIAS2, 80, 12 } } },
	{ "no alias first", { { DARK, 0, 5000 }, { PAGES, 1, 4 } }, true },
	{ "no alias in the middle",
	  { { PAGES, 4090, 100 }, { DARK, 4095, 2 }, { ALIAS, 3, 7 } }, true },
	{ "device memory last", { { ALIAS, 4090, 100 }, { BAR, 1, 3 } }, true },
	{ "device memory where there is an alias",
	  { { ALIAS, 0, 9 }, { BAR_ALIAS, 0, 9 }, { PAGES, 0, 9 } }, true },
	{ "across two regions",
	  { { PAGES, 0, 9 }, { ALIAS, NPAGES * PAGE_SIZE - 1, 2 } }, true },
};

KUNIT_ARRAY_PARAM_DESC(list, list_cases, name);

struct list {
	struct scatterlist	chunk[MAX_ENTS / 2][3];
	unsigned int		n;
	size_t			total;
	u8			**byte;		/* the address of each, or NULL */
};

static struct scatterlist *list_entry_at(struct list *list, unsigned int i)
{
	return &list->chunk[i / 2][i % 2];
}

static void list_bytes(struct kunit *test, struct list *list,
		       const struct ent *ent)
{
	size_t at = 0;
	int i, b;

	for (i = 0; i < list->n; i++)
		list->total += ent[i].length;
	list->byte = kunit_kcalloc(test, list->total, sizeof(*list->byte),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, list->byte);
	for (i = 0; i < list->n; i++)
		for (b = 0; b < ent[i].length; b++, at++)
			if (ent_memory(&ent[i]))
				list->byte[at] = ent_memory(&ent[i]) + b;
}

static struct list *new_list(struct kunit *test, const struct ent *ent)
{
	struct list *list = kunit_kzalloc(test, sizeof(*list), GFP_KERNEL);
	unsigned int i, chunks;

	KUNIT_ASSERT_NOT_NULL(test, list);
	while (list->n < MAX_ENTS && ent[list->n].length)
		list->n++;
	chunks = DIV_ROUND_UP(list->n, 2);
	for (i = 0; i < chunks; i++) {
		sg_init_table(list->chunk[i], i + 1 < chunks ? 3 :
			      list->n - 2 * i);
		if (i)
			sg_chain(list->chunk[i - 1], 3, list->chunk[i]);
	}
	for (i = 0; i < list->n; i++)
		set_ent(test, list_entry_at(list, i), &ent[i]);
	list_bytes(test, list, ent);
	return list;
}

static void sg_list_is_walked(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct list *list = new_list(test, c->ent);
	struct scatterlist *sg = list->chunk[0];
	size_t sum = 0;
	int i;

	KUNIT_EXPECT_EQ(test, sg_nents(sg), list->n);
	KUNIT_EXPECT_PTR_EQ(test, sg_last(sg, list->n),
			    list_entry_at(list, list->n - 1));
	for (i = 0; i < list->n; i++, sg = sg_next(sg)) {
		KUNIT_ASSERT_PTR_EQ(test, sg, list_entry_at(list, i));
		expect_entry(test, sg, &c->ent[i], i == list->n - 1);
		KUNIT_EXPECT_EQ(test, i + 1,
				sg_nents_for_len(list->chunk[0], sum + 1));
		sum += c->ent[i].length;
		KUNIT_EXPECT_EQ(test, i + 1,
				sg_nents_for_len(list->chunk[0], sum));
	}
	KUNIT_EXPECT_NULL(test, sg);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			sg_nents_for_len(list->chunk[0], sum + 1));
}

/* How far a copy gets: to the first byte that the CPU cannot reach. */
static size_t copy_length(struct list *list, size_t len, size_t skip)
{
	size_t n;

	for (n = 0; n < len && skip + n < list->total; n++)
		if (!list->byte[skip + n])
			break;
	return n;
}

static void expect_copy_out(struct kunit *test, struct list *list, u8 *buf,
			    size_t len, size_t skip)
{
	size_t n = copy_length(list, len, skip), i;

	memset(buf, 0xee, list->total + 2);
	KUNIT_ASSERT_EQ(test, n, sg_pcopy_to_buffer(list->chunk[0], list->n,
						    buf, len, skip));
	for (i = 0; i < n; i++)
		if (buf[i] != *list->byte[skip + i])
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, n, "first difference, skip %zu", skip);
	KUNIT_EXPECT_EQ(test, buf[n], 0xee);
}

/* No entry of the lists overlaps another. */
static void expect_copy_in(struct kunit *test, struct list *list, u8 *buf,
			   size_t len, size_t skip, bool zero)
{
	size_t n = copy_length(list, len, skip), i, ret;

	fill_memory(3);
	for (i = 0; i < len; i++)
		buf[i] = zero ? 0 : i * 89 + 7;
	ret = zero ? sg_zero_buffer(list->chunk[0], list->n, len, skip) :
		     sg_pcopy_from_buffer(list->chunk[0], list->n, buf, len,
					  skip);
	KUNIT_ASSERT_EQ(test, n, ret);
	for (i = 0; i < n; i++)
		if (*list->byte[skip + i] != buf[i])
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, n, "first difference, skip %zu", skip);
}

/* The table says which lists the CPU cannot reach; those warn, once. */
static void sg_list_is_copied(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct list *list = new_list(test, c->ent);
	u8 *buf = kunit_kmalloc(test, list->total + 2, GFP_KERNEL);
	size_t step = list->total / 5 + 1, skip, len;

	if (c->dark)
		skip_unless_warn(test);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (skip = 0; skip <= list->total + 1; skip += step) {
		for (len = 0; len <= list->total + 1; len += step) {
			fill_memory(skip + len);
			expect_copy_out(test, list, buf, len, skip);
			expect_copy_in(test, list, buf, len, skip, false);
			expect_copy_in(test, list, buf, len, skip, true);
		}
	}
	KUNIT_EXPECT_EQ(test, c->dark,
			copy_length(list, list->total, 0) != list->total);
}

static void expect_miter(struct kunit *test, struct list *list,
			 unsigned int flags, unsigned int divisor)
{
	struct sg_mapping_iter miter;
	size_t at = 0;

	sg_miter_start(&miter, list->chunk[0], list->n, flags);
	while (sg_miter_next(&miter)) {
		struct page *page = miter.page;
		u8 *addr = miter.addr, *want = NULL;
		size_t length = miter.length;

		if (at < list->total)
			want = list->byte[at];
		miter.consumed = DIV_ROUND_UP(length, divisor);
		at += miter.consumed;
		/* Atomic mappings end here, and expectations may sleep. */
		sg_miter_stop(&miter);
		KUNIT_ASSERT_LE(test, at, list->total);
		KUNIT_EXPECT_PTR_EQ(test, addr, want);
		KUNIT_EXPECT_TRUE(test, length && length <= PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, !page, is_vmalloc_addr(want));
	}
	sg_miter_stop(&miter);
	KUNIT_EXPECT_EQ(test, at, copy_length(list, list->total, 0));
}

static void sg_list_is_mapped_by_miter(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct list *list = new_list(test, c->ent);

	if (c->dark)
		skip_unless_warn(test);
	expect_miter(test, list, SG_MITER_FROM_SG, 1);
	expect_miter(test, list, SG_MITER_TO_SG, 2);
	expect_miter(test, list, SG_MITER_FROM_SG | SG_MITER_ATOMIC, 3);
	expect_miter(test, list, SG_MITER_TO_SG | SG_MITER_ATOMIC, 1);
}

/* Physical addresses; a split does not look at the bytes. */
static void sg_list_is_split(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	struct list *list = new_list(test, c->ent);
	size_t sizes[2] = { (list->total + 1) / 3, list->total / 2 };
	struct scatterlist *out[2], *sg;
	size_t at, skip = list->total > 3;
	int i, e = 0, ret, nr = sizes[0] ? 2 : 1;
	size_t in_ent = skip, left;

	if (nr == 1)
		sizes[0] = list->total;
	ret = sg_split(list->chunk[0], 0, skip, nr, sizes, out, NULL,
		       GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, ret, 0);
	for (i = 0; i < nr; i++) {
		for (at = 0, sg = out[i]; sg; at += sg->length, sg = sg_next(sg))
			for (left = 0; left < sg->length; left++, in_ent++) {
				phys_addr_t phys = sg_phys(sg) + left, want;

				while (in_ent == c->ent[e].length) {
					e++;
					in_ent = 0;
				}
				want = PFN_PHYS((phys_addr_t)place_pfn(c->ent[e].place)) +
				       c->ent[e].offset + in_ent;
				if (phys != want ||
				    sg_is_mmio(sg) != is_mmio(c->ent[e].place))
					KUNIT_FAIL_AND_ABORT(test,
							     "split %d at %zu: %pa, not %pa",
							     i, at + left,
							     &phys, &want);
			}
		KUNIT_EXPECT_EQ(test, at, sizes[i]);
		kfree(out[i]);
	}
}

/* ---- Tables from lib/ ---- */

static void sg_pool_table(struct kunit *test)
{
	static const int sizes[] = { 1, 2, 8, 127, 128, 129, 256, 700 };
	struct scatterlist first[2], *sg;
	struct sg_table table;
	int s, i;

	if (IS_ENABLED(CONFIG_ARCH_NO_SG_CHAIN))
		kunit_skip(test, "no chained lists on this architecture");
	for (s = 0; s < 2 * ARRAY_SIZE(sizes); s++) {
		int n = sizes[s / 2];

		table.sgl = first;
		KUNIT_ASSERT_EQ(test, 0,
				sg_alloc_table_chained(&table, n, first,
						       s % 2 ? 2 : 0));
		for_each_sg(table.sgl, sg, n, i)
			set_ent(test, sg, &kinds[i % ARRAY_SIZE(kinds)]);
		KUNIT_EXPECT_EQ(test, sg_nents(table.sgl), n);
		for_each_sg(table.sgl, sg, n, i)
			expect_entry(test, sg, &kinds[i % ARRAY_SIZE(kinds)],
				     i == n - 1);
		sg_free_table_chained(&table, s % 2 ? 2 : 0);
	}
}

/* Appended pages do not become part of an entry that has none. */
static void sg_append_after_pageless(struct kunit *test)
{
	struct page *list[2] = { pages + 2, pages + 4 };
	struct page *more[1] = { pages + 5 };
	struct sg_append_table append = { };
	struct ent last = { ALIAS, 0, 4096 };

	if (IS_ENABLED(CONFIG_ARCH_NO_SG_CHAIN))
		kunit_skip(test, "no chained lists on this architecture");
	KUNIT_ASSERT_EQ(test, 0,
			sg_alloc_append_table_from_pages(&append, list, 2, 0,
							 2 * PAGE_SIZE,
							 UINT_MAX, 1,
							 GFP_KERNEL));
	/* A range that ends where the page begins, if it had pages. */
	KUNIT_ASSERT_EQ(test, 0, sg_set_pfn(append.prv, page_to_pfn(pages + 4),
					    PAGE_SIZE, 0, 0));
	KUNIT_EXPECT_EQ(test, 0,
			sg_alloc_append_table_from_pages(&append, more, 1, 0,
							 PAGE_SIZE, UINT_MAX,
							 0, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, append.sgt.nents, 3);
	KUNIT_EXPECT_EQ(test, append.sgt.sgl[1].length, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, sg_has_page(&append.sgt.sgl[1]));
	KUNIT_EXPECT_PTR_EQ(test, sg_page(append.prv), pages + 5);
	KUNIT_EXPECT_TRUE(test, sg_is_last(append.prv));

	set_ent(test, &append.sgt.sgl[1], &last);
	expect_entry(test, &append.sgt.sgl[1], &last, false);
	sg_free_append_table(&append);
}

/* ---- Who asks for a page that is not there ---- */

static void sg_page_of_pageless_is_null(struct kunit *test)
{
	struct sg_page_iter piter;
	struct scatterlist sg;
	int i;

	skip_unless_warn(test);
	if (register_trace_error_report_end(probe_warn, NULL))
		kunit_skip(test, "needs CONFIG_TRACEPOINTS");
	kunit_info(test, "a warning of sg_page() may follow\n");
	atomic_set(&warns, 0);
	sg_init_table(&sg, 1);
	set_ent(test, &sg, &kinds[1]);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_NULL(test, sg_page(&sg));
		KUNIT_EXPECT_NULL(test, sg_virt(&sg));
	}
	for_each_sg_page(&sg, &piter, 1, 0)
		KUNIT_EXPECT_NULL(test, sg_page_iter_page(&piter));
	/* Once since boot, or since warnings were cleared. */
	KUNIT_EXPECT_LE(test, atomic_read(&warns), 1);
	unregister_trace_error_report_end(probe_warn, NULL);
	tracepoint_synchronize_unregister();
}

static struct kunit_case scatterlist_cases[] = {
	KUNIT_CASE(sg_entry_set_again),
	KUNIT_CASE(sg_chain_over_entry),
	KUNIT_CASE_PARAM(sg_set_pfn_takes_or_refuses, pfn_gen_params),
	KUNIT_CASE(sg_kaddr_ends_with_region),
	KUNIT_CASE_PARAM(sg_list_is_walked, list_gen_params),
	KUNIT_CASE_PARAM(sg_list_is_copied, list_gen_params),
	KUNIT_CASE_PARAM(sg_list_is_mapped_by_miter, list_gen_params),
	KUNIT_CASE_PARAM(sg_list_is_split, list_gen_params),
	KUNIT_CASE(sg_pool_table),
	KUNIT_CASE(sg_append_after_pageless),
	KUNIT_CASE(sg_page_of_pageless_is_null),
	{}
};

static struct kunit_suite scatterlist_suite = {
	.name = "scatterlist",
	.suite_init = scatterlist_suite_init,
	.suite_exit = scatterlist_suite_exit,
	.test_cases = scatterlist_cases,
};

kunit_test_suite(scatterlist_suite);

MODULE_DESCRIPTION("KUnit tests of scatterlist entries");
MODULE_LICENSE("GPL");
