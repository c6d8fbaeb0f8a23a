// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA by way of Xen grants, with a grant table that is played:
 * they need no Xen. A DMA address is that of a grant, with bit 63 set, and the
 * grant is for a frame that Xen lists as memory of the guest: what has no struct
 * page is none.
 */
#include <kunit/dma_ops.h>

#define GRANTS		256
#define FRAME		4096
#define DMA_IS_GRANT	BIT_ULL(63)
#define BACKEND		7

static struct {
	struct grant {
		bool		taken;
		bool		access;
		bool		readonly;
		domid_t		domid;
		unsigned long	frame;
	} grant[GRANTS];
	unsigned int	calls;
	unsigned int	fail_at;	/* 1: the next allocation */
	const char	*complaint;
} gnttab;

static bool is_free(unsigned int first, unsigned int n)
{
	for (; n; n--, first++)
		if (first >= GRANTS || gnttab.grant[first].taken)
			return false;
	return true;
}

static int fake_grant_alloc(unsigned int count, grant_ref_t *first)
{
	unsigned int ref, i;

	gnttab.calls++;
	if (gnttab.fail_at && !--gnttab.fail_at)
		return -ENOSPC;
	for (ref = 1; ref < GRANTS; ref++) {
		if (!is_free(ref, count))
			continue;
		for (i = 0; i < count; i++)
			gnttab.grant[ref + i].taken = true;
		*first = ref;
		return 0;
	}
	return -ENOSPC;
}

static void fake_grant_access(grant_ref_t ref, domid_t domid,
			      unsigned long frame, int readonly)
{
	struct grant *g = &gnttab.grant[ref % GRANTS];

	gnttab.calls++;
	if (ref >= GRANTS || !g->taken || g->access)
		gnttab.complaint = "access by a wrong grant";
	g->access = true;
	g->readonly = readonly;
	g->domid = domid;
	g->frame = frame;
}

static int fake_grant_end_access(grant_ref_t ref)
{
	struct grant *g = &gnttab.grant[ref % GRANTS];

	gnttab.calls++;
	if (ref >= GRANTS || !g->access)
		gnttab.complaint = "no access to end";
	g->access = false;
	return 1;
}

static void fake_grant_free(grant_ref_t first, unsigned int count)
{
	unsigned int i;

	gnttab.calls++;
	for (i = first; i < min(first + count, GRANTS); i++) {
		if (!gnttab.grant[i].taken || gnttab.grant[i].access)
			gnttab.complaint = "freed, and still in use";
		gnttab.grant[i].taken = false;
	}
}

/* Without Xen, and where Xen translates, the guest's frames are its own. */
static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	u64 ref = (dma & ~DMA_IS_GRANT) / FRAME;
	struct grant *g;

	KUNIT_EXPECT_TRUE(test, dma & DMA_IS_GRANT);
	KUNIT_ASSERT_LT(test, ref, GRANTS);
	g = &gnttab.grant[ref];
	KUNIT_EXPECT_TRUE(test, g->access);
	KUNIT_EXPECT_EQ(test, g->frame, phys / FRAME);
	KUNIT_EXPECT_EQ(test, g->domid, BACKEND);
	KUNIT_EXPECT_EQ(test, g->readonly, dir == DMA_TO_DEVICE);
}

static void expect_pages(struct kunit *test, unsigned long n)
{
	unsigned long taken = 0, access = 0, i;

	for (i = 0; i < GRANTS; i++) {
		taken += gnttab.grant[i].taken;
		access += gnttab.grant[i].access;
	}
	KUNIT_EXPECT_EQ(test, taken, n);
	KUNIT_EXPECT_EQ(test, access, n);
	if (gnttab.complaint)
		KUNIT_FAIL(test, "the grant table complains: %s",
			   gnttab.complaint);
	gnttab.complaint = NULL;
}

static const struct fake_table table = {
	.page_size = FRAME,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
};

static void machine_exit(struct kunit_suite *suite)
{
	xa_erase_irq(&xen_grant_dma_devices, (unsigned long)fake.dev);
	fake_exit();
}

static int machine_init(struct kunit_suite *suite)
{
	int ret = fake_init(NULL, NULL, &table, 0);

	if (ret)
		return ret;
	xen_grant_setup_dma_ops(fake.dev, BACKEND);
	if (fake.dev->dma_ops == &xen_grant_dma_ops)
		return 0;
	machine_exit(suite);
	return -ENOMEM;
}

static int grants_init(struct kunit *test)
{
	if (xen_pv_domain())
		kunit_skip(test, "frames are not the guest's own");
	memset(&gnttab, 0, sizeof(gnttab));
	kunit_activate_static_stub(test, grant_alloc, fake_grant_alloc);
	kunit_activate_static_stub(test, grant_access, fake_grant_access);
	kunit_activate_static_stub(test, grant_end_access,
				   fake_grant_end_access);
	kunit_activate_static_stub(test, grant_free, fake_grant_free);
	return 0;
}

/* --- cases --------------------------------------------------------------- */

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static void list_of_pages_is_granted_and_others_are_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_list(test, list, fake_has_pageless(list) ? -EREMOTEIO : 0);
}

static void device_memory_is_refused(struct kunit *test)
{
	fake_run_list(test, test->param_value, -EREMOTEIO);
}

static void list_is_refused(struct kunit *test)
{
	fake_run_list(test, test->param_value, -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, gnttab.calls, 0);
}

static const struct fake_piece pages[] = {
	{ FAKE_PAGES, 0, 0x1000 }, { FAKE_PAGES, 0x2345, 0x123 },
	{ FAKE_PAGES, 0x8000, 0x8000 }, { FAKE_PAGES, 0x4fff, 2 },
	{ FAKE_PAGES, 0x12345, 0x1000, .skew = 3 },
};

static void grants_end_when_a_later_entry_is_refused(struct kunit *test)
{
	struct fake_piece piece[ARRAY_SIZE(pages) + 1];
	unsigned int at, i;

	fake_run_pieces(test, pages, ARRAY_SIZE(pages), 0);
	for (at = 0; at < ARRAY_SIZE(piece); at++) {
		for (i = 0; i < ARRAY_SIZE(piece); i++)
			if (i != at)
				piece[i] = pages[i - (i > at)];
		piece[at] = (struct fake_piece){ FAKE_ALIAS, 0, 0x1000 };
		fake_run_pieces(test, piece, ARRAY_SIZE(piece), -EREMOTEIO);
		piece[at] = (struct fake_piece){ FAKE_BAR, 0, 0x1000 };
		fake_run_pieces(test, piece, ARRAY_SIZE(piece), -EREMOTEIO);
	}
}

static void grants_end_when_there_are_no_more(struct kunit *test)
{
	struct fake_job *job;
	unsigned int at;

	for (at = 1; at <= ARRAY_SIZE(pages); at++) {
		job = fake_new_job(test, pages, ARRAY_SIZE(pages),
				   DMA_FROM_DEVICE);
		gnttab.fail_at = at;
		fake_run(test, job, -EIO);
	}
}

static void range_of_pages_is_granted_and_others_are_refused(struct kunit *test)
{
	enum dma_data_direction dir;
	unsigned int i;

	fake_run_no_pageless(test);
	KUNIT_EXPECT_EQ(test, gnttab.calls, 0);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++)
			fake_run_range(test, &pages[i], dir);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(list_of_pages_is_granted_and_others_are_refused,
			 list_gen_params),
	KUNIT_CASE_PARAM(device_memory_is_refused, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE(grants_end_when_a_later_entry_is_refused),
	KUNIT_CASE(grants_end_when_there_are_no_more),
	KUNIT_CASE(range_of_pages_is_granted_and_others_are_refused),
	{ }
};

static struct kunit_suite xen_grant_dma_suite = {
	.name = "xen_grant_dma",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = grants_init,
	.test_cases = cases,
};

kunit_test_suite(xen_grant_dma_suite);
