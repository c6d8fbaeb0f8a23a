// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA behind the GART of AMD's K8, which no emulator has: the
 * table is memory, the translations that the northbridge has cached are played.
 *
 * An entry of the table, as the BIOS and Kernel Developer's Guide for family
 * 0Fh has it: bits 31:12 of the physical address in 31:12, bits 39:32 in 11:4,
 * coherent 1, valid 0. An entry may be cached until the GART is flushed.
 */
#include <kunit/dma_ops.h>

#define GPTES		1024
#define GART_PAGE	4096
#define GPTE_IS_VALID	0x1
#define GPTE_IS_COHERENT 0x2
#define APERTURE	0xf0000000UL	/* no RAM there, on any PC */
#define SCRATCH		0xabcd003	/* in entries that map nothing */

static struct {
	u32		*gpte;
	u32		cached[GPTES];		/* 0: not */
	unsigned long	direct;			/* pages seen so */
	unsigned long	busy;			/* pages that the test keeps */
	bool		overflow;		/* there was no room */
	unsigned int	flushes;
	bool		in_use;
	struct {
		unsigned long	bus_base, size, pages;
		u32		*gatt_base;
		unsigned long	*bitmap;
		u32		unmapped;
		unsigned long	next_bit;
		bool		need_flush;
		int		fullflush, force, merge, panic;
	} was;
} gart;

static void fake_flush_tlbs(void)
{
	memset(gart.cached, 0, sizeof(gart.cached));
	gart.flushes++;
}

static u32 wanted_gpte(phys_addr_t phys)
{
	return (u32)(phys & 0xfffff000) | (u32)(phys >> 32 & 0xff) << 4 |
	       GPTE_IS_COHERENT | GPTE_IS_VALID;
}

/* Does the device need no GART, if it is not made to use one? */
static bool is_capable(phys_addr_t phys)
{
	return phys + GART_PAGE - 1 <= fake.mask;
}

/* What the device reads, and what the northbridge makes of it. */
static u32 walk(u32 index)
{
	if (!gart.cached[index])
		gart.cached[index] = gart.gpte[index];
	return gart.cached[index];
}

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	u64 index = (dma - APERTURE) / GART_PAGE;

	if ((!force_iommu || gart.overflow) && is_capable(phys)) {
		gart.direct++;
		KUNIT_EXPECT_EQ(test, dma, phys);
		return;
	}
	KUNIT_ASSERT_GE(test, dma, APERTURE);
	KUNIT_ASSERT_LT(test, index, GPTES);
	KUNIT_EXPECT_EQ(test, gart.gpte[index], wanted_gpte(phys));
	KUNIT_EXPECT_EQ(test, walk(index), wanted_gpte(phys));
}

static void expect_pages(struct kunit *test, unsigned long n)
{
	unsigned long scratch = 0, i;

	n -= gart.direct;
	gart.direct = 0;
	for (i = 0; i < GPTES; i++)
		scratch += gart.gpte[i] == SCRATCH;
	KUNIT_EXPECT_EQ(test, scratch, GPTES - n);
	KUNIT_EXPECT_EQ(test, bitmap_weight(iommu_gart_bitmap, GPTES),
			n + gart.busy);
}

static const struct fake_table table = {
	.page_size = GART_PAGE,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
};

static void save_globals(void)
{
	gart.was.bus_base = iommu_bus_base;
	gart.was.size = iommu_size;
	gart.was.pages = iommu_pages;
	gart.was.gatt_base = iommu_gatt_base;
	gart.was.bitmap = iommu_gart_bitmap;
	gart.was.unmapped = gart_unmapped_entry;
	gart.was.next_bit = next_bit;
	gart.was.need_flush = need_flush;
	gart.was.fullflush = iommu_fullflush;
	gart.was.force = force_iommu;
	gart.was.merge = iommu_merge;
	gart.was.panic = panic_on_overflow;
}

static void restore_globals(void)
{
	iommu_bus_base = gart.was.bus_base;
	iommu_size = gart.was.size;
	iommu_pages = gart.was.pages;
	iommu_gatt_base = gart.was.gatt_base;
	iommu_gart_bitmap = gart.was.bitmap;
	gart_unmapped_entry = gart.was.unmapped;
	next_bit = gart.was.next_bit;
	need_flush = gart.was.need_flush;
	iommu_fullflush = gart.was.fullflush;
	force_iommu = gart.was.force;
	iommu_merge = gart.was.merge;
	panic_on_overflow = gart.was.panic;
}

static void machine_exit(struct kunit_suite *suite)
{
	if (!gart.in_use) {
		bitmap_free(iommu_gart_bitmap);
		restore_globals();
	}
	kvfree(gart.gpte);
	memset(&gart, 0, sizeof(gart));
	fake_exit();
}

static int machine_init(struct kunit_suite *suite)
{
	int ret = fake_init(NULL, &gart_dma_ops, &table, 1ULL << 40);

	if (ret)
		return ret;
	memset(&gart, 0, sizeof(gart));
	gart.in_use = iommu_gatt_base;
	if (gart.in_use)
		return 0;
	save_globals();
	gart.gpte = kvcalloc(GPTES, sizeof(*gart.gpte), GFP_KERNEL);
	iommu_gart_bitmap = bitmap_zalloc(GPTES, GFP_KERNEL);
	if (gart.gpte && iommu_gart_bitmap)
		return 0;
	machine_exit(suite);
	return -ENOMEM;
}

static void reset_table(unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < GPTES; i++)
		gart.gpte[i] = SCRATCH;
	memset(gart.cached, 0, sizeof(gart.cached));
	bitmap_zero(iommu_gart_bitmap, GPTES);
	iommu_bus_base = APERTURE;
	iommu_size = npages * GART_PAGE;
	iommu_pages = npages;
	iommu_gatt_base = gart.gpte;
	gart_unmapped_entry = SCRATCH;
	next_bit = 0;
	need_flush = false;
	gart.direct = 0;
	gart.busy = 0;
	gart.overflow = false;
	gart.flushes = 0;
}

static void set_up(struct kunit *test, int force, int merge, int fullflush,
		   u64 mask)
{
	if (gart.in_use)
		kunit_skip(test, "there is a real GART, in use");
	reset_table(GPTES);
	force_iommu = force;
	iommu_merge = merge;
	iommu_fullflush = fullflush;
	panic_on_overflow = 0;
	fake.mask = mask;
	dma_set_max_seg_size(fake.dev, UINT_MAX);
	dma_set_seg_boundary(fake.dev, U32_MAX);
	kunit_activate_static_stub(test, gart_flush_tlbs, fake_flush_tlbs);
}

/* All of it through the GART, each entry by itself. */
static int forced_init(struct kunit *test)
{
	set_up(test, 1, 0, 1, DMA_BIT_MASK(64));
	return 0;
}

static int merge_init(struct kunit *test)
{
	set_up(test, 1, 1, 1, DMA_BIT_MASK(64));
	return 0;
}

/* As by default: what the device cannot address. */
static int needed_init(struct kunit *test)
{
	set_up(test, 0, 0, 1, DMA_BIT_MASK(32));
	return 0;
}

static int lazy_init(struct kunit *test)
{
	set_up(test, 0, 1, 0, DMA_BIT_MASK(32));
	return 0;
}

static void keep_busy(unsigned long first, unsigned long n)
{
	bitmap_set(iommu_gart_bitmap, first, n);
	gart.busy = bitmap_weight(iommu_gart_bitmap, GPTES);
}

static void leave_free(unsigned long first, unsigned long n)
{
	bitmap_clear(iommu_gart_bitmap, first, n);
	gart.busy = bitmap_weight(iommu_gart_bitmap, GPTES);
	/* As if the search had come round, which flushes. */
	next_bit = 0;
	memset(gart.cached, 0, sizeof(gart.cached));
}

/* --- lists --------------------------------------------------------------- */

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static void list_is_mapped(struct kunit *test)
{
	fake_run_list(test, test->param_value, 0);
}

static void device_memory_gets_its_bus_address(struct kunit *test)
{
	fake_run_list(test, test->param_value, 0);
}

static void device_memory_is_out_of_reach(struct kunit *test)
{
	fake_run_unreachable(test, test->param_value);
}

static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_refused(test, &list->piece[0]);
	KUNIT_EXPECT_EQ(test, gart.flushes, 0);
}

/* --- segments ------------------------------------------------------------ */

static const struct limits {
	const char		*name;
	unsigned int		max_size;
	u64			boundary;
	unsigned long		next;		/* where to look for room */
	unsigned int		nsegs;
	struct fake_piece	piece[FAKE_PIECES];
} limits[] = {
#define SIX_TIMES_16K {							\
		{ FAKE_BARE, SZ_1M, SZ_16K }, { FAKE_BARE, SZ_16K, SZ_16K }, \
		{ FAKE_ALIAS, 0, SZ_16K }, { FAKE_BARE, 0, SZ_16K },	\
		{ FAKE_ALIAS, SZ_64K, SZ_16K }, { FAKE_ALIAS, SZ_32K, SZ_16K } }
	{ "none", UINT_MAX, U32_MAX, 0, 1, SIX_TIMES_16K },
	{ "size", SZ_32K, U32_MAX, 0, 3, SIX_TIMES_16K },
	{ "size that does not fit", SZ_64K - 1, U32_MAX, 0, 2, SIX_TIMES_16K },
	{ "boundary", UINT_MAX, SZ_128K - 1, 0, 1, SIX_TIMES_16K },
	{ "boundary in the way", UINT_MAX, SZ_128K - 1, 20, 1, SIX_TIMES_16K },
	{ "boundary and size", SZ_32K, SZ_64K - 1, 13, 3, SIX_TIMES_16K },
	{ "boundary that is too near", UINT_MAX, SZ_64K - 1, 13, 6,
	  SIX_TIMES_16K },
	{ "offsets", UINT_MAX, U32_MAX, 0, 3, {
		{ FAKE_BARE, 0x100, 0xf00 }, { FAKE_ALIAS, 0x1000, 0x1fff },
		{ FAKE_ALIAS, 0x8000, 0x1000 }, { FAKE_BARE, 0x3000, 0x1000 },
		{ FAKE_BARE, 0x5001, 0x10 },
	} },
};

KUNIT_ARRAY_PARAM_DESC(limits, limits, name);

/* Of memory that the device cannot address. */
static void segments_keep_the_limits(struct kunit *test)
{
	const struct limits *l = test->param_value;
	unsigned int n = fake_npieces(l->piece);

	fake.mask = DMA_BIT_MASK(32);
	dma_set_max_seg_size(fake.dev, l->max_size);
	dma_set_seg_boundary(fake.dev, l->boundary);
	next_bit = l->next;
	fake_run_merged(test, l->piece, n, iommu_merge ? l->nsegs : n);
}

static void bus_address_is_not_merged(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_ALIAS, 0x8000, 0x2000 }, { FAKE_ALIAS, 0xa000, 0x2000 },
		{ FAKE_BAR, 0x4000, 0x2000 }, { FAKE_BARE, 0xc000, 0x2000 },
		{ FAKE_BARE, 0x2000, 0x2000 }, { FAKE_BAR, 0x6000, 0x2000 },
		{ FAKE_BAR, 0x8000, 0x2000 }, { FAKE_ALIAS, 0x6000, 0x2000 },
	};

	fake_run_merged(test, piece, ARRAY_SIZE(piece), iommu_merge ? 6 : 8);
}

/* --- what is full -------------------------------------------------------- */

static unsigned long incapable_pages(const struct fake_job *job)
{
	unsigned long npages = 0;
	unsigned int i;

	for (i = 0; i < job->n; i++)
		if (!is_capable(fake_phys(&job->piece[i])))
			npages += fake_npages(&job->piece[i]);
	return npages;
}

/*
 * With room for all pages but one, and so on. What the device can address may
 * do without, and if then there is just enough, it may be in pieces.
 */
static void table_is_full_at_each_page(struct kunit *test)
{
	const struct fake_list *list = test->param_value;
	struct fake_job *job = fake_new_job(test, list->piece,
					    fake_npieces(list->piece),
					    DMA_FROM_DEVICE);
	unsigned long room;
	int ret;

	fake.mask = DMA_BIT_MASK(32);
	keep_busy(0, GPTES);
	for (room = 0; room < fake_npages_of(job); room++) {
		leave_free(100, room);
		gart.overflow = true;
		ret = fake_map(job);
		if (room < incapable_pages(job))
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		if (ret)
			fake_expect_nothing_left(test, job);
		else
			fake_look_and_unmap(test, job);
	}
	gart.overflow = false;
	leave_free(100, room);
	fake_run(test, job, 0);
}

static void full_table_is_no_error_where_none_is_needed(struct kunit *test)
{
	fake.mask = DMA_BIT_MASK(64);
	keep_busy(0, GPTES);
	gart.overflow = true;
	fake_run_list(test, test->param_value, 0);
}

static void full_table_is_no_error_for_bus_addresses(struct kunit *test)
{
	full_table_is_no_error_where_none_is_needed(test);
}

/* --- what the northbridge has cached ------------------------------------- */

/* The first entry is enough. */
static void device_accesses(struct kunit *test, struct fake_job *job)
{
	fake_expect_range(test, sg_dma_address(job->sgt.sgl),
			  fake_phys(job->piece), job->piece->len, job->dir, 0);
}

/* Of three lists that are in use the oldest goes and another comes. */
static void flush_comes_before_an_address_is_used_again(struct kunit *test)
{
	static const struct fake_piece pieces[] = {
		{ FAKE_BARE, 0, 0x3000 }, { FAKE_ALIAS, 0xfff, 2 },
		{ FAKE_BARE, 0x10000, 0x1000 }, { FAKE_ALIAS, 0x4000, 0x5000 },
		{ FAKE_BARE, 0x20001, 0x1000 }, { FAKE_BARE, 0x31000, 0x8000 },
		{ FAKE_ALIAS, 0x2000, 0x1000 },
	};
	const unsigned int n = ARRAY_SIZE(pieces);
	struct fake_job *job[3] = {};
	unsigned int i, k;

	reset_table(64);
	for (i = 0; i < 300; i++) {
		struct fake_job **j = &job[i % 3];

		if (*j)
			fake_unmap(*j);
		*j = fake_new_job(test, &pieces[i % (n - 1)], 1 + i % 2,
				  DMA_TO_DEVICE);
		KUNIT_ASSERT_EQ(test, fake_map(*j), 0);
		for (k = 0; k < 3 && job[k]; k++)
			device_accesses(test, job[k]);
	}
	for (i = 0; i < 3; i++)
		fake_unmap(job[i]);
	expect_pages(test, 0);
	if (iommu_fullflush)
		KUNIT_EXPECT_EQ(test, gart.flushes, 300);
	else
		KUNIT_EXPECT_LT(test, gart.flushes, 150);
}

/* --- single ranges ------------------------------------------------------- */

static void range_is_mapped(struct kunit *test)
{
	fake_run_ranges(test, test->param_value);
}

static void range_is_not_memory(struct kunit *test)
{
	fake_run_no_memory(test);
}

static void range_finds_the_table_full(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_ALIAS, 0, 1 }, { FAKE_BARE, 0xfff, 2 },
		{ FAKE_BARE, 0, SZ_128K },
	};
	unsigned int i;

	fake.mask = DMA_BIT_MASK(32);
	for (i = 0; i < ARRAY_SIZE(piece); i++) {
		keep_busy(0, GPTES);
		leave_free(555, fake_npages(&piece[i]) - 1);
		fake_expect_no_range(test, &piece[i], 0);
		leave_free(555, fake_npages(&piece[i]));
		fake_run_range(test, &piece[i], DMA_BIDIRECTIONAL);
	}
}

/* The fields of an entry end there. There need be no such memory. */
static void range_ends_at_1_tib(struct kunit *test)
{
	const phys_addr_t end = 1ULL << 40;
	dma_addr_t dma;

	fake.mask = DMA_BIT_MASK(32);
	dma = gart_map_phys(fake.dev, end - 0x1234, 0x1234, DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_NE(test, dma, DMA_MAPPING_ERROR);
	fake_expect_range(test, dma, end - 0x1234, 0x1234, DMA_TO_DEVICE, 0);
	expect_pages(test, 2);
	gart_unmap_page(fake.dev, dma, 0x1234, DMA_TO_DEVICE, 0);
	expect_pages(test, 0);
	dma = gart_map_phys(fake.dev, end - 0x1234, 0x1235, DMA_TO_DEVICE, 0);
	KUNIT_EXPECT_EQ(test, dma, DMA_MAPPING_ERROR);
	dma = gart_map_phys(fake.dev, end, 1, DMA_TO_DEVICE, 0);
	KUNIT_EXPECT_EQ(test, dma, DMA_MAPPING_ERROR);
	expect_pages(test, 0);
}

/* --- coherent memory ----------------------------------------------------- */

/* A reference more shows whether the first page was freed. */
static void run_coherent(struct kunit *test)
{
	struct page *page;
	dma_addr_t dma;
	void *cpu = dma_alloc_coherent(fake.dev, 3 * GART_PAGE, &dma,
				       GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cpu);
	fake_expect_range(test, dma, __pa(cpu), 3 * GART_PAGE,
			  DMA_BIDIRECTIONAL, 0);
	expect_pages(test, 3);
	page = virt_to_page(cpu);
	get_page(page);
	dma_free_coherent(fake.dev, 3 * GART_PAGE, cpu, dma);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
	expect_pages(test, 0);
}

static void coherent_memory_is_mapped_and_freed(struct kunit *test)
{
	fake.mask = DMA_BIT_MASK(64);
	run_coherent(test);
	keep_busy(0, GPTES);
	gart.overflow = true;
	run_coherent(test);
}

/* ------------------------------------------------------------------------- */

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(list_is_mapped, list_gen_params),
	KUNIT_CASE_PARAM(device_memory_gets_its_bus_address,
			 bus_list_gen_params),
	KUNIT_CASE_PARAM(device_memory_is_out_of_reach, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE_PARAM(segments_keep_the_limits, limits_gen_params),
	KUNIT_CASE(bus_address_is_not_merged),
	KUNIT_CASE_PARAM(table_is_full_at_each_page, list_gen_params),
	KUNIT_CASE_PARAM(full_table_is_no_error_where_none_is_needed,
			 list_gen_params),
	KUNIT_CASE_PARAM(full_table_is_no_error_for_bus_addresses,
			 bus_list_gen_params),
	KUNIT_CASE(flush_comes_before_an_address_is_used_again),
	KUNIT_CASE_PARAM(range_is_mapped, list_gen_params),
	KUNIT_CASE(range_is_not_memory),
	KUNIT_CASE(range_finds_the_table_full),
	KUNIT_CASE(range_ends_at_1_tib),
	KUNIT_CASE(coherent_memory_is_mapped_and_freed),
	{ }
};

static struct kunit_suite forced_suite = {
	.name = "gart_forced",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = forced_init,
	.test_cases = cases,
};

static struct kunit_suite merge_suite = {
	.name = "gart_forced_and_merged",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = merge_init,
	.test_cases = cases,
};

static struct kunit_suite needed_suite = {
	.name = "gart_needed",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = needed_init,
	.test_cases = cases,
};

static struct kunit_suite lazy_suite = {
	.name = "gart_merged_and_lazy",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = lazy_init,
	.test_cases = cases,
};

kunit_test_suites(&forced_suite, &merge_suite, &needed_suite, &lazy_suite);
