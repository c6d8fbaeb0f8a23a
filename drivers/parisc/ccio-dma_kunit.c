// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA behind U2 and Uturn, which no emulator has: the I/O PDIR
 * and the registers are memory. They run on any machine.
 *
 * An entry of the PDIR, of two big endian words, where the page number P has 40
 * bits of which P[0] is the highest:
 *
 *	P[0:3] in 31:28, coherence index in 27:16, P[4:19] in 15:0
 *	P[20:39] in 31:12, prefetch 4, stop most 2, safe DMA 1, valid 0
 *
 * The upper bits of an I/O virtual page, its chain id, tell which entry of the
 * TLB it gets; a purge is for one of them.
 */
#include "iommu_kunit.h"

#define PDIR_PAGE	4096UL
#define PURGE		33
#define VALID		0x01
#define SAFE		0x02
#define STOP_MOST	(IS_ENABLED(CONFIG_EISA) ? 0x04 : 0)
#define PREFETCH	0x10

static struct {
	struct ioa_registers	regs;
	unsigned long		bad_commands;
} ccio;

static u32 pdir_word(unsigned int index, unsigned int word)
{
	return ((u32 *)&fake_ioc.pdir_base[index])[word];
}

static bool is_valid(unsigned int index)
{
	return pdir_word(index, 1) & VALID;
}

static void play_command(struct ioc *ioc, u32 command)
{
	unsigned int chain = 1 << (ioc->chainid_shift - 12);
	unsigned int index = command / PDIR_PAGE;

	if (command % PDIR_PAGE != PURGE || index >= PDIR_ENTRIES)
		ccio.bad_commands++;
	note_purge(is_valid, index / chain * chain, chain);
}

/* Whole lines only: the rest of a line would be lost without SAFE. */
static u32 wanted_hints(enum dma_data_direction dir, bool safe)
{
	u32 hints = VALID | STOP_MOST | (safe ? SAFE : 0);

	switch (dir) {
	case DMA_TO_DEVICE:
		return hints | PREFETCH;
	case DMA_FROM_DEVICE:
		return hints;
	default:
		return hints | SAFE;
	}
}

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	unsigned int index = dma / PDIR_PAGE;
	u64 pa = wanted_phys(phys);

	KUNIT_ASSERT_LT(test, index, PDIR_ENTRIES);
	KUNIT_EXPECT_EQ(test, pdir_word(index, 0),
			(u32)(pa >> 48) << 28 | wanted_index(phys) << 16 |
			(u16)(pa >> 32));
	KUNIT_EXPECT_EQ(test, pdir_word(index, 1) & ~SAFE,
			((u32)pa | wanted_hints(dir, false)) & ~SAFE);
	if (!lci.single)
		KUNIT_EXPECT_EQ(test, pdir_word(index, 1) & SAFE,
				wanted_hints(dir, false) & SAFE);
	KUNIT_EXPECT_TRUE(test, is_taken(index));
	note_valid(index);
}

/* Bits are taken by 8, 16, 32, and 64. */
static void expect_pages(struct kunit *test, unsigned long n)
{
	unsigned long valid = 0, taken = 0;
	unsigned int i;

	for (i = 0; i < PDIR_ENTRIES; i++) {
		valid += is_valid(i);
		taken += is_taken(i);
	}
	KUNIT_EXPECT_EQ(test, valid, n);
	KUNIT_EXPECT_GE(test, taken, n + lci.busy);
	if (!n)
		KUNIT_EXPECT_EQ(test, taken, lci.busy);
	KUNIT_EXPECT_EQ(test, lci.wild, 0);
	KUNIT_EXPECT_EQ(test, ccio.bad_commands, 0);
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
	fake_ioc.res_hint = 16;
}

static const struct fake_chip chip = {
	.ops = &ccio_ops,
	.table = &table,
	.reset_search = reset_search,
	.max_phys = BIT_ULL(52),
};

/* Chains of 4 pages, so that most ranges have several. */
static int machine_reset(struct kunit *test)
{
	play_machine(test);
	ccio.bad_commands = 0;
	fake_ioc.ioc_regs = (struct ioa_registers __iomem __force *)&ccio.regs;
	fake_ioc.chainid_shift = 14;
	memset(&ccio.regs, 0, sizeof(ccio.regs));
	reset_search();
	kunit_activate_static_stub(test, ccio_command, play_command);
	return 0;
}

/* --- words, written down ------------------------------------------------- */

static void word_has_its_bits(struct kunit *test)
{
	static const struct {
		phys_addr_t	phys;
		unsigned long	ci, hints;
		u32		word[2];
	} words[] = {
		{ 0, 0, 0, { 0, 0 } },
		{ 0x12345000, 0, 0x01, { 0, 0x12345001 } },
		{ 0x12345fff, 0x00fff, 0x11, { 0, 0x12345011 } },
		{ 0x7ffff000, 0x00abc000, 0x03, { 0x0abc0000, 0x7ffff003 } },
		{ 0x7ffff123, 0xffffffff, 0x13, { 0x0fff0000, 0x7ffff013 } },
		{ 0x10000000, 0x01000000, 0xfff, { 0, 0x10000fff } },
		{ 0x10000000, 0x00800fff, 0x1001, { 0x08000000, 0x10000001 } },
#ifdef CONFIG_64BIT
		{ 0x9812345678000, 0x00abc000, 0x01,
		  { 0x9abc8123, 0x45678001 } },
		{ 0x79812345678000, 0x00abc000, 0x01,
		  { 0x9abc8123, 0x45678001 } },
		{ 0xf4321000, 0x00001000, 0x01, { 0x00010000, 0xf4321001 } },
		{ 0xfffffffff4321000, 0x00001000, 0x01,
		  { 0xf001ffff, 0xf4321001 } },
#else
		{ 0xefffffff, 0x00001000, 0x01, { 0x00010000, 0xeffff001 } },
		{ 0xf4321000, 0x00001000, 0x01, { 0xf001ffff, 0xf4321001 } },
#endif
	};
	__le64 entry;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		entry = 0;
		ccio_io_pdir_entry(&entry, iommu_physical(words[i].phys),
				   words[i].ci, words[i].hints);
		KUNIT_EXPECT_EQ(test, ((u32 *)&entry)[0], words[i].word[0]);
		KUNIT_EXPECT_EQ(test, ((u32 *)&entry)[1], words[i].word[1]);
	}
}

/* --- what only ccio has -------------------------------------------------- */

/* A single range that does not begin with a line is SAFE on each page. */
static void hints_follow_offset(struct kunit *test)
{
	static const struct {
		struct fake_piece	piece;
		bool			safe;
	} ranges[] = {
		{ { FAKE_PAGES, 0, SZ_4K } },
		{ { FAKE_BARE, 0x10, SZ_8K } },
		{ { FAKE_ALIAS, 0xff0, SZ_8K } },
		{ { FAKE_PAGES, 0x1, SZ_4K }, true },
		{ { FAKE_BARE, 0x18, SZ_8K }, true },
		{ { FAKE_ALIAS, 0xfff, SZ_8K }, true },
	};
	enum dma_data_direction dir;
	unsigned int i, j;

	lci.single = true;
	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
			struct fake_job *job;

			job = fake_new_job(test, &ranges[i].piece, 1, dir);
			KUNIT_ASSERT_EQ(test, fake_map(job), 0);
			for (j = 0; j < fake_npages(&ranges[i].piece); j++) {
				u32 index = sg_dma_address(job->sgt.sgl) /
					    PDIR_PAGE + j;

				KUNIT_EXPECT_EQ(test,
						pdir_word(index, 1) & 0xfff,
						wanted_hints(dir,
							     ranges[i].safe));
			}
			fake_look_and_unmap(test, job);
		}
}

/* Of one page up to the whole PDIR. */
static void chains_are_purged(struct kunit *test)
{
	u32 shift;

	for (shift = 12; shift <= 22; shift++) {
		fake_ioc.chainid_shift = shift;
		run_list(test, test->param_value);
	}
}

/* Without the stub: what is written, and where. */
static void command_is_written(struct kunit *test)
{
	static const struct fake_piece piece = { FAKE_BARE, 0, SZ_4K };
	struct fake_job *job = fake_new_job(test, &piece, 1, DMA_TO_DEVICE);
	struct ioa_registers want = {};

	kunit_deactivate_static_stub(test, ccio_command);
	KUNIT_ASSERT_EQ(test, fake_map(job), 0);
	KUNIT_EXPECT_MEMEQ(test, &ccio.regs, &want, sizeof(want));
	want.io_command = sg_dma_address(job->sgt.sgl) | PURGE;
	fake_unmap(job);
	KUNIT_EXPECT_MEMEQ(test, &ccio.regs, &want, sizeof(want));
	fake_expect_nothing_left(test, job);
}

static struct kunit_case cases[] = {
	COMMON_CASES,
	KUNIT_CASE(word_has_its_bits),
	KUNIT_CASE(hints_follow_offset),
	KUNIT_CASE_PARAM(chains_are_purged, list_gen_params),
	KUNIT_CASE(command_is_written),
	{ }
};

static struct kunit_suite ccio_suite = {
	.name = "ccio_dma",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = machine_reset,
	.test_cases = cases,
};

kunit_test_suite(ccio_suite);
