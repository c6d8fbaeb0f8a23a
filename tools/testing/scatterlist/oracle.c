// SPDX-License-Identifier: GPL-2.0
/* See oracle.h. Slow and plain on purpose: most of it goes byte by byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define PAGE	4096u

static const char *mem_map;
static size_t page_struct;

static struct region {
	unsigned long	pfn;
	unsigned int	npages;
	bool		reachable;
	unsigned char	*bytes;		/* what the code under test works on */
	unsigned char	*shadow;	/* what should be there */
} regions[] = {
	{ RAM_PFN, RAM_PAGES, true },
	{ BELOW_PFN, 16, true },
	{ ABOVE_PFN, 8, true },
	{ ABOVE2_PFN, 8, true },
	{ TOP_PFN, 4, true },
	{ DARK_PFN, 16, false },
	{ BAR_PFN, 16, false },
	{ }
};

#define RAM	(&regions[0])

void oracle_init(const void *map, size_t page_struct_size)
{
	struct region *r;

	mem_map = map;
	page_struct = page_struct_size;
	for (r = regions; r->npages; r++) {
		if (!r->reachable)
			continue;
		r->bytes = aligned_alloc(PAGE, r->npages * PAGE);
		r->shadow = malloc(r->npages * PAGE);
		if (!r->bytes || !r->shadow)
			abort();
	}
	oracle_scramble(0);
}

unsigned char *oracle_ram(void)
{
	return RAM->bytes;
}

void oracle_scramble(unsigned char seed)
{
	struct region *r;
	unsigned int i;

	for (r = regions; r->npages; r++) {
		if (!r->reachable)
			continue;
		for (i = 0; i < r->npages * PAGE; i++)
			r->shadow[i] = (i * 167 + (i >> 12) * 13 + seed) ^
				       r->pfn;
		memcpy(r->bytes, r->shadow, r->npages * PAGE);
	}
}

bool oracle_world_same(void)
{
	struct region *r;

	for (r = regions; r->npages; r++)
		if (r->reachable &&
		    memcmp(r->bytes, r->shadow, r->npages * PAGE))
			return false;
	return true;
}

static struct region *find(unsigned long pfn)
{
	struct region *r;

	for (r = regions; r->npages; r++)
		if (pfn >= r->pfn && pfn - r->pfn < r->npages)
			return r;
	return NULL;
}

/* The stand-in for dma_region_kaddr(): RAM is not a region. */
unsigned char *oracle_alias(unsigned long long phys, size_t size)
{
	struct region *r = find(phys / PAGE);
	unsigned long long start;

	if (!r || r == RAM || !r->reachable)
		return NULL;
	start = phys - (unsigned long long)r->pfn * PAGE;
	if (size > (unsigned long long)r->npages * PAGE - start)
		return NULL;
	return r->bytes + start;
}

/* Where byte i of an entry lies in its region, or NULL. */
static struct region *locate(const struct ent *ent, unsigned int i,
			     size_t *where)
{
	unsigned long long first = (unsigned long long)ent->offset + i;
	struct region *r = find(ent->pfn + first / PAGE);

	if (r)
		*where = (ent->pfn + first / PAGE - r->pfn) * PAGE +
			 first % PAGE;
	return r;
}

static bool reachable(const struct ent *ent)
{
	size_t where;
	struct region *r = locate(ent, 0, &where);

	if (ent->kind == PAGED)
		return true;
	if (ent->kind == MMIO || !r || r == RAM || !r->reachable)
		return false;
	return !ent->length || locate(ent, ent->length - 1, &where) == r;
}

unsigned char *oracle_addr(const struct ent *ent, unsigned int i)
{
	size_t where;

	if (!reachable(ent))
		return NULL;
	return locate(ent, i, &where)->bytes + where;
}

unsigned long oracle_word(const struct ent *ent, bool end)
{
	if (ent->kind == PAGED)
		return (unsigned long)(uintptr_t)
			(mem_map + (ent->pfn - RAM_PFN) * page_struct) +
			(end ? 2 : 0);
	return ent->pfn * 16 + (ent->kind == MMIO ? 8 : 0) + (end ? 4 : 0) + 3;
}

/* The way back; false for what is neither kind of entry. */
bool oracle_decode(unsigned long word, struct ent *ent, bool *end)
{
	unsigned long index;

	if (word % 4 == 3) {
		ent->kind = word / 8 % 2 ? MMIO : MEM;
		ent->pfn = word / 16;
		*end = word / 4 % 2;
		return true;
	}
	*end = word % 4 == 2;
	index = (word - word % 4 - (uintptr_t)mem_map) / page_struct;
	ent->kind = PAGED;
	ent->pfn = RAM_PFN + index;
	return index < RAM_PAGES && oracle_word(ent, *end) == word;
}

unsigned long long oracle_phys(const struct ent *ent)
{
	return (unsigned long long)ent->pfn * PAGE + ent->offset;
}

size_t oracle_total(const struct model *m)
{
	size_t total = 0;
	unsigned int i;

	for (i = 0; i < m->n; i++)
		total += m->ent[i].length;
	return total;
}

/* -1 stands for an error. */
int oracle_nents_for_len(const struct model *m, unsigned long long len)
{
	unsigned int i;

	for (i = 0; len && i < m->n; i++)
		len -= len < m->ent[i].length ? len : m->ent[i].length;
	return len ? -1 : (int)i;
}

bool oracle_piece(const struct model *m, size_t pos, struct piece *piece)
{
	const struct ent *ent = m->ent;
	unsigned int in_page;

	while (ent < m->ent + m->n && pos >= ent->length)
		pos -= ent++->length;
	if (ent == m->ent + m->n)
		return false;

	in_page = (ent->offset + pos) % PAGE;
	piece->index = ent - m->ent;
	piece->addr = oracle_addr(ent, pos);
	piece->pfn = ent->pfn + (ent->offset + pos) / PAGE;
	piece->length = ent->length - pos;
	if (piece->length > PAGE - in_page)
		piece->length = PAGE - in_page;
	return true;
}

/* Page n of a list; those before an entry's offset count, as they always did. */
bool oracle_page(const struct model *m, unsigned int n, unsigned int *index,
		 unsigned int *pgoffset)
{
	unsigned int pages;

	for (*index = 0; *index < m->n; ++*index) {
		pages = (m->ent[*index].offset + m->ent[*index].length +
			 PAGE - 1) / PAGE;
		if (n < pages) {
			*pgoffset = n;
			return true;
		}
		n -= pages;
	}
	return false;
}

static void copy_byte(enum copy how, struct region *r, size_t where,
		      unsigned char *buf)
{
	if (how == TO_BUFFER)
		*buf = r->shadow[where];
	else
		r->shadow[where] = how == ZERO ? 0 : *buf;
}

/* Ends with a warning at the first byte that the CPU would need but not reach. */
size_t oracle_copy(const struct model *m, enum copy how, unsigned char *buf,
		   size_t len, size_t skip, unsigned int *warns)
{
	size_t done = 0, pos = 0, where;
	unsigned int e, i;

	*warns = 0;
	for (e = 0; e < m->n; e++) {
		for (i = 0; i < m->ent[e].length && done < len; i++) {
			struct region *r = locate(&m->ent[e], i, &where);

			if (pos++ < skip)
				continue;
			if (!reachable(&m->ent[e])) {
				*warns = 1;
				return done;
			}
			copy_byte(how, r, where, buf ? buf + done : NULL);
			done++;
		}
	}
	return done;
}

/* Is part, byte for byte, what whole has at [skip, skip + len)? */
bool oracle_same_bytes(const struct model *part, const struct model *whole,
		       size_t skip, size_t len)
{
	const struct ent *p = part->ent, *w = whole->ent;
	size_t pi = 0, wi = 0, n;

	if (oracle_total(part) != len)
		return false;
	for (n = 0; n < skip + len; n++, wi++) {
		for (; wi == w->length; wi = 0)
			w++;
		if (n < skip)
			continue;
		for (; pi == p->length; pi = 0)
			p++;
		if (p->kind != w->kind ||
		    oracle_phys(p) + pi++ != oracle_phys(w) + wi)
			return false;
	}
	return true;
}
