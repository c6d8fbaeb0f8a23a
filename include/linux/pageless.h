/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_PAGELESS_H
#define _LINUX_PAGELESS_H

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/pfn.h>
#include <linux/types.h>

/*
 * A word that otherwise holds a struct page pointer (sg->page_link,
 * bv->bv_page) names memory without struct page like this:
 *
 *	PFN << 4 | MMIO << 3 | END << 2 | 3
 *
 * Bits 0 and 1 are the CHAIN and END flags of a scatterlist entry that holds
 * a pointer.  They are never set together there, and a page pointer that was
 * not tagged has neither, so that 3 marks a PFN on every architecture, however
 * struct page is aligned: on 32-bit it may be 36 bytes at an alignment of 4,
 * and bit 2 is then part of the pointer.
 *
 * Bit 2 is the END flag of a scatterlist entry and never set in a bio_vec.
 */
#define PAGELESS_TAG	0x3UL
#define PAGELESS_END	0x4UL
#define PAGELESS_MMIO	0x8UL
#define PAGELESS_SHIFT	4

/* The largest PFN that the word and a phys_addr_t can both hold. */
#define PAGELESS_PFN_MAX						\
	((unsigned long)min_t(u64, ULONG_MAX >> PAGELESS_SHIFT,		\
			      (u64)PHYS_ADDR_MAX >> PAGE_SHIFT))

static inline bool pageless_word(unsigned long word)
{
	return IS_ENABLED(CONFIG_DMA_PAGELESS) &&
	       (word & PAGELESS_TAG) == PAGELESS_TAG;
}

static inline unsigned long pageless_pfn(unsigned long word)
{
	return word >> PAGELESS_SHIFT;
}

static inline bool pageless_is_mmio(unsigned long word)
{
	const unsigned long mmio = PAGELESS_MMIO | PAGELESS_TAG;

	return IS_ENABLED(CONFIG_DMA_PAGELESS) && (word & mmio) == mmio;
}

/**
 * pageless_encode - make the word for a range of memory without struct page
 * @word:	where to store the word; untouched on error
 * @pfn:	the page frame number
 * @len:	length of the range in bytes
 * @offset:	start of the range in bytes, relative to @pfn
 * @flags:	%PAGELESS_MMIO for device memory, 0 for ordinary memory
 *
 * Return: 0, %-ERANGE where a PFN of the range does not fit the word or its
 * physical addresses do not fit a phys_addr_t, %-EINVAL for an unknown flag,
 * %-EOPNOTSUPP without CONFIG_DMA_PAGELESS.
 */
static inline int pageless_encode(unsigned long *word, unsigned long pfn,
				  unsigned int len, unsigned int offset,
				  unsigned long flags)
{
	u64 end = (u64)offset + len;
	unsigned long last = end ? (end - 1) >> PAGE_SHIFT : 0;

	if (!IS_ENABLED(CONFIG_DMA_PAGELESS))
		return -EOPNOTSUPP;
	if (flags & ~PAGELESS_MMIO)
		return -EINVAL;
	if (pfn > PAGELESS_PFN_MAX || last > PAGELESS_PFN_MAX - pfn)
		return -ERANGE;
	*word = pfn << PAGELESS_SHIFT | flags | PAGELESS_TAG;
	return 0;
}

#endif /* _LINUX_PAGELESS_H */
