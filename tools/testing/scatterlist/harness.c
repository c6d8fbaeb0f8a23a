// SPDX-License-Identifier: GPL-2.0
/* Runs tests and counts, and plays the kernel that lib/ sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sanitizer/lsan_interface.h>

#include <linux/scatterlist.h>

#include "harness.h"

/* ---- The runner: one line a test, the totals at the end ---- */

static unsigned int passed, failed, skipped;
static jmp_buf test_failed, bug_hit;
static bool bug_expected;

/* What a test that failed leaves behind; it runs in a child. */
static struct child {
	unsigned long long	seed;
	char			failure[512];
} *child;

static unsigned int warns_once, warns_always;
static unsigned int allocs_to_failure;

void harness_totals(void)
{
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	fflush(stdout);
}

void check_failed(const char *file, int line, const char *what, ...)
{
	int n = snprintf(child->failure, sizeof(child->failure), "%s:%d: ", file, line);
	va_list args;

	va_start(args, what);
	vsnprintf(child->failure + n, sizeof(child->failure) - n, what, args);
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
	if (phys >> PAGE_SHIFT >= RAM_PFN &&
	    phys >> PAGE_SHIFT < RAM_PFN + RAM_PAGES)
		check_failed(__FILE__, __LINE__, "a page has no region");
	return oracle_alias(phys, size);
}

/* ---- One test ---- */

static void test_start(void)
{
	/* A list without an end is a loop without one: 20 s of CPU time. */
	const struct itimerval limit = { .it_value.tv_sec = 20 };

	setitimer(ITIMER_VIRTUAL, &limit, NULL);
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
	test_start();
	fn(arg);
	test_end();
	return true;
}

/* In a child: a sanitizer that finds something, or time, ends the process. */
static bool child_ok(void (*fn)(const void *arg), const void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	snprintf(child->failure, sizeof(child->failure),
		 "killed by a sanitizer, see stderr, or by time");
	pid = fork();
	if (!pid) {
		if (!test_ok(fn, arg))
			_exit(1);
		if (__lsan_do_recoverable_leak_check()) {
			snprintf(child->failure, sizeof(child->failure),
				 "memory leaked, see stderr");
			_exit(1);
		}
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool report(const char *name, bool ok)
{
	if (ok) {
		passed++;
		printf("ok   %s\n", name);
	} else {
		failed++;
		printf("FAIL %s: %s\n", name, child->failure);
	}
	return ok;
}

void run(const char *name, void (*fn)(const void *arg), const void *arg)
{
	report(name, child_ok(fn, arg));
}

struct rounds {
	void			(*fn)(const void *seed);
	unsigned long long	seed;
	unsigned int		rounds;
};

static void run_all_rounds(const void *arg)
{
	const struct rounds *r = arg;
	unsigned int i;

	for (i = 0; i < r->rounds; i++) {
		child->seed = r->seed + i;
		if (i)
			test_start();
		r->fn(&child->seed);
		test_end();
	}
}

void run_rounds(const char *name, void (*fn)(const void *seed),
		unsigned long long seed, unsigned int rounds)
{
	struct rounds r = { fn, seed, rounds };

	if (!report(name, child_ok(run_all_rounds, &r)))
		printf("     again: ./main --seed %llu --rounds 1\n",
		       child->seed);
}

void skip(const char *name, const char *reason)
{
	skipped++;
	printf("SKIP %s: %s\n", name, reason);
}

void harness_init(void)
{
	child = mmap(NULL, sizeof(*child), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(child != MAP_FAILED);
	oracle_init(mem_map, sizeof(mem_map[0]));
	ram = oracle_ram();
	sg_pool_init();
}

bool harness_failed(void)
{
	return failed;
}
