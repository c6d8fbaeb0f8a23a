// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA of virtual devices on a machine that overcommits its
 * memory (CMO), where each mapping is charged to an entitlement: for machines
 * that do not.
 *
 * The table is one that Linux writes itself, by the functions for a machine
 * without hypervisor. A TCE is that of "Linux on Power Architecture Reference",
 * where H_PUT_TCE is defined: big endian, the number of a page of 4K above bit
 * 11, write 0x2, read 0x1, neither if it is not valid. Linux lets a device read
 * whatever it may write.
 */
#include <kunit/dma_ops.h>
#include <linux/bitmap.h>
#include <linux/string.h>

#define TCES		1024
#define TCE_FIRST	0x400	/* of the window; its index in the table */
#define TCE_PAGE	SZ_4K
#define TCE_READ	1
#define TCE_WRITE	2
#define EXCESS		SZ_1M

static struct {
	struct vio_dev		dev;
	struct iommu_table	*tbl;
	__be64			tce[TCES];
	struct vio_cmo		cmo;	/* what it was */
	bool			replaced;
	bool			balanced;
	size_t			held;	/* charged for what is not in the table */
	size_t			spare;
	unsigned int		busy;	/* pages that the test keeps from DMA */
	unsigned int		sets;	/* calls */
	unsigned int		fail_at;	/* 1: the next call */
	long			missing;	/* asked for, and not built */
	const char		*complaint;
} vio;

/* --- the table ----------------------------------------------------------- */

static bool tce_blame(bool guilty, const char *complaint)
{
	if (guilty)
		vio.complaint = complaint;
	return guilty;
}

static bool tce_bad_range(struct iommu_table *tbl, long index, long npages)
{
	return tce_blame(tbl != vio.tbl, "wrong table") ||
	       tce_blame(npages <= 0, "no pages") ||
	       tce_blame(index < TCE_FIRST || npages > TCES ||
			 index > TCE_FIRST + TCES - npages, "not in the table");
}

/* A call that fails has done half of its work. */
static int fake_tce_set(struct iommu_table *tbl, long index, long npages,
			unsigned long uaddr, enum dma_data_direction dir,
			unsigned long attrs)
{
	bool fail = vio.fail_at && !--vio.fail_at;
	long n = fail ? npages / 2 : npages, i;

	vio.sets++;
	if (tce_bad_range(tbl, index, npages) ||
	    tce_blame(uaddr % TCE_PAGE, "page is not aligned"))
		return 0;
	for (i = 0; i < npages; i++)
		tce_blame(vio.tce[index - TCE_FIRST + i] != 0,
			  "set, not cleared");
	if (fail)
		vio.missing += npages - n;
	iommu_table_pseries_ops.set(tbl, index, n, uaddr, dir, attrs);
	return fail ? H_NOT_ENOUGH_RESOURCES : 0;
}

static void fake_tce_clear(struct iommu_table *tbl, long index, long npages)
{
	long i;

	if (tce_bad_range(tbl, index, npages))
		return;
	for (i = 0; i < npages; i++)
		vio.missing -= !vio.tce[index - TCE_FIRST + i];
	iommu_table_pseries_ops.clear(tbl, index, npages);
}

static struct iommu_table_ops fake_tce_ops = {
	.set = fake_tce_set,
	.clear = fake_tce_clear,
};

/* As vio_build_iommu_table() does, of a window that does not begin at 0. */
static struct iommu_table *new_table(void)
{
	struct iommu_table *tbl = kzalloc(sizeof(*tbl), GFP_KERNEL);

	if (!tbl)
		return NULL;
	kref_init(&tbl->it_kref);
	tbl->it_index = 0xfa4e0000;
	tbl->it_page_shift = IOMMU_PAGE_SHIFT_4K;
	tbl->it_size = TCES;
	tbl->it_offset = TCE_FIRST;
	tbl->it_base = (unsigned long)vio.tce - TCE_FIRST * sizeof(__be64);
	tbl->it_type = TCE_VB;
	tbl->it_blocksize = 16;
	tbl->it_ops = &fake_tce_ops;
	vio.tbl = tbl;
	if (!iommu_init_table(tbl, NUMA_NO_NODE, 0, 0)) {
		kfree(tbl);
		tbl = NULL;
	}
	/* It was cleared when nothing was there. */
	vio.missing = 0;
	vio.complaint = NULL;
	return tbl;
}

/* --- the entitlement ----------------------------------------------------- */

static void note_balance(struct work_struct *work)
{
	vio.balanced = true;
}

static bool balance_is_due(void)
{
	return vio.balanced || delayed_work_pending(&vio_cmo.balance_q);
}

static size_t overdraft(size_t charged)
{
	size_t entitled = vio.dev.cmo.entitled;

	return charged > entitled ? charged - entitled : 0;
}

/* As vio_cmo_bus_init() and vio_cmo_bus_probe() do, for this one device. */
static void set_entitlement(void)
{
	memset(&vio_cmo, 0, sizeof(vio_cmo));
	spin_lock_init(&vio_cmo.lock);
	INIT_LIST_HEAD(&vio_cmo.device_list);
	INIT_DELAYED_WORK(&vio_cmo.balance_q, note_balance);
	vio_cmo.spare = VIO_CMO_MIN_ENT;
	vio_cmo.reserve.size = 2 * VIO_CMO_MIN_ENT;
	vio_cmo.min = vio_cmo.reserve.size;
	vio_cmo.desired = vio_cmo.reserve.size;
	vio_cmo.excess.size = EXCESS;
	vio_cmo.excess.free = EXCESS;
	vio_cmo.entitled = vio_cmo.reserve.size + EXCESS;
	memset(&vio.dev.cmo, 0, sizeof(vio.dev.cmo));
	vio.dev.cmo.desired = VIO_CMO_MIN_ENT;
	vio.dev.cmo.entitled = VIO_CMO_MIN_ENT;
}

/* As if the device had mapped that much before. */
static void hold(size_t bytes)
{
	vio.held = bytes;
	vio.dev.cmo.allocated = bytes;
	vio_cmo.curr = bytes;
	vio_cmo.excess.free = EXCESS - overdraft(bytes);
}

/* Nothing has moved between the pools, and they know what is charged. */
static void expect_charged(struct kunit *test, size_t bytes)
{
	size_t all = vio.held + bytes;

	KUNIT_EXPECT_EQ(test, vio.dev.cmo.allocated, all);
	KUNIT_EXPECT_EQ(test, vio.dev.cmo.entitled, VIO_CMO_MIN_ENT);
	KUNIT_EXPECT_EQ(test, vio_cmo.curr, all);
	KUNIT_EXPECT_EQ(test, vio_cmo.spare, vio.spare);
	KUNIT_EXPECT_EQ(test, vio_cmo.reserve.size, 2 * VIO_CMO_MIN_ENT);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.size, EXCESS);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.free, EXCESS - overdraft(all));
	KUNIT_EXPECT_EQ(test, vio_cmo.desired, 2 * VIO_CMO_MIN_ENT);
	KUNIT_EXPECT_FALSE(test, balance_is_due());
}

static void expect_failures(struct kunit *test, int n)
{
	KUNIT_EXPECT_EQ(test, atomic_read(&vio.dev.cmo.allocs_failed), n);
}

/* --- the machine --------------------------------------------------------- */

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	u64 index = dma / TCE_PAGE - TCE_FIRST;
	u64 flags = TCE_READ;

	if (dir == DMA_FROM_DEVICE || dir == DMA_BIDIRECTIONAL)
		flags |= TCE_WRITE;
	KUNIT_ASSERT_LT(test, index, TCES);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(vio.tce[index]), phys | flags);
}

static void expect_table(struct kunit *test, unsigned long n)
{
	unsigned long valid = 0, i;

	for (i = 0; i < TCES; i++)
		valid += !!vio.tce[i];
	KUNIT_EXPECT_EQ(test, valid, n);
	KUNIT_EXPECT_EQ(test, bitmap_weight(vio.tbl->it_map, TCES),
			n + vio.busy);
	KUNIT_EXPECT_EQ(test, vio.missing, 0);
	if (vio.complaint)
		KUNIT_FAIL(test, "the table complains: %s", vio.complaint);
	vio.complaint = NULL;
}

/* How much a mapping is charged does not follow from its pages. */
static void expect_pages(struct kunit *test, unsigned long n)
{
	size_t charged = vio.dev.cmo.allocated - vio.held;

	expect_table(test, n);
	expect_charged(test, n ? charged : 0);
	if (n)
		KUNIT_EXPECT_GT(test, charged, 0);
}

static const struct fake_table table = {
	.page_size = TCE_PAGE,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
};

static int machine_init(struct kunit_suite *suite)
{
	memset(&vio, 0, sizeof(vio));
	return fake_init(&vio.dev.dev, &vio_dma_mapping_ops, &table, 0);
}

static void machine_exit(struct kunit_suite *suite)
{
	fake_exit();
}

static int vio_test_init(struct kunit *test)
{
	if (firmware_has_feature(FW_FEATURE_CMO))
		kunit_skip(test, "devices have a real entitlement");
	memset(vio.tce, 0, sizeof(vio.tce));
	vio.balanced = false;
	vio.held = 0;
	vio.spare = VIO_CMO_MIN_ENT;
	vio.busy = 0;
	vio.sets = 0;
	vio.fail_at = 0;
	vio.cmo = vio_cmo;
	set_entitlement();
	vio.replaced = true;
	fake.mask = DMA_BIT_MASK(64);
	dma_set_max_seg_size(fake.dev, UINT_MAX);
	dma_set_seg_boundary(fake.dev, U32_MAX);
	vio.tbl = new_table();
	set_iommu_table_base(fake.dev, vio.tbl);
	return vio.tbl ? 0 : -ENOMEM;
}

static void vio_test_exit(struct kunit *test)
{
	if (!vio.replaced)
		return;
	cancel_delayed_work_sync(&vio_cmo.balance_q);
	vio_cmo = vio.cmo;
	vio.replaced = false;
	set_iommu_table_base(fake.dev, NULL);
	if (!vio.tbl)
		return;
	if (vio.busy)
		bitmap_zero(vio.tbl->it_map, TCES);
	iommu_tce_table_put(vio.tbl);
	vio.tbl = NULL;
}

/* --- lists --------------------------------------------------------------- */

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static void list_is_mapped(struct kunit *test)
{
	fake_run_list(test, test->param_value, 0);
	expect_failures(test, 0);
}

static void empty_entries_are_left_out(struct kunit *test)
{
	static const struct fake_piece page = { FAKE_PAGES, 0x1000, 0x1000 };

	fake_run_with_empty(test, &page);
	expect_failures(test, 0);
}

/* It is no PCI bus: no device has a route to device memory. */
static void device_memory_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_list(test, list, -EREMOTEIO);
	expect_failures(test, 3);
	if (fake_is_bar(list->piece[0].place))
		KUNIT_EXPECT_EQ(test, vio.sets, 0);
}

static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_refused(test, &list->piece[0]);
	expect_failures(test, 3 * (1 + 5));
	vio.sets = 0;
	fake_run_list(test, list, list->piece[0].err);
	KUNIT_EXPECT_EQ(test, vio.sets, 0);
}

static void list_is_refused_when_much_is_charged(struct kunit *test)
{
	unsigned int i;

	hold(VIO_CMO_MIN_ENT - 0x2345);
	for (i = 0; i < ARRAY_SIZE(fake_refused); i++)
		fake_run_refused(test, &fake_refused[i].piece[0]);
}

static const struct fake_piece whole_pages[] = {
	{ FAKE_PAGES, 0x1000, 0x1000 }, { FAKE_BARE, 0x5000, 0x2000 },
	{ FAKE_ALIAS, 0x2000, 0x1000 }, { FAKE_PAGES, 0x3000, 0x1000 },
	{ FAKE_BARE, 0x9000, 0x2000 }, { FAKE_ALIAS, 0x7000, 0x1000 },
};

static void segment_is_not_too_long(struct kunit *test)
{
	unsigned int len;

	for (len = 0x2000; len < 0x8000; len += 0x1000) {
		dma_set_max_seg_size(fake.dev, len);
		fake_run_pieces(test, whole_pages, ARRAY_SIZE(whole_pages), 0);
	}
}

static void segment_crosses_no_boundary(struct kunit *test)
{
	u64 boundary;

	for (boundary = 0x1fff; boundary < 0x10000; boundary += boundary + 1) {
		dma_set_seg_boundary(fake.dev, boundary);
		fake_run_pieces(test, whole_pages, ARRAY_SIZE(whole_pages), 0);
	}
}

/* The allocator does not give away the last page below the mask. */
static void address_is_below_the_mask(struct kunit *test)
{
	static const struct fake_piece p = { FAKE_BARE, 0x123, 0x4000 };
	u64 end = TCE_FIRST + fake_npages(&p);

	fake.mask = (end + 1) * TCE_PAGE - 1;
	fake_run_pieces(test, &p, 1, 0);
	fake_run_range(test, &p, DMA_FROM_DEVICE);
	fake.mask = (end - 1) * TCE_PAGE - 1;
	fake_run_pieces(test, &p, 1, -EIO);
	fake_expect_no_range(test, &p, 0);
	expect_failures(test, 4);
}

/* --- what they are charged ----------------------------------------------- */

/* An entry's length in pages, then a segment's. */
struct charge {
	const char		*name;
	struct fake_piece	piece[FAKE_PIECES];
	unsigned int		nsegs;
	size_t			entries;
	size_t			segments;
};

static const struct charge charges[] = {
	{ "part of a page", { { FAKE_PAGES, 0x10, 0x20 } },
	  1, 0x1000, 0x1000 },
	{ "by length, not by pages", { { FAKE_BARE, 0xfff, 2 } },
	  1, 0x1000, 0x1000 },
	{ "a page and a byte", { { FAKE_ALIAS, 0x2000, 0x1001 } },
	  1, 0x2000, 0x2000 },
	{ "whole pages, merged", {
		{ FAKE_BARE, 0x3000, 0x1000 }, { FAKE_PAGES, 0x1000, 0x1000 },
		{ FAKE_ALIAS, 0x5000, 0x1000 }, { FAKE_BARE, 0, 0x1000 },
	}, 1, 0x4000, 0x4000 },
	{ "odd ends, merged", {
		{ FAKE_ALIAS, 0x2801, 0x7ff }, { FAKE_BARE, 0x1000, 0x2000 },
		{ FAKE_PAGES, 0, 0x123 },
	}, 1, 0x4000, 0x3000 },
	{ "odd ends, not merged", {
		{ FAKE_BARE, 0, 0x801 }, { FAKE_BARE, 0x2000, 0x1801 },
		{ FAKE_PAGES, 0x10, 1 },
	}, 3, 0x4000, 0x4000 },
	{ "merged in part", {
		{ FAKE_PAGES, 0x801, 0x7ff }, { FAKE_ALIAS, 0, 0x1000 },
		{ FAKE_BARE, 0x7000, 0x800 }, { FAKE_PAGES, 0x4010, 0x20 },
	}, 2, 0x4000, 0x3000 },
};

KUNIT_ARRAY_PARAM_DESC(charge, charges, name);

/* From the device's own, from both, and from what all devices share. */
static const size_t holds[] = {
	0, VIO_CMO_MIN_ENT - 0x1800, VIO_CMO_MIN_ENT + 0x8000,
};

static void run_charged(struct kunit *test, const struct charge *c)
{
	struct fake_job *job = fake_new_job(test, c->piece,
					    fake_npieces(c->piece),
					    DMA_FROM_DEVICE);

	KUNIT_ASSERT_EQ(test, fake_map(job), 0);
	KUNIT_EXPECT_EQ(test, job->sgt.nents, c->nsegs);
	expect_charged(test, c->segments);
	fake_look_and_unmap(test, job);
	KUNIT_EXPECT_EQ(test, vio_cmo.high, vio.held + c->entries);
}

static void list_is_charged(struct kunit *test)
{
	unsigned int i;

	if (strstr(saved_command_line, "iommu=novmerge"))
		kunit_skip(test, "nothing is merged");
	for (i = 0; i < ARRAY_SIZE(holds); i++) {
		hold(holds[i]);
		run_charged(test, test->param_value);
	}
}

/* Its charge must fit before it is merged. */
static void entitlement_is_exhausted(struct kunit *test)
{
	const struct charge *c = test->param_value;

	hold(VIO_CMO_MIN_ENT + EXCESS - c->entries);
	fake_run_pieces(test, c->piece, fake_npieces(c->piece), 0);
	expect_failures(test, 0);
	vio.sets = 0;
	hold(VIO_CMO_MIN_ENT + EXCESS - c->entries + 1);
	fake_run_pieces(test, c->piece, fake_npieces(c->piece), -ENOMEM);
	expect_failures(test, 3);
	KUNIT_EXPECT_EQ(test, vio.sets, 0);
}

/* What all devices share is not for use while it may be needed for more. */
static void excess_is_not_used_without_spare(struct kunit *test)
{
	const struct charge *c = test->param_value;

	vio.spare = VIO_CMO_MIN_ENT - 1;
	vio_cmo.spare = vio.spare;
	hold(VIO_CMO_MIN_ENT - c->entries + 1);
	fake_run_pieces(test, c->piece, fake_npieces(c->piece), -ENOMEM);
	expect_failures(test, 3);
	KUNIT_EXPECT_EQ(test, vio.sets, 0);
}

/* --- a table that is full, or is not written ----------------------------- */

static const struct fake_piece six_pages[] = {
	{ FAKE_PAGES, 0x800, 0x1000 }, { FAKE_BARE, 0, 0x3000 },
	{ FAKE_ALIAS, 0x123, 0x10 },
};

static void leave_pages(unsigned int n)
{
	bitmap_fill(vio.tbl->it_map, TCES);
	bitmap_clear(vio.tbl->it_map, 0, n);
	vio.busy = TCES - n;
}

static void table_is_full(struct kunit *test)
{
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(holds); i++) {
		hold(holds[i]);
		for (n = 0; n < 6; n++) {
			leave_pages(n);
			fake_run_pieces(test, six_pages, ARRAY_SIZE(six_pages),
					-EIO);
		}
		leave_pages(6);
		fake_run_pieces(test, six_pages, ARRAY_SIZE(six_pages), 0);
	}
	expect_failures(test, 3 * 6 * ARRAY_SIZE(holds));
}

static void table_is_full_for_a_range(struct kunit *test)
{
	static const struct fake_piece p = { FAKE_ALIAS, 0xfff, 0x1002 };
	unsigned int n;

	hold(VIO_CMO_MIN_ENT - 0x1000);
	for (n = 0; n < fake_npages(&p); n++) {
		leave_pages(n);
		fake_expect_no_range(test, &p, 0);
	}
	expect_failures(test, n);
	leave_pages(n);
	fake_run_range(test, &p, DMA_BIDIRECTIONAL);
}

static void tce_is_refused_at_each_entry(struct kunit *test)
{
	enum dma_data_direction dir;
	unsigned int at;

	hold(VIO_CMO_MIN_ENT - 0x3000);
	for (at = 1; at <= ARRAY_SIZE(whole_pages); at++) {
		for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
			vio.fail_at = at;
			fake_run(test, fake_new_job(test, whole_pages,
						    ARRAY_SIZE(whole_pages),
						    dir), -EIO);
			KUNIT_EXPECT_EQ(test, vio.fail_at, 0);
		}
	}
	expect_failures(test, 3 * ARRAY_SIZE(whole_pages));
	fake_run_pieces(test, whole_pages, ARRAY_SIZE(whole_pages), 0);
}

static void tce_is_refused_for_a_range(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(six_pages); i++) {
		vio.fail_at = 1;
		fake_expect_no_range(test, &six_pages[i], 0);
	}
	expect_failures(test, i);
}

/* --- single ranges ------------------------------------------------------- */

static void range_is_mapped(struct kunit *test)
{
	fake_run_ranges(test, test->param_value);
	expect_failures(test, 0);
}

static void range_is_charged(struct kunit *test)
{
	static const struct fake_piece p = { FAKE_BARE, 0xfff, 0x2001 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(holds); i++) {
		dma_addr_t dma;

		hold(holds[i]);
		dma = dma_map_phys(fake.dev, fake_phys(&p), p.len,
				   DMA_TO_DEVICE, 0);
		KUNIT_ASSERT_FALSE(test, dma_mapping_error(fake.dev, dma));
		expect_charged(test, 0x3000);
		dma_unmap_phys(fake.dev, dma, p.len, DMA_TO_DEVICE, 0);
		expect_pages(test, 0);
	}
}

static void entitlement_is_exhausted_for_a_range(struct kunit *test)
{
	static const struct fake_piece p = { FAKE_BARE, 0, 0x3000 };

	hold(VIO_CMO_MIN_ENT + EXCESS - p.len);
	fake_run_range(test, &p, DMA_TO_DEVICE);
	vio.sets = 0;
	hold(VIO_CMO_MIN_ENT + EXCESS - p.len + 1);
	fake_expect_no_range(test, &p, 0);
	expect_failures(test, 1);
	KUNIT_EXPECT_EQ(test, vio.sets, 0);
}

static void page_is_mapped(struct kunit *test)
{
	static const struct fake_piece p = { FAKE_PAGES, 0x123, 0x2000 };
	enum dma_data_direction dir;
	dma_addr_t dma;

	for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++) {
		dma = dma_map_page(fake.dev, fake.pages, p.pos, p.len, dir);
		KUNIT_ASSERT_FALSE(test, dma_mapping_error(fake.dev, dma));
		fake_expect_range(test, dma, fake_phys(&p), p.len, dir, 0);
		expect_table(test, 3);
		expect_charged(test, 0x2000);
		dma_unmap_page(fake.dev, dma, p.len, dir);
		expect_pages(test, 0);
	}
	vio.fail_at = 1;
	dma = dma_map_page(fake.dev, fake.pages, p.pos, p.len, DMA_TO_DEVICE);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(fake.dev, dma));
	expect_pages(test, 0);
	expect_failures(test, 1);
}

static void range_is_not_memory(struct kunit *test)
{
	fake_run_no_memory(test);
	KUNIT_EXPECT_EQ(test, vio.sets, 0);
}

static void coherent_memory_is_mapped(struct kunit *test)
{
	const size_t size = 3 * PAGE_SIZE;
	dma_addr_t dma;
	void *cpu;

	cpu = dma_alloc_coherent(fake.dev, size - 1, &dma, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cpu);
	fake_expect_range(test, dma, __pa(cpu), size, DMA_BIDIRECTIONAL, 0);
	expect_table(test, size / TCE_PAGE);
	expect_charged(test, size);
	dma_free_coherent(fake.dev, size - 1, cpu, dma);
	expect_pages(test, 0);
	vio.fail_at = 1;
	KUNIT_EXPECT_NULL(test, dma_alloc_coherent(fake.dev, size, &dma,
						   GFP_KERNEL));
	expect_pages(test, 0);
	expect_failures(test, 1);
}

/* --- where what is freed is needed elsewhere ----------------------------- */

static const struct fake_piece five_pages = { FAKE_BARE, 0, 0x5000 };

static dma_addr_t map_five_pages(struct kunit *test)
{
	dma_addr_t dma = dma_map_phys(fake.dev, fake_phys(&five_pages),
				      five_pages.len, DMA_TO_DEVICE, 0);

	KUNIT_ASSERT_FALSE(test, dma_mapping_error(fake.dev, dma));
	return dma;
}

static void unmap_five_pages(struct kunit *test, dma_addr_t dma)
{
	KUNIT_EXPECT_FALSE(test, balance_is_due());
	dma_unmap_phys(fake.dev, dma, five_pages.len, DMA_TO_DEVICE, 0);
	expect_table(test, 0);
	KUNIT_EXPECT_TRUE(test, balance_is_due());
	KUNIT_EXPECT_EQ(test, vio.dev.cmo.allocated, vio.held);
	KUNIT_EXPECT_EQ(test, vio_cmo.curr, vio.held);
}

static void spare_is_taken_from_the_device(struct kunit *test)
{
	vio.dev.cmo.entitled += 0x2000;
	vio_cmo.reserve.size += 0x2000;
	vio_cmo.spare -= 0x3000;
	unmap_five_pages(test, map_five_pages(test));
	KUNIT_EXPECT_EQ(test, vio_cmo.spare, VIO_CMO_MIN_ENT - 0x1000);
	KUNIT_EXPECT_EQ(test, vio.dev.cmo.entitled, VIO_CMO_MIN_ENT);
	KUNIT_EXPECT_EQ(test, vio_cmo.reserve.size,
			2 * VIO_CMO_MIN_ENT + 0x2000);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.size, EXCESS);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.free, EXCESS);
}

static void spare_is_taken_from_the_excess(struct kunit *test)
{
	dma_addr_t dma;

	hold(VIO_CMO_MIN_ENT);
	dma = map_five_pages(test);
	vio_cmo.spare -= 0x3000;
	unmap_five_pages(test, dma);
	KUNIT_EXPECT_EQ(test, vio_cmo.spare, VIO_CMO_MIN_ENT);
	KUNIT_EXPECT_EQ(test, vio.dev.cmo.entitled, VIO_CMO_MIN_ENT);
	KUNIT_EXPECT_EQ(test, vio_cmo.reserve.size,
			2 * VIO_CMO_MIN_ENT + 0x3000);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.size, EXCESS - 0x3000);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.free, EXCESS - 0x3000);
}

static void excess_is_given_to_who_desires_it(struct kunit *test)
{
	dma_addr_t dma;

	hold(VIO_CMO_MIN_ENT);
	vio_cmo.desired += 0x1000;
	dma = map_five_pages(test);
	unmap_five_pages(test, dma);
	KUNIT_EXPECT_EQ(test, vio_cmo.spare, VIO_CMO_MIN_ENT);
	KUNIT_EXPECT_EQ(test, vio_cmo.reserve.size,
			2 * VIO_CMO_MIN_ENT + 0x1000);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.size, EXCESS - 0x1000);
	KUNIT_EXPECT_EQ(test, vio_cmo.excess.free, EXCESS - 0x1000);
}

/* ------------------------------------------------------------------------- */

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(list_is_mapped, list_gen_params),
	KUNIT_CASE(empty_entries_are_left_out),
	KUNIT_CASE_PARAM(device_memory_is_refused, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE(list_is_refused_when_much_is_charged),
	KUNIT_CASE(segment_is_not_too_long),
	KUNIT_CASE(segment_crosses_no_boundary),
	KUNIT_CASE(address_is_below_the_mask),
	KUNIT_CASE_PARAM(list_is_charged, charge_gen_params),
	KUNIT_CASE_PARAM(entitlement_is_exhausted, charge_gen_params),
	KUNIT_CASE_PARAM(excess_is_not_used_without_spare, charge_gen_params),
	KUNIT_CASE(table_is_full),
	KUNIT_CASE(table_is_full_for_a_range),
	KUNIT_CASE(tce_is_refused_at_each_entry),
	KUNIT_CASE(tce_is_refused_for_a_range),
	KUNIT_CASE_PARAM(range_is_mapped, list_gen_params),
	KUNIT_CASE(range_is_charged),
	KUNIT_CASE(entitlement_is_exhausted_for_a_range),
	KUNIT_CASE(page_is_mapped),
	KUNIT_CASE(range_is_not_memory),
	KUNIT_CASE(coherent_memory_is_mapped),
	KUNIT_CASE(spare_is_taken_from_the_device),
	KUNIT_CASE(spare_is_taken_from_the_excess),
	KUNIT_CASE(excess_is_given_to_who_desires_it),
	{ }
};

static struct kunit_suite vio_dma_suite = {
	.name = "vio_dma",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = vio_test_init,
	.exit = vio_test_exit,
	.test_cases = cases,
};

kunit_test_suite(vio_dma_suite);
