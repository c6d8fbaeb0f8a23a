// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA on the GX bus, where the DMA address of memory is its
 * kernel address in the linear mapping: what has no struct page has none.
 */
#include <kunit/dma_ops.h>

#define LINEAR		0xc000000000000000UL

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_EXPECT_EQ(test, dma, LINEAR + phys);
}

/* There is no table. */
static void expect_pages(struct kunit *test, unsigned long n)
{
}

static const struct fake_table table = {
	.page_size = SZ_4K,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
};

static int machine_init(struct kunit_suite *suite)
{
	return fake_init(NULL, &ibmebus_dma_ops, &table, 0);
}

static void machine_exit(struct kunit_suite *suite)
{
	fake_exit();
}

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static void list_of_pages_is_mapped_and_others_are_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_list(test, list, fake_has_pageless(list) ? -EREMOTEIO : 0);
}

static void device_memory_is_refused(struct kunit *test)
{
	fake_run_list(test, test->param_value, -EREMOTEIO);
}

/* Whatever is wrong with it: it is not looked at. */
static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_list(test, list, -EREMOTEIO);
}

static void list_is_refused_behind_pages(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, 0x2000 }, { FAKE_PAGES, 0x2345, 0x123 },
		{ FAKE_PAGES, 0x8000, 0x8000 }, { FAKE_PAGES, 0x4001, 1 },
		{ FAKE_BARE, 0, 0x1000 },
	};

	fake_run_pieces(test, piece, ARRAY_SIZE(piece) - 1, 0);
	fake_run_pieces(test, piece, ARRAY_SIZE(piece), -EREMOTEIO);
}

static void range_of_pages_is_mapped_and_others_are_refused(struct kunit *test)
{
	static const struct fake_piece good = { FAKE_PAGES, 0x1234, 0x2345 };

	fake_run_range(test, &good, DMA_BIDIRECTIONAL);
	fake_run_no_pageless(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(list_of_pages_is_mapped_and_others_are_refused,
			 list_gen_params),
	KUNIT_CASE_PARAM(device_memory_is_refused, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE(list_is_refused_behind_pages),
	KUNIT_CASE(range_of_pages_is_mapped_and_others_are_refused),
	{ }
};

static struct kunit_suite ibmebus_suite = {
	.name = "ibmebus",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.test_cases = cases,
};

kunit_test_suite(ibmebus_suite);
