// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA on the PS3, with a hypervisor that is played: for any
 * other machine that the kernel boots on.
 *
 * The partition's memory is in two pieces, one at address 0 and one anywhere in
 * the hypervisor's address space, which Linux sees right behind the first. On
 * the system bus (sb) both are mapped when the region of a device is made, one
 * behind the other. ioc0 has an entry of an I/O page table for each page; the
 * flags are those of the "Cell Broadband Engine Architecture", I/O page table
 * entry: write 63, read 62, coherent 61, ordering 60:59.
 */
#include <kunit/dma_ops.h>

#define BUS_ID		4
#define DEV_ID		7
#define BUS_BASE	0x80000000UL
#define R1_LPAR		0x0700000020000000UL	/* of the second piece */
#define MAPS		4
#define IOPTES		64
#define IOPTE_PAGE	SZ_64K
#define IOID		5
#define IOPTE_WRITE	BIT(63)
#define IOPTE_READ	BIT(62)
#define IOPTE_COHERENT	BIT(61)
#define IOPTE_ORDER_R	BIT(60)
#define IOPTE_ORDER_RW	(BIT(60) | BIT(59))

/* --- the hypervisor ------------------------------------------------------ */

static struct {
	struct hv_map {
		u64	lpar;
		u64	bus;
		u64	len;
		u64	flags;
	} map[MAPS];
	struct hv_iopte {
		u64	lpar;
		u64	ioid;
		u64	flags;
	} iopte[IOPTES];
	bool		region;
	u64		region_size;
	unsigned int	calls;
	unsigned int	fail_at;	/* 1: the next entry that is put */
	const char	*complaint;
} hv;

/* An error would be a BUG() where memory is mapped as a whole. */
static int hv_blame(const char *complaint)
{
	hv.complaint = complaint;
	return 0;
}

static int fake_lv1_allocate_region(u64 bus_id, u64 dev_id, u64 size,
				    u64 page_size, u64 type, u64 *bus_addr)
{
	hv.calls++;
	*bus_addr = BUS_BASE;
	if (bus_id != BUS_ID || dev_id != DEV_ID)
		return hv_blame("wrong device");
	if (hv.region || !is_power_of_2(size))
		return hv_blame("wrong region");
	hv.region = true;
	hv.region_size = size;
	return 0;
}

static int fake_lv1_free_region(u64 bus_id, u64 dev_id, u64 bus_addr)
{
	hv.calls++;
	if (bus_id != BUS_ID || dev_id != DEV_ID)
		return hv_blame("wrong device");
	if (!hv.region || bus_addr != BUS_BASE)
		return hv_blame("wrong region");
	hv.region = false;
	return 0;
}

static int fake_lv1_map(u64 bus_id, u64 dev_id, u64 lpar, u64 bus, u64 len,
			u64 flags)
{
	unsigned int i;

	hv.calls++;
	if (bus_id != BUS_ID || dev_id != DEV_ID)
		return hv_blame("wrong device");
	if (bus < BUS_BASE || bus - BUS_BASE + len > hv.region_size)
		return hv_blame("not in the region");
	for (i = 0; i < MAPS && hv.map[i].len; i++)
		if (bus < hv.map[i].bus + hv.map[i].len &&
		    hv.map[i].bus < bus + len)
			return hv_blame("mapped twice");
	if (i == MAPS)
		return hv_blame("too many");
	hv.map[i] = (struct hv_map){ lpar, bus, len, flags };
	return 0;
}

static int fake_lv1_unmap(u64 bus_id, u64 dev_id, u64 bus, u64 len)
{
	unsigned int i;

	hv.calls++;
	if (bus_id != BUS_ID || dev_id != DEV_ID)
		return hv_blame("wrong device");
	for (i = 0; i < MAPS; i++) {
		if (hv.map[i].len != len || hv.map[i].bus != bus)
			continue;
		hv.map[i] = (struct hv_map){};
		return 0;
	}
	return hv_blame("not mapped");
}

static int fake_lv1_put_iopte(u64 ioas, u64 bus, u64 lpar, u64 ioid, u64 flags)
{
	u64 index = (bus - BUS_BASE) / IOPTE_PAGE;

	hv.calls++;
	if (ioas || index >= IOPTES || bus % IOPTE_PAGE || lpar % IOPTE_PAGE)
		return hv_blame("wrong address");
	if (hv.fail_at && !--hv.fail_at)
		return -17;
	if (flags && hv.iopte[index].flags)
		return hv_blame("mapped twice");
	hv.iopte[index] = (struct hv_iopte){ lpar, ioid, flags };
	return 0;
}

/* --- the machine --------------------------------------------------------- */

static struct {
	struct ps3_system_bus_device	dev;
	struct ps3_dma_region		region;
	struct map			map;	/* what it was */
	unsigned int			calls;	/* before the test did anything */
	bool				created;
} ps3;

static u64 to_lpar(phys_addr_t phys)
{
	return phys < map.rm.size ? phys : R1_LPAR + (phys - map.rm.size);
}

static const struct hv_map *find_map(dma_addr_t dma)
{
	unsigned int i;

	for (i = 0; i < MAPS; i++)
		if (dma >= hv.map[i].bus && dma - hv.map[i].bus < hv.map[i].len)
			return &hv.map[i];
	return NULL;
}

static void expect_no_complaint(struct kunit *test)
{
	if (hv.complaint)
		KUNIT_FAIL(test, "the hypervisor complains: %s", hv.complaint);
	hv.complaint = NULL;
}

static void sb_expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			   enum dma_data_direction dir, unsigned long attrs)
{
	const struct hv_map *m = find_map(dma);

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_EXPECT_EQ(test, m->lpar + (dma - m->bus), to_lpar(phys));
	KUNIT_EXPECT_EQ(test, m->flags, IOPTE_WRITE | IOPTE_READ |
					IOPTE_COHERENT | IOPTE_ORDER_RW);
}

/* All of it is mapped before, and nobody is asked. */
static void sb_expect_pages(struct kunit *test, unsigned long n)
{
	KUNIT_EXPECT_EQ(test, hv.calls, ps3.calls);
	expect_no_complaint(test);
}

static const struct fake_table sb_table = {
	.page_size = SZ_4K,
	.expect_page = sb_expect_page,
	.expect_pages = sb_expect_pages,
};

static u64 wanted_flags(enum dma_data_direction dir)
{
	switch (dir) {
	case DMA_TO_DEVICE:
		return IOPTE_READ | IOPTE_COHERENT | IOPTE_ORDER_R;
	case DMA_FROM_DEVICE:
		return IOPTE_WRITE | IOPTE_COHERENT | IOPTE_ORDER_RW;
	default:
		return IOPTE_READ | IOPTE_WRITE | IOPTE_COHERENT |
		       IOPTE_ORDER_RW;
	}
}

static void ioc0_expect_page(struct kunit *test, dma_addr_t dma,
			     phys_addr_t phys, enum dma_data_direction dir,
			     unsigned long attrs)
{
	u64 index = (dma - BUS_BASE) / IOPTE_PAGE;

	KUNIT_ASSERT_LT(test, index, IOPTES);
	KUNIT_EXPECT_EQ(test, hv.iopte[index].lpar, to_lpar(phys));
	KUNIT_EXPECT_EQ(test, hv.iopte[index].ioid, IOID);
	KUNIT_EXPECT_EQ(test, hv.iopte[index].flags, wanted_flags(dir));
}

static void ioc0_expect_pages(struct kunit *test, unsigned long n)
{
	unsigned long valid = 0, i;

	for (i = 0; i < IOPTES; i++)
		valid += !!hv.iopte[i].flags;
	KUNIT_EXPECT_EQ(test, valid, n);
	expect_no_complaint(test);
}

static const struct fake_table ioc0_table = {
	.page_size = IOPTE_PAGE,
	.expect_page = ioc0_expect_page,
	.expect_pages = ioc0_expect_pages,
};

static int machine_init(const struct dma_map_ops *ops,
			const struct fake_table *table)
{
	memset(&ps3, 0, sizeof(ps3));
	memset(&hv, 0, sizeof(hv));
	ps3.map = map;
	return fake_init(&ps3.dev.core, ops, table, 0);
}

static int sb_suite_init(struct kunit_suite *suite)
{
	return machine_init(&ps3_sb_dma_ops, &sb_table);
}

static int ioc0_suite_init(struct kunit_suite *suite)
{
	return machine_init(&ps3_ioc0_dma_ops, &ioc0_table);
}

static void machine_exit(struct kunit_suite *suite)
{
	map = ps3.map;
	fake_exit();
}

/* FAKE_BARE begins in the first piece of memory and ends in the second. */
static void set_memory(u64 r1_size)
{
	map = (struct map){
		.rm.size = fake.phys[FAKE_ALIAS] + SZ_16M,
		.r1.base = R1_LPAR,
		.r1.size = r1_size,
	};
	map.r1.offset = map.r1.base - map.rm.size;
	map.total = map.rm.size + map.r1.size;
}

static void reset(struct kunit *test, enum ps3_system_bus_device_type type)
{
	if (firmware_has_feature(FW_FEATURE_PS3_LV1))
		kunit_skip(test, "there is a real hypervisor");
	memset(&hv, 0, sizeof(hv));
	memset(&ps3.region, 0, sizeof(ps3.region));
	ps3.dev.dev_type = type;
	ps3.dev.bus_id = BUS_ID;
	ps3.dev.dev_id = DEV_ID;
	ps3.dev.d_region = &ps3.region;
	ps3.created = false;
	kunit_activate_static_stub(test, dma_lv1_allocate_region,
				   fake_lv1_allocate_region);
	kunit_activate_static_stub(test, dma_lv1_free_region,
				   fake_lv1_free_region);
	kunit_activate_static_stub(test, dma_lv1_map, fake_lv1_map);
	kunit_activate_static_stub(test, dma_lv1_unmap, fake_lv1_unmap);
	kunit_activate_static_stub(test, dma_lv1_put_iopte, fake_lv1_put_iopte);
}

/* The mask is set for the addresses of a real machine; those here are odd. */
static int init_region(enum ps3_dma_page_size page_size, unsigned long len)
{
	int ret = ps3_dma_region_init(&ps3.dev, &ps3.region, page_size,
				      PS3_DMA_OTHER, NULL, len);

	ps3.dev.core.dma_mask = &fake.mask;
	return ret;
}

static void create_region(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, ps3_dma_region_create(&ps3.region), 0);
	ps3.created = true;
	ps3.calls = hv.calls;
}

/* For .exit: all that was mapped is demapped. */
static void free_region(struct kunit *test)
{
	if (!ps3.created)
		return;
	ps3.created = false;
	KUNIT_EXPECT_EQ(test, ps3_dma_region_free(&ps3.region), 0);
	KUNIT_EXPECT_FALSE(test, hv.region);
	KUNIT_EXPECT_NULL(test, memchr_inv(hv.map, 0, sizeof(hv.map)));
	expect_no_complaint(test);
}

static int sb_init(struct kunit *test)
{
	reset(test, PS3_DEVICE_TYPE_SB);
	set_memory(2 * SZ_16M);
	return init_region(PS3_DMA_16M, 0);
}

/* As dma_ioc0_region_create() does, but for the segment. */
static int ioc0_init(struct kunit *test)
{
	struct ps3_dma_region *r = &ps3.region;

	reset(test, PS3_DEVICE_TYPE_IOC0);
	set_memory(2 * SZ_16M);
	INIT_LIST_HEAD(&r->chunk_list.head);
	spin_lock_init(&r->chunk_list.lock);
	r->ioid = IOID;
	r->bus_addr = BUS_BASE;
	return init_region(PS3_DMA_64K, IOPTES * IOPTE_PAGE);
}

/* --- the system bus ------------------------------------------------------ */

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static void both_pieces_of_memory_are_mapped(struct kunit *test)
{
	const u64 flags = IOPTE_WRITE | IOPTE_READ | IOPTE_COHERENT |
			  IOPTE_ORDER_RW;

	create_region(test);
	KUNIT_EXPECT_GE(test, hv.region_size, map.rm.size + 2 * SZ_16M);
	KUNIT_EXPECT_EQ(test, hv.map[0].lpar, 0);
	KUNIT_EXPECT_EQ(test, hv.map[0].bus, BUS_BASE);
	KUNIT_EXPECT_EQ(test, hv.map[0].len, map.rm.size);
	KUNIT_EXPECT_EQ(test, hv.map[0].flags, flags);
	KUNIT_EXPECT_EQ(test, hv.map[1].lpar, R1_LPAR);
	KUNIT_EXPECT_EQ(test, hv.map[1].bus, BUS_BASE + map.rm.size);
	KUNIT_EXPECT_EQ(test, hv.map[1].len, 2 * SZ_16M);
	KUNIT_EXPECT_EQ(test, hv.map[1].flags, flags);
	KUNIT_EXPECT_EQ(test, hv.map[2].len, 0);
}

static void list_is_mapped(struct kunit *test)
{
	create_region(test);
	fake_run_list(test, test->param_value, 0);
}

static void list_lies_in_both_pieces(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_BARE, 15 * SZ_1M - 0x10000, 0x10000 },
		{ FAKE_BARE, 15 * SZ_1M, 0x12345 },
		{ FAKE_BARE, 20 * SZ_1M + 0x777, 0x1000 },
		{ FAKE_PAGES, 0x1234, 0x2000 },
		{ FAKE_ALIAS, 0xfff, 2 },
		{ FAKE_BARE, -1, 1 },
	};
	static const struct fake_piece both = {
		FAKE_BARE, 15 * SZ_1M - 0x1001, 0x2345
	};

	create_region(test);
	fake_run_pieces(test, piece, ARRAY_SIZE(piece), 0);
	fake_run_pieces(test, &both, 1, 0);
	fake_run_range(test, &both, DMA_TO_DEVICE);
}

/* It is no PCI bus: no device has a route to device memory. */
static void device_memory_is_refused(struct kunit *test)
{
	create_region(test);
	fake_run_list(test, test->param_value, -EREMOTEIO);
}

static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	create_region(test);
	fake_run_refused(test, &list->piece[0]);
}

static void expect_uncovered(struct kunit *test, const struct fake_piece *p)
{
	struct fake_piece bad = *p;

	bad.err = -EREMOTEIO;
	fake_run_pieces(test, &bad, 1, -EREMOTEIO);
	fake_expect_no_range(test, &bad, 0);
}

/* Regions of memory that the hypervisor knows nothing of. */
static void memory_of_others_is_refused(struct kunit *test)
{
	static const struct fake_piece bad[] = {
		{ FAKE_BARE, 15 * SZ_1M, 1 }, { FAKE_BARE, 16 * SZ_1M, SZ_1M },
		{ FAKE_BARE, 15 * SZ_1M - 1, 2 }, { FAKE_BARE, -1, 1 },
	};
	static const struct fake_piece good = {
		FAKE_BARE, 15 * SZ_1M - SZ_4K, SZ_4K
	};
	unsigned int i;

	set_memory(0);
	KUNIT_ASSERT_EQ(test, init_region(PS3_DMA_16M, 0), 0);
	create_region(test);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct fake_piece p = bad[i];

		expect_uncovered(test, &p);
		p.err = -EREMOTEIO;
		fake_run_refused(test, &p);
	}
	fake_run_pieces(test, &good, 1, 0);
	fake_run_range(test, &good, DMA_TO_DEVICE);
}

static void region_covers_a_part_of_memory(struct kunit *test)
{
	static const struct fake_piece bad[] = {
		{ FAKE_ALIAS, 0, 1 }, { FAKE_ALIAS, SZ_512K - 1, 2 },
		{ FAKE_ALIAS, 0, SZ_1M }, { FAKE_BARE, SZ_512K - 1, 2 },
		{ FAKE_BARE, SZ_512K, 1 }, { FAKE_BARE, -1, 1 },
	};
	static const struct fake_piece good[] = {
		{ FAKE_ALIAS, SZ_512K, SZ_512K }, { FAKE_BARE, 0, SZ_512K },
		{ FAKE_BARE, SZ_512K - 1, 1 },
	};
	unsigned int i;

	KUNIT_ASSERT_EQ(test, init_region(PS3_DMA_64K, SZ_1M), 0);
	ps3.region.offset = fake.phys[FAKE_ALIAS] + SZ_512K;
	create_region(test);
	KUNIT_EXPECT_EQ(test, hv.map[0].lpar, ps3.region.offset);
	KUNIT_EXPECT_EQ(test, hv.map[0].bus, BUS_BASE);
	KUNIT_EXPECT_EQ(test, hv.map[0].len, SZ_1M);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		expect_uncovered(test, &bad[i]);
	fake_run_pieces(test, good, ARRAY_SIZE(good), 0);
}

static void range_is_mapped(struct kunit *test)
{
	create_region(test);
	fake_run_ranges(test, test->param_value);
}

static void range_is_not_memory(struct kunit *test)
{
	create_region(test);
	fake_run_no_memory(test);
}

static void coherent_memory_is_mapped(struct kunit *test)
{
	dma_addr_t dma;
	void *cpu;

	create_region(test);
	cpu = dma_alloc_coherent(fake.dev, 3 * SZ_4K, &dma, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cpu);
	fake_expect_range(test, dma, __pa(cpu), 3 * SZ_4K, DMA_BIDIRECTIONAL,
			  0);
	dma_free_coherent(fake.dev, 3 * SZ_4K, cpu, dma);
	sb_expect_pages(test, 0);
}

/* --- ioc0 ---------------------------------------------------------------- */

static void page_is_mapped_for_its_direction(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, 1 }, { FAKE_PAGES, 0x1234, 0x1000 },
		{ FAKE_PAGES, 0xffff, 2 }, { FAKE_PAGES, 0, SZ_128K },
	};
	enum dma_data_direction dir;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(piece); i++)
		for (dir = DMA_BIDIRECTIONAL; dir <= DMA_FROM_DEVICE; dir++)
			fake_run_range(test, &piece[i], dir);
}

static void iopte_is_refused_at_each_page(struct kunit *test)
{
	static const struct fake_piece p = { FAKE_PAGES, 0x123, SZ_64K + 1 };
	unsigned int at;

	for (at = 1; at <= fake_npages(&p); at++) {
		hv.fail_at = at;
		fake_expect_no_range(test, &p, 0);
	}
	hv.fail_at = 0;
	fake_run_range(test, &p, DMA_TO_DEVICE);
}

/* A list of pages only would be a BUG(). */
static void pageless_list_is_refused(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fake_lists); i++)
		if (fake_has_pageless(&fake_lists[i]))
			fake_run_list(test, &fake_lists[i], -EREMOTEIO);
	for (i = 0; i < ARRAY_SIZE(fake_bus_lists); i++)
		fake_run_list(test, &fake_bus_lists[i], -EREMOTEIO);
	for (i = 0; i < ARRAY_SIZE(fake_refused); i++)
		fake_run_list(test, &fake_refused[i], -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, hv.calls, 0);
}

static void pageless_range_is_refused(struct kunit *test)
{
	fake_run_no_pageless(test);
	KUNIT_EXPECT_EQ(test, hv.calls, 0);
}

/* ------------------------------------------------------------------------- */

static struct kunit_case sb_cases[] = {
	KUNIT_CASE(both_pieces_of_memory_are_mapped),
	KUNIT_CASE_PARAM(list_is_mapped, list_gen_params),
	KUNIT_CASE(list_lies_in_both_pieces),
	KUNIT_CASE_PARAM(device_memory_is_refused, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE(memory_of_others_is_refused),
	KUNIT_CASE(region_covers_a_part_of_memory),
	KUNIT_CASE_PARAM(range_is_mapped, list_gen_params),
	KUNIT_CASE(range_is_not_memory),
	KUNIT_CASE(coherent_memory_is_mapped),
	{ }
};

static struct kunit_case ioc0_cases[] = {
	KUNIT_CASE(page_is_mapped_for_its_direction),
	KUNIT_CASE(iopte_is_refused_at_each_page),
	KUNIT_CASE(pageless_list_is_refused),
	KUNIT_CASE(pageless_range_is_refused),
	{ }
};

static struct kunit_suite sb_suite = {
	.name = "ps3_sb",
	.suite_init = sb_suite_init,
	.suite_exit = machine_exit,
	.init = sb_init,
	.exit = free_region,
	.test_cases = sb_cases,
};

static struct kunit_suite ioc0_suite = {
	.name = "ps3_ioc0",
	.suite_init = ioc0_suite_init,
	.suite_exit = machine_exit,
	.init = ioc0_init,
	.test_cases = ioc0_cases,
};

kunit_test_suites(&sb_suite, &ioc0_suite);
