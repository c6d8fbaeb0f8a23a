/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a scatterlist means, said a second time and without scatterlist.h: a
 * list is an array of bytes, each of which lies somewhere in a small world of
 * RAM with struct pages, memory without, and device memory.
 *
 * No kernel header is included here or in oracle.c, so that the two sayings
 * cannot share a mistake.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>

/* The world, by PFN; it fits the 20 bits that a 32-bit phys_addr_t leaves. */
#define BELOW_PFN	0x100UL		/* with alias, ends where RAM begins */
#define RAM_PFN		0x110UL		/* with struct pages */
#define RAM_PAGES	64
#define ABOVE_PFN	0x150UL		/* with alias, begins where RAM ends */
#define ABOVE2_PFN	0x158UL		/* adjacent to it, with another alias */
#define DARK_PFN	0x200UL		/* without alias */
#define BAR_PFN		0x300UL		/* device memory */
#define HOLE_PFN	0x400UL		/* nobody's */
#define TOP_PFN		(ORACLE_PFN_MAX - 3)	/* with alias, ends at the top */

/* The largest PFN, written down for each kind of kernel. */
#if __SIZEOF_LONG__ == 8
#define ORACLE_PFN_MAX	0xfffffffffffffUL	/* 64 bits of address */
#elif defined(CONFIG_PHYS_ADDR_T_64BIT)
#define ORACLE_PFN_MAX	0xfffffffUL		/* 28 bits in the word */
#else
#define ORACLE_PFN_MAX	0xfffffUL		/* 32 bits of address */
#endif

#define MAX_ENTS	24

enum kind { PAGED, MEM, MMIO };

struct ent {
	enum kind	kind;
	unsigned long	pfn;
	unsigned int	offset;
	unsigned int	length;
};

/* A list that ends with entry n - 1. */
struct model {
	unsigned int	n;
	struct ent	ent[MAX_ENTS];
};

/* The bytes from one position in a list to the end of their page or entry. */
struct piece {
	unsigned int	index;		/* of the entry */
	unsigned char	*addr;		/* NULL if the CPU cannot reach them */
	unsigned long	pfn;
	size_t		length;
};

enum copy { TO_BUFFER, FROM_BUFFER, ZERO };

void oracle_init(const void *mem_map, size_t page_struct_size);
unsigned char *oracle_ram(void);
void oracle_scramble(unsigned char seed);
bool oracle_world_same(void);
unsigned char *oracle_alias(unsigned long long phys, size_t size);

unsigned long oracle_word(const struct ent *ent, bool end);
bool oracle_decode(unsigned long word, struct ent *ent, bool *end);
unsigned long long oracle_phys(const struct ent *ent);
unsigned char *oracle_addr(const struct ent *ent, unsigned int i);

size_t oracle_total(const struct model *m);
int oracle_nents_for_len(const struct model *m, unsigned long long len);
bool oracle_piece(const struct model *m, size_t pos, struct piece *piece);
bool oracle_page(const struct model *m, unsigned int n, unsigned int *index,
		 unsigned int *pgoffset);
size_t oracle_copy(const struct model *m, enum copy how, unsigned char *buf,
		   size_t len, size_t skip, unsigned int *warns);
bool oracle_same_bytes(const struct model *part, const struct model *whole,
		       size_t skip, size_t len);

#endif /* ORACLE_H */
