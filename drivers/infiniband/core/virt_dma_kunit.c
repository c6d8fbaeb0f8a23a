// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of lists for RDMA devices that are software, whose DMA addresses
 * are kernel addresses: what has no struct page has none.
 */
#include <kunit/dma_ops.h>
#include <linux/module.h>
#include <rdma/ib_verbs.h>

/* The ib_device has no dma_device: its addresses are virtual. */
static int map(struct kunit *test, struct fake_job *job)
{
	struct ib_device *ibdev = kunit_kzalloc(test, sizeof(*ibdev),
						GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ibdev);
	KUNIT_ASSERT_TRUE(test, ib_uses_virt_dma(ibdev));
	return ib_dma_map_sgtable_attrs(ibdev, &job->sgt, job->dir, 0);
}

/* Not by physical addresses, which differ. */
static u64 address_of(const struct fake_piece *p)
{
	return (uintptr_t)page_address(fake.pages) + p->pos;
}

static void expect_addresses(struct kunit *test, struct fake_job *job)
{
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, job->sgt.nents, job->n);
	for_each_sg(job->sgt.sgl, sg, job->n, i) {
		KUNIT_EXPECT_EQ(test, sg_dma_address(sg),
				address_of(&job->piece[i]));
		KUNIT_EXPECT_EQ(test, sg_dma_len(sg), job->piece[i].len);
	}
}

static void run(struct kunit *test, const struct fake_piece *piece,
		unsigned int n, int err)
{
	struct fake_job *job = fake_new_job(test, piece, n, DMA_TO_DEVICE);
	int ret = map(test, job);

	KUNIT_EXPECT_EQ(test, ret, err);
	if (!ret)
		expect_addresses(test, job);
	fake_expect_as_it_came(test, job);
}

static int machine_init(struct kunit_suite *suite)
{
	return fake_init(NULL, NULL, NULL, 0);
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

	run(test, list->piece, fake_npieces(list->piece),
	    fake_has_pageless(list) ? -EIO : 0);
}

static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	run(test, list->piece, fake_npieces(list->piece), -EIO);
}

static void device_memory_is_refused(struct kunit *test)
{
	list_is_refused(test);
}

static void list_is_refused_behind_pages(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, 0x2000 }, { FAKE_PAGES, 0x2345, 0x123 },
		{ FAKE_PAGES, 0x8000, 0x8000, .skew = 1 },
		{ FAKE_PAGES, 0x4001, 1 }, { FAKE_BARE, 0, 0x1000 },
	};

	run(test, piece, ARRAY_SIZE(piece) - 1, 0);
	run(test, piece, ARRAY_SIZE(piece), -EIO);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(list_of_pages_is_mapped_and_others_are_refused,
			 list_gen_params),
	KUNIT_CASE_PARAM(device_memory_is_refused, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE(list_is_refused_behind_pages),
	{ }
};

static struct kunit_suite ib_virt_dma_suite = {
	.name = "ib_virt_dma",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.test_cases = cases,
};

kunit_test_suite(ib_virt_dma_suite);

MODULE_DESCRIPTION("KUnit tests of DMA addresses that are virtual");
MODULE_LICENSE("GPL");
