// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA on sun4v, with a hypervisor that is played: for sun4u,
 * which QEMU boots. The device has the legacy I/O MMU, or the ATU.
 *
 * Numbers are those of the "UltraSPARC Virtual Machine Specification", chapter
 * "PCI I/O Services", whose text is in <asm/hypervisor.h>: pci_iommu_map and
 * pci_iommu_demap, pci_iotsb_map and pci_iotsb_demap.
 */
#include <kunit/dma_ops.h>
#include <linux/bitmap.h>
#include <linux/sched.h>
#include <asm/spitfire.h>

#define DEVHANDLE	0x7c0
#define IOTSB		0x2a
#define TTES		4096
#define TTE_PAGE	8192
#define TTE_READ	1
#define TTE_WRITE	2
#define TTE_RELAXED	4
#define IOMMU_BASE	0x80000000UL
#define ATU_BASE	0x1000000000000UL
#define ENORADDR	2

/* --- the hypervisor ------------------------------------------------------ */

struct iotte {
	u64	ra;
	u64	attr;		/* 0: not valid */
};

struct iotsb {
	struct iotte	tte[TTES];
	u64		attrs;		/* that there are */
	unsigned long	busy;		/* pages that the test keeps from DMA */
};

static struct {
	struct iotsb	*iommu;
	struct iotsb	*atu;
	unsigned int	maps;		/* calls */
	unsigned int	fail_at;	/* 1: the next call that maps */
	unsigned long	most;		/* entries that one call looks at */
	u64		end;		/* of memory, as the hypervisor sees it */
	const char	*complaint;
} hv;

static bool hv_blame(bool guilty, const char *complaint)
{
	if (guilty)
		hv.complaint = complaint;
	return guilty;
}

static bool hv_bad_range(u64 index, u64 num)
{
	return hv_blame(!num, "no entries") ||
	       hv_blame(index >= TTES || num > TTES - index,
			"beyond the table");
}

static bool hv_bad_attr(const struct iotsb *tsb, u64 attr)
{
	return hv_blame(attr & ~tsb->attrs, "unknown attribute") ||
	       hv_blame(!(attr & (TTE_READ | TTE_WRITE)), "not valid");
}

/* A call that fails has done half of its work. */
static unsigned long hv_map(struct iotsb *tsb, u64 index, u64 num, u64 attr,
			    unsigned long list_pa, unsigned long *done)
{
	const u64 *list = __va(list_pa);
	unsigned long i;
	bool fail = hv.fail_at && !--hv.fail_at;

	hv.maps++;
	*done = 0;
	if (hv_bad_range(index, num) || hv_bad_attr(tsb, attr) ||
	    hv_blame(list_pa % 8, "list is not aligned"))
		return 6;
	num = min_t(u64, num, hv.most);
	for (i = 0; i < (fail ? num / 2 : num); i++) {
		if (hv_blame(list[i] % TTE_PAGE, "page is not aligned"))
			return 9;
		if (list[i] >= hv.end)
			break;
		hv_blame(tsb->tte[index + i].attr, "mapped, not demapped");
		tsb->tte[index + i] = (struct iotte){ list[i], attr };
	}
	*done = i;
	return fail || !i ? ENORADDR : 0;
}

static unsigned long hv_demap(struct iotsb *tsb, u64 index, u64 num)
{
	unsigned long i;

	if (hv_bad_range(index, num))
		return num;
	num = min_t(u64, num, hv.most);
	for (i = 0; i < num; i++)
		tsb->tte[index + i] = (struct iotte){};
	return num;
}

static long fake_iommu_map(unsigned long devhandle, unsigned long tsbid,
			   unsigned long num, unsigned long attr,
			   unsigned long list_pa)
{
	unsigned long status, done;

	hv_blame(devhandle != DEVHANDLE, "wrong device");
	hv_blame(tsbid >> 32, "wrong TSB");
	status = hv_map(hv.iommu, tsbid & 0xffffffff, num, attr, list_pa,
			&done);
	return status ? -status : done;
}

static unsigned long fake_iommu_demap(unsigned long devhandle,
				      unsigned long tsbid, unsigned long num)
{
	hv_blame(devhandle != DEVHANDLE, "wrong device");
	hv_blame(tsbid >> 32, "wrong TSB");
	return hv_demap(hv.iommu, tsbid & 0xffffffff, num);
}

static unsigned long fake_iotsb_map(unsigned long devhandle,
				    unsigned long iotsb,
				    unsigned long index_count,
				    unsigned long attr, unsigned long list_pa,
				    long *mapped)
{
	unsigned long status, done;

	hv_blame(devhandle != DEVHANDLE, "wrong device");
	hv_blame(iotsb != IOTSB, "wrong IOTSB");
	status = hv_map(hv.atu, index_count & 0xffffffffffff,
			index_count >> 48, attr, list_pa, &done);
	*mapped = done;
	return status;
}

static unsigned long fake_iotsb_demap(unsigned long devhandle,
				      unsigned long iotsb, unsigned long index,
				      unsigned long num,
				      unsigned long *demapped)
{
	hv_blame(devhandle != DEVHANDLE, "wrong device");
	hv_blame(iotsb != IOTSB, "wrong IOTSB");
	*demapped = hv_demap(hv.atu, index, num);
	return 0;
}

/* --- the machine --------------------------------------------------------- */

static struct {
	struct pci_pbm_info	pbm;
	struct iommu		iommu;
	struct atu		atu;
	struct atu_iotsb	iotsb;
	struct iotsb		*tsb;	/* of the device */
	struct iommu_map_table	*tbl;
	u64			base;
	bool			pglists;	/* are ours */
	unsigned long		vpci_major;
} sun4v;

/* Read by every mapping, except for what the device must not do. */
static u64 wanted_attr(enum dma_data_direction dir, unsigned long attrs)
{
	u64 attr = TTE_READ;

	if (dir == DMA_FROM_DEVICE || dir == DMA_BIDIRECTIONAL)
		attr |= TTE_WRITE;
	if (attrs & DMA_ATTR_WEAK_ORDERING)
		attr |= TTE_RELAXED;
	return attr & sun4v.tsb->attrs;
}

static void expect_page(struct kunit *test, dma_addr_t dma, phys_addr_t phys,
			enum dma_data_direction dir, unsigned long attrs)
{
	u64 index = (dma - sun4v.base) / TTE_PAGE;

	KUNIT_ASSERT_LT(test, index, TTES);
	KUNIT_EXPECT_EQ(test, sun4v.tsb->tte[index].ra, phys);
	KUNIT_EXPECT_EQ(test, sun4v.tsb->tte[index].attr,
			wanted_attr(dir, attrs));
}

static unsigned long count_valid(const struct iotsb *tsb)
{
	unsigned long n = 0, i;

	for (i = 0; i < TTES; i++)
		n += !!tsb->tte[i].attr;
	return n;
}

static void expect_pages(struct kunit *test, unsigned long n)
{
	KUNIT_EXPECT_EQ(test, count_valid(sun4v.tsb), n);
	KUNIT_EXPECT_EQ(test, count_valid(hv.iommu) + count_valid(hv.atu), n);
	KUNIT_EXPECT_EQ(test, bitmap_weight(sun4v.tbl->map, TTES),
			n + sun4v.tsb->busy);
	if (hv.complaint)
		KUNIT_FAIL(test, "the hypervisor complains: %s", hv.complaint);
	hv.complaint = NULL;
}

static const struct fake_table table = {
	.page_size = TTE_PAGE,
	.expect_page = expect_page,
	.expect_pages = expect_pages,
};

/* As pci_sun4v_probe() does; free_page() takes what was not allocated. */
static int add_pglists(void)
{
	int cpu;

	if (iommu_batch_initialized)
		return 0;
	sun4v.pglists = true;
	for_each_possible_cpu(cpu) {
		u64 *page = (u64 *)get_zeroed_page(GFP_KERNEL);

		if (!page)
			return -ENOMEM;
		per_cpu(iommu_batch, cpu).pglist = page;
	}
	return 0;
}

static void remove_pglists(void)
{
	int cpu;

	if (!sun4v.pglists)
		return;
	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(iommu_batch, cpu).pglist);
		per_cpu(iommu_batch, cpu).pglist = NULL;
	}
	sun4v.pglists = false;
}

static void machine_exit(struct kunit_suite *suite)
{
	vpci_major = sun4v.vpci_major;
	remove_pglists();
	bitmap_free(sun4v.iommu.tbl.map);
	bitmap_free(sun4v.atu.tbl.map);
	kvfree(hv.iommu);
	kvfree(hv.atu);
	memset(&sun4v, 0, sizeof(sun4v));
	memset(&hv, 0, sizeof(hv));
	fake_exit();
}

static int add_table(struct iotsb **tsb, struct iommu_map_table *tbl, u64 base)
{
	*tsb = kvzalloc(sizeof(**tsb), GFP_KERNEL);
	tbl->map = bitmap_zalloc(TTES, GFP_KERNEL);
	if (!*tsb || !tbl->map)
		return -ENOMEM;
	tbl->table_map_base = base;
	return 0;
}

static int machine_init(struct kunit_suite *suite)
{
	int ret;

	memset(&sun4v, 0, sizeof(sun4v));
	memset(&hv, 0, sizeof(hv));
	sun4v.vpci_major = vpci_major;
	ret = fake_init(NULL, &sun4v_dma_ops, &table, 0);
	if (ret)
		return ret;
	sun4v.pbm.devhandle = DEVHANDLE;
	sun4v.pbm.iommu = &sun4v.iommu;
	sun4v.iotsb.iotsb_num = IOTSB;
	sun4v.atu.iotsb = &sun4v.iotsb;
	fake.dev->archdata.iommu = &sun4v.iommu;
	fake.dev->archdata.host_controller = &sun4v.pbm;
	fake.dev->archdata.numa_node = NUMA_NO_NODE;
	ret = add_pglists() ?:
	      add_table(&hv.iommu, &sun4v.iommu.tbl, IOMMU_BASE) ?:
	      add_table(&hv.atu, &sun4v.atu.tbl, ATU_BASE);
	if (ret)
		machine_exit(suite);
	return ret;
}

static void reset_table(struct iotsb *tsb, struct iommu_map_table *tbl)
{
	memset(tsb, 0, sizeof(*tsb));
	bitmap_zero(tbl->map, TTES);
	iommu_tbl_pool_init(tbl, TTES, 13, NULL, false, 1, false);
}

/* What a sun4v machine goes on using is not to be taken from it. */
static void reset(struct kunit *test)
{
	if (tlb_type == hypervisor)
		kunit_skip(test, "there is a real hypervisor");
	hv.maps = 0;
	hv.fail_at = 0;
	hv.most = TTES;
	hv.end = U64_MAX;
	hv.complaint = NULL;
	reset_table(hv.iommu, &sun4v.iommu.tbl);
	reset_table(hv.atu, &sun4v.atu.tbl);
	fake.mask = DMA_BIT_MASK(64);
	dma_set_max_seg_size(fake.dev, UINT_MAX);
	dma_set_seg_boundary(fake.dev, U32_MAX);
	kunit_activate_static_stub(test, hv_iommu_map, fake_iommu_map);
	kunit_activate_static_stub(test, hv_iommu_demap, fake_iommu_demap);
	kunit_activate_static_stub(test, hv_iotsb_map, fake_iotsb_map);
	kunit_activate_static_stub(test, hv_iotsb_demap, fake_iotsb_demap);
}

static void use_iommu(void)
{
	sun4v.tsb = hv.iommu;
	sun4v.tbl = &sun4v.iommu.tbl;
	sun4v.base = IOMMU_BASE;
	sun4v.tsb->attrs = TTE_READ | TTE_WRITE;
}

static int iommu_init(struct kunit *test)
{
	reset(test);
	vpci_major = 1;
	sun4v.iommu.atu = NULL;
	use_iommu();
	return 0;
}

static int atu_init(struct kunit *test)
{
	reset(test);
	vpci_major = 2;
	sun4v.iommu.atu = &sun4v.atu;
	sun4v.tsb = hv.atu;
	sun4v.tbl = &sun4v.atu.tbl;
	sun4v.base = ATU_BASE;
	sun4v.tsb->attrs = TTE_READ | TTE_WRITE | TTE_RELAXED;
	return 0;
}

static void keep_busy(unsigned long first, unsigned long n)
{
	bitmap_set(sun4v.tbl->map, first, n);
	sun4v.tsb->busy = bitmap_weight(sun4v.tbl->map, TTES);
}

/* Of @n pages each, so that pieces do not continue each other in the table. */
static void make_holes(unsigned long n)
{
	unsigned long at;

	for (at = n; at < TTES; at += n + 1)
		keep_busy(at, 1);
}

static unsigned long largest_piece(const struct fake_list *list)
{
	unsigned long npages = 0;
	unsigned int i;

	for (i = 0; i < fake_npieces(list->piece); i++)
		npages = max(npages, fake_npages(&list->piece[i]));
	return npages;
}

/* --- lists --------------------------------------------------------------- */

KUNIT_ARRAY_PARAM_DESC(list, fake_lists, name);
KUNIT_ARRAY_PARAM_DESC(bus_list, fake_bus_lists, name);
KUNIT_ARRAY_PARAM_DESC(refused, fake_refused, name);

static void list_is_mapped(struct kunit *test)
{
	fake_run_list(test, test->param_value, 0);
	KUNIT_EXPECT_GE(test, hv.maps, 3);
}

static void list_is_mapped_in_holes(struct kunit *test)
{
	make_holes(largest_piece(test->param_value));
	fake_run_list(test, test->param_value, 0);
}

static void list_is_mapped_by_a_slow_hypervisor(struct kunit *test)
{
	for (hv.most = 1; hv.most < 4; hv.most++)
		fake_run_list(test, test->param_value, 0);
}

static void empty_entries_are_left_out(struct kunit *test)
{
	static const struct fake_piece page = { FAKE_PAGES, 0, SZ_8K };
	static const struct fake_piece bar = { FAKE_BAR, 0x10, 0x20 };

	fake_run_with_empty(test, &page);
	fake_run_with_empty(test, &bar);
}

static void device_memory_gets_its_bus_address(struct kunit *test)
{
	fake_run_list(test, test->param_value, 0);
}

static void device_memory_is_out_of_reach(struct kunit *test)
{
	fake_run_unreachable(test, test->param_value);
}

static void list_is_refused(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	fake_run_refused(test, &list->piece[0]);
}

static const struct fake_piece memory[] = {
	{ FAKE_PAGES, 0x234, 0x567 }, { FAKE_ALIAS, 0x2000, 0x2000 },
	{ FAKE_PAGES, 0x4000, 0x2000 }, { FAKE_BARE, 0x6001, 3 },
};

static void weak_ordering_is_asked_for(struct kunit *test)
{
	struct fake_job *job = fake_new_job(test, memory, ARRAY_SIZE(memory),
					    DMA_BIDIRECTIONAL);

	job->attrs = DMA_ATTR_WEAK_ORDERING;
	fake_run(test, job, 0);
}

/* Whether there is an ATU or not. */
static void small_mask_is_for_the_iommu(struct kunit *test)
{
	fake.mask = DMA_BIT_MASK(32);
	use_iommu();
	sun4v.tsb->attrs |= TTE_RELAXED;
	fake_run_pieces(test, memory, ARRAY_SIZE(memory), 0);
}

/* The list of pages that the hypervisor is given holds 1024. */
static void batch_is_flushed_when_full(struct kunit *test)
{
	static const struct fake_piece pieces[] = {
		{ FAKE_BARE, 0, 1024 * TTE_PAGE },
		{ FAKE_BARE, 0x1234, 1024 * TTE_PAGE },
		{ FAKE_BARE, 0x2000, 2048 * TTE_PAGE },
		{ FAKE_BARE, 0xfff, 2047 * TTE_PAGE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++)
		fake_run_pieces(test, &pieces[i], 1, 0);
	KUNIT_EXPECT_EQ(test, hv.maps, 3 * (1 + 2 + 2 + 2));
}

/* --- segments ------------------------------------------------------------ */

static const struct limits {
	const char		*name;
	unsigned int		max_size;
	u64			boundary;
	unsigned long		busy;	/* pages at the start of the table */
	unsigned int		nsegs;
	struct fake_piece	piece[FAKE_PIECES];
} limits[] = {
#define SIX_TIMES_16K {							\
		{ FAKE_PAGES, 0, SZ_16K }, { FAKE_BARE, SZ_16K, SZ_16K }, \
		{ FAKE_ALIAS, 0, SZ_16K }, { FAKE_BARE, SZ_1M, SZ_16K }, \
		{ FAKE_PAGES, SZ_16K, SZ_16K }, { FAKE_ALIAS, SZ_32K, SZ_16K } }
	{ "none", UINT_MAX, U32_MAX, 0, 1, SIX_TIMES_16K },
	{ "size", SZ_32K, U32_MAX, 0, 3, SIX_TIMES_16K },
	{ "size that does not fit", SZ_64K - 1, U32_MAX, 0, 2, SIX_TIMES_16K },
	{ "boundary", UINT_MAX, SZ_64K - 1, 0, 2, SIX_TIMES_16K },
	{ "boundary, from the middle", UINT_MAX, SZ_64K - 1, 6, 3,
	  SIX_TIMES_16K },
	{ "boundary, odd", UINT_MAX, SZ_64K - 1, 5, 3, SIX_TIMES_16K },
	{ "boundary and size", SZ_32K, SZ_64K - 1, 6, 4, SIX_TIMES_16K },
	{ "offsets", UINT_MAX, U32_MAX, 0, 3, {
		{ FAKE_PAGES, 0x100, 0x1f00 }, { FAKE_BARE, 0x2000, 0x1fff },
		{ FAKE_ALIAS, 0, 0x2000 }, { FAKE_ALIAS, 0x3000, 0x1000 },
	} },
	{ "boundary behind an offset", UINT_MAX, SZ_64K - 1, 3, 3, {
		{ FAKE_BARE, 0, SZ_16K }, { FAKE_BARE, SZ_16K, SZ_16K },
		{ FAKE_ALIAS, 0x1000, 0x1000 }, { FAKE_BARE, SZ_64K, 0x800 },
	} },
};

KUNIT_ARRAY_PARAM_DESC(limits, limits, name);

static void segments_keep_the_limits(struct kunit *test)
{
	const struct limits *l = test->param_value;

	dma_set_max_seg_size(fake.dev, l->max_size);
	dma_set_seg_boundary(fake.dev, l->boundary);
	keep_busy(0, l->busy);
	fake_run_merged(test, l->piece, fake_npieces(l->piece), l->nsegs);
}

static void bus_address_is_not_merged(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_ALIAS, 0x8000, 0x2000 }, { FAKE_ALIAS, 0xa000, 0x2000 },
		{ FAKE_BAR, 0x4000, 0x2000 }, { FAKE_BARE, 0xc000, 0x2000 },
		{ FAKE_PAGES, 0x2000, 0x2000 }, { FAKE_BAR, 0x6000, 0x2000 },
		{ FAKE_BAR, 0x8000, 0x2000 }, { FAKE_PAGES, 0x6000, 0x2000 },
	};

	fake_run_merged(test, piece, ARRAY_SIZE(piece), 6);
}

/* --- what fails ---------------------------------------------------------- */

static void table_is_full(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, SZ_8K }, { FAKE_BARE, 0, SZ_2M },
		{ FAKE_BARE, SZ_4M, SZ_4M }, { FAKE_ALIAS, 0, SZ_1M },
		{ FAKE_BARE, SZ_8M, SZ_8M }, { FAKE_BARE, SZ_16M, SZ_4M },
	};
	struct fake_job *first = fake_new_job(test, piece, ARRAY_SIZE(piece),
					      DMA_TO_DEVICE);
	struct fake_job *next = fake_new_job(test, piece, ARRAY_SIZE(piece),
					     DMA_TO_DEVICE);

	KUNIT_ASSERT_EQ(test, fake_map(first), 0);
	KUNIT_EXPECT_EQ(test, fake_map(next), -ENOMEM);
	fake_expect_as_it_came(test, next);
	fake_look_and_unmap(test, first);
	fake_run(test, next, 0);
}

static void fail_at_each_call(struct kunit *test,
			      const struct fake_piece *piece, unsigned int n,
			      int err)
{
	unsigned int at = 0;
	struct fake_job *job;

	int ret;

	do {
		job = fake_new_job(test, piece, n, DMA_BIDIRECTIONAL);
		hv.fail_at = ++at;
		ret = fake_map(job);
		if (!ret)
			break;
		KUNIT_EXPECT_EQ(test, ret, err);
		fake_expect_nothing_left(test, job);
	} while (at < 100);
	hv.fail_at = 0;
	KUNIT_ASSERT_EQ(test, ret, 0);
	fake_look_and_unmap(test, job);
	KUNIT_EXPECT_GT(test, at, n);
}

static const struct fake_list failing[] = {
	{ "paged", {
		{ FAKE_PAGES, 0x123, 0x2345, .err = -EINVAL },
		{ FAKE_PAGES, 0x4000, 0x6000 }, { FAKE_PAGES, 0xa001, 0x1000 },
		{ FAKE_PAGES, 0x10000, 0x8000 },
	} },
	{ "page-less", {
		{ FAKE_BARE, 0x123, 0x2345, .err = -EREMOTEIO },
		{ FAKE_ALIAS, 0x4000, 0x6000 }, { FAKE_BARE, 0xa001, 0x1000 },
		{ FAKE_ALIAS, 0x10000, 0x8000 },
	} },
	{ "mixed", {
		{ FAKE_ALIAS, 0x123, 0x2345, .err = -EREMOTEIO },
		{ FAKE_PAGES, 0x4000, 0x6000 }, { FAKE_BARE, 0xa001, 0x1000 },
		{ FAKE_PAGES, 0x10000, 0x8000 },
	} },
	{ "bus address among it", {
		{ FAKE_BAR, 0x1000, 0x1000, .err = -EREMOTEIO },
		{ FAKE_PAGES, 0x4000, 0x6000 }, { FAKE_BAR, 0x2000, 0x1000 },
		{ FAKE_PAGES, 0x10000, 0x8000 }, { FAKE_BARE, 0, 0x8000 },
	} },
};

KUNIT_ARRAY_PARAM_DESC(failing, failing, name);

/* In the middle of an entry, between two, and at the end. */
static void hypervisor_fails_at_each_call(struct kunit *test)
{
	const struct fake_list *list = test->param_value;

	hv.most = 1;
	fail_at_each_call(test, list->piece, fake_npieces(list->piece),
			  list->piece[0].err);
	hv.most = 2;
	make_holes(5);
	fail_at_each_call(test, list->piece, fake_npieces(list->piece),
			  list->piece[0].err);
}

static void hypervisor_fails_at_a_full_batch(struct kunit *test)
{
	static const struct fake_piece piece = { FAKE_BARE, 0, SZ_16M };

	fail_at_each_call(test, &piece, 1, -EREMOTEIO);
}

/* There may be memory that the guest cannot know to be none. */
static void hypervisor_knows_no_such_memory(struct kunit *test)
{
	static const struct fake_piece piece[] = {
		{ FAKE_PAGES, 0, SZ_16K }, { FAKE_ALIAS, 0, SZ_16K },
	};

	hv.end = fake.phys[FAKE_ALIAS] + SZ_8K;
	fake_run_pieces(test, piece, ARRAY_SIZE(piece), -EREMOTEIO);
	hv.end = fake.phys[FAKE_ALIAS];
	fake_run_pieces(test, &piece[1], 1, -EREMOTEIO);
	fake_run_pieces(test, piece, 1, 0);
	hv.end = fake.phys[FAKE_PAGES];
	fake_run_pieces(test, piece, 1, -EINVAL);
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

static void range_fails_at_each_call(struct kunit *test)
{
	static const struct fake_piece p = { FAKE_BARE, 0x1001, SZ_16M };
	unsigned int at;

	hv.most = 500;
	for (at = 1; at <= 6; at++) {
		hv.fail_at = at;
		fake_expect_no_range(test, &p, 0);
	}
	hv.fail_at = 0;
	fake_run_range(test, &p, DMA_FROM_DEVICE);
}

/* --- coherent memory ----------------------------------------------------- */

static void coherent_memory_is_mapped(struct kunit *test)
{
	dma_addr_t dma;
	void *cpu = dma_alloc_coherent(fake.dev, 3 * TTE_PAGE, &dma,
				       GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cpu);
	fake_expect_range(test, dma, __pa(cpu), 3 * TTE_PAGE,
			  DMA_BIDIRECTIONAL, 0);
	expect_pages(test, 3);
	dma_free_coherent(fake.dev, 3 * TTE_PAGE, cpu, dma);
	expect_pages(test, 0);
}

static void coherent_memory_fails_at_each_call(struct kunit *test)
{
	unsigned int at;
	dma_addr_t dma;

	hv.most = 1;
	for (at = 1; at <= 3; at++) {
		hv.fail_at = at;
		KUNIT_EXPECT_NULL(test, dma_alloc_coherent(fake.dev,
							   3 * TTE_PAGE, &dma,
							   GFP_KERNEL));
		expect_pages(test, 0);
	}
	hv.fail_at = 0;
	coherent_memory_is_mapped(test);
}

/* ------------------------------------------------------------------------- */

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(list_is_mapped, list_gen_params),
	KUNIT_CASE_PARAM(list_is_mapped_in_holes, list_gen_params),
	KUNIT_CASE_PARAM(list_is_mapped_by_a_slow_hypervisor, list_gen_params),
	KUNIT_CASE(empty_entries_are_left_out),
	KUNIT_CASE_PARAM(device_memory_gets_its_bus_address,
			 bus_list_gen_params),
	KUNIT_CASE_PARAM(device_memory_is_out_of_reach, bus_list_gen_params),
	KUNIT_CASE_PARAM(list_is_refused, refused_gen_params),
	KUNIT_CASE(weak_ordering_is_asked_for),
	KUNIT_CASE(small_mask_is_for_the_iommu),
	KUNIT_CASE(batch_is_flushed_when_full),
	KUNIT_CASE_PARAM(segments_keep_the_limits, limits_gen_params),
	KUNIT_CASE(bus_address_is_not_merged),
	KUNIT_CASE(table_is_full),
	KUNIT_CASE_PARAM(hypervisor_fails_at_each_call, failing_gen_params),
	KUNIT_CASE(hypervisor_fails_at_a_full_batch),
	KUNIT_CASE(hypervisor_knows_no_such_memory),
	KUNIT_CASE_PARAM(range_is_mapped, list_gen_params),
	KUNIT_CASE(range_is_not_memory),
	KUNIT_CASE(range_fails_at_each_call),
	KUNIT_CASE(coherent_memory_is_mapped),
	KUNIT_CASE(coherent_memory_fails_at_each_call),
	{ }
};

static struct kunit_suite iommu_suite = {
	.name = "pci_sun4v_iommu",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = iommu_init,
	.test_cases = cases,
};

static struct kunit_suite atu_suite = {
	.name = "pci_sun4v_atu",
	.suite_init = machine_init,
	.suite_exit = machine_exit,
	.init = atu_init,
	.test_cases = cases,
};

kunit_test_suites(&iommu_suite, &atu_suite);
