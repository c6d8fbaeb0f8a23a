// SPDX-License-Identifier: GPL-2.0
/* Runs tests and counts, and plays the kernel that lib/ sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>

#include <linux/scatterlist.h>

#include "harness.h"

/* ---- The runner: one line a test, the totals at the end ---- */

static unsigned int passed, failed, skipped;
static const char *running;
static jmp_buf test_failed, bug_hit;
static bool bug_expected;
static char failure[512];
static unsigned int warns_once, warns_always;
static unsigned int allocs_to_failure;
static unsigned long long repeat_seed;

void harness_totals(void)
{
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	fflush(stdout);
}

/* A sanitizer ends the program: say in which test. */
static void died(void)
{
	failed++;
	printf("FAIL %s: killed by a sanitizer, see stderr\n",
	       running ?: "(exit)");
	harness_totals();
}

/* UBSan's own way to say so; see died(). */
void __ubsan_on_report(void);
void __ubsan_on_report(void)
{
	died();
}

void check_failed(const char *file, int line, const char *what, ...)
{
	int n = snprintf(failure, sizeof(failure), "%s:%d: ", file, line);
	va_list args;

	va_start(args, what);
	vsnprintf(failure + n, sizeof(failure) - n, what, args);
	va_end(args);
	longjmp(test_failed, 1);
}

void check_warns(const char *file, int line, unsigned int once,
		 unsigned int always)
{
	unsigned int got_once = warns_once, got_always = warns_always;

	warns_once = 0;
	warns_always = 0;
	if (got_once != once || got_always != always)
		check_failed(file, line,
			     "%u WARN_ONCE and %u WARN, not %u and %u",
			     got_once, got_always, once, always);
}

void harness_warn(bool once)
{
	if (once)
		warns_once++;
	else
		warns_always++;
}

void harness_warn_once(const char *fmt, ...)
{
	harness_warn(true);
}

void *harness_expect_bug_buf(void)
{
	bug_expected = true;
	return &bug_hit;
}

void harness_bug(const char *what)
{
	if (!bug_expected)
		check_failed("BUG", 0, "%s", what);
	bug_expected = false;
	longjmp(bug_hit, 1);
}

void harness_fail_alloc(unsigned int n)
{
	allocs_to_failure = n;
}

void *harness_alloc(size_t size)
{
	void *ptr = NULL;

	if (!allocs_to_failure || --allocs_to_failure)
		ptr = malloc(size);
	return ptr ? memset(ptr, 0xff, size) : NULL;
}

/* ---- The kernel that lib/ sees ---- */

int sg_pool_init(void);

struct page mem_map[RAM_PAGES];
static unsigned char *ram;
static unsigned int kmapped[RAM_PAGES], nr_kmapped;

static unsigned int page_index(const struct page *page)
{
	size_t offset = (char *)page - (char *)mem_map;

	if (offset >= sizeof(mem_map) || offset % sizeof(*page))
		check_failed(__FILE__, __LINE__, "%p is no page", page);
	return offset / sizeof(*page);
}

void *page_address(const struct page *page)
{
	return ram + (size_t)page_index(page) * PAGE_SIZE;
}

bool virt_addr_valid(const void *addr)
{
	return (size_t)((unsigned char *)addr - ram) < RAM_PAGES * PAGE_SIZE;
}

struct page *virt_to_page(const void *addr)
{
	if (!virt_addr_valid(addr))
		check_failed(__FILE__, __LINE__, "%p is not in RAM", addr);
	return &mem_map[((unsigned char *)addr - ram) / PAGE_SIZE];
}

bool pagefault_disabled(void)
{
	return nr_kmapped;
}

void *kmap(struct page *page)
{
	kmapped[page_index(page)]++;
	nr_kmapped++;
	return page_address(page);
}

void *kmap_atomic(struct page *page)
{
	return kmap(page);
}

void kunmap(struct page *page)
{
	unsigned int index = page_index(page);

	if (!kmapped[index])
		check_failed(__FILE__, __LINE__, "kunmap() without kmap()");
	kmapped[index]--;
	nr_kmapped--;
}

void kunmap_atomic(void *addr)
{
	kunmap(virt_to_page(addr));
}

void flush_dcache_page(struct page *page)
{
	page_index(page);
}

void *dma_region_kaddr(phys_addr_t phys, size_t size);
void *dma_region_kaddr(phys_addr_t phys, size_t size)
{
	return oracle_alias(phys, size);
}

/* ---- One test ---- */

static void test_start(const char *name)
{
	running = name;
	bug_expected = false;
	allocs_to_failure = 0;
	warns_once = 0;
	warns_always = 0;
	nr_kmapped = 0;
	memset(kmapped, 0, sizeof(kmapped));
	oracle_scramble(0);
}

static void test_end(void)
{
	CHECK_WARNS_ONCE(0);
	CHECK_EQ(nr_kmapped, 0);
	CHECK(oracle_world_same());
}

static bool test_ok(void (*fn)(const void *arg), const void *arg)
{
	if (setjmp(test_failed))
		return false;
	fn(arg);
	test_end();
	return true;
}

static void report(const char *name, bool ok)
{
	if (ok && !failed && __lsan_do_recoverable_leak_check()) {
		snprintf(failure, sizeof(failure),
			 "memory leaked, see stderr");
		ok = false;
	}
	if (ok) {
		passed++;
		printf("ok   %s\n", name);
	} else {
		failed++;
		printf("FAIL %s: %s\n", name, failure);
	}
	fflush(stdout);
	running = NULL;
}

void run(const char *name, void (*fn)(const void *arg), const void *arg)
{
	test_start(name);
	report(name, test_ok(fn, arg));
}

void run_rounds(const char *name, void (*fn)(const void *arg),
		unsigned long long seed, unsigned int rounds)
{
	bool ok = true;

	for (; ok && rounds; rounds--, seed++) {
		test_start(name);
		repeat_seed = seed;
		ok = test_ok(fn, &seed);
	}
	report(name, ok);
	if (!ok)
		printf("     again: ./main --seed %llu --rounds 1\n",
		       repeat_seed);
}

void skip(const char *name, const char *reason)
{
	skipped++;
	printf("SKIP %s: %s\n", name, reason);
}

void harness_init(void)
{
	__sanitizer_set_death_callback(died);
	oracle_init(mem_map, sizeof(mem_map[0]));
	ram = oracle_ram();
	sg_pool_init();
}

bool harness_failed(void)
{
	return failed;
}
