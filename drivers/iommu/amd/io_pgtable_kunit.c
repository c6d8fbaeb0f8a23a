// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of AMD's I/O page tables where memory is encrypted: the C-bit is
 * in every entry that leads to memory, the tables among it, and in none that
 * leads to device memory.
 *
 * The bit is a global of the kernel's own page tables as well, which nobody can
 * set for a test. The sources are compiled here once more, with a bit that is
 * the test's; so are allocation and flushing.
 *
 * Entries are computed from what the "AMD I/O Virtualization Technology (IOMMU)
 * Specification", 48882, says of I/O page tables (v1), and the "AMD64
 * Architecture Programmer's Manual", volume 2, of long mode paging (v2).
 */
#define pr_fmt(fmt)	"AMD-Vi: " fmt
#define dev_fmt(fmt)	pr_fmt(fmt)

/* Declared by <linux/io-pgtable.h>, and to be defined twice. */
#define io_pgtable_amd_iommu_v1_init_fns	io_pgtable_kunit_v1_fns
#define io_pgtable_amd_iommu_v2_init_fns	io_pgtable_kunit_v2_fns

#include <kunit/test.h>
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/mem_encrypt.h>
#include <linux/sizes.h>

static u64 cbit;

#undef __sme_set
#undef __sme_clr
#define __sme_set(x)	((x) | cbit)
#define __sme_clr(x)	((x) & ~cbit)

#include "amd_iommu_types.h"
#include "amd_iommu.h"
#include "../iommu-pages.h"

/* --- what the page tables are made with ---------------------------------- */

static struct {
	struct protection_domain	domain;
	const struct format		*format;
	long				live;		/* pages of tables */
	unsigned int			allocs;
	unsigned int			fail_at;	/* 1: the next one */
	unsigned int			flushes;
	u64				flushed;	/* the last range */
	size_t				flushed_size;
	unsigned int			new_roots;
} amd;

static void *test_alloc_page(int nid, gfp_t gfp)
{
	void *page = NULL;

	amd.allocs++;
	if (!amd.fail_at || --amd.fail_at)
		page = iommu_alloc_page_node(nid, gfp);
	amd.live += !!page;
	return page;
}

static void test_free_page(void *page)
{
	amd.live -= !!page;
	iommu_free_page(page);
}

static void test_put_pages_list(struct list_head *list)
{
	amd.live -= list_count_nodes(list);
	iommu_put_pages_list(list);
}

static void test_flush(struct protection_domain *domain, u64 address,
		       size_t size)
{
	amd.flushes++;
	amd.flushed = address;
	amd.flushed_size = size;
}

static void test_update_device_table(struct protection_domain *domain)
{
	amd.new_roots++;
}

#define iommu_alloc_page_node		test_alloc_page
#define iommu_free_page			test_free_page
#define iommu_put_pages_list		test_put_pages_list
#define amd_iommu_domain_flush_pages	test_flush
#define amd_iommu_update_and_flush_device_table test_update_device_table
#define amd_iommu_gpt_level		4

#include "io_pgtable.c"
#define fetch_pte			v2_fetch_pte
#include "io_pgtable_v2.c"

/* --- the formats --------------------------------------------------------- */

#define V1_PRESENT	BIT_ULL(0)
#define V1_COHERENT	BIT_ULL(60)
#define V1_READ		BIT_ULL(61)
#define V1_WRITE	BIT_ULL(62)
#define V1_NEXT_SHIFT	9
#define V1_NEXT_SIZED	7		/* a leaf whose address says its size */
#define V2_PRESENT	BIT_ULL(0)
#define V2_WRITE	BIT_ULL(1)
#define V2_USER		BIT_ULL(2)
#define V2_ACCESSED	BIT_ULL(5)
#define V2_DIRTY	BIT_ULL(6)
#define V2_LARGE	BIT_ULL(7)
#define ADDRESS		0x000ffffffffff000ULL

static const struct format {
	const char	*name;
	bool		v2;
	u64		cbit;
	u64		sizes;
} formats[] = {
#define V1_SIZES (SZ_4K | SZ_8K | SZ_64K | SZ_1M | SZ_2M | SZ_4M | SZ_128M | \
		  SZ_1G)
#define V2_SIZES (SZ_4K | SZ_2M | SZ_1G)
	{ "v1, no encryption", false, 0, V1_SIZES },
	{ "v1, C-bit 47", false, BIT_ULL(47), V1_SIZES },
	{ "v1, C-bit 51", false, BIT_ULL(51), V1_SIZES },
	{ "v2, no encryption", true, 0, V2_SIZES },
	{ "v2, C-bit 47", true, BIT_ULL(47), V2_SIZES },
	{ "v2, C-bit 51", true, BIT_ULL(51), V2_SIZES },
};

KUNIT_ARRAY_PARAM_DESC(format, formats, name);

/* An entry of level @n maps a page of that many times 9 bits above 4 KiB. */
static unsigned int size_level(u64 size)
{
	return (ilog2(size) - 12) / 9;
}

static u64 wanted_v1(u64 phys, u64 size, int prot)
{
	u64 entry = phys | V1_PRESENT | V1_COHERENT;

	if (prot & IOMMU_READ)
		entry |= V1_READ;
	if (prot & IOMMU_WRITE)
		entry |= V1_WRITE;
	if (ilog2(size) % 9 != 12 % 9) {
		/* As many ones as leave the highest bit below the size 0. */
		entry |= (size / 2 - 1) & ADDRESS;
		entry |= V1_NEXT_SIZED << V1_NEXT_SHIFT;
	}
	return entry;
}

static u64 wanted_v2(u64 phys, u64 size, int prot)
{
	u64 entry = phys | V2_PRESENT | V2_USER | V2_ACCESSED | V2_DIRTY;

	if (prot & IOMMU_WRITE)
		entry |= V2_WRITE;
	if (size > SZ_4K)
		entry |= V2_LARGE;
	return entry;
}

static u64 wanted_leaf(u64 phys, u64 size, int prot)
{
	u64 entry = amd.format->v2 ? wanted_v2(phys, size, prot) :
				     wanted_v1(phys, size, prot);

	return prot & IOMMU_MMIO ? entry : entry | amd.format->cbit;
}

static bool is_leaf(u64 entry, unsigned int level)
{
	unsigned int next = entry >> V1_NEXT_SHIFT & 7;

	if (amd.format->v2)
		return !level || entry & V2_LARGE;
	return !next || next == V1_NEXT_SIZED;
}

/* Flags of an entry of level @n that leads to a table of the level below. */
static u64 wanted_flags(unsigned int level)
{
	if (amd.format->v2)
		return V2_PRESENT | V2_WRITE | V2_USER | V2_ACCESSED;
	return V1_PRESENT | V1_READ | V1_WRITE | (u64)level << V1_NEXT_SHIFT;
}

/* The entry where the walk ends, and its level. Tables are encrypted. */
static u64 walk(struct kunit *test, u64 iova, unsigned int *level)
{
	struct amd_io_pgtable *pgtable = &amd.domain.iop;
	u64 *table = amd.format->v2 ? pgtable->pgd : pgtable->root;
	u64 entry;

	*level = amd.format->v2 ? 4 : pgtable->mode;
	for (;;) {
		--*level;
		entry = table[iova >> (12 + 9 * *level) & 511];
		if (!(entry & 1) || is_leaf(entry, *level))
			return entry;
		KUNIT_ASSERT_GT(test, *level, 0);
		KUNIT_EXPECT_EQ(test, entry & ~ADDRESS, wanted_flags(*level));
		KUNIT_EXPECT_EQ(test, entry & amd.format->cbit,
				amd.format->cbit);
		table = phys_to_virt(entry & ADDRESS & ~amd.format->cbit);
	}
}

static void expect_leaf(struct kunit *test, u64 iova, u64 phys, u64 size,
			int prot)
{
	unsigned int level;
	u64 entry = walk(test, iova, &level);

	KUNIT_EXPECT_EQ(test, level, size_level(size));
	KUNIT_EXPECT_EQ(test, entry, wanted_leaf(phys, size, prot));
}

/* --- by way of the driver's operations ----------------------------------- */

static const struct iommu_domain_ops *domain_ops(void)
{
	return amd_iommu_ops.default_domain_ops;
}

static int map(u64 iova, u64 phys, u64 size, unsigned int n, int prot,
	       size_t *mapped)
{
	*mapped = 0;
	return domain_ops()->map_pages(&amd.domain.domain, iova, phys, size, n,
				       prot, GFP_KERNEL, mapped);
}

static size_t unmap(u64 iova, u64 size, unsigned int n)
{
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	return domain_ops()->unmap_pages(&amd.domain.domain, iova, size, n,
					 &gather);
}

static u64 translate(u64 iova)
{
	return domain_ops()->iova_to_phys(&amd.domain.domain, iova);
}

static int domain_init(struct kunit *test)
{
	struct protection_domain *domain = &amd.domain;
	struct io_pgtable_cfg *cfg = &domain->iop.pgtbl.cfg;
	struct io_pgtable *iop;

	memset(&amd, 0, sizeof(amd));
	amd.format = test->param_value;
	cbit = amd.format->cbit;
	spin_lock_init(&domain->lock);
	cfg->amd.nid = NUMA_NO_NODE;
	domain->pd_mode = amd.format->v2 ? PD_MODE_V2 : PD_MODE_V1;
	iop = amd.format->v2 ? io_pgtable_kunit_v2_fns.alloc(cfg, domain) :
			       io_pgtable_kunit_v1_fns.alloc(cfg, domain);
	return iop ? 0 : -ENOMEM;
}

static void domain_exit(struct kunit *test)
{
	if (!amd.format)
		return;
	if (amd.format->v2)
		io_pgtable_kunit_v2_fns.free(&amd.domain.iop.pgtbl);
	else
		io_pgtable_kunit_v1_fns.free(&amd.domain.iop.pgtbl);
	KUNIT_EXPECT_EQ(test, amd.live, 0);
	amd.format = NULL;
}

/* --- cases --------------------------------------------------------------- */

static void expect_pages(struct kunit *test, u64 iova, u64 phys, u64 size,
			 unsigned int n, int prot)
{
	for (; n; n--, iova += size, phys += size) {
		expect_leaf(test, iova, phys, size, prot);
		expect_leaf(test, iova + size / 2, phys, size, prot);
		expect_leaf(test, iova + size - 1, phys, size, prot);
		KUNIT_EXPECT_EQ(test, translate(iova), phys);
		KUNIT_EXPECT_EQ(test, translate(iova + size - 5),
				phys + size - 5);
	}
}

static void expect_nothing(struct kunit *test, u64 iova, u64 size,
			   unsigned int n)
{
	unsigned int level;

	for (; n; n--, iova += size) {
		KUNIT_EXPECT_EQ(test, walk(test, iova, &level), 0);
		KUNIT_EXPECT_EQ(test, walk(test, iova + size - 1, &level), 0);
		KUNIT_EXPECT_EQ(test, translate(iova + size / 2), 0);
	}
}

#define MEMORY		0x000035a5c0000000ULL	/* each bit below 47 matters */
#define BAR		0x00007fff40000000ULL
#define IOVA		0x0000002d40000000ULL

static void run_pages(struct kunit *test, u64 phys, u64 size, int prot)
{
	size_t mapped;

	KUNIT_ASSERT_EQ(test, map(IOVA, phys, size, 3, prot, &mapped), 0);
	KUNIT_EXPECT_EQ(test, mapped, 3 * size);
	expect_pages(test, IOVA, phys, size, 3, prot);
	expect_nothing(test, IOVA + 3 * size, size, 1);
	KUNIT_EXPECT_EQ(test, unmap(IOVA, size, 3), 3 * size);
	expect_nothing(test, IOVA, size, 3);
}

static void memory_has_the_bit_and_device_memory_has_not(struct kunit *test)
{
	static const int prots[] = {
		IOMMU_READ, IOMMU_WRITE, IOMMU_READ | IOMMU_WRITE,
		IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE,
	};
	u64 size, sizes;
	unsigned int i;

	for (sizes = amd.format->sizes; sizes; sizes &= sizes - 1) {
		size = sizes & -sizes;
		for (i = 0; i < ARRAY_SIZE(prots); i++) {
			run_pages(test, MEMORY, size, prots[i]);
			run_pages(test, BAR, size, prots[i] | IOMMU_MMIO);
		}
	}
}

static int other_prot(unsigned int i)
{
	return IOMMU_READ | (i % 3 ? IOMMU_WRITE : 0) |
	       (i % 2 ? IOMMU_MMIO : 0);
}

static void neighbours_are_of_different_kinds(struct kunit *test)
{
	size_t mapped;
	unsigned int i;

	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, 0,
				map(IOVA + i * SZ_4K, MEMORY + i * SZ_4K,
				    SZ_4K, 1, other_prot(i), &mapped));
	for (i = 0; i < 100; i++)
		expect_leaf(test, IOVA + i * SZ_4K, MEMORY + i * SZ_4K, SZ_4K,
			    other_prot(i));
	for (i = 0; i < 100; i += 2)
		KUNIT_EXPECT_EQ(test, unmap(IOVA + i * SZ_4K, SZ_4K, 1), SZ_4K);
	for (i = 1; i < 100; i += 2)
		expect_leaf(test, IOVA + i * SZ_4K, MEMORY + i * SZ_4K, SZ_4K,
			    other_prot(i));
	for (i = 0; i < 100; i += 2)
		expect_nothing(test, IOVA + i * SZ_4K, SZ_4K, 1);
}

static void kind_of_an_address_changes(struct kunit *test)
{
	int prot = IOMMU_READ | IOMMU_WRITE;

	run_pages(test, MEMORY, SZ_4K, prot);
	run_pages(test, BAR, SZ_4K, prot | IOMMU_MMIO);
	run_pages(test, MEMORY, SZ_4K, prot);
}

/* What the I/O MMU has cached of the table goes before the table does. */
static void large_page_replaces_a_table(struct kunit *test)
{
	int prot = IOMMU_READ | IOMMU_WRITE;
	size_t mapped;
	long live;

	run_pages(test, MEMORY, SZ_4K, prot);
	live = amd.live;
	KUNIT_EXPECT_EQ(test, amd.flushes, 0);
	KUNIT_ASSERT_EQ(test, 0, map(IOVA, BAR, SZ_2M, 1, prot | IOMMU_MMIO,
				     &mapped));
	expect_pages(test, IOVA, BAR, SZ_2M, 1, prot | IOMMU_MMIO);
	KUNIT_EXPECT_EQ(test, amd.live, live - 1);
	KUNIT_EXPECT_EQ(test, amd.flushes, 1);
	KUNIT_EXPECT_EQ(test, amd.flushed, IOVA);
	KUNIT_EXPECT_EQ(test, amd.flushed_size, SZ_2M);
}

/* Only v1 has tables that grow. */
static void table_above_is_encrypted(struct kunit *test)
{
	u64 far = amd.format->v2 ? BIT_ULL(46) : BIT_ULL(60);
	int prot = IOMMU_READ;
	size_t mapped;

	KUNIT_ASSERT_EQ(test, map(IOVA, BAR, SZ_4K, 1, prot | IOMMU_MMIO,
				  &mapped), 0);
	KUNIT_ASSERT_EQ(test, map(far, MEMORY, SZ_4K, 1, prot, &mapped), 0);
	expect_leaf(test, IOVA, BAR, SZ_4K, prot | IOMMU_MMIO);
	expect_leaf(test, far, MEMORY, SZ_4K, prot);
	KUNIT_EXPECT_EQ(test, amd.new_roots, amd.format->v2 ? 0 : 3);
	KUNIT_EXPECT_EQ(test, unmap(far, SZ_4K, 1), SZ_4K);
	expect_nothing(test, far, SZ_4K, 1);
}

static void nothing_is_mapped_without_permission(struct kunit *test)
{
	size_t mapped;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			map(IOVA, BAR, SZ_4K, 1, IOMMU_MMIO, &mapped));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			map(IOVA, MEMORY, SZ_4K, 1, IOMMU_CACHE, &mapped));
	KUNIT_EXPECT_EQ(test, mapped, 0);
	expect_nothing(test, IOVA, SZ_4K, 1);
}

/* The pages lie on both sides of 1 GiB, and the last two tables on one. */
static void allocation_fails_at_each_step(struct kunit *test)
{
	const u64 iova = IOVA + SZ_1G - 2 * SZ_4K;
	int prot = IOMMU_WRITE | IOMMU_MMIO;
	unsigned int at, max = amd.format->v2 ? 5 : 4;
	size_t mapped;

	for (at = 1; at <= max; at++) {
		amd.fail_at = at;
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				map(iova, BAR, SZ_4K, 5, prot, &mapped));
		KUNIT_EXPECT_EQ(test, mapped, at > max - 2 ? 2 * SZ_4K : 0);
		if (mapped)
			KUNIT_EXPECT_EQ(test, unmap(iova, SZ_4K, 2), mapped);
		expect_nothing(test, iova, SZ_4K, 5);
		domain_exit(test);
		KUNIT_ASSERT_EQ(test, domain_init(test), 0);
	}
	KUNIT_ASSERT_EQ(test, map(iova, BAR, SZ_4K, 5, prot, &mapped), 0);
	expect_pages(test, iova, BAR, SZ_4K, 5, prot);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(memory_has_the_bit_and_device_memory_has_not,
			 format_gen_params),
	KUNIT_CASE_PARAM(neighbours_are_of_different_kinds, format_gen_params),
	KUNIT_CASE_PARAM(kind_of_an_address_changes, format_gen_params),
	KUNIT_CASE_PARAM(large_page_replaces_a_table, format_gen_params),
	KUNIT_CASE_PARAM(table_above_is_encrypted, format_gen_params),
	KUNIT_CASE_PARAM(nothing_is_mapped_without_permission,
			 format_gen_params),
	KUNIT_CASE_PARAM(allocation_fails_at_each_step, format_gen_params),
	{ }
};

static struct kunit_suite amd_io_pgtable_suite = {
	.name = "amd_io_pgtable",
	.init = domain_init,
	.exit = domain_exit,
	.test_cases = cases,
};

kunit_test_suite(amd_io_pgtable_suite);
