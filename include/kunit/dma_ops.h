/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For KUnit tests of dma_map_ops whose I/O MMU nobody has: a device, memory of
 * every kind, lists of it, and a walk over what must be in the table.
 *
 * The suite fakes the table and says what a word of it must be. All of this is
 * static: a suite is one file, and includes this once.
 *
 * Nothing but the struct pages is memory. The rest is physical address space
 * that nobody uses; no ops under test may touch it with the CPU.
 */
#ifndef _KUNIT_DMA_OPS_H
#define _KUNIT_DMA_OPS_H

#include <kunit/pageless.h>
#include <kunit/test.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-region.h>
#include <linux/gfp.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/pageless.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

/* In the order of their addresses, each right behind the one before. */
enum fake_place {
	FAKE_PAGES,	/* memory with struct pages, and somewhere else */
	FAKE_ALIAS,	/* memory without, in a region with a kernel alias */
	FAKE_BARE,	/* in a region without alias */
	FAKE_STRAY,	/* in no region */
	FAKE_BAR,	/* device memory of the device that does the DMA */
	FAKE_LONE_BAR,	/* in a region that names no PCI device */
	FAKE_STRAY_BAR,	/* in no region */
	NR_FAKE_PLACES
};

static const unsigned int fake_sizes[NR_FAKE_PLACES] = {
	[FAKE_PAGES]	 = SZ_128K,
	[FAKE_ALIAS]	 = SZ_1M,
	[FAKE_BARE]	 = SZ_32M,
	[FAKE_STRAY]	 = SZ_1M,
	[FAKE_BAR]	 = SZ_1M,
	[FAKE_LONE_BAR]	 = SZ_1M,
	[FAKE_STRAY_BAR] = SZ_1M,
};

#define FAKE_SPACE	SZ_64M
#define FAKE_BUS_BASE	0x1230000UL	/* of the device's BAR, on its bus */
#define FAKE_PIECES	8

struct fake_piece {
	enum fake_place	place;
	int		pos;		/* from the end if negative */
	unsigned int	len;
	unsigned int	skew;		/* pages that the offset exceeds by */
	bool		other_kind;	/* says that it is what it is not */
	int		err;		/* that a list of it gets */
};

struct fake_list {
	const char		*name;
	struct fake_piece	piece[FAKE_PIECES];
};

/**
 * struct fake_table - the I/O MMU that a suite fakes
 * @page_size: what one word maps
 * @expect_page: the word for @dma must map @phys, both aligned, and nothing
 *	but what @dir and @attrs need
 * @expect_pages: there must be @n valid words in the table, as many pages in
 *	use by the allocator of I/O addresses, and no complaint of the fake
 * @maps_resource: single ranges of device memory are mapped
 */
struct fake_table {
	unsigned int	page_size;
	void		(*expect_page)(struct kunit *test, dma_addr_t dma,
				       phys_addr_t phys,
				       enum dma_data_direction dir,
				       unsigned long attrs);
	void		(*expect_pages)(struct kunit *test, unsigned long n);
	bool		maps_resource;
};

static struct {
	struct device			*dev;
	struct device			plain_dev;
	struct device_dma_parameters	parms;
	u64				mask;
	const struct fake_table		*table;
	phys_addr_t			phys[NR_FAKE_PLACES];
	struct dma_region		region[NR_FAKE_PLACES];
	bool				registered[NR_FAKE_PLACES];
	struct page			*pages;
	void				*alias;
	bool				maps_bars;	/* they are in the table */
#ifdef CONFIG_PCI
	struct pci_dev			pdev;
	struct pci_bus			bus;
	struct resource			window;
	u64				sysdata[SZ_4K / sizeof(u64)];
	struct pci_host_bridge		bridge;	/* of variable size: the last */
#endif
} fake;

static inline bool fake_is_bar(enum fake_place place)
{
	return place >= FAKE_BAR;
}

static inline bool fake_has_bus_address(enum fake_place place)
{
	return fake_is_bar(place) && !fake.maps_bars;
}

/* --- the device --------------------------------------------------------- */

static inline void fake_release(struct device *dev)
{
}

static inline void fake_init_device(struct device *dev)
{
	dev->release = fake_release;
	device_initialize(dev);
	dev_set_name(dev, "fake");
	dev->dma_parms = &fake.parms;
	dev->dma_mask = &fake.mask;
	fake.mask = DMA_BIT_MASK(64);
	dev->coherent_dma_mask = DMA_BIT_MASK(64);
	dma_set_max_seg_size(dev, UINT_MAX);
	dma_set_seg_boundary(dev, U32_MAX);
	fake.dev = dev;
}

#ifdef CONFIG_PCI
/* One function below a root bus; its BAR has another address on the bus. */
static inline void fake_init_pci_device(void)
{
	struct resource *bar = &fake.pdev.resource[0];

	*bar = DEFINE_RES_MEM(fake.phys[FAKE_BAR], fake_sizes[FAKE_BAR]);
	fake.window = *bar;
	fake.bus.bridge = &fake.bridge.dev;
	fake.bus.sysdata = fake.sysdata;
	INIT_LIST_HEAD(&fake.bridge.windows);
	pci_add_resource_offset(&fake.bridge.windows, &fake.window,
				fake.phys[FAKE_BAR] - FAKE_BUS_BASE);
	fake.pdev.bus = &fake.bus;
	fake.pdev.dev.bus = &pci_bus_type;
	fake_init_device(&fake.pdev.dev);
}

static inline struct pci_dev *fake_pdev(void)
{
	return fake.dev == &fake.pdev.dev ? &fake.pdev : NULL;
}

static inline void fake_exit_pci_device(void)
{
	if (fake_pdev())
		pci_free_resource_list(&fake.bridge.windows);
}

/* How the device reaches its BAR, as if that were another's. */
static inline void fake_set_route(enum pci_p2pdma_map_type route)
{
	unsigned long client = (unsigned long)pci_domain_nr(&fake.bus) << 16 |
			       pci_dev_id(&fake.pdev);

	xa_store(&fake.region[FAKE_BAR].routes, client, xa_mk_value(route),
		 GFP_KERNEL);
}
#else
static inline void fake_init_pci_device(void)
{
	fake_init_device(&fake.plain_dev);
}

static inline struct pci_dev *fake_pdev(void)
{
	return NULL;
}

static inline void fake_exit_pci_device(void)
{
}
#endif /* CONFIG_PCI */

/* --- the memory --------------------------------------------------------- */

static inline int fake_add_region(enum fake_place place)
{
	struct dma_region *region = &fake.region[place];
	int ret;

	*region = (struct dma_region) {
		.pfn	= PHYS_PFN(fake.phys[place]),
		.npages	= fake_sizes[place] >> PAGE_SHIFT,
		.attr	= fake_is_bar(place) ? DMA_REGION_MMIO : DMA_REGION_WB,
		.kaddr	= place == FAKE_ALIAS ? fake.alias : NULL,
		.pdev	= place == FAKE_BAR ? fake_pdev() : NULL,
		.name	= "fake",
	};
	ret = dma_region_register(region);
	fake.registered[place] = !ret;
	return ret;
}

static inline int fake_add_regions(void)
{
	return fake_add_region(FAKE_ALIAS) ?: fake_add_region(FAKE_BARE) ?:
	       fake_add_region(FAKE_BAR) ?: fake_add_region(FAKE_LONE_BAR);
}

static inline int fake_find_places(u64 limit)
{
	u64 phys = kunit_find_phys_space(FAKE_SPACE, limit);
	enum fake_place place;

	fake.pages = alloc_pages(GFP_KERNEL,
				 get_order(fake_sizes[FAKE_PAGES]));
	fake.alias = vmalloc(fake_sizes[FAKE_ALIAS]);
	if (!phys || !fake.pages || !fake.alias)
		return -ENOMEM;
	fake.phys[FAKE_PAGES] = page_to_phys(fake.pages);
	for (place = FAKE_ALIAS; place < NR_FAKE_PLACES; place++) {
		fake.phys[place] = phys;
		phys += fake_sizes[place];
	}
	return 0;
}

/* For suite_exit, and on error. */
static inline void fake_exit(void)
{
	enum fake_place place;

	for (place = 0; place < NR_FAKE_PLACES; place++)
		if (fake.registered[place])
			dma_region_unregister(&fake.region[place]);
	if (fake.pages)
		__free_pages(fake.pages, get_order(fake_sizes[FAKE_PAGES]));
	vfree(fake.alias);
	fake_exit_pci_device();
	if (fake.dev)
		put_device(fake.dev);
	memset(&fake, 0, sizeof(fake));
}

/**
 * fake_init - for suite_init: find the memory, make the device
 * @dev: the device, all zero but for what its bus needs, or NULL for one on a
 *	PCI bus if the kernel has any
 * @ops: what is tested
 * @table: what it fills
 * @limit: end of the physical addresses that @ops can map, 0 for none
 *
 * Return: 0, or an error that leaves nothing behind.
 */
static inline int fake_init(struct device *dev, const struct dma_map_ops *ops,
			    const struct fake_table *table, u64 limit)
{
	int ret;

	memset(&fake, 0, sizeof(fake));
	ret = fake_find_places(limit);
	if (!ret) {
		if (dev)
			fake_init_device(dev);
		else
			fake_init_pci_device();
		set_dma_ops(fake.dev, ops);
		fake.table = table;
		ret = fake_add_regions();
	}
	if (ret)
		fake_exit();
	return ret;
}

/* --- a scatterlist, and whether it is what it was ----------------------- */

struct fake_job {
	const struct fake_piece	*piece;
	unsigned int		n;
	struct sg_table		sgt;
	struct kunit_sg_entry	*entry;		/* n + 1: as they came */
	enum dma_data_direction	dir;
	unsigned long		attrs;
};

static inline phys_addr_t fake_phys(const struct fake_piece *p)
{
	return fake.phys[p->place] + p->pos +
	       (p->pos < 0 ? fake_sizes[p->place] : 0);
}

/* Of up to FAKE_PIECES; a length of 0 ends them sooner. */
static inline unsigned int fake_npieces(const struct fake_piece *piece)
{
	unsigned int n = 0;

	while (n < FAKE_PIECES && piece[n].len)
		n++;
	return n;
}

static inline bool fake_has_pageless(const struct fake_list *list)
{
	unsigned int i;

	for (i = 0; i < fake_npieces(list->piece); i++)
		if (list->piece[i].place != FAKE_PAGES)
			return true;
	return false;
}

static inline void fake_set_piece(struct scatterlist *sg,
				  const struct fake_piece *p)
{
	unsigned long pfn = PHYS_PFN(fake_phys(p)) - p->skew;
	unsigned int offset = fake_phys(p) - PFN_PHYS(pfn);

	if (p->place == FAKE_PAGES)
		sg_set_page(sg, pfn_to_page(pfn), p->len, offset);
	else
		WARN_ON(sg_set_pfn(sg, pfn, p->len, offset,
				   fake_is_bar(p->place) != p->other_kind ?
				   PAGELESS_MMIO : 0));
}

/* One entry follows that nobody may look at, and all DMA fields are stale. */
static inline struct fake_job *fake_new_job(struct kunit *test,
					    const struct fake_piece *piece,
					    unsigned int n,
					    enum dma_data_direction dir)
{
	struct fake_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->entry = kunit_kcalloc(test, n + 1, sizeof(*job->entry),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, job->entry);
	job->piece = piece;
	job->n = n;
	job->dir = dir;
	job->sgt.sgl = kunit_new_sgl(test, n + 1);
	job->sgt.orig_nents = n;
	for_each_sg(job->sgt.sgl, sg, n + 1, i) {
		if (i < n)
			fake_set_piece(sg, &piece[i]);
		sg_dma_address(sg) = 0x5a5a0000;
		sg_dma_len(sg) = 0x5a5a;
		kunit_get_sg_entry(sg, &job->entry[i]);
	}
	return job;
}

static inline void fake_expect_as_it_came(struct kunit *test,
					  struct fake_job *job)
{
	kunit_expect_sg_entries(test, job->sgt.sgl, job->entry, job->n + 1);
}

static inline int fake_map(struct fake_job *job)
{
	return dma_map_sgtable(fake.dev, &job->sgt, job->dir, job->attrs);
}

static inline void fake_unmap(struct fake_job *job)
{
	dma_unmap_sgtable(fake.dev, &job->sgt, job->dir, job->attrs);
}

/* --- what the device sees ----------------------------------------------- */

static inline u64 fake_page_mask(void)
{
	return ~((u64)fake.table->page_size - 1);
}

/* Pages that the bytes touch; each entry has words of its own. */
static inline unsigned long fake_npages(const struct fake_piece *p)
{
	u64 first = fake_phys(p) & fake_page_mask();
	u64 last = (fake_phys(p) + p->len - 1) & fake_page_mask();

	if (!p->len || fake_has_bus_address(p->place))
		return 0;
	return (unsigned long)(last - first) / fake.table->page_size + 1;
}

static inline unsigned long fake_npages_of(const struct fake_job *job)
{
	unsigned long npages = 0;
	unsigned int i;

	for (i = 0; i < job->n; i++)
		npages += fake_npages(&job->piece[i]);
	return npages;
}

/* [phys, phys + len) is what @dma must lead to. */
static inline void fake_expect_range(struct kunit *test, dma_addr_t dma,
				     phys_addr_t phys, unsigned int len,
				     enum dma_data_direction dir,
				     unsigned long attrs)
{
	u64 mask = fake_page_mask(), end = (u64)phys + len;
	u64 at;

	KUNIT_EXPECT_EQ(test, dma & ~mask, phys & ~mask);
	KUNIT_EXPECT_LE(test, dma + len - 1, fake.mask);
	dma &= mask;
	for (at = phys & mask; at < end; at += fake.table->page_size) {
		fake.table->expect_page(test, dma, at, dir, attrs);
		dma += fake.table->page_size;
	}
}

/* A bus address is a segment of its own. */
static inline void fake_expect_bus(struct kunit *test, struct scatterlist *seg,
				   const struct fake_piece *p)
{
	KUNIT_EXPECT_TRUE(test, sg_dma_is_bus_address(seg));
	KUNIT_EXPECT_EQ(test, sg_dma_address(seg), FAKE_BUS_BASE + p->pos);
	KUNIT_EXPECT_EQ(test, sg_dma_len(seg), p->len);
}

/*
 * Walks the pieces in the order of the list beside the segments, which must
 * hold each piece whole, and all of them.
 */
static inline void fake_expect_mapped(struct kunit *test, struct fake_job *job)
{
	struct scatterlist *seg = job->sgt.sgl;
	unsigned int nsegs = job->sgt.nents, pos = 0, i;

	KUNIT_ASSERT_GT(test, nsegs, 0);
	KUNIT_ASSERT_LE(test, nsegs, job->n);
	for (i = 0; i < job->n; i++) {
		const struct fake_piece *p = &job->piece[i];

		if (!p->len)
			continue;
		KUNIT_ASSERT_GT(test, nsegs, 0);
		KUNIT_ASSERT_LE(test, pos + p->len, sg_dma_len(seg));
		if (fake_has_bus_address(p->place)) {
			KUNIT_EXPECT_EQ(test, pos, 0);
			fake_expect_bus(test, seg, p);
		} else {
			KUNIT_EXPECT_FALSE(test, sg_dma_is_bus_address(seg));
			fake_expect_range(test, sg_dma_address(seg) + pos,
					  fake_phys(p), p->len, job->dir,
					  job->attrs);
		}
		pos += p->len;
		if (pos == sg_dma_len(seg)) {
			pos = 0;
			if (--nsegs)
				seg = sg_next(seg);
		}
	}
	KUNIT_EXPECT_EQ(test, nsegs, 0);
	KUNIT_EXPECT_EQ(test, pos, 0);
	fake.table->expect_pages(test, fake_npages_of(job));
}

static inline void fake_expect_limits(struct kunit *test, struct fake_job *job)
{
	u64 boundary = dma_get_seg_boundary(fake.dev);
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(job->sgt.sgl, sg, job->sgt.nents, i) {
		u64 first = sg_dma_address(sg);
		u64 last = first + sg_dma_len(sg) - 1;

		KUNIT_EXPECT_LE(test, sg_dma_len(sg),
				dma_get_max_seg_size(fake.dev));
		if (!sg_dma_is_bus_address(sg))
			KUNIT_EXPECT_EQ(test, first & ~boundary,
					last & ~boundary);
	}
}

static inline void fake_expect_nothing_left(struct kunit *test,
					    struct fake_job *job)
{
	struct scatterlist *sg;
	unsigned int i;

	fake_expect_as_it_came(test, job);
	for_each_sg(job->sgt.sgl, sg, job->n, i)
		KUNIT_EXPECT_FALSE(test, sg_dma_is_bus_address(sg));
	fake.table->expect_pages(test, 0);
}

/* Looks at what is mapped, unmaps it, and looks for what is left. */
static inline void fake_look_and_unmap(struct kunit *test, struct fake_job *job)
{
	fake_expect_mapped(test, job);
	fake_expect_limits(test, job);
	fake_unmap(job);
	fake_expect_nothing_left(test, job);
}

/* Maps, looks, unmaps, looks; or is refused. */
static inline void fake_run(struct kunit *test, struct fake_job *job, int err)
{
	int ret = fake_map(job);

	KUNIT_EXPECT_EQ(test, ret, err);
	if (ret)
		fake_expect_nothing_left(test, job);
	else
		fake_look_and_unmap(test, job);
}

/* As that many segments. */
static inline void fake_run_merged(struct kunit *test,
				   const struct fake_piece *piece,
				   unsigned int n, unsigned int nsegs)
{
	struct fake_job *job = fake_new_job(test, piece, n, DMA_TO_DEVICE);

	KUNIT_ASSERT_EQ(test, fake_map(job), 0);
	KUNIT_EXPECT_EQ(test, job->sgt.nents, nsegs);
	fake_look_and_unmap(test, job);
}

static inline void fake_run_pieces(struct kunit *test,
				   const struct fake_piece *piece,
				   unsigned int n, int err)
{
	enum dma_data_direction dir;

	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++)
		fake_run(test, fake_new_job(test, piece, n, dir), err);
}

static inline void fake_run_list(struct kunit *test,
				 const struct fake_list *list, int err)
{
	fake_run_pieces(test, list->piece, fake_npieces(list->piece), err);
}

/*
 * What is empty makes no segment, wherever it is, and hides none; @first is
 * what the list begins with otherwise.
 */
static inline void fake_run_with_empty(struct kunit *test,
				       const struct fake_piece *first)
{
	const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0x123, 0 }, { FAKE_BARE, 0x10, 0 }, *first,
		{ FAKE_BARE, 0x2000, 0 }, { FAKE_ALIAS, 0x4000, 0x2000 },
		{ FAKE_PAGES, 0x4000, 0x10 }, { FAKE_ALIAS, 0x6000, 0 },
	};
	unsigned int i;

	for (i = 0; i <= 2; i++)
		fake_run_pieces(test, piece + i, ARRAY_SIZE(piece) - i, 0);
}

/* --- lists --------------------------------------------------------------- */

/* Of memory; what shares a page of the I/O MMU does not share a cache line. */
static const __maybe_unused struct fake_list fake_lists[] = {
	{ "a page", { { FAKE_PAGES, 0, SZ_8K } } },
	{ "paged, odd", {
		{ FAKE_PAGES, 0x123, 0x1e5d }, { FAKE_PAGES, 0x3fff, 1 },
	} },
	{ "alias", { { FAKE_ALIAS, 0, SZ_8K } } },
	{ "alias, odd", {
		{ FAKE_ALIAS, 0x7f1, 1 }, { FAKE_ALIAS, 0x1803, 0x2fff },
	} },
	{ "no alias", { { FAKE_BARE, 0, SZ_16K } } },
	{ "no alias, odd", {
		{ FAKE_BARE, 0xfff, 2 }, { FAKE_BARE, 0x2345, 0x1001 },
		{ FAKE_BARE, 0x7fff, 2 },
	} },
	{ "many pages", {
		{ FAKE_BARE, 0x12345, 0x23456 }, { FAKE_ALIAS, 0x345, 0x3ffff },
	} },
	{ "last byte of the regions", {
		{ FAKE_BARE, -1, 1 }, { FAKE_ALIAS, -1, 1 },
	} },
	{ "regions that touch", {
		{ FAKE_ALIAS, -SZ_8K, SZ_8K }, { FAKE_BARE, 0, SZ_8K },
	} },
	{ "paged and page-less", {
		{ FAKE_PAGES, 0x234, 0x567 }, { FAKE_ALIAS, 0x2000, 0x2000 },
		{ FAKE_PAGES, 0x4000, 0x2000 }, { FAKE_ALIAS, 0x6001, 3 },
	} },
	{ "chained, whole pages", {
		{ FAKE_PAGES, 0x4000, 0x2000 }, { FAKE_BARE, 0x6000, 0x2000 },
		{ FAKE_ALIAS, 0x8000, 0x4000 }, { FAKE_BARE, 0xa000, 0x2000 },
		{ FAKE_PAGES, 0x8000, 0x4000 }, { FAKE_ALIAS, 0x2000, 0x2000 },
		{ FAKE_BARE, 0x20000, 0x8000 }, { FAKE_PAGES, 0, 0x2000 },
	} },
	{ "chained, odd", {
		{ FAKE_PAGES, 0x7ff, 0x801 }, { FAKE_BARE, 0x5000, 0x1000 },
		{ FAKE_ALIAS, 0x6abc, 0xabc }, { FAKE_BARE, 0x7001, 0x1fff },
		{ FAKE_PAGES, 0x3000, 0x2000 }, { FAKE_ALIAS, 0x9fff, 0x2 },
		{ FAKE_PAGES, 0xdeaf, 0x123 },
	} },
	{ "offset above a page", {
		{ FAKE_BARE, 0x13456, 0x1000, .skew = 2 },
		{ FAKE_ALIAS, 0x18123, 0x111, .skew = 3 },
		{ FAKE_PAGES, 0xc321, 0x1234, .skew = 1 },
	} },
};

/* With device memory that is reached by its bus address, if at all. */
static const __maybe_unused struct fake_list fake_bus_lists[] = {
	{ "BAR", { { FAKE_BAR, 0x10, 0x20 } } },
	{ "BAR twice", {
		{ FAKE_BAR, 0x2000, 0x2000 }, { FAKE_BAR, 0x4000, 0x2000 },
	} },
	{ "BAR first", {
		{ FAKE_BAR, 0, 0x2000 }, { FAKE_ALIAS, 0x2000, 0x800 },
		{ FAKE_PAGES, 0x2000, 0x123 },
	} },
	{ "BAR last", {
		{ FAKE_PAGES, 0x2000, 0x123 }, { FAKE_ALIAS, 0x2000, 0x800 },
		{ FAKE_BAR, 0, 0x2000 },
	} },
	{ "BAR between what could be merged", {
		{ FAKE_ALIAS, 0x8000, 0x2000 }, { FAKE_ALIAS, 0xa000, 0x2000 },
		{ FAKE_BAR, 0x4000, 0x2000 }, { FAKE_BARE, 0xc000, 0x2000 },
		{ FAKE_PAGES, 0x2000, 0x2000 }, { FAKE_BAR, 0x6001, 0x10 },
		{ FAKE_BAR, 0x7002, 0x10 }, { FAKE_PAGES, 0x6000, 0x2000 },
	} },
};

/* The error is that of the piece which has one. */
static const __maybe_unused struct fake_list fake_refused[] = {
	{ "memory in no region", {
		{ FAKE_STRAY, 0, 0x1000, .err = -EINVAL },
	} },
	{ "device memory in no region", {
		{ FAKE_STRAY_BAR, 0, 0x1000, .err = -EREMOTEIO },
	} },
	{ "device memory of no device", {
		{ FAKE_LONE_BAR, 0, 0x1000, .err = -EREMOTEIO },
	} },
	{ "memory taken for device memory", {
		{ FAKE_BARE, 0x9000, 0x1000, .other_kind = true,
		  .err = -EINVAL },
	} },
	{ "device memory taken for memory", {
		{ FAKE_LONE_BAR, 0x9000, 0x1000, .other_kind = true,
		  .err = -EINVAL },
	} },
	{ "across two regions", {
		{ FAKE_ALIAS, -SZ_4K, 0x2000, .err = -EINVAL },
	} },
	{ "out of a region", {
		{ FAKE_BARE, -1, 2, .err = -EINVAL },
	} },
};

/* Alone, and before, behind and between pieces that can be mapped. */
static inline void fake_run_refused(struct kunit *test,
				    const struct fake_piece *bad)
{
	static const struct fake_piece good[] = {
		{ FAKE_PAGES, 0, 0x2000 }, { FAKE_ALIAS, 0x2000, 0x4000 },
		{ FAKE_BARE, 0x4123, 0x321 }, { FAKE_PAGES, 0x4100, 0x123 },
	};
	struct fake_piece piece[ARRAY_SIZE(good) + 1];
	unsigned int at, i;

	fake_run_pieces(test, bad, 1, bad->err);
	for (at = 0; at < ARRAY_SIZE(piece); at++) {
		for (i = 0; i < ARRAY_SIZE(piece); i++)
			piece[i] = i == at ? *bad : good[i - (i > at)];
		fake_run_pieces(test, piece, ARRAY_SIZE(piece), bad->err);
	}
}

#ifdef CONFIG_PCI
/* If it is not to be reached by a bus address, or the device has too few bits. */
static inline void fake_run_unreachable(struct kunit *test,
					const struct fake_list *list)
{
	u64 mask = fake.mask;

	fake_set_route(PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	fake_run_list(test, list, -EREMOTEIO);
	fake_set_route(PCI_P2PDMA_MAP_NOT_SUPPORTED);
	fake_run_list(test, list, -EREMOTEIO);
	fake_set_route(PCI_P2PDMA_MAP_BUS_ADDR);
	fake.mask = FAKE_BUS_BASE - 1;
	fake_run_list(test, list, -EREMOTEIO);
	fake.mask = mask;
	fake_run_list(test, list, 0);
}
#endif

/* --- single ranges ------------------------------------------------------- */

static inline void fake_run_range_attrs(struct kunit *test,
					const struct fake_piece *p,
					enum dma_data_direction dir,
					unsigned long attrs)
{
	dma_addr_t dma = dma_map_phys(fake.dev, fake_phys(p), p->len, dir,
				      attrs);

	KUNIT_ASSERT_FALSE(test, dma_mapping_error(fake.dev, dma));
	fake_expect_range(test, dma, fake_phys(p), p->len, dir, attrs);
	fake.table->expect_pages(test, fake_npages(p));
	dma_unmap_phys(fake.dev, dma, p->len, dir, attrs);
	fake.table->expect_pages(test, 0);
}

static inline void fake_run_range(struct kunit *test,
				  const struct fake_piece *p,
				  enum dma_data_direction dir)
{
	fake_run_range_attrs(test, p, dir, 0);
}

/* Each piece of a list by itself. */
static inline void fake_run_ranges(struct kunit *test,
				   const struct fake_list *list)
{
	enum dma_data_direction dir;
	unsigned int i;

	for (i = 0; i < fake_npieces(list->piece); i++)
		for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++)
			fake_run_range(test, &list->piece[i], dir);
}

static inline void fake_expect_no_range(struct kunit *test,
					const struct fake_piece *p,
					unsigned long attrs)
{
	dma_addr_t dma = dma_map_phys(fake.dev, fake_phys(p), p->len,
				      DMA_TO_DEVICE, attrs);

	KUNIT_EXPECT_TRUE(test, dma_mapping_error(fake.dev, dma));
	fake.table->expect_pages(test, 0);
}

/* Ranges that are no memory, whatever the caller says they are. */
static inline void fake_run_no_memory(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_STRAY, 0, 16 }, { FAKE_BAR, 0, 16 },
		{ FAKE_LONE_BAR, 0, 16 }, { FAKE_STRAY_BAR, 0, 16 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(piece); i++)
		fake_expect_no_range(test, &piece[i], 0);
	for (i = 1; i < ARRAY_SIZE(piece); i++)
		if (fake.table->maps_resource)
			fake_run_range_attrs(test, &piece[i], DMA_BIDIRECTIONAL,
					     DMA_ATTR_MMIO);
		else
			fake_expect_no_range(test, &piece[i], DMA_ATTR_MMIO);
}

/* Nor is anything else memory to ops that need pages. */
static inline void fake_run_no_pageless(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_ALIAS, 0, 16 }, { FAKE_BARE, 0x123, 0x1000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(piece); i++)
		fake_expect_no_range(test, &piece[i], 0);
	fake_run_no_memory(test);
}

#endif /* _KUNIT_DMA_OPS_H */
