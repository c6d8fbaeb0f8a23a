// SPDX-License-Identifier: GPL-2.0
/*
 * Lists that only devices may walk.
 *
 * A struct scatterlist is for the CPU, too: whoever gets one may ask for its
 * pages. That memory of a PCI BAR, which the CPU reaches through __iomem or
 * not at all, needs a formal type of its own is what Jason Gunthorpe argued in
 * 2019, and the names of the functions are his.
 *
 * A table has ranges: physical addresses, each with a hold on its region or its
 * owner, or with pinned pages. And it has mappings, one a device, which share the
 * ranges. A mapping takes bus addresses from the route, on 32-bit as well: what
 * has one is remembered here and not in a flag of the scatterlist. Everything
 * between two of them is a scatterlist, which nobody outside gets to see.
 */
#include <linux/dma-grant.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/dma-region.h>
#include <linux/dma-sgl.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pageless.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

struct dma_sg_range {
	phys_addr_t		phys;
	size_t			len;
	struct dma_region	*region;	/* held; NULL: pages */
	struct dma_hold		*hold;		/* of these; NULL: pinned */
	struct dma_region_user	user;		/* instead, once attached */
	struct dma_sg_table	*table;
};

/* Ranges that a device reaches through one scatterlist. */
struct dma_sg_run {
	struct list_head	node;
	struct sg_table		sgt;
	unsigned long		attrs;
};

struct dma_sg_map {
	struct list_head	node;
	struct device		*dev;
	struct list_head	runs;
	struct dma_sg		*list;
	unsigned int		nents;
};

struct dma_sg_table {
	struct dma_sg_range	*ranges;
	unsigned int		nranges;
	size_t			length;
	bool			bounded;
	bool			attached;
	dma_sg_revoke_t		revoke;
	void			*data;

	struct mutex		lock;	/* of what follows */
	spinlock_t		maps_lock;	/* and who only looks takes this */
	struct list_head	maps;
	bool			gone;	/* being revoked or freed */
};

/* --- ranges ------------------------------------------------------------- */

/* Made without a range: table_add() them, and map a device. */
static struct dma_sg_table *table_new(void)
{
	struct dma_sg_table *table = kzalloc(sizeof(*table), GFP_KERNEL);

	if (!table)
		return NULL;
	mutex_init(&table->lock);
	spin_lock_init(&table->maps_lock);
	INIT_LIST_HEAD(&table->maps);
	return table;
}

static bool range_continues(const struct dma_sg_range *range,
			    const struct dma_grant *grant)
{
	return range->phys + range->len == grant->phys &&
	       range->region == grant->region && range->hold == grant->hold;
}

static bool grant_is_held(const struct dma_grant *grant)
{
	return grant->region || grant->hold;
}

/*
 * Add a range that is granted, or, without region and hold, of pages that are
 * pinned: the table's from now on, but for -ENOMEM.
 */
static int table_add(struct dma_sg_table *table, struct dma_grant *grant)
{
	struct dma_sg_range *ranges = table->ranges, *last;
	unsigned int n = table->nranges;

	last = n ? &ranges[n - 1] : NULL;
	if (last && range_continues(last, grant)) {
		last->len += grant->len;
		if (grant_is_held(grant))
			dma_grant_put(grant);
	} else {
		/* It grows where the number is a power of two. */
		if (!n || is_power_of_2(n)) {
			ranges = kvrealloc(ranges,
					   array3_size(n ?: 1, 2,
						       sizeof(*ranges)),
					   GFP_KERNEL);
			if (!ranges)
				return -ENOMEM;
			table->ranges = ranges;
		}
		ranges[n] = (struct dma_sg_range) {
			.phys = grant->phys, .len = grant->len,
			.region = grant->region, .hold = grant->hold,
			.table = table,
		};
		table->nranges++;
	}
	table->length += grant->len;
	return 0;
}

static void range_release(struct dma_sg_range *range)
{
	unsigned long pfn = PHYS_PFN(range->phys);
	unsigned long end = PHYS_PFN(range->phys + range->len - 1) + 1;

	if (range->region)
		dma_region_put(range->region);
	else if (range->hold)
		dma_hold_put(range->hold);
	else
		unpin_user_page_range_dirty_lock(pfn_to_page(pfn), end - pfn,
						 true);
}

/* Nothing is mapped; what the table held is let go. */
static void table_free(struct dma_sg_table *table)
{
	unsigned int i;

	for (i = 0; i < table->nranges; i++) {
		if (table->attached && table->ranges[i].region)
			dma_region_detach(&table->ranges[i].user);
		else
			range_release(&table->ranges[i]);
	}
	kvfree(table->ranges);
	mutex_destroy(&table->lock);
	kfree(table);
}

/* --- mappings ------------------------------------------------------------ */

/* Entries of at most what the device takes, and which end where pages do. */
static unsigned int entry_max(struct device *dev,
			      const struct dma_sg_range *range)
{
	size_t max = dma_get_max_seg_size(dev);

	/* All but device memory may have to be bounced. */
	if (!range->region || range->region->attr != DMA_REGION_MMIO)
		max = min(max, dma_max_mapping_size(dev));
	return max < PAGE_SIZE ? max : round_down(max, PAGE_SIZE);
}

/* How much of the range, from pos on, is the next entry? */
static unsigned int entry_len(struct device *dev,
			      const struct dma_sg_range *range, size_t pos)
{
	unsigned int max = entry_max(dev, range);

	if (max > PAGE_SIZE)
		max -= offset_in_page(range->phys + pos);
	return min_t(size_t, range->len - pos, max);
}

static unsigned int count_entries(struct device *dev,
				  const struct dma_sg_range *range,
				  unsigned int nranges)
{
	unsigned int n = 0;
	size_t pos;

	for (; nranges; nranges--, range++)
		for (pos = 0; pos < range->len;
		     pos += entry_len(dev, range, pos))
			n++;
	return n;
}

static void map_append(struct dma_sg_map *map, dma_addr_t addr, size_t len)
{
	map->list[map->nents].addr = addr;
	map->list[map->nents].len = len;
	map->nents++;
}

static void map_bus(struct dma_sg_map *map, const struct dma_sg_range *range,
		    dma_addr_t bus)
{
	unsigned int len;
	size_t pos;

	for (pos = 0; pos < range->len; pos += len) {
		len = entry_len(map->dev, range, pos);
		map_append(map, bus + pos, len);
	}
}

static int set_entry(struct scatterlist *sg, const struct dma_sg_range *range,
		     size_t pos, unsigned int len)
{
	phys_addr_t phys = range->phys + pos;

	if (!range->region) {
		sg_set_page(sg, pfn_to_page(PHYS_PFN(phys)), len,
			    offset_in_page(phys));
		return 0;
	}
	return sg_set_pfn(sg, PHYS_PFN(phys), len, offset_in_page(phys),
			  range->region->attr == DMA_REGION_MMIO ?
			  PAGELESS_MMIO : 0);
}

static int fill_entries(struct device *dev, struct scatterlist *sg,
			const struct dma_sg_range *range, unsigned int nranges)
{
	unsigned int len;
	size_t pos;
	int ret;

	for (; nranges; nranges--, range++) {
		for (pos = 0; pos < range->len; pos += len, sg = sg_next(sg)) {
			len = entry_len(dev, range, pos);
			ret = set_entry(sg, range, pos, len);
			if (ret)
				return -EREMOTEIO;
		}
	}
	return 0;
}

/*
 * Memory that its owner has mapped for a device of its own is synced apart:
 * DMA_API_DEBUG takes it for an accident to map it once more, unless nothing is
 * synced.
 */
static unsigned long run_attrs(const struct dma_sg_range *range,
			       unsigned int nranges)
{
	for (; nranges; nranges--, range++)
		if (range->hold)
			return DMA_ATTR_SKIP_CPU_SYNC;
	return 0;
}

static int map_run(struct dma_sg_map *map, const struct dma_sg_range *range,
		   unsigned int nranges)
{
	struct dma_sg_run *run;
	struct scatterlist *sg;
	int ret, i;

	run = kzalloc(sizeof(*run), GFP_KERNEL);
	if (!run)
		return -ENOMEM;
	ret = sg_alloc_table(&run->sgt,
			     count_entries(map->dev, range, nranges),
			     GFP_KERNEL);
	if (ret)
		goto out_free_run;
	ret = fill_entries(map->dev, run->sgt.sgl, range, nranges);
	if (ret)
		goto out_free_table;
	run->attrs = run_attrs(range, nranges);
	ret = dma_map_sgtable(map->dev, &run->sgt, DMA_BIDIRECTIONAL,
			      run->attrs);
	if (ret)
		goto out_free_table;
	if (run->attrs)
		dma_sync_sgtable_for_device(map->dev, &run->sgt,
					    DMA_BIDIRECTIONAL);

	for_each_sgtable_dma_sg(&run->sgt, sg, i)
		map_append(map, sg_dma_address(sg), sg_dma_len(sg));
	list_add_tail(&run->node, &map->runs);
	return 0;

out_free_table:
	sg_free_table(&run->sgt);
out_free_run:
	kfree(run);
	return ret;
}

static void map_free(struct dma_sg_map *map)
{
	struct dma_sg_run *run, *next;

	list_for_each_entry_safe(run, next, &map->runs, node) {
		if (run->attrs)
			dma_sync_sgtable_for_cpu(map->dev, &run->sgt,
						 DMA_BIDIRECTIONAL);
		dma_unmap_sgtable(map->dev, &run->sgt, DMA_BIDIRECTIONAL,
				  run->attrs);
		sg_free_table(&run->sgt);
		kfree(run);
	}
	put_device(map->dev);
	kvfree(map->list);
	kfree(map);
}

/* 1 if the device reaches the range at a bus address, 0 if it is mapped. */
static int range_bus(const struct dma_sg_range *range, struct device *dev,
		     dma_addr_t *bus)
{
	if (!range->region)
		return 0;
	return dma_region_bus_address(range->region, dev, range->phys,
				      range->len, bus);
}

static int map_ranges(struct dma_sg_map *map, struct dma_sg_table *table)
{
	struct dma_sg_range *range = table->ranges, *run = range;
	struct dma_sg_range *end = range + table->nranges;
	dma_addr_t bus;
	int ret = 0, is_bus;

	for (; range <= end && !ret; range++) {
		is_bus = range < end ? range_bus(range, map->dev, &bus) : 1;
		if (is_bus < 0)
			return is_bus;
		if (!is_bus)
			continue;
		if (range > run)
			ret = map_run(map, run, range - run);
		if (!ret && range < end)
			map_bus(map, range, bus);
		run = range + 1;
	}
	return ret;
}

static int table_map(struct dma_sg_table *table, struct device *dev)
{
	struct dma_sg_map *map;
	unsigned int n;
	int ret;

	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return -ENOMEM;
	map->dev = get_device(dev);
	INIT_LIST_HEAD(&map->runs);
	n = count_entries(dev, table->ranges, table->nranges);
	map->list = kvmalloc_array(n, sizeof(*map->list), GFP_KERNEL);
	ret = map->list ? map_ranges(map, table) : -ENOMEM;
	if (ret) {
		map_free(map);
		return ret;
	}
	spin_lock_irq(&table->maps_lock);
	list_add_tail(&map->node, &table->maps);
	spin_unlock_irq(&table->maps_lock);
	return 0;
}

static void table_unmap(struct dma_sg_table *table)
{
	struct dma_sg_map *map, *next;
	LIST_HEAD(maps);

	spin_lock_irq(&table->maps_lock);
	list_splice_init(&table->maps, &maps);
	spin_unlock_irq(&table->maps_lock);
	list_for_each_entry_safe(map, next, &maps, node)
		map_free(map);
}

static struct dma_sg_map *table_find(struct dma_sg_table *table,
				     struct device *dev)
{
	struct dma_sg_map *map;

	list_for_each_entry(map, &table->maps, node)
		if (map->dev == dev)
			return map;
	return NULL;
}

/**
 * sgl_dma_map_more - map a table for one more device
 * @table: the table
 * @dev: the device
 *
 * The ranges are shared, nothing is copied. sgl_dma_unmap() undoes it.
 *
 * Context: Process context, may sleep. Not from the table's revoke callback.
 * Return: 0, also if it was mapped for @dev before; %-ENODEV if the table was
 * revoked; %-EREMOTEIO if @dev has no route to a part of it or cannot address
 * it; %-ENOMEM, %-EIO or %-EINVAL from dma_map_sgtable(). Other mappings are
 * left alone.
 */
int sgl_dma_map_more(struct dma_sg_table *table, struct device *dev)
{
	int ret = 0;

	mutex_lock(&table->lock);
	if (table->gone)
		ret = -ENODEV;
	else if (!table_find(table, dev))
		ret = table_map(table, dev);
	mutex_unlock(&table->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(sgl_dma_map_more);

/**
 * sgl_dma_unmap - undo sgl_dma_map_pci_bar() or sgl_dma_map_user()
 * @table: the table
 *
 * Unmaps it for all devices, none of which does DMA any more, and lets go of
 * the memory. A revoke callback is not called any more afterwards; one that is
 * running is waited for. @table is gone.
 *
 * Context: Process context, may sleep. Not from the table's revoke callback,
 * nor under a lock that this takes.
 */
void sgl_dma_unmap(struct dma_sg_table *table)
{
	mutex_lock(&table->lock);
	table->gone = true;
	table_unmap(table);
	mutex_unlock(&table->lock);
	table_free(table);
}
EXPORT_SYMBOL_GPL(sgl_dma_unmap);

/* --- revocation ---------------------------------------------------------- */

static void table_revoke(struct dma_region_user *user)
{
	struct dma_sg_table *table =
		container_of(user, struct dma_sg_range, user)->table;

	mutex_lock(&table->lock);
	if (!table->gone) {
		table->gone = true;
		table->revoke(table, table->data);
		table_unmap(table);
	}
	mutex_unlock(&table->lock);
}

static int range_attach(struct dma_sg_range *range)
{
	if (!range->region)
		return 0;
	range->user.revoke = table_revoke;
	range->user.name = "dma_sg_table";
	return dma_region_attach(range->region, &range->user);
}

/**
 * sgl_dma_set_revoke - let the owners of a table's memory take it back
 * @table: the table; has no callback yet
 * @revoke: called once, when the memory of a range is about to go away
 * @data: handed to @revoke
 *
 * Without a callback the owner, and with it the removal of the PCI device or
 * what else needs the memory, waits until sgl_dma_unmap(). That is all right
 * for what ends by itself. Whoever keeps a table until user space is done has
 * to have a callback, which stops all DMA to and from the table: when it
 * returns the table is unmapped and sgl_dma_list() finds nothing any more.
 * sgl_dma_unmap() is still due.
 *
 * @revoke may sleep, and must not call functions of the same table. It may run
 * before this function returns.
 *
 * Context: Process context, may sleep. Called once a table, by its maker,
 * before others use the table.
 * Return: 0; %-ENODEV if memory of the table is going away already: then
 * stop DMA and call sgl_dma_unmap(), @revoke may have been called or not.
 */
int sgl_dma_set_revoke(struct dma_sg_table *table, dma_sg_revoke_t revoke,
		       void *data)
{
	unsigned int i;
	int ret = 0;

	table->revoke = revoke;
	table->data = data;
	for (i = 0; i < table->nranges && !ret; i++)
		ret = range_attach(&table->ranges[i]);
	if (ret) {
		/* The last one is not, and the holds are still there. */
		while (--i > 0)
			if (table->ranges[i - 1].region)
				dma_region_detach(&table->ranges[i - 1].user);
		return ret;
	}
	table->attached = true;
	for (i = 0; i < table->nranges; i++)
		if (table->ranges[i].region)
			dma_region_put(table->ranges[i].region);
	return 0;
}
EXPORT_SYMBOL_GPL(sgl_dma_set_revoke);

/**
 * sgl_dma_is_bounded - does DMA to a table have to end without user space?
 * @table: the table
 *
 * A driver takes memory back when user space tells it to, and user space waits
 * for that. Where the callback of sgl_dma_set_revoke() may have to wait for user
 * space, as one that waits until a stream is stopped, that may be the thread
 * which waits for the callback. Whoever has such a callback does not keep a
 * table of which this returns true.
 *
 * Return: true if a part of the table is such memory.
 */
bool sgl_dma_is_bounded(const struct dma_sg_table *table)
{
	return table->bounded;
}
EXPORT_SYMBOL_GPL(sgl_dma_is_bounded);

/* --- what a device is told ----------------------------------------------- */

/**
 * sgl_dma_list - what a device is told of a table
 * @table: the table
 * @dev: a device that it was mapped for
 * @nents: where to store the number of entries
 *
 * In the order of the bytes. Entries are no longer than the device's segments
 * may be. The list is good until the table is unmapped or revoked; the revoke
 * callback is the last who may look at it.
 *
 * Context: Process context, may sleep. Not from the table's revoke callback.
 * Return: the first entry; NULL, and no entries, if the table is not mapped for
 * @dev or was revoked.
 */
const struct dma_sg *sgl_dma_list(struct dma_sg_table *table,
				  struct device *dev, unsigned int *nents)
{
	struct dma_sg_map *map;

	mutex_lock(&table->lock);
	map = table->gone ? NULL : table_find(table, dev);
	*nents = map ? map->nents : 0;
	mutex_unlock(&table->lock);
	return map ? map->list : NULL;
}
EXPORT_SYMBOL_GPL(sgl_dma_list);

static void table_sync(struct dma_sg_table *table, struct device *dev,
		       enum dma_data_direction dir,
		       void (*sync)(struct device *dev, struct sg_table *sgt,
				    enum dma_data_direction dir))
{
	struct dma_sg_map *map;
	struct dma_sg_run *run;
	unsigned long flags;

	spin_lock_irqsave(&table->maps_lock, flags);
	map = table_find(table, dev);
	if (map)
		list_for_each_entry(run, &map->runs, node)
			sync(dev, &run->sgt, dir);
	spin_unlock_irqrestore(&table->maps_lock, flags);
}

/**
 * sgl_dma_sync_for_cpu - let the CPU see what a device has written
 * @table: the table
 * @dev: a device that it was mapped for
 * @dir: the direction of the transfer that has ended
 *
 * Mapping a table hands it to the device, and unmapping it hands it back. Who
 * transfers more than once in between does so with this, and with
 * sgl_dma_sync_for_device() before the next transfer, as with
 * dma_sync_sgtable_for_cpu(). Device memory is left alone. The mapping for
 * other devices is, too.
 *
 * Context: Any. Does nothing if the table is not mapped for @dev, or has been
 * revoked.
 */
void sgl_dma_sync_for_cpu(struct dma_sg_table *table, struct device *dev,
			  enum dma_data_direction dir)
{
	table_sync(table, dev, dir, dma_sync_sgtable_for_cpu);
}
EXPORT_SYMBOL_GPL(sgl_dma_sync_for_cpu);

/**
 * sgl_dma_sync_for_device - let a device see what the CPU has written
 * @table: the table
 * @dev: a device that it was mapped for
 * @dir: the direction of the transfer that is about to begin
 *
 * The pair of sgl_dma_sync_for_cpu().
 *
 * Context: As sgl_dma_sync_for_cpu().
 */
void sgl_dma_sync_for_device(struct dma_sg_table *table, struct device *dev,
			     enum dma_data_direction dir)
{
	table_sync(table, dev, dir, dma_sync_sgtable_for_device);
}
EXPORT_SYMBOL_GPL(sgl_dma_sync_for_device);

/**
 * sgl_dma_length - how long a table is
 * @table: the table
 *
 * Return: number of bytes.
 */
size_t sgl_dma_length(const struct dma_sg_table *table)
{
	return table->length;
}
EXPORT_SYMBOL_GPL(sgl_dma_length);

/**
 * sgl_dma_offset - where in its page a table begins
 * @table: the table
 *
 * Return: number of bytes from the start of the page to the first byte.
 */
unsigned int sgl_dma_offset(const struct dma_sg_table *table)
{
	return offset_in_page(table->ranges[0].phys);
}
EXPORT_SYMBOL_GPL(sgl_dma_offset);

/**
 * sgl_dma_page_size - the largest pages that a device can map a table with
 * @table: the table
 * @dev: a device that it was mapped for
 * @sizes: the page sizes that the device supports, one bit each
 * @iova: the address that the device's own tables give the first byte
 *
 * For devices with page tables of their own, such as those of RDMA; what
 * ib_umem_find_best_pgsz() is for an ib_umem. Every entry but the first starts
 * at the start of such a page, and every one but the last ends at the end.
 *
 * Context: As sgl_dma_list().
 * Return: one of @sizes, or 0 if none fits or the table is not mapped.
 */
unsigned long sgl_dma_page_size(struct dma_sg_table *table, struct device *dev,
				unsigned long sizes, unsigned long iova)
{
	unsigned int nents, i;
	const struct dma_sg *sg = sgl_dma_list(table, dev, &nents);
	u64 mask = 0, at = iova;

	if (!nents)
		return 0;
	for (i = 0; i < nents; i++, sg++) {
		mask |= sg->addr ^ at;
		at += sg->len;
		if (i + 1 < nents)
			mask |= at;
	}
	if (mask)
		sizes &= GENMASK(min_t(int, __ffs64(mask), BITS_PER_LONG - 1),
				 0);
	return sizes ? rounddown_pow_of_two(sizes) : 0;
}
EXPORT_SYMBOL_GPL(sgl_dma_page_size);

/* --- PCI BARs ------------------------------------------------------------ */

/* The region that is there, or the BAR as a whole. */
static struct dma_region *get_bar(struct pci_dev *pdev, int bar,
				  phys_addr_t phys, size_t len)
{
	struct dma_region *region = dma_region_get(phys, len);
	int ret;

	if (region)
		return region;
	ret = dma_region_lend(pdev, bar);
	if (ret)
		return ERR_PTR(ret == -EEXIST ? -EBUSY : ret);
	return dma_region_get(phys, len) ?: ERR_PTR(-ENODEV);
}

static int add_bar(struct dma_sg_table *table, struct pci_dev *from,
		   struct device *to, phys_addr_t phys, size_t len)
{
	struct resource range = DEFINE_RES_MEM(phys, len);
	struct resource *bar = pci_find_resource(from, &range);
	struct dma_grant grant = { .phys = phys, .len = len };
	int ret;

	if (!bar)
		return -EINVAL;
	grant.region = get_bar(from, bar - from->resource, phys, len);
	if (IS_ERR(grant.region))
		return PTR_ERR(grant.region);
	ret = dma_region_check_attr(grant.region, DMA_REGION_MMIO,
				    dev_name(to)) ?:
	      table_add(table, &grant);
	if (ret)
		dma_grant_put(&grant);
	return ret;
}

/**
 * sgl_dma_map_pci_bar - map a part of a PCI BAR for another device's DMA
 * @from: the PCI device with the BAR; it stays until this function returns
 * @to: the device that does the DMA
 * @bar_ptr: physical address of the first byte: pci_resource_start() and up
 * @length: number of bytes
 *
 * Needs no struct pages, and no preparation by the driver of @from, which may
 * have registered a region there, see dma_region_register(), or have requested
 * the BAR, or not be there at all. Routed as an MMIO entry of a list is; where
 * the route is by bus address that works without an I/O MMU's help, and on
 * 32-bit. The mapping is for both directions.
 *
 * The BAR is held until sgl_dma_unmap(), or until the callback of
 * sgl_dma_set_revoke() has returned: the device cannot be removed and the BAR
 * cannot be moved or given struct pages before.
 *
 * Context: Process context, may sleep. As dma_region_lend().
 * Return: the table; or an error that leaves nothing held: %-EINVAL if the
 * range is empty, not in a memory BAR of @from, or in one that is smaller than
 * a page; %-EBUSY if it is registered, all or in part, as something else: the
 * log has the attributes; %-ENODEV if the BAR is not assigned or just being
 * taken away; %-EREMOTEIO if @to has no route to it or cannot address it;
 * %-ENOMEM; %-EIO.
 */
struct dma_sg_table *sgl_dma_map_pci_bar(struct pci_dev *from,
					 struct device *to,
					 phys_addr_t bar_ptr, size_t length)
{
	struct dma_sg_table *table;
	int ret;

	if (!length || bar_ptr + length - 1 < bar_ptr)
		return ERR_PTR(-EINVAL);
	table = table_new();
	if (!table)
		return ERR_PTR(-ENOMEM);
	ret = add_bar(table, from, to, bar_ptr, length) ?:
	      sgl_dma_map_more(table, to);
	if (!ret)
		return table;
	table_free(table);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(sgl_dma_map_pci_bar);

/* --- what user space has mapped ------------------------------------------ */

#define PIN_BATCH	64

/* The bytes of these pages, of which the first begins at an offset. */
static ssize_t add_page_list(struct dma_sg_table *table, struct page **pages,
			     unsigned int npages, unsigned int offset,
			     size_t len)
{
	size_t left = len = min_t(size_t, len, npages * PAGE_SIZE - offset);
	struct dma_grant pinned = { };
	unsigned int i;
	int ret;

	for (i = 0; i < npages; i++) {
		pinned.phys = page_to_phys(pages[i]) + offset;
		pinned.len = min_t(size_t, left, PAGE_SIZE - offset);
		ret = table_add(table, &pinned);
		if (ret) {
			unpin_user_pages(pages + i, npages - i);
			return ret;
		}
		left -= pinned.len;
		offset = 0;
	}
	return len;
}

static ssize_t add_pinned(struct dma_sg_table *table, unsigned long addr,
			  size_t len)
{
	unsigned int offset = offset_in_page(addr);
	struct page *pages[PIN_BATCH];
	int npages;

	npages = min_t(u64, PFN_UP((u64)offset + len), PIN_BATCH);
	npages = pin_user_pages_fast(addr, npages, FOLL_WRITE | FOLL_LONGTERM,
				     pages);
	if (npages <= 0)
		return npages ?: -EFAULT;
	return add_page_list(table, pages, npages, offset, len);
}

static ssize_t add_granted(struct dma_sg_table *table, unsigned long addr,
			   size_t len)
{
	struct dma_grant grant;
	int ret;

	ret = dma_grant_user(addr, len, true, &grant);
	if (ret)
		return ret;
	ret = table_add(table, &grant);
	if (ret) {
		dma_grant_put(&grant);
		return ret;
	}
	table->bounded |= grant.bounded;
	return grant.len;
}

static int add_user(struct dma_sg_table *table, unsigned long addr, size_t len)
{
	ssize_t done;

	for (; len; addr += done, len -= done) {
		done = add_pinned(table, addr, len);
		if (done == -EFAULT)
			done = add_granted(table, addr, len);
		if (done < 0)
			return done;
		cond_resched();
	}
	return 0;
}

/**
 * sgl_dma_map_user - map memory of user space for DMA, with or without pages
 * @dev: the device that does the DMA
 * @uptr: the user's address of the first byte
 * @len: number of bytes
 *
 * The range may consist of several mappings. Memory with pages is pinned, for
 * long; get_user_pages() is tried first. Where it cannot, the owner of the
 * mapping is asked, see &struct dma_grant, and what it grants is routed as an
 * MMIO entry of a list is. The mapping is for both directions, and all of the
 * range has to be writable. It goes on when user space unmaps its own.
 *
 * Whoever lets user space choose how much to pin accounts for it.
 *
 * Context: Process context of whoever has the memory mapped, may sleep.
 * Return: the table; or an error that leaves nothing behind: %-EINVAL for an
 * empty range or one that wraps; %-EFAULT if a part of it is not mapped, not
 * writable, a private mapping of what has no pages, or not granted; %-EBUSY if
 * a part is registered with another attribute; %-EREMOTEIO if @dev has no
 * route to a part or cannot address it; %-EINTR, %-ENOMEM, %-EIO.
 */
struct dma_sg_table *sgl_dma_map_user(struct device *dev, void __user *uptr,
				      size_t len)
{
	unsigned long addr = untagged_addr((unsigned long)uptr);
	struct dma_sg_table *table;
	int ret;

	if (!len || addr + len - 1 < addr)
		return ERR_PTR(-EINVAL);
	table = table_new();
	if (!table)
		return ERR_PTR(-ENOMEM);
	ret = add_user(table, addr, len) ?: sgl_dma_map_more(table, dev);
	if (!ret)
		return table;
	table_free(table);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(sgl_dma_map_user);
