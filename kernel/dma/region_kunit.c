// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of regions.
 *
 * The ranges are free physical address space: nothing answers there, and
 * nothing but a DMA-debug test maps it. Where a region has an alias, a
 * vmalloc() buffer stands in for the memory.
 */
#include <kunit/device.h>
#include <kunit/pageless.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dma-region.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/moduleparam.h>
#include <linux/pageless.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <trace/events/printk.h>

/* All tests together use this much, aligned for memory hotplug. */
#define RANGE_SIZE	(256UL << 20)
#define RANGE_PAGES	(RANGE_SIZE >> PAGE_SHIFT)

static unsigned long long seed;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "Seed of the racing tests, random if 0");

static bool warn;
module_param(warn, bool, 0444);
MODULE_PARM_DESC(warn, "Run the test that makes DMA-API debugging warn, too");

static unsigned long range_pfn;

/* Where hotplug and ZONE_DEVICE can have memory; 0 if there are neither. */
static u64 range_limit(void)
{
#ifdef CONFIG_MEMORY_HOTPLUG
	return mhp_get_pluggable_range(true).end + 1;
#else
	return 0;
#endif
}

static int region_suite_init(struct kunit_suite *suite)
{
	range_pfn = PHYS_PFN(kunit_find_phys_space(RANGE_SIZE, range_limit()));
	if (!seed)
		seed = get_random_u32();
	return range_pfn ? 0 : -ENODEV;
}

static struct dma_region region_at(unsigned long first, unsigned long npages)
{
	return (struct dma_region) {
		.pfn = range_pfn + first,
		.npages = npages,
		.name = "kunit",
	};
}

static struct dma_region *find_page(unsigned long first)
{
	return dma_region_find(PFN_PHYS(range_pfn + first), PAGE_SIZE);
}

static int resource_of(const struct dma_region *region)
{
	return region_intersects(dma_region_phys(region),
				 dma_region_size(region), IORESOURCE_MEM,
				 IORES_DESC_NONE);
}

static void *new_alias(struct kunit *test, unsigned long npages)
{
	void *alias = vmalloc(npages * PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, alias);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, (kunit_action_t *)vfree,
						  alias));
	return alias;
}

/* ---- Registering ---- */

static void expect_refused(struct kunit *test, struct dma_region *region,
			   int error)
{
	int ret = dma_region_register(region);

	KUNIT_EXPECT_EQ_MSG(test, ret, error, "%#lx pages from %#lx",
			    region->npages, region->pfn);
	if (!ret)
		dma_region_unregister(region);
}

static const struct refused_case {
	const char		*name;
	enum { IN_RANGE, ABSOLUTE, FROM_MAX } from;
	unsigned long		pfn;
	unsigned long		npages;
	enum dma_region_attr	attr;
	unsigned long		alias;
} refused_cases[] = {
	{ "no pages", IN_RANGE, 1, 0 },
	{ "range that wraps", ABSOLUTE, ~0UL, 2 },
	{ "largest number of pages", ABSOLUTE, 1, ~0UL },
	{ "PFN that no entry can hold", FROM_MAX, 1, 1 },
	{ "last PFN that no entry can hold", FROM_MAX, 0, 2 },
	{ "unknown attribute", IN_RANGE, 1, 1, DMA_REGION_MMIO + 1 },
	{ "alias of device memory", IN_RANGE, 1, 1, DMA_REGION_MMIO,
	  PAGE_SIZE },
	{ "alias that is not page aligned", IN_RANGE, 1, 1, DMA_REGION_WB,
	  PAGE_SIZE + 1 },
};

KUNIT_ARRAY_PARAM_DESC(refused, refused_cases, name);

/* None of these leaves a region, a resource or a reference behind. */
static void region_refused(struct kunit *test)
{
	const struct refused_case *c = test->param_value;
	struct dma_region region = region_at(c->pfn, c->npages), again;

	if (c->from == ABSOLUTE)
		region.pfn = c->pfn;
	if (c->from == FROM_MAX)
		region.pfn = PAGELESS_PFN_MAX + c->pfn;
	region.attr = c->attr;
	region.kaddr = (void *)c->alias;
	expect_refused(test, &region, -EINVAL);
	KUNIT_EXPECT_NULL(test, find_page(0));
	KUNIT_EXPECT_NULL(test, find_page(1));
	KUNIT_EXPECT_FALSE(test, dma_region_overlaps(range_pfn, RANGE_PAGES));
	KUNIT_EXPECT_NULL(test, dma_region_find(PFN_PHYS((phys_addr_t)
							 PAGELESS_PFN_MAX), 1));

	again = region_at(0, 4);
	KUNIT_EXPECT_EQ(test, resource_of(&again), REGION_DISJOINT);
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&again));
	dma_region_unregister(&again);
}

static void region_refuses_pages(struct kunit *test)
{
	void *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct dma_region region = { .npages = 1, .name = "kunit" };

	KUNIT_ASSERT_NOT_NULL(test, buf);
	region.pfn = PHYS_PFN(virt_to_phys(buf));
	expect_refused(test, &region, -EINVAL);
	KUNIT_EXPECT_NULL(test, dma_region_find(virt_to_phys(buf), 1));

	/* All of physical memory is in here, first to last page. */
	region.pfn = 0;
	region.npages = range_pfn;
	expect_refused(test, &region, -EINVAL);
	KUNIT_EXPECT_NULL(test, dma_region_find(virt_to_phys(buf), 1));
	KUNIT_EXPECT_FALSE(test, dma_region_overlaps(0, range_pfn));
}

static void region_refuses_overlap(struct kunit *test)
{
	static const struct {
		unsigned long first, npages;
	} overlaps[] = {
		{ 8, 8 }, { 0, 9 }, { 15, 9 }, { 10, 2 }, { 0, 32 },
		{ 8, 1 }, { 15, 1 }, { 8, 9 }, { 7, 9 },
	};
	struct dma_region region = region_at(8, 8), below = region_at(0, 8),
			  above = region_at(16, 8), other;
	int i;

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	for (i = 0; i < ARRAY_SIZE(overlaps); i++) {
		other = region_at(overlaps[i].first, overlaps[i].npages);
		expect_refused(test, &other, -EEXIST);
		KUNIT_EXPECT_NULL(test, find_page(7));
		KUNIT_EXPECT_PTR_EQ(test, find_page(8), &region);
		KUNIT_EXPECT_PTR_EQ(test, find_page(15), &region);
		KUNIT_EXPECT_NULL(test, find_page(16));
	}

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&below));
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&above));
	KUNIT_EXPECT_PTR_EQ(test, find_page(7), &below);
	KUNIT_EXPECT_PTR_EQ(test, find_page(16), &above);
	dma_region_unregister(&region);
	KUNIT_EXPECT_NULL(test, find_page(8));
	KUNIT_EXPECT_NULL(test, find_page(15));
	KUNIT_EXPECT_PTR_EQ(test, find_page(7), &below);
	KUNIT_EXPECT_PTR_EQ(test, find_page(16), &above);
	dma_region_unregister(&below);
	dma_region_unregister(&above);
	KUNIT_EXPECT_FALSE(test, dma_region_overlaps(range_pfn, RANGE_PAGES));
}

static void region_refuses_other_attribute(struct kunit *test)
{
	struct dma_region region = region_at(0, 4);
	void __iomem *wc;

	if (!IS_ENABLED(CONFIG_ARCH_HAS_DMA_REGION_MEMTYPE))
		kunit_skip(test, "the architecture does not track attributes");

	wc = ioremap_wc(dma_region_phys(&region), 2 * PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, !!wc);
	region.attr = DMA_REGION_WB;
	expect_refused(test, &region, -EBUSY);
	KUNIT_EXPECT_NULL(test, find_page(0));
	KUNIT_EXPECT_EQ(test, resource_of(&region), REGION_DISJOINT);
	region.attr = DMA_REGION_UC;
	expect_refused(test, &region, -EBUSY);
	region.attr = DMA_REGION_WC;
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	dma_region_unregister(&region);
	iounmap(wc);

	/* What was refused is free again, and so is what was granted. */
	region.attr = DMA_REGION_WB;
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	wc = ioremap_wc(dma_region_phys(&region), PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, !wc);
	dma_region_unregister(&region);
	wc = ioremap_wc(dma_region_phys(&region), PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, !!wc);
	iounmap(wc);
}

/* Whoever asks for the range as a resource finds it busy. */
static void region_is_busy_resource(struct kunit *test)
{
	struct dma_region region = region_at(16, 16);
	phys_addr_t phys = dma_region_phys(&region);
	u64 size = dma_region_size(&region);

	KUNIT_EXPECT_EQ(test, resource_of(&region), REGION_DISJOINT);
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	KUNIT_EXPECT_EQ(test, resource_of(&region), REGION_INTERSECTS);
	KUNIT_EXPECT_NULL(test, request_mem_region(phys, size, "kunit"));
	KUNIT_EXPECT_NULL(test, request_mem_region(phys, 1, "kunit"));
	KUNIT_EXPECT_NULL(test, request_mem_region(phys + size - 1, 2, "kunit"));
	dma_region_unregister(&region);
	KUNIT_EXPECT_EQ(test, resource_of(&region), REGION_DISJOINT);

	/* One that its owner has requested stays the owner's. */
	KUNIT_ASSERT_NOT_NULL(test, request_mem_region(phys, size, "kunit"));
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	dma_region_unregister(&region);
	KUNIT_EXPECT_EQ(test, resource_of(&region), REGION_INTERSECTS);
	release_mem_region(phys, size);
	KUNIT_EXPECT_EQ(test, resource_of(&region), REGION_DISJOINT);

	/* One of which only a part was requested has no owner. */
	KUNIT_ASSERT_NOT_NULL(test, request_mem_region(phys, size - 1, "kunit"));
	expect_refused(test, &region, -EBUSY);
	release_mem_region(phys, size - 1);
	KUNIT_EXPECT_EQ(test, resource_of(&region), REGION_DISJOINT);
	KUNIT_EXPECT_FALSE(test, dma_region_overlaps(region.pfn, 16));
}

/* ---- Looking up ---- */

static void expect_no_hold(struct kunit *test, phys_addr_t phys, size_t size)
{
	struct dma_region *region = dma_region_get(phys, size);

	KUNIT_EXPECT_NULL(test, region);
	if (region)
		dma_region_put(region);
}

static void region_lookup(struct kunit *test)
{
	struct dma_region region = region_at(4, 4);
	phys_addr_t phys = dma_region_phys(&region);
	u64 size = dma_region_size(&region);
	void *alias = new_alias(test, 4);

	region.kaddr = alias;
	expect_no_hold(test, phys, 1);
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));

	KUNIT_EXPECT_PTR_EQ(test, dma_region_find(phys, size), &region);
	KUNIT_EXPECT_PTR_EQ(test, dma_region_find(phys + size - 1, 1), &region);
	KUNIT_EXPECT_NULL(test, dma_region_find(phys - 1, 1));
	KUNIT_EXPECT_NULL(test, dma_region_find(phys - 1, 2));
	KUNIT_EXPECT_NULL(test, dma_region_find(phys, size + 1));
	KUNIT_EXPECT_NULL(test, dma_region_find(phys + size, 1));
	KUNIT_EXPECT_NULL(test, dma_region_find(phys + 1, SIZE_MAX));
	expect_no_hold(test, phys + 1, size);

	KUNIT_EXPECT_PTR_EQ(test, dma_region_kaddr(phys, size), alias);
	KUNIT_EXPECT_PTR_EQ(test, dma_region_kaddr(phys + 4097, 5),
			    alias + 4097);
	KUNIT_EXPECT_NULL(test, dma_region_kaddr(phys + 4097, size));

	KUNIT_EXPECT_TRUE(test, dma_region_overlaps(region.pfn - 1, 2));
	KUNIT_EXPECT_TRUE(test, dma_region_overlaps(region.pfn + 3, 1));
	KUNIT_EXPECT_FALSE(test, dma_region_overlaps(region.pfn - 1, 1));
	KUNIT_EXPECT_FALSE(test, dma_region_overlaps(region.pfn + 4, 1));
	KUNIT_EXPECT_TRUE(test, dma_region_overlaps(0, ~0UL));

	dma_region_unregister(&region);
	KUNIT_EXPECT_NULL(test, dma_region_find(phys, 1));
	expect_no_hold(test, phys, 1);
	KUNIT_EXPECT_NULL(test, dma_region_kaddr(phys, 1));
}

static void expect_sync_kaddr(struct kunit *test, struct dma_region *region,
			      void *kaddr)
{
	phys_addr_t phys = dma_region_phys(region);
	u64 size = dma_region_size(region);

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(region));
	KUNIT_EXPECT_PTR_EQ(test, dma_region_sync_kaddr(phys, size), kaddr);
	KUNIT_EXPECT_PTR_EQ(test, dma_region_sync_kaddr(phys + 4097, 5),
			    kaddr ? kaddr + 4097 : NULL);
	KUNIT_EXPECT_NULL(test, dma_region_sync_kaddr(phys, 0));
	KUNIT_EXPECT_NULL(test, dma_region_sync_kaddr(phys + 1, size));
	dma_region_unregister(region);
	KUNIT_EXPECT_NULL(test, dma_region_sync_kaddr(phys, size));
}

static void region_is_maintained_if_it_is_cached(struct kunit *test)
{
	struct dma_region region = region_at(4, 4);

	expect_sync_kaddr(test, &region, NULL);
	region.kaddr = new_alias(test, 4);
	expect_sync_kaddr(test, &region, region.kaddr);
	region.attr = DMA_REGION_WC;
	expect_sync_kaddr(test, &region, NULL);
	region.attr = DMA_REGION_UC;
	expect_sync_kaddr(test, &region, NULL);
}

/* A device that is no PCI device reaches memory, but no BARs. */
static void region_has_iova_route(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "dma-region");
	struct dma_region region = region_at(4, 4);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	region.encrypted = true;
	KUNIT_EXPECT_TRUE(test, dma_region_has_iova_route(&region, dev));
	region.attr = DMA_REGION_MMIO;
	KUNIT_EXPECT_FALSE(test, dma_region_has_iova_route(&region, dev));
}

/* ---- Holds and users ---- */

struct counted_user {
	struct dma_region_user	user;
	struct kunit		*test;
	int			revoked;
	int			order;
	unsigned int		delay_ms;
	struct completion	started;
	bool			finished;
};

static atomic_t revoke_order;

static void count_revoke(struct dma_region_user *user)
{
	struct counted_user *c = container_of(user, struct counted_user, user);

	might_sleep();
	complete_all(&c->started);
	if (c->delay_ms)
		msleep(c->delay_ms);
	c->revoked++;
	c->order = atomic_inc_return(&revoke_order);
	WRITE_ONCE(c->finished, true);
}

static void counted_init(struct counted_user *c, struct kunit *test)
{
	*c = (struct counted_user) {
		.user = { .revoke = count_revoke, .name = "kunit-user" },
		.test = test,
	};
	init_completion(&c->started);
}

struct irq_case {
	struct irq_work		work;
	struct timer_list	timer;
	struct completion	done;
	phys_addr_t		phys;
	struct counted_user	*user;
	struct dma_region	*got;
	void			*kaddr;
	int			attached;
	bool			in_hardirq, in_softirq;
};

static void irq_use(struct irq_case *c)
{
	c->in_hardirq |= in_hardirq();
	c->in_softirq |= in_serving_softirq();
	c->got = dma_region_get(c->phys, 16);
	c->kaddr = dma_region_kaddr(c->phys, 16);
	if (c->got) {
		c->attached = dma_region_attach(c->got, &c->user->user);
		dma_region_put(c->got);
	}
}

static void irq_use_work(struct irq_work *work)
{
	irq_use(container_of(work, struct irq_case, work));
}

static void irq_use_timer(struct timer_list *timer)
{
	struct irq_case *c = from_timer(c, timer, timer);

	irq_use(c);
	complete(&c->done);
}

static void region_in_interrupts(struct kunit *test)
{
	struct dma_region region = region_at(0, 2);
	struct counted_user users[2];
	struct irq_case c = { };
	int i;

	region.kaddr = new_alias(test, 2);
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	c.phys = dma_region_phys(&region) + 100;
	init_completion(&c.done);
	for (i = 0; i < 2; i++)
		counted_init(&users[i], test);

	c.user = &users[0];
	c.work = IRQ_WORK_INIT_HARD(irq_use_work);
	irq_work_queue(&c.work);
	irq_work_sync(&c.work);
	KUNIT_EXPECT_TRUE(test, c.in_hardirq);
	KUNIT_EXPECT_PTR_EQ(test, c.got, &region);
	KUNIT_EXPECT_PTR_EQ(test, c.kaddr, region.kaddr + 100);
	KUNIT_EXPECT_EQ(test, c.attached, 0);

	c.got = NULL;
	c.user = &users[1];
	timer_setup_on_stack(&c.timer, irq_use_timer, 0);
	mod_timer(&c.timer, jiffies + 1);
	wait_for_completion(&c.done);
	timer_delete_sync(&c.timer);
	destroy_timer_on_stack(&c.timer);
	KUNIT_EXPECT_TRUE(test, c.in_softirq);
	KUNIT_EXPECT_PTR_EQ(test, c.got, &region);
	KUNIT_EXPECT_EQ(test, c.attached, 0);

	dma_region_detach(&users[0].user);
	dma_region_unregister(&region);
	KUNIT_EXPECT_EQ(test, users[0].revoked, 0);
	KUNIT_EXPECT_EQ(test, users[1].revoked, 1);
	dma_region_detach(&users[1].user);
}

/* Each user is revoked once, the first attached first; detach comes after. */
static void region_revokes_users(struct kunit *test)
{
	struct dma_region region = region_at(0, 2);
	struct counted_user users[5];
	int i;

	atomic_set(&revoke_order, 0);
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		counted_init(&users[i], test);
		KUNIT_ASSERT_EQ(test, 0,
				dma_region_attach(&region, &users[i].user));
	}
	dma_region_detach(&users[2].user);
	dma_region_unregister(&region);
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		KUNIT_EXPECT_EQ(test, users[i].revoked, i != 2);
		if (i != 2) {
			KUNIT_EXPECT_EQ(test, users[i].order, i + (i < 2));
			dma_region_detach(&users[i].user);
		}
	}

	/* It can be registered again, and a user attached again. */
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	KUNIT_EXPECT_EQ(test, 0, dma_region_attach(&region, &users[2].user));
	dma_region_detach(&users[2].user);
	dma_region_unregister(&region);
	KUNIT_EXPECT_EQ(test, users[2].revoked, 0);
}

struct unregister_case {
	struct dma_region	*region;
	struct completion	done;
};

static int unregister_thread(void *data)
{
	struct unregister_case *c = data;

	dma_region_unregister(c->region);
	complete(&c->done);
	return 0;
}

static void unregister_start(struct kunit *test, struct unregister_case *c,
			     struct dma_region *region)
{
	struct task_struct *task;

	c->region = region;
	init_completion(&c->done);
	task = kthread_run(unregister_thread, c, "dma_region_kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
}

/* Unregistering waits for the last hold, and admits no other meanwhile. */
static void region_unregister_waits(struct kunit *test)
{
	struct dma_region region = region_at(0, 2);
	struct dma_region *first, *second;
	struct counted_user late, revoked;
	struct unregister_case c;

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	counted_init(&late, test);
	counted_init(&revoked, test);
	first = dma_region_get(dma_region_phys(&region), 1);
	second = dma_region_get(dma_region_phys(&region), 1);
	KUNIT_ASSERT_PTR_EQ(test, first, &region);
	KUNIT_ASSERT_PTR_EQ(test, second, &region);
	KUNIT_ASSERT_EQ(test, 0, dma_region_attach(&region, &revoked.user));

	unregister_start(test, &c, &region);
	wait_for_completion(&revoked.started);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&c.done, HZ / 10));
	expect_no_hold(test, dma_region_phys(&region), 1);
	KUNIT_EXPECT_EQ(test, -ENODEV, dma_region_attach(first, &late.user));
	/* Those who hold it still find it, for unmap. */
	KUNIT_EXPECT_PTR_EQ(test, find_page(0), &region);
	KUNIT_EXPECT_EQ(test, revoked.revoked, 1);

	dma_region_put(first);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&c.done, HZ / 10));
	dma_region_put(second);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&c.done, 10 * HZ));
	KUNIT_EXPECT_NULL(test, find_page(0));
	KUNIT_EXPECT_EQ(test, late.revoked, 0);
	dma_region_detach(&revoked.user);
}

/* A detach that meets a revoke returns after it. */
static void region_detach_waits_for_revoke(struct kunit *test)
{
	struct dma_region region = region_at(0, 2);
	struct counted_user user, next;
	struct unregister_case c;

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	counted_init(&user, test);
	counted_init(&next, test);
	user.delay_ms = 100;
	KUNIT_ASSERT_EQ(test, 0, dma_region_attach(&region, &user.user));
	KUNIT_ASSERT_EQ(test, 0, dma_region_attach(&region, &next.user));

	unregister_start(test, &c, &region);
	wait_for_completion(&user.started);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(user.finished));
	/* The next in line has not been reached, and gets away. */
	dma_region_detach(&next.user);
	dma_region_detach(&user.user);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(user.finished));
	KUNIT_EXPECT_EQ(test, user.revoked, 1);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&c.done, 10 * HZ));
	KUNIT_EXPECT_EQ(test, next.revoked, 0);
}

/* ---- Races, in bounded loops with a seed ---- */

#define RACE_ROUNDS	50
#define RACE_USERS	8

/* Users that detach race with unregistering: each is revoked once or never. */
static void region_detach_races(struct kunit *test)
{
	struct dma_region region = region_at(0, 2);
	struct counted_user *users;
	struct unregister_case c;
	struct rnd_state rnd;
	int round, i, revoked = 0;

	users = kunit_kcalloc(test, RACE_USERS, sizeof(*users), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, users);
	prandom_seed_state(&rnd, seed);
	kunit_info(test, "region_kunit.seed=%llu\n", seed);

	for (round = 0; round < RACE_ROUNDS; round++) {
		KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
		for (i = 0; i < RACE_USERS; i++) {
			counted_init(&users[i], test);
			KUNIT_ASSERT_EQ(test, 0,
					dma_region_attach(&region,
							  &users[i].user));
		}
		unregister_start(test, &c, &region);
		udelay(prandom_u32_state(&rnd) % 200);
		for (i = 0; i < RACE_USERS; i++) {
			int n = (i * 5 + round) % RACE_USERS;

			dma_region_detach(&users[n].user);
			KUNIT_EXPECT_EQ(test, users[n].revoked,
					READ_ONCE(users[n].finished));
			KUNIT_EXPECT_LE(test, users[n].revoked, 1);
			revoked += users[n].revoked;
			memset(&users[n].user, 0x6b, sizeof(users[n].user));
		}
		KUNIT_ASSERT_NE(test, 0,
				wait_for_completion_timeout(&c.done, 10 * HZ));
	}
	kunit_info(test, "%d of %d revoked\n", revoked,
		   RACE_ROUNDS * RACE_USERS);
}

#define LOOKUP_ROUNDS	40
#define LOOKUP_REGIONS	4

struct lookup_case {
	struct dma_region	regions[LOOKUP_REGIONS];
	bool			alive[LOOKUP_REGIONS];
	unsigned long long	seed;
	atomic_t		got, wrong;
};

/* A region that can be held is one that is registered, and stays so. */
static void lookup_once(struct lookup_case *c, unsigned int i)
{
	struct dma_region *region;

	region = dma_region_get(dma_region_phys(&c->regions[i]) + 7, 99);
	if (!region)
		return;
	if (region != &c->regions[i] || !READ_ONCE(c->alive[i]) ||
	    dma_region_kaddr(dma_region_phys(region) + 7, 99) !=
	    region->kaddr + 7)
		atomic_inc(&c->wrong);
	udelay(2);
	if (!READ_ONCE(c->alive[i]))
		atomic_inc(&c->wrong);
	atomic_inc(&c->got);
	dma_region_put(region);
}

static int lookup_thread(void *data)
{
	struct lookup_case *c = data;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, c->seed + smp_processor_id());
	while (!kthread_should_stop()) {
		lookup_once(c, prandom_u32_state(&rnd) % LOOKUP_REGIONS);
		cond_resched();
	}
	return 0;
}

static void lookup_churn(struct kunit *test, struct lookup_case *c)
{
	struct rnd_state rnd;
	int round;

	prandom_seed_state(&rnd, c->seed);
	for (round = 0; round < LOOKUP_ROUNDS; round++) {
		unsigned int i = prandom_u32_state(&rnd) % LOOKUP_REGIONS;

		usleep_range(10, 20);	/* there may be one CPU for all threads */
		if (c->alive[i]) {
			dma_region_unregister(&c->regions[i]);
			WRITE_ONCE(c->alive[i], false);
		} else {
			WRITE_ONCE(c->alive[i], true);
			KUNIT_EXPECT_EQ(test, 0,
					dma_region_register(&c->regions[i]));
		}
	}
}

static void region_lookups_race(struct kunit *test)
{
	struct task_struct *tasks[2] = { };
	struct lookup_case *c;
	unsigned int i, cpu, n = 0;

	c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, c);
	c->seed = seed;
	kunit_info(test, "region_kunit.seed=%llu\n", seed);
	for (i = 0; i < LOOKUP_REGIONS; i++) {
		c->regions[i] = region_at(i * 3, 3);
		c->regions[i].kaddr = new_alias(test, 3);
	}
	for_each_online_cpu(cpu) {
		if (n == ARRAY_SIZE(tasks))
			break;
		tasks[n] = kthread_run_on_cpu(lookup_thread, c, cpu,
					      "dma_region_kunit/%u");
		KUNIT_EXPECT_FALSE(test, IS_ERR(tasks[n]));
		n++;
	}

	lookup_churn(test, c);
	for (i = 0; i < n; i++)
		if (!IS_ERR(tasks[i]))
			kthread_stop(tasks[i]);
	for (i = 0; i < LOOKUP_REGIONS; i++)
		if (c->alive[i])
			dma_region_unregister(&c->regions[i]);

	kunit_info(test, "%d holds on %u CPUs\n", atomic_read(&c->got), n);
	KUNIT_EXPECT_EQ(test, atomic_read(&c->wrong), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&c->got), 0);
	KUNIT_EXPECT_FALSE(test, dma_region_overlaps(range_pfn, RANGE_PAGES));
}

/* ---- Who wants to give the range struct pages ---- */

static void pagemap_init(struct dev_pagemap *pgmap, unsigned long first,
			 unsigned long npages)
{
	memset((void *)pgmap, 0, sizeof(*pgmap));
	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->nr_range = 1;
	pgmap->range.start = PFN_PHYS(range_pfn + first);
	pgmap->range.end = PFN_PHYS(range_pfn + first + npages) - 1;
}

static void region_excludes_pages(struct kunit *test)
{
	unsigned long npages = SZ_128M >> PAGE_SHIFT;
	struct device *dev = kunit_device_register(test, "dma-region");
	struct dma_region region = region_at(npages / 2, 4);
	struct dev_pagemap *pgmap;
	void *addr;

	if (!IS_ENABLED(CONFIG_ZONE_DEVICE))
		kunit_skip(test, "needs CONFIG_ZONE_DEVICE");
	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	pgmap = kunit_kzalloc(test, sizeof(*pgmap), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pgmap);

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	pagemap_init(pgmap, 0, npages);
	addr = devm_memremap_pages(dev, pgmap);
	KUNIT_EXPECT_PTR_EQ(test, addr, ERR_PTR(-EBUSY));
	KUNIT_EXPECT_FALSE(test, pfn_valid(region.pfn));
	KUNIT_EXPECT_PTR_EQ(test, find_page(npages / 2), &region);
	dma_region_unregister(&region);

	/* The other way round: pages first. */
	pagemap_init(pgmap, 0, npages);
	addr = devm_memremap_pages(dev, pgmap);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(addr), "error %ld", PTR_ERR(addr));
	KUNIT_EXPECT_TRUE(test, pfn_valid(region.pfn));
	expect_refused(test, &region, -EINVAL);
	region = region_at(npages - 1, 2);
	expect_refused(test, &region, -EINVAL);
	region = region_at(npages, 2);
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	dma_region_unregister(&region);
	devm_memunmap_pages(dev, pgmap);

	region = region_at(npages / 2, 4);
	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	dma_region_unregister(&region);
}

#ifdef CONFIG_MEMORY_HOTPLUG
static void region_excludes_hotplug(struct kunit *test)
{
	unsigned long npages = RANGE_PAGES / 2;
	struct dma_region region = region_at(npages - 1, 1);
	struct resource res = DEFINE_RES_MEM(PFN_PHYS(range_pfn),
					     PFN_PHYS(npages));

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	KUNIT_EXPECT_EQ(test, -EBUSY, add_memory_resource(0, &res, MHP_NONE));
	KUNIT_EXPECT_FALSE(test, pfn_valid(region.pfn));
	dma_region_unregister(&region);
}
#else
static void region_excludes_hotplug(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_MEMORY_HOTPLUG");
}
#endif

/* ---- What DMA_API_DEBUG says ---- */

static atomic_t still_mapped;

static void probe_console(void *ignored, const char *buf, size_t len)
{
	if (strnstr(buf, "memory is still mapped for DMA", len))
		atomic_inc(&still_mapped);
}

/* Only the first error of DMA-API debugging since boot is printed. */
static void region_warns_of_mapping(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "dma-region");
	struct dma_region region = region_at(0, 4);
	struct scatterlist sg;

	if (!IS_ENABLED(CONFIG_DMA_API_DEBUG))
		kunit_skip(test, "needs CONFIG_DMA_API_DEBUG");
	if (!warn)
		kunit_skip(test, "makes a warning, needs region_kunit.warn=1");
	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (register_trace_console(probe_console, NULL))
		kunit_skip(test, "needs CONFIG_TRACEPOINTS");
	atomic_set(&still_mapped, 0);

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	sg_init_table(&sg, 1);
	KUNIT_ASSERT_EQ(test, 0,
			sg_set_pfn(&sg, region.pfn + 1, PAGE_SIZE, 0, 0));
	KUNIT_EXPECT_EQ(test, 1, dma_map_sg(dev, &sg, 1, DMA_TO_DEVICE));
	kunit_info(test, "a warning of dma-debug follows\n");
	dma_region_unregister(&region);
	KUNIT_EXPECT_EQ(test, atomic_read(&still_mapped), 1);

	KUNIT_ASSERT_EQ(test, 0, dma_region_register(&region));
	dma_unmap_sg(dev, &sg, 1, DMA_TO_DEVICE);
	dma_region_unregister(&region);
	KUNIT_EXPECT_EQ(test, atomic_read(&still_mapped), 1);

	unregister_trace_console(probe_console, NULL);
	tracepoint_synchronize_unregister();
}

static struct kunit_case region_cases[] = {
	KUNIT_CASE_PARAM(region_refused, refused_gen_params),
	KUNIT_CASE(region_refuses_pages),
	KUNIT_CASE(region_refuses_overlap),
	KUNIT_CASE(region_refuses_other_attribute),
	KUNIT_CASE(region_is_busy_resource),
	KUNIT_CASE(region_lookup),
	KUNIT_CASE(region_is_maintained_if_it_is_cached),
	KUNIT_CASE(region_has_iova_route),
	KUNIT_CASE(region_in_interrupts),
	KUNIT_CASE(region_revokes_users),
	KUNIT_CASE(region_unregister_waits),
	KUNIT_CASE(region_detach_waits_for_revoke),
	KUNIT_CASE_SLOW(region_detach_races),
	KUNIT_CASE_SLOW(region_lookups_race),
	KUNIT_CASE(region_excludes_pages),
	KUNIT_CASE(region_excludes_hotplug),
	KUNIT_CASE(region_warns_of_mapping),
	{}
};

static struct kunit_suite region_suite = {
	.name = "dma_region",
	.suite_init = region_suite_init,
	.test_cases = region_cases,
};

kunit_test_suite(region_suite);
