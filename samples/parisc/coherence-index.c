// SPDX-License-Identifier: GPL-2.0
/*
 * What the coherence index of this machine is made of: loads it for addresses
 * whose indices have to be alike, and for some that have to differ. For the
 * text around it see Documentation/arch/parisc/coherence-index.rst.
 *
 *	insmod coherence-index.ko
 *
 * LCI is meant for machines with ccio or sba. On others it may trap.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include <asm/shmparam.h>
#include <asm/special_insns.h>

/* Interrupts are off: %sr1 is anybody's. */
static unsigned long load_index(unsigned long space, unsigned long addr)
{
	unsigned long index, flags;

	local_irq_save(flags);
	mtsp(space, SR_TEMP1);
	asm volatile("lci %%r0(%%sr1,%1), %0" : "=r" (index) : "r" (addr));
	local_irq_restore(flags);
	return index >> PAGE_SHIFT;
}

static bool tell(const char *fact, bool holds)
{
	pr_info("%s: %s\n", fact, holds ? "ok" : "NOT SO");
	return holds;
}

static bool page_has_one_index(unsigned long addr)
{
	unsigned long at;

	for (at = 0; at < PAGE_SIZE; at += 16)
		if (load_index(0, addr + at) != load_index(0, addr))
			return false;
	return true;
}

/* All of the kernel's linear map that is that far away. */
static bool congruent_is_alike(unsigned long addr)
{
	unsigned long other = PAGE_OFFSET + (addr & (SHM_COLOUR - 1));

	for (; virt_addr_valid((void *)other); other += SHM_COLOUR)
		if (load_index(0, other) != load_index(0, addr))
			return false;
	return true;
}

/* The stack of whoever loads the module. */
static bool user_is_alike(void)
{
	unsigned long user = current->mm->start_stack & PAGE_MASK;
	unsigned long kernel = PAGE_OFFSET + (user & (SHM_COLOUR - 1));
	unsigned long space = current->mm->context.space_id;
	unsigned long of_user = load_index(space, user);

	pr_info("user %#lx:%#lx has index %#lx\n", space, user, of_user);
	return load_index(0, kernel) == of_user;
}

static bool neighbours_differ(unsigned long addr)
{
	unsigned long next = addr + PAGE_SIZE;

	return load_index(0, next) != load_index(0, addr);
}

static int __init coherence_index_init(void)
{
	unsigned long pages = __get_free_pages(GFP_KERNEL, 1);
	void *area = vmalloc(PAGE_SIZE);
	bool holds = true;

	if (!pages || !area) {
		free_pages(pages, 1);
		vfree(area);
		return -ENOMEM;
	}
	pr_info("linear %#lx has index %#lx, the next page %#lx\n", pages,
		load_index(0, pages), load_index(0, pages + PAGE_SIZE));
	pr_info("vmalloc %#lx has index %#lx\n", (unsigned long)area,
		load_index(0, (unsigned long)area));
	holds &= tell("a page has one index", page_has_one_index(pages));
	holds &= tell("neighbours differ", neighbours_differ(pages));
	holds &= tell("congruent addresses are alike",
		      congruent_is_alike(pages));
	if (current->mm)
		holds &= tell("so are a user's", user_is_alike());
	pr_info("%s\n", holds ? "all hold" : "not all hold");
	vfree(area);
	free_pages(pages, 1);
	return 0;
}
module_init(coherence_index_init);

static void __exit coherence_index_exit(void)
{
}
module_exit(coherence_index_exit);

MODULE_DESCRIPTION("Shows the coherence index of a parisc machine");
MODULE_LICENSE("GPL");
