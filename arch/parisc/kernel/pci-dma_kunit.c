// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the maintenance of caches for DMA: fdc and pdc are stubbed,
 * and must only be meant for addresses that have a translation.
 */
#include <kunit/dma_ops.h>
#include <kunit/static_stub.h>

#define MAX_CALLS	(2 * FAKE_PIECES)

struct call {
	bool		purge;
	unsigned long	addr;
	size_t		size;
};

static struct {
	struct call	call[MAX_CALLS];
	unsigned int	ncalls;
	bool		uncached;	/* the alias is */
} played;

static void note_call(bool purge, void *kaddr, size_t size)
{
	struct call call = { purge, (unsigned long)kaddr, size };

	if (played.ncalls < MAX_CALLS)
		played.call[played.ncalls] = call;
	played.ncalls++;
}

static void play_flush(void *kaddr, size_t size)
{
	note_call(false, kaddr, size);
}

static void play_purge(void *kaddr, size_t size)
{
	note_call(true, kaddr, size);
}

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_EXPECT_EQ(test, dma, phys);
}

static void expect_pages(struct kunit *test, unsigned long n)
{
}

static const struct fake_table table = {
	.page_size = PAGE_SIZE,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
};

static void machine_exit(struct kunit_suite *suite)
{
	fake_exit();
}

/* Below I/O space. */
static int machine_init(struct kunit_suite *suite)
{
	return fake_init(NULL, NULL, &table, 0xf0000000);
}

static int machine_reset(struct kunit *test)
{
	memset(&played, 0, sizeof(played));
	kunit_activate_static_stub(test, flush_lines, play_flush);
	kunit_activate_static_stub(test, purge_lines, play_purge);
	return 0;
}

/* The lines of a piece, or 0: there are none. */
static unsigned long wanted_addr(const struct fake_piece *p)
{
	unsigned long pos = fake_phys(p) - fake.phys[p->place];

	switch (p->place) {
	case FAKE_PAGES:
		return (unsigned long)page_address(fake.pages) + pos;
	case FAKE_ALIAS:
		return played.uncached ? 0 : (unsigned long)fake.alias + pos;
	default:
		return 0;
	}
}

/* One call for each piece that has lines, in the order of the list. */
static void expect_calls(struct kunit *test, const struct fake_piece *piece,
			 unsigned int n, bool purge)
{
	unsigned int ncalls = 0, i;

	for (i = 0; i < n; i++) {
		const struct call *call = &played.call[ncalls];

		if (!wanted_addr(&piece[i]))
			continue;
		ncalls++;
		KUNIT_ASSERT_LE(test, ncalls, played.ncalls);
		KUNIT_EXPECT_EQ(test, call->addr, wanted_addr(&piece[i]));
		KUNIT_EXPECT_EQ(test, call->size, piece[i].len);
		KUNIT_EXPECT_EQ(test, call->purge, purge);
	}
	KUNIT_EXPECT_EQ(test, played.ncalls, ncalls);
	played.ncalls = 0;
}

static void sync_piece(struct kunit *test, const struct fake_piece *p)
{
	enum dma_data_direction dir;

	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		arch_sync_dma_for_device(fake_phys(p), p->len, dir);
		expect_calls(test, p, 1, false);
		arch_sync_dma_for_cpu(fake_phys(p), p->len, dir);
		expect_calls(test, p, 1, dir == DMA_FROM_DEVICE);
	}
}

static void only_what_is_translated(struct kunit *test)
{
	enum fake_place place;

	for (place = FAKE_PAGES; place < NR_FAKE_PLACES; place++) {
		const struct fake_piece piece = { place, 0x1234, 0x2345 };

		sync_piece(test, &piece);
	}
}

static void only_what_is_cached(struct kunit *test)
{
	static const struct fake_piece piece = { FAKE_ALIAS, 0x1234, 0x2345 };

	played.uncached = true;
	fake.region[FAKE_ALIAS].attr = DMA_REGION_UC;
	sync_piece(test, &piece);
	fake.region[FAKE_ALIAS].attr = DMA_REGION_WB;
}

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);

static void list_is_maintained(struct kunit *test)
{
	const struct fake_list *list = test->param_value;
	unsigned int n = fake_npieces(list->piece);
	enum dma_data_direction dir;

	if (get_dma_ops(fake.dev))
		kunit_skip(test, "this machine has an I/O MMU");
	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		struct fake_job *job = fake_new_job(test, list->piece, n, dir);

		KUNIT_ASSERT_EQ(test, fake_map(job), 0);
		expect_calls(test, list->piece, n, false);
		fake_look_and_unmap(test, job);
		expect_calls(test, list->piece, n, dir == DMA_FROM_DEVICE);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(only_what_is_translated),
	KUNIT_CASE(only_what_is_cached),
	KUNIT_CASE_PARAM(list_is_maintained, list_gen_params),
	{ }
};

static struct kunit_suite pci_dma_suite = {
	.name = "parisc_pci_dma",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = machine_reset,
	.test_cases = cases,
};

kunit_test_suite(pci_dma_suite);
