/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the KUnit tests of ccio and sba: LCI is played by a known function of the
 * address, and each entry of the PDIR must have what it makes of the address
 * under which the memory may be in a cache. Real LCI need not exist.
 */
#ifndef _IOMMU_KUNIT_H
#define _IOMMU_KUNIT_H

#include <kunit/dma_ops.h>
#include <kunit/static_stub.h>
#include <linux/hash.h>
#include <linux/string.h>
#include <asm/sections.h>

#define PDIR_ENTRIES	1024
#define USER_SPACE	0x1234UL
#define USER_BASE	0x20000000UL

static struct {
	struct pci_hba_data	hba;
	unsigned int		imported;	/* places: from a user's address */
	unsigned long		torn;		/* there user pages are apart */
	unsigned long		wild;		/* LCI without translation */
	unsigned long		busy;		/* entries that the test keeps */
	bool			single;		/* not by way of a list of many */
	unsigned long		in_tlb[BITS_TO_LONGS(PDIR_ENTRIES)];
} lci;

/* The driver's own structure: that of ccio or of sba. */
static struct ioc fake_ioc;

/**
 * struct fake_chip - what the common cases need of ccio or sba
 * @ops: its operations
 * @table: looks at its PDIR
 * @reset_search: look for free entries from the first one on
 * @max_phys: end of what an entry can name
 */
struct fake_chip {
	const struct dma_map_ops	*ops;
	const struct fake_table		*table;
	void				(*reset_search)(void);
	u64				max_phys;
};

static const struct fake_chip chip;

/* --- LCI ----------------------------------------------------------------- */

/* 12 bits, of which sba takes the lower 8. */
static u32 played_index(unsigned long space, unsigned long addr)
{
	return hash_32((u32)(addr >> PAGE_SHIFT) ^ (u32)space << 20, 12);
}

static enum fake_place place_of(phys_addr_t phys)
{
	enum fake_place place;

	for (place = 0; place < NR_FAKE_PLACES; place++)
		if (phys >= fake.phys[place] &&
		    phys - fake.phys[place] < fake_sizes[place])
			break;
	return place;
}

static bool is_imported(enum fake_place place)
{
	return lci.imported & BIT(place);
}

static unsigned long user_addr(enum fake_place place, unsigned long pos)
{
	return USER_BASE + place * SZ_64M + pos +
	       (lci.torn && pos >= lci.torn ? SZ_32M : 0);
}

static unsigned long fallback_addr(void)
{
	return (unsigned long)iommu_fallback_page;
}

static bool is_translated(unsigned long space, unsigned long addr)
{
	if (space)
		return space == USER_SPACE && addr >= USER_BASE &&
		       addr < USER_BASE + NR_FAKE_PLACES * SZ_64M;
	return virt_addr_valid((void *)addr) ||
	       addr - (unsigned long)fake.alias < fake_sizes[FAKE_ALIAS] ||
	       addr == fallback_addr();
}

/* What no driver takes of the result is not zero. */
static unsigned long play_lci(unsigned long space, unsigned long addr)
{
	if (!is_translated(space, addr))
		lci.wild++;
	return (unsigned long)played_index(space, addr) << 12 | 0xfa000fedUL;
}

static struct iommu_alias play_user_alias(struct scatterlist *sg)
{
	enum fake_place place = place_of(sg_phys(sg));

	if (!is_imported(place))
		return (struct iommu_alias) {};
	return (struct iommu_alias) {
		.space = USER_SPACE,
		.addr = user_addr(place, sg_phys(sg) - fake.phys[place]),
	};
}

/* The 12 bits for a page, by the rules. */
static u32 wanted_index(phys_addr_t phys)
{
	enum fake_place place = place_of(phys);
	unsigned long pos = phys - fake.phys[place];

	if (is_imported(place))
		return played_index(USER_SPACE, user_addr(place, pos));
	switch (place) {
	case FAKE_ALIAS:
		return played_index(0, (unsigned long)fake.alias + pos);
	case FAKE_PAGES:
	case NR_FAKE_PLACES:		/* coherent memory */
		return played_index(0, (unsigned long)__va(phys));
	default:
		return played_index(0, fallback_addr());
	}
}

/* What is on the bus: I/O space has all upper bits. */
static u64 wanted_phys(phys_addr_t phys)
{
	if (sizeof(phys) == 4 && phys >> 28 == 0xf)
		return phys | 0xffffffff00000000ULL;
	return phys;
}

/* --- the I/O TLB --------------------------------------------------------- */

static void note_valid(unsigned int index)
{
	__set_bit(index, lci.in_tlb);
}

/* Whatever the TLB may hold was purged since. */
static void expect_purged(struct kunit *test, bool (*is_valid)(unsigned int))
{
	unsigned long index, stale = 0;

	for_each_set_bit(index, lci.in_tlb, PDIR_ENTRIES)
		stale += !is_valid(index);
	KUNIT_EXPECT_EQ_MSG(test, stale, 0, "stale entries in the I/O TLB");
}

static void note_purge(bool (*is_valid)(unsigned int), unsigned long first,
		       unsigned long n)
{
	unsigned long index;

	for (index = first; index < min(first + n, PDIR_ENTRIES); index++)
		if (!is_valid(index))
			__clear_bit(index, lci.in_tlb);
}

/* --- the machine --------------------------------------------------------- */

static bool is_taken(unsigned int index)
{
	return fake_ioc.res_map[index / 8] & (0x80 >> index % 8);
}

/* Only the first entries of the PDIR. */
static void leave_free(unsigned int n)
{
	unsigned int i;

	chip.reset_search();
	for (i = 0; i < PDIR_ENTRIES / 8; i++)
		fake_ioc.res_map[i] = i < n / 8 ? 0 : 0xff;
	lci.busy = PDIR_ENTRIES - n;
}

static void play_machine(struct kunit *test)
{
	fake_ioc.res_size = PDIR_ENTRIES / 8;
	fake_ioc.pdir_size = PDIR_ENTRIES * sizeof(u64);
	spin_lock_init(&fake_ioc.res_lock);
	memset(fake_ioc.pdir_base, 0, fake_ioc.pdir_size);
	memset(fake_ioc.res_map, 0, fake_ioc.res_size);
	fake.maps_bars = false;
	lci.imported = 0;
	lci.torn = 0;
	lci.wild = 0;
	lci.busy = 0;
	lci.single = false;
	bitmap_zero(lci.in_tlb, PDIR_ENTRIES);
	dma_set_max_seg_size(fake.dev, UINT_MAX);
	dma_set_seg_boundary(fake.dev, U32_MAX);
	fake_set_route(PCI_P2PDMA_MAP_BUS_ADDR);
	kunit_activate_static_stub(test, iommu_lci, play_lci);
	kunit_activate_static_stub(test, iommu_user_alias, play_user_alias);
}

static void machine_exit(struct kunit_suite *suite)
{
	kfree(fake_ioc.pdir_base);
	kfree(fake_ioc.res_map);
	memset(&fake_ioc, 0, sizeof(fake_ioc));
	fake_exit();
}

static int machine_init(struct kunit_suite *suite)
{
	/* I/O space of a 32-bit kernel */
	u64 limit = IS_ENABLED(CONFIG_64BIT) ? chip.max_phys : 0xf0000000;
	int ret = fake_init(NULL, chip.ops, chip.table, limit);

	if (ret)
		return ret;
	lci.hba.iommu = &fake_ioc;
	fake.dev->platform_data = &lci.hba;
	fake_ioc.pdir_base = kcalloc(PDIR_ENTRIES, sizeof(u64), GFP_KERNEL);
	fake_ioc.res_map = kzalloc(PDIR_ENTRIES / 8, GFP_KERNEL);
	if (fake_ioc.pdir_base && fake_ioc.res_map)
		return 0;
	machine_exit(suite);
	return -ENOMEM;
}

/* --- lists --------------------------------------------------------------- */

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static bool is_too_large(const struct fake_piece *p)
{
	return offset_in_page(fake_phys(p)) + p->len > DMA_CHUNK_SIZE;
}

static int wanted_error(const struct fake_piece *piece, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (is_too_large(&piece[i]))
			return -EINVAL;
	return 0;
}

static void run_pieces(struct kunit *test, const struct fake_piece *piece,
		       unsigned int n)
{
	lci.single = n == 1;
	fake_run_pieces(test, piece, n, wanted_error(piece, n));
	lci.single = false;
}

static void run_list(struct kunit *test, const struct fake_list *list)
{
	run_pieces(test, list->piece, fake_npieces(list->piece));
}

static void list_is_mapped(struct kunit *test)
{
	run_list(test, test->param_value);
}

/* Each mix of places that have a user address, and places that have none. */
static void list_is_imported(struct kunit *test)
{
	for (lci.imported = 1; lci.imported < BIT(FAKE_STRAY); lci.imported++)
		run_list(test, test->param_value);
}

static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_refused(test, &list->piece[0]);
}

static void device_memory_has_bus_address(struct kunit *test)
{
	int err = IS_ENABLED(CONFIG_NEED_SG_DMA_FLAGS) ? 0 : -EREMOTEIO;

	fake_run_list(test, test->param_value, err);
	fake_set_route(PCI_P2PDMA_MAP_NOT_SUPPORTED);
	fake_run_list(test, test->param_value, -EREMOTEIO);
}

/* It is in no cache, even if a user has mapped it. */
static void device_memory_is_mapped(struct kunit *test)
{
	fake_set_route(PCI_P2PDMA_MAP_THRU_HOST_BRIDGE);
	fake.maps_bars = true;
	run_list(test, test->param_value);
}

/* --- segments ------------------------------------------------------------ */

static void pages_are_merged(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0x123, 0x1edd }, { FAKE_PAGES, 0x2000, 0x3000 },
		{ FAKE_PAGES, 0x5000, 0x777 }, { FAKE_PAGES, 0x5777, 0x889 },
		{ FAKE_PAGES, 0x6000, 0x1000 }, { FAKE_PAGES, 0x8000, 0x1000 },
	};

	fake_run_merged(test, piece, 3, 1);
	fake_run_merged(test, piece, 4, 2);
	fake_run_merged(test, piece, 5, 2);
	fake_run_merged(test, piece, 6, 3);
}

static void pageless_is_merged(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_ALIAS, -SZ_8K, SZ_4K }, { FAKE_ALIAS, -SZ_4K, SZ_4K },
		{ FAKE_BARE, 0, SZ_8K }, { FAKE_BARE, SZ_8K, SZ_8K },
	};

	fake_run_merged(test, piece, 2, 1);
	fake_run_merged(test, piece + 2, 2, 1);
}

/* They touch, and their indices come from different places. */
static void sources_are_apart(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_ALIAS, -SZ_4K, SZ_4K }, { FAKE_BARE, 0, SZ_8K },
		{ FAKE_BARE, SZ_8K, SZ_8K },
	};

	fake_run_merged(test, piece, 3, 2);
	lci.imported = BIT(FAKE_BARE);
	fake_run_merged(test, piece, 3, 2);
	lci.torn = SZ_8K;
	fake_run_merged(test, piece, 3, 3);
	lci.imported = 0;
	fake_run_merged(test, piece, 3, 2);
}

static void segments_keep_limits(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_BARE, 0, SZ_16K }, { FAKE_BARE, SZ_16K, SZ_16K },
		{ FAKE_BARE, SZ_32K, SZ_16K }, { FAKE_BARE, 3 * SZ_16K, SZ_16K },
		{ FAKE_BARE, SZ_64K, SZ_16K },
	};

	fake_run_merged(test, piece, ARRAY_SIZE(piece), 1);
	dma_set_max_seg_size(fake.dev, SZ_32K);
	fake_run_merged(test, piece, ARRAY_SIZE(piece), 3);
	dma_set_max_seg_size(fake.dev, UINT_MAX);
	dma_set_seg_boundary(fake.dev, SZ_64K - 1);
	fake_run_merged(test, piece, ARRAY_SIZE(piece), 2);
	run_pieces(test, piece, ARRAY_SIZE(piece));
}

static void expect_too_large(struct kunit *test, const struct fake_piece *p)
{
	static const struct fake_piece good = { FAKE_PAGES, 0x123, 0x456 };
	struct fake_piece list[] = { good, *p, good };

	fake_run_pieces(test, p, 1, -EINVAL);
	fake_run_pieces(test, list, ARRAY_SIZE(list), -EINVAL);
	if (p->len)
		fake_expect_no_range(test, p, 0);
}

static void entry_has_a_limit(struct kunit *test)
{
	static const struct fake_piece most[] = {
		{ FAKE_BARE, 0, DMA_CHUNK_SIZE },
		{ FAKE_PAGES, 1, SZ_64K },
		{ FAKE_ALIAS, 0xfff, DMA_CHUNK_SIZE - 0xfff },
	};
	static const struct fake_piece more[] = {
		{ FAKE_BARE, 0, DMA_CHUNK_SIZE + 1 },
		{ FAKE_ALIAS, 0xfff, DMA_CHUNK_SIZE - 0xffe },
		{ FAKE_BARE, 0x1000, 0 },
		{ FAKE_BARE, 0x10, 0 },
		{ FAKE_PAGES, 0x10, 0 },
		{ FAKE_PAGES, 0x20, 0xfffffff0 },
		{ FAKE_PAGES, 0x2000, 0xfffff001 },
		{ FAKE_BAR, 0x10, 0 },
	};
	/* What is around them goes on where they end. */
	static const struct fake_piece among[][3] = {
		{ { FAKE_BARE, 0x1000, SZ_4K }, { FAKE_BARE, 0x2000, 0 },
		  { FAKE_BARE, 0x2000, SZ_4K } },
		{ { FAKE_PAGES, 0x1000, SZ_4K }, { FAKE_PAGES, 0x2000, 0 },
		  { FAKE_PAGES, 0x2000, SZ_4K } },
		{ { FAKE_BARE, 0x2000, 0 }, { FAKE_BARE, 0x2000, SZ_4K },
		  { FAKE_BARE, 0x3000, SZ_4K } },
		{ { FAKE_PAGES, 0x1000, SZ_4K }, { FAKE_PAGES, 0x2000, 0xfffff000 },
		  { FAKE_PAGES, 0x1000, SZ_8K } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(most); i++)
		run_pieces(test, &most[i], 1);
	run_pieces(test, most, ARRAY_SIZE(most));
	for (i = 0; i < ARRAY_SIZE(more); i++)
		expect_too_large(test, &more[i]);
	for (i = 0; i < ARRAY_SIZE(among); i++)
		fake_run_pieces(test, among[i], ARRAY_SIZE(among[i]), -EINVAL);
}

/* It would span one wherever it was put. */
static void entry_spans_boundary(struct kunit *test)
{
	static const struct fake_piece more[] = {
		{ FAKE_BARE, 0, SZ_16K + 1 }, { FAKE_ALIAS, 0x10, SZ_16K },
	};
	static const struct fake_piece most = { FAKE_BARE, 0, SZ_16K };
	unsigned int i;

	dma_set_seg_boundary(fake.dev, SZ_16K - 1);
	for (i = 0; i < ARRAY_SIZE(more); i++)
		expect_too_large(test, &more[i]);
	run_pieces(test, &most, 1);
	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(fake.dev), SZ_16K - SZ_4K);
	dma_set_seg_boundary(fake.dev, U32_MAX);
	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(fake.dev),
			DMA_CHUNK_SIZE - SZ_4K);
}

/* --- what is full -------------------------------------------------------- */

/* More and more room, until there is enough. */
static void pdir_is_full(struct kunit *test)
{
	const struct fake_list *list = test->param_value;
	unsigned int n = fake_npieces(list->piece), room;
	struct fake_job *job;
	int ret = -ENOMEM;

	if (wanted_error(list->piece, n))
		kunit_skip(test, "an entry of it is too large in any case");
	lci.single = n == 1;
	job = fake_new_job(test, list->piece, n, DMA_FROM_DEVICE);
	for (room = 0; room < PDIR_ENTRIES && ret; room += 8) {
		leave_free(room);
		ret = fake_map(job);
		if (ret) {
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
			fake_expect_nothing_left(test, job);
		} else {
			KUNIT_EXPECT_GE(test, room, fake_npages_of(job));
			fake_look_and_unmap(test, job);
		}
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, room, 8);
}

static void ranges_find_it_full(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, 1 }, { FAKE_BARE, 0xfff, 2 },
		{ FAKE_ALIAS, 0, SZ_64K },
	};
	unsigned int i;

	lci.single = true;
	for (i = 0; i < ARRAY_SIZE(piece); i++) {
		leave_free(0);
		fake_expect_no_range(test, &piece[i], 0);
		leave_free(32);
		fake_run_range(test, &piece[i], DMA_BIDIRECTIONAL);
	}
}

static void range_is_mapped(struct kunit *test)
{
	const struct fake_list *list = test->param_value;
	enum dma_data_direction dir;
	unsigned int i;

	lci.single = true;
	for (i = 0; i < fake_npieces(list->piece); i++) {
		if (is_too_large(&list->piece[i])) {
			fake_expect_no_range(test, &list->piece[i], 0);
			continue;
		}
		for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++)
			fake_run_range(test, &list->piece[i], dir);
	}
}

static void range_is_not_memory(struct kunit *test)
{
	fake.maps_bars = true;
	lci.single = true;
	fake_run_no_memory(test);
}

static void coherent_memory(struct kunit *test)
{
	size_t size = 3 * SZ_4K;
	dma_addr_t dma;
	void *cpu;

	cpu = dma_alloc_coherent(fake.dev, size, &dma, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cpu);
	KUNIT_EXPECT_NULL(test, memchr_inv(cpu, 0, size));
	fake_expect_range(test, dma, virt_to_phys(cpu), size,
			  DMA_BIDIRECTIONAL, 0);
	fake.table->expect_pages(test, 3);
	dma_free_coherent(fake.dev, size, cpu, dma);
	fake.table->expect_pages(test, 0);

	KUNIT_EXPECT_NULL(test, dma_alloc_coherent(fake.dev, DMA_CHUNK_SIZE + 1,
						   &dma, GFP_KERNEL));
	leave_free(0);
	KUNIT_EXPECT_NULL(test, dma_alloc_coherent(fake.dev, size, &dma,
						   GFP_KERNEL));
	fake.table->expect_pages(test, 0);
}

/* --- the order of the sources -------------------------------------------- */

static void set_entry(struct scatterlist *sg, enum fake_place place)
{
	const struct fake_piece piece = { place, 0x1234, 0x567 };

	sg_init_table(sg, 1);
	fake_set_piece(sg, &piece);
}

static void expect_alias(struct kunit *test, enum fake_place place,
			 unsigned long space, unsigned long addr)
{
	struct iommu_alias alias;
	struct scatterlist sg;

	set_entry(&sg, place);
	alias = iommu_sg_alias(&sg, sg_phys(&sg));
	KUNIT_EXPECT_EQ(test, alias.space, space);
	KUNIT_EXPECT_EQ(test, alias.addr, addr);
}

static void sources_have_an_order(struct kunit *test)
{
	unsigned long page = (unsigned long)page_address(fake.pages) + 0x1234;
	unsigned long alias = (unsigned long)fake.alias + 0x1234;
	enum fake_place place;

	expect_alias(test, FAKE_PAGES, 0, page);
	expect_alias(test, FAKE_ALIAS, 0, alias);
	for (place = FAKE_BARE; place < NR_FAKE_PLACES; place++)
		if (place != FAKE_STRAY)
			expect_alias(test, place, 0, fallback_addr());

	lci.imported = ~0U;
	for (place = FAKE_PAGES; place <= FAKE_BARE; place++)
		expect_alias(test, place, USER_SPACE,
			     user_addr(place, 0x1234));
	expect_alias(test, FAKE_BAR, 0, fallback_addr());

	lci.imported = 0;
	fake.region[FAKE_ALIAS].attr = DMA_REGION_UC;
	expect_alias(test, FAKE_ALIAS, 0, fallback_addr());
	fake.region[FAKE_ALIAS].attr = DMA_REGION_WB;
}

static void fallback_is_nobodys(struct kunit *test)
{
	void *page = (void *)fallback_addr();

	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(page));
	KUNIT_EXPECT_TRUE(test, page >= (void *)_text && page < (void *)_end);
	KUNIT_EXPECT_NULL(test, memchr_inv(page, 0, PAGE_SIZE));
}

/* Without the stubs; LCI itself is run where there is a real I/O MMU only. */
static void nothing_is_imported(struct kunit *test)
{
	struct scatterlist sg;

	kunit_deactivate_static_stub(test, iommu_user_alias);
	set_entry(&sg, FAKE_BARE);
	KUNIT_EXPECT_EQ(test, iommu_user_alias(&sg).space, 0);
}

#define COMMON_CASES						\
	KUNIT_CASE_PARAM(list_is_mapped, list_gen_params),	\
	KUNIT_CASE_PARAM(list_is_imported, list_gen_params),	\
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),	\
	KUNIT_CASE_PARAM(device_memory_has_bus_address,		\
			 bus_list_gen_params),			\
	KUNIT_CASE_PARAM(device_memory_is_mapped,		\
			 bus_list_gen_params),			\
	KUNIT_CASE(pages_are_merged),				\
	KUNIT_CASE(pageless_is_merged),				\
	KUNIT_CASE(sources_are_apart),				\
	KUNIT_CASE(segments_keep_limits),			\
	KUNIT_CASE(entry_has_a_limit),				\
	KUNIT_CASE(entry_spans_boundary),			\
	KUNIT_CASE_PARAM(pdir_is_full, list_gen_params),	\
	KUNIT_CASE(ranges_find_it_full),			\
	KUNIT_CASE_PARAM(range_is_mapped, list_gen_params),	\
	KUNIT_CASE(range_is_not_memory),			\
	KUNIT_CASE(coherent_memory),				\
	KUNIT_CASE(sources_have_an_order),			\
	KUNIT_CASE(fallback_is_nobodys),			\
	KUNIT_CASE(nothing_is_imported)

#endif /* _IOMMU_KUNIT_H */
