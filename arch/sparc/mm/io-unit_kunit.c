// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA behind the IO-UNIT of sun4d, which no emulator has: the
 * external page table is memory. They run on any sun4m.
 *
 * An entry of the table, as the SPARCcenter 2000 has it: bits 35:12 of the
 * physical address in 31:8, cached 7, streaming 6, slot to slot 3, writable 2,
 * valid 1, parity 0. The table translates the last 64 MiB of the bus; the last
 * one of them is not for DMA mappings.
 */
#include <kunit/dma_ops.h>
#include <linux/bitmap.h>

#define IOPTES		16384
#define IOPTES_DMA	(IOPTES - 256)
#define IOPTE_PAGE	4096
#define IOPTE_CACHED	0x80
#define IOPTE_WRITABLE	0x04
#define IOPTE_VALID	0x02
#define BUS_BASE	0xfc000000

static struct {
	struct iounit_struct	unit;
	u32			*pte;		/* of IOPTES */
	unsigned long		busy;		/* pages that the test keeps */
} iou;

/* Writable whatever the direction is: the driver has never protected any. */
static u32 wanted_pte(phys_addr_t phys)
{
	return (u32)((u64)phys >> 12 << 8) | IOPTE_CACHED | IOPTE_WRITABLE |
	       IOPTE_VALID;
}

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	u32 index = (dma - BUS_BASE) / IOPTE_PAGE;

	KUNIT_ASSERT_LT(test, index, IOPTES_DMA);
	KUNIT_EXPECT_EQ(test, iou.pte[index], wanted_pte(phys));
	KUNIT_EXPECT_TRUE(test, test_bit(index, iou.unit.bmap));
}

/* What is not valid is 0, as after reset. */
static void expect_pages(struct kunit *test, unsigned long n)
{
	unsigned long valid = 0, zero = 0, i;

	for (i = 0; i < IOPTES; i++) {
		valid += !!(iou.pte[i] & IOPTE_VALID);
		zero += !iou.pte[i];
	}
	KUNIT_EXPECT_EQ(test, valid, n);
	KUNIT_EXPECT_EQ(test, zero, IOPTES - n);
	KUNIT_EXPECT_EQ(test, bitmap_weight(iou.unit.bmap, IOPTES),
			n + iou.busy);
}

static const struct fake_table table = {
	.page_size = IOPTE_PAGE,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
};

static void machine_exit(struct kunit_suite *suite)
{
	vfree(iou.pte);
	memset(&iou, 0, sizeof(iou));
	fake_exit();
}

static int machine_init(struct kunit_suite *suite)
{
	int ret = fake_init(NULL, &iounit_dma_ops, &table, 0);

	if (ret)
		return ret;
	fake.dev->archdata.iommu = &iou.unit;
	fake.mask = DMA_BIT_MASK(32);
	iou.pte = vzalloc(IOPTES * sizeof(*iou.pte));
	if (iou.pte)
		return 0;
	machine_exit(suite);
	return -ENOMEM;
}

static void reset_rotors(void)
{
	iou.unit.rotor[0] = 0;
	iou.unit.rotor[1] = 8192;
	iou.unit.rotor[2] = 12288;
}

/* As iounit_iommu_init() does, with limits that are written down here. */
static int machine_reset(struct kunit *test)
{
	struct iounit_struct *unit = &iou.unit;

	memset(unit, 0, sizeof(*unit));
	memset(iou.pte, 0, IOPTES * sizeof(*iou.pte));
	iou.busy = 0;
	spin_lock_init(&unit->lock);
	unit->limit[1] = 8192;
	unit->limit[2] = 12288;
	unit->limit[3] = IOPTES_DMA;
	reset_rotors();
	unit->page_table = (iopte_t __force __iomem *)iou.pte;
	return 0;
}

static void keep_busy(unsigned long first, unsigned long n)
{
	bitmap_set(iou.unit.bmap, first, n);
	iou.busy = bitmap_weight(iou.unit.bmap, IOPTES);
}

/* An area that a rotor divides is not found. */
static void leave_free(unsigned long first, unsigned long n)
{
	reset_rotors();
	bitmap_clear(iou.unit.bmap, first, n);
	iou.busy = bitmap_weight(iou.unit.bmap, IOPTES);
}

/* --- lists --------------------------------------------------------------- */

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static void list_is_mapped(struct kunit *test)
{
	fake_run_list(test, test->param_value, 0);
}

/* SBus devices have no route to it. */
static void device_memory_is_refused(struct kunit *test)
{
	fake_run_list(test, test->param_value, -EREMOTEIO);
}

static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_refused(test, &list->piece[0]);
}

/* Each entry is a segment: what is not merged keeps the limits by itself. */
static void entry_is_a_segment(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, SZ_8K }, { FAKE_PAGES, SZ_8K, SZ_8K },
		{ FAKE_BARE, 0, SZ_8K }, { FAKE_BARE, SZ_8K, SZ_8K },
	};

	fake_run_merged(test, piece, ARRAY_SIZE(piece), ARRAY_SIZE(piece));
}

static void rotors_wrap(struct kunit *test)
{
	unsigned long left;

	for (left = 1; left <= 9; left++) {
		iou.unit.rotor[0] = 8192 - left;
		iou.unit.rotor[1] = 12288 - left;
		iou.unit.rotor[2] = IOPTES_DMA - left;
		fake_run_list(test, test->param_value, 0);
	}
}

/* --- what is full -------------------------------------------------------- */

static const struct fake_piece eight_mb[] = {
	{ FAKE_BARE, 0, SZ_1M }, { FAKE_ALIAS, 0, SZ_1M },
	{ FAKE_BARE, SZ_2M, SZ_1M }, { FAKE_BARE, SZ_4M, SZ_1M },
	{ FAKE_BARE, SZ_1M, SZ_1M }, { FAKE_BARE, SZ_8M, SZ_1M },
	{ FAKE_BARE, SZ_16M, SZ_1M }, { FAKE_BARE, 3 * SZ_1M, SZ_1M },
};

/* 63 MiB, in three parts of 15, 32 and 16. */
static void all_of_the_table_is_used(struct kunit *test)
{
	struct fake_job *job[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(job); i++)
		job[i] = fake_new_job(test, eight_mb, ARRAY_SIZE(eight_mb),
				      DMA_TO_DEVICE);
	for (i = 0; i < 7; i++)
		KUNIT_ASSERT_EQ(test, fake_map(job[i]), 0);
	KUNIT_EXPECT_EQ(test, fake_map(job[7]), -ENOMEM);
	fake_expect_as_it_came(test, job[7]);
	expect_pages(test, 7 * 8 * 256);
	job[7]->n = 7;
	job[7]->sgt.orig_nents = 7;
	KUNIT_EXPECT_EQ(test, fake_map(job[7]), 0);
	expect_pages(test, IOPTES_DMA);
	for (i = 0; i < ARRAY_SIZE(job); i++)
		fake_unmap(job[i]);
	expect_pages(test, 0);
}

/* Enough room for all entries, for all but one, and so on. */
static void table_is_full_at_each_entry(struct kunit *test)
{
	const struct fake_list *list = test->param_value;
	unsigned int n = fake_npieces(list->piece);
	struct fake_job *job = fake_new_job(test, list->piece, n,
					    DMA_FROM_DEVICE);
	unsigned long npages = fake_npages_of(job), room;

	keep_busy(0, IOPTES);
	for (room = 0; room < npages; room++) {
		leave_free(100, room);
		fake_run(test, job, -ENOMEM);
	}
	leave_free(100, npages);
	fake_run(test, job, 0);
}

static void area_is_found_between_others(struct kunit *test)
{
	static const unsigned long hole[] = { 77, 9000, 13000 };
	static const struct fake_piece piece = { FAKE_BARE, 0x123, 0x4edd };
	static const struct fake_piece larger = { FAKE_BARE, 0x123, 0x4ede };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hole); i++) {
		keep_busy(0, IOPTES);
		leave_free(hole[i], 5);
		leave_free(hole[i] + 6, 4);
		fake_run_pieces(test, &piece, 1, 0);
		fake_run_pieces(test, &larger, 1, -ENOMEM);
	}
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

static void range_is_too_large(struct kunit *test)
{
	static const struct fake_piece most = { FAKE_BARE, 0xfff, SZ_256K };
	static const struct fake_piece more = { FAKE_BARE, 0, SZ_256K + 1 };

	fake_run_range(test, &most, DMA_TO_DEVICE);
	fake_expect_no_range(test, &more, 0);
}

static void range_finds_the_table_full(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, 1 }, { FAKE_BARE, 0xfff, 2 },
		{ FAKE_ALIAS, 0, SZ_128K },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(piece); i++) {
		keep_busy(0, IOPTES);
		leave_free(12000, fake_npages(&piece[i]) - 1);
		fake_expect_no_range(test, &piece[i], 0);
		leave_free(12000, fake_npages(&piece[i]));
		fake_run_range(test, &piece[i], DMA_BIDIRECTIONAL);
	}
}

/* ------------------------------------------------------------------------- */

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(list_is_mapped, list_gen_params),
	KUNIT_CASE_PARAM(device_memory_is_refused, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE(entry_is_a_segment),
	KUNIT_CASE_PARAM(rotors_wrap, list_gen_params),
	KUNIT_CASE(all_of_the_table_is_used),
	KUNIT_CASE_PARAM(table_is_full_at_each_entry, list_gen_params),
	KUNIT_CASE(area_is_found_between_others),
	KUNIT_CASE_PARAM(range_is_mapped, list_gen_params),
	KUNIT_CASE(range_is_not_memory),
	KUNIT_CASE(range_is_too_large),
	KUNIT_CASE(range_finds_the_table_full),
	{ }
};

static struct kunit_suite io_unit_suite = {
	.name = "io_unit",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = machine_reset,
	.test_cases = cases,
};

kunit_test_suite(io_unit_suite);
