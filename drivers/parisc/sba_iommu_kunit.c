// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA behind Astro, Ike and Pluto, with an I/O PDIR and
 * registers that are memory. They run on any machine.
 *
 * An entry of the PDIR, little endian: valid 63, bits 43:12 of the physical
 * address in their place, bits 7:0 of the coherence index shifted to the page.
 * PCOM takes an I/O virtual address and, in its low bits, the log2 of how many
 * bytes are purged, to which the address is aligned.
 */
#include "iommu_kunit.h"

#define PDIR_PAGE	4096UL
#define PDIR_VALID	(1ULL << 63)
#define PDIR_PPN	0x00000ffffffff000ULL

#ifdef CONFIG_64BIT
static const unsigned long ibases[] = { 0, 0x40000000 };
#else
static const unsigned long ibases[] = { 0 };
#endif

static struct {
	u8		regs[SBA_FUNC_SIZE];
	unsigned long	bad_purges;
} sba;

static u64 pdir_word(unsigned int index)
{
	return le64_to_cpu(fake_ioc.pdir_base[index]);
}

static bool is_valid(unsigned int index)
{
	return pdir_word(index) & PDIR_VALID;
}

static void play_purge(struct ioc *ioc, unsigned long pcom)
{
	unsigned long size = 1UL << (pcom & (PDIR_PAGE - 1));
	unsigned long iovp = (pcom & ~(PDIR_PAGE - 1)) - ioc->ibase;

	if (size < PDIR_PAGE || iovp % size)
		sba.bad_purges++;
	note_purge(is_valid, iovp / PDIR_PAGE, size / PDIR_PAGE);
}

/* What is unmapped is given back 16 at a time. */
static unsigned long npages_saved(void)
{
	unsigned long n = 0;
	int i;

	for (i = 0; i < fake_ioc.saved_cnt; i++)
		n += fake_ioc.saved[i].size / PDIR_PAGE;
	return n;
}

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	unsigned int index = (dma - fake_ioc.ibase) / PDIR_PAGE;

	KUNIT_ASSERT_LT(test, index, PDIR_ENTRIES);
	KUNIT_EXPECT_EQ(test, pdir_word(index),
			PDIR_VALID | (wanted_phys(phys) & PDIR_PPN) |
			(wanted_index(phys) & 0xff));
	KUNIT_EXPECT_TRUE(test, is_taken(index));
	note_valid(index);
}

static void expect_pages(struct kunit *test, unsigned long n)
{
	unsigned long valid = 0, taken = 0;
	unsigned int i;

	for (i = 0; i < PDIR_ENTRIES; i++) {
		valid += is_valid(i);
		taken += is_taken(i);
	}
	KUNIT_EXPECT_EQ(test, valid, n);
	KUNIT_EXPECT_EQ(test, taken, n + npages_saved() + lci.busy);
	KUNIT_EXPECT_EQ(test, lci.wild, 0);
	KUNIT_EXPECT_EQ(test, sba.bad_purges, 0);
	expect_purged(test, is_valid);
}

static const struct fake_table table = {
	.page_size = PDIR_PAGE,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
	.maps_resource = true,
};

static void reset_search(void)
{
	sba_free_saved(&fake_ioc);
	fake_ioc.res_hint = (unsigned long *)fake_ioc.res_map;
	fake_ioc.res_bitshift = 0;
}

static const struct fake_chip chip = {
	.ops = &sba_ops,
	.table = &table,
	.reset_search = reset_search,
	.max_phys = BIT_ULL(44),
};

/* As Pluto has it, if that is not 0; Astro's begins at 0. */
static void set_ibase(unsigned long ibase)
{
	fake_ioc.ibase = ibase;
#ifdef ZX1_SUPPORT
	fake_ioc.iovp_mask = (PDIR_ENTRIES - 1) * PDIR_PAGE;
#endif
}

static int machine_reset(struct kunit *test)
{
	play_machine(test);
	sba.bad_purges = 0;
	fake_ioc.ioc_hpa = (void __iomem __force *)sba.regs;
	fake_ioc.saved_cnt = 0;
	set_ibase(0);
	reset_search();
	kunit_activate_static_stub(test, sba_purge, play_purge);
	return 0;
}

/* --- words, written down ------------------------------------------------- */

static void word_has_its_bits(struct kunit *test)
{
	static const struct {
		phys_addr_t	phys;
		unsigned long	ci;
		u64		word;
	} words[] = {
		{ 0,		0,	    0x8000000000000000ULL },
		{ 0x12345000,	0,	    0x8000000012345000ULL },
		{ 0x12345fff,	0x00fff,    0x8000000012345000ULL },
		{ 0x7ffff000,	0xa5000,    0x800000007ffff0a5ULL },
		{ 0x7ffff123,	0xffffffff, 0x800000007ffff0ffULL },
		{ 0x10000000,	0x00100000, 0x8000000010000000ULL },
#ifdef CONFIG_64BIT
		{ 0x123456789000, 0x5a000,  0x800002345678905aULL },
		{ 0x23456789000, 0x5a000,   0x800002345678905aULL },
		{ 0xf4321000,	0x01000,    0x80000000f4321001ULL },
		{ 0xfffffffff4321000, 0x01000, 0x80000ffff4321001ULL },
#else
		{ 0xefffffff,	0x01000,    0x80000000effff001ULL },
		{ 0xf4321000,	0x01000,    0x80000ffff4321001ULL },
#endif
	};
	__le64 word;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		word = 0;
		sba_io_pdir_entry(&word, iommu_physical(words[i].phys),
				  words[i].ci, 0);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(word), words[i].word);
	}
}

/* --- what only sba has --------------------------------------------------- */

static void list_has_ibase(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ibases); i++) {
		set_ibase(ibases[i]);
		run_list(test, test->param_value);
		reset_search();
	}
}

/* 15 ranges wait to be given back, and nobody is left to unmap a 16th. */
static void saved_ranges_are_free(struct kunit *test)
{
	static const struct fake_piece piece = { FAKE_BARE, 0, SZ_64K };
	unsigned int i;

	lci.single = true;
	leave_free(15 * 16);
	for (i = 0; i < 15; i++)
		fake_run_range(test, &piece, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, fake_ioc.saved_cnt, 15);
	fake_run_range(test, &piece, DMA_TO_DEVICE);
	fake_run_pieces(test, &piece, 1, 0);
}

static struct kunit_case cases[] = {
	COMMON_CASES,
	KUNIT_CASE(word_has_its_bits),
	KUNIT_CASE_PARAM(list_has_ibase, list_gen_params),
	KUNIT_CASE(saved_ranges_are_free),
	{ }
};

static struct kunit_suite sba_suite = {
	.name = "sba_iommu",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = machine_reset,
	.test_cases = cases,
};

kunit_test_suite(sba_suite);
