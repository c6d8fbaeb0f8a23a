// SPDX-License-Identifier: GPL-2.0
/* Lists under test, and what is compared with the oracle. */
#include <setjmp.h>

#include <linux/scatterlist.h>

#include "harness.h"

void list_alloc(struct list *list, const unsigned int *used)
{
	struct scatterlist *sgl;
	unsigned int i, ents;

	memset(list, 0, sizeof(*list));
	for (i = 0; i < MAX_CHUNKS && used[i]; i++) {
		ents = used[i] + (i + 1 < MAX_CHUNKS && used[i + 1]);
		sgl = kmalloc_array(ents, sizeof(*sgl), GFP_KERNEL);
		sg_init_table(sgl, ents);
		if (i)
			sg_chain(list->chunk[i - 1], used[i - 1] + 1, sgl);
		list->chunk[i] = sgl;
		list->used[i] = used[i];
		list->nr_chunks++;
	}
}

void list_alloc_one(struct list *list, unsigned int used)
{
	const unsigned int chunks[MAX_CHUNKS] = { used };

	list_alloc(list, chunks);
}

void list_free(struct list *list)
{
	unsigned int i;

	for (i = 0; i < list->nr_chunks; i++)
		kfree(list->chunk[i]);
	list->nr_chunks = 0;
}

/* By the layout, not by sg_next(). */
struct scatterlist *list_entry(const struct list *list, unsigned int i)
{
	unsigned int c;

	for (c = 0; i >= list->used[c]; c++)
		i -= list->used[c];
	return &list->chunk[c][i];
}

void list_set(const struct list *list, unsigned int i, const struct ent *ent)
{
	struct scatterlist *sg = list_entry(list, i);

	if (ent->kind == PAGED)
		sg_set_page(sg, &mem_map[ent->pfn - RAM_PFN], ent->length,
			    ent->offset);
	else
		CHECK_EQ(sg_set_pfn(sg, ent->pfn, ent->length, ent->offset,
				    ent->kind == MMIO ? PAGELESS_MMIO : 0), 0);
}

void list_fill(const struct list *list, const struct model *m)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		list_set(list, i, &m->ent[i]);
}

/* Every word of the table, links too, is what the oracle would have written. */
void check_words(const struct list *list, const struct model *m)
{
	const struct scatterlist *sg;
	unsigned int i, c;

	for (i = 0; i < m->n; i++) {
		sg = list_entry(list, i);
		CHECK_EQ(sg->page_link,
			 oracle_word(&m->ent[i], i == m->n - 1));
		CHECK_EQ(sg->offset, m->ent[i].offset);
		CHECK_EQ(sg->length, m->ent[i].length);
	}
	for (c = 0; c + 1 < list->nr_chunks; c++) {
		sg = &list->chunk[c][list->used[c]];
		CHECK_EQ(sg->page_link, (unsigned long)list->chunk[c + 1] + 1);
		CHECK_EQ(sg->offset, 0);
		CHECK_EQ(sg->length, 0);
	}
}

static void check_page(struct scatterlist *sg, const struct ent *ent)
{
	struct page *page = ent->kind == PAGED ?
			    &mem_map[ent->pfn - RAM_PFN] : NULL;
	unsigned int warns = page ? 0 : 1;

	CHECK(sg_page(sg) == page);
	CHECK_WARNS_ONCE(warns);
	CHECK(sg_virt(sg) == (page ? oracle_addr(ent, 0) : NULL));
	CHECK_WARNS_ONCE(warns);
}

void check_entry(struct scatterlist *sg, const struct ent *ent)
{
	bool paged = ent->kind == PAGED;
	void *alias = paged ? NULL : oracle_addr(ent, 0);

	CHECK_EQ(sg_is_chain(sg), false);
	CHECK_EQ(sg_has_page(sg), paged);
	CHECK_EQ(sg_is_mmio(sg), ent->kind == MMIO);
	CHECK_EQ(sg_pfn(sg), ent->pfn);
	CHECK_EQ(sg_phys(sg), oracle_phys(ent));
	CHECK(sg_kaddr(sg) == alias);
	CHECK_EQ(sg_has_kaddr(sg), paged || alias);
	CHECK_WARNS_ONCE(0);
	check_page(sg, ent);
}

static void check_lengths(struct scatterlist *sgl, const struct model *m)
{
	size_t total = oracle_total(m), step = total / 16 + 1, len;
	int want;

	for (len = 0; len <= total + 1; len += len + 2 >= total ? 1 : step) {
		want = oracle_nents_for_len(m, len);
		CHECK_EQ(sg_nents_for_len(sgl, len),
			 want < 0 ? -EINVAL : want);
	}
}

void check_walk(const struct list *list, const struct model *m)
{
	struct scatterlist *sgl = list->chunk[0], *sg = sgl;
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		CHECK(sg == list_entry(list, i));
		CHECK_EQ(sg_is_last(sg), i == m->n - 1);
		CHECK_EQ(sg_nents(sg), m->n - i);
		check_entry(sg, &m->ent[i]);
		sg = sg_next(sg);
	}
	CHECK(!sg);
	CHECK(sg_last(sgl, m->n) == list_entry(list, m->n - 1));
	check_lengths(sgl, m);
}

void check_pages(const struct list *list, const struct model *m,
		 unsigned int first)
{
	struct sg_page_iter piter;
	unsigned int n = first, index, pgoffset;

	for_each_sg_page(list->chunk[0], &piter, m->n, first) {
		CHECK(oracle_page(m, n++, &index, &pgoffset));
		CHECK(piter.sg == list_entry(list, index));
		CHECK_EQ(piter.sg_pgoffset, pgoffset);
		if (m->ent[index].kind == PAGED) {
			CHECK(sg_page_iter_page(&piter) ==
			      &mem_map[m->ent[index].pfn - RAM_PFN + pgoffset]);
		} else {
			CHECK(!sg_page_iter_page(&piter));
			CHECK_WARNS_ONCE(1);
		}
	}
	CHECK(!oracle_page(m, n, &index, &pgoffset));
}

static size_t do_copy(struct scatterlist *sgl, enum copy how, void *buf,
		      size_t len, size_t skip, unsigned int nents)
{
	switch (how) {
	case TO_BUFFER:
		return skip ? sg_pcopy_to_buffer(sgl, nents, buf, len, skip) :
			      sg_copy_to_buffer(sgl, nents, buf, len);
	case FROM_BUFFER:
		return skip ? sg_pcopy_from_buffer(sgl, nents, buf, len, skip) :
			      sg_copy_from_buffer(sgl, nents, buf, len);
	default:
		return sg_zero_buffer(sgl, nents, len, skip);
	}
}

void check_copy(const struct list *list, const struct model *m, enum copy how,
		size_t len, size_t skip, unsigned int nents)
{
	unsigned char *got = malloc(len), *want = malloc(len);
	struct model part = *m;
	unsigned int warns;
	size_t i, n;

	for (i = 0; i < len; i++)
		want[i] = 0xee ^ (i * 31);
	memcpy(got, want, len);
	if (nents < m->n)
		part.n = nents;
	n = oracle_copy(&part, how, want, len, skip, &warns);
	CHECK_EQ(do_copy(list->chunk[0], how, got, len, skip, nents), n);
	CHECK_WARNS_ONCE(warns);
	CHECK(!memcmp(got, want, len));
	CHECK(oracle_world_same());
	CHECK(!pagefault_disabled());
	free(got);
	free(want);
}

static void check_piece(struct sg_mapping_iter *miter, const struct model *m,
			const struct piece *piece)
{
	bool paged = m->ent[piece->index].kind == PAGED;

	CHECK(miter->addr == piece->addr);
	CHECK_EQ(miter->length, piece->length);
	CHECK_EQ(miter->consumed, piece->length);
	CHECK(miter->page ==
	      (paged ? &mem_map[piece->pfn - RAM_PFN] : NULL));
	CHECK_EQ(pagefault_disabled(), paged);
}

/* Iteration ends at an entry that the CPU cannot reach, and stays there. */
static void check_miter_dark(struct sg_mapping_iter *miter)
{
	CHECK(!sg_miter_next(miter));
	CHECK_WARNS_ONCE(1);
	CHECK(!miter->page && !miter->addr && !miter->length);
	CHECK(!sg_miter_next(miter));
	CHECK_WARNS_ONCE(1);
}

void check_miter(const struct list *list, const struct model *m,
		 unsigned int flags, size_t skip,
		 unsigned int (*consume)(unsigned int max))
{
	struct sg_mapping_iter miter;
	struct piece piece;
	size_t pos = skip;

	sg_miter_start(&miter, list->chunk[0], m->n, flags);
	CHECK_EQ(sg_miter_skip(&miter, skip), skip <= oracle_total(m));
	while (oracle_piece(m, pos, &piece)) {
		if (!piece.addr) {
			check_miter_dark(&miter);
			break;
		}
		CHECK(sg_miter_next(&miter));
		check_piece(&miter, m, &piece);
		if (consume)
			miter.consumed = consume(piece.length);
		pos += miter.consumed;
	}
	if (!oracle_piece(m, pos, &piece))
		CHECK(!sg_miter_next(&miter));
	sg_miter_stop(&miter);
	CHECK(!pagefault_disabled());
}

/* The list that sg_split() made, without looking at it with its own helpers. */
static void split_model(const struct scatterlist *sg, struct model *part)
{
	bool end = false;

	for (part->n = 0; !end; sg++) {
		struct ent *ent = &part->ent[part->n];

		CHECK(part->n < MAX_ENTS);
		CHECK(oracle_decode(sg->page_link, ent, &end));
		ent->offset = sg->offset;
		ent->length = sg->length;
		part->n++;
	}
}

void check_split(const struct list *list, const struct model *m, size_t skip,
		 const size_t *sizes, unsigned int n)
{
	struct scatterlist *out[MAX_ENTS];
	size_t sum = skip;
	struct model part;
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++)
		sum += sizes[i];
	ret = sg_split(list->chunk[0], 0, skip, n, sizes, out, NULL,
		       GFP_KERNEL);
	CHECK_EQ(ret, sum <= oracle_total(m) ? 0 : -EINVAL);
	for (i = 0; !ret && i < n; i++) {
		split_model(out[i], &part);
		CHECK(oracle_same_bytes(&part, m, skip, sizes[i]));
		skip += sizes[i];
		kfree(out[i]);
	}
	CHECK_WARNS_ONCE(0);
}
