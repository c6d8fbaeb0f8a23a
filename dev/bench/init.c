// SPDX-License-Identifier: GPL-2.0
/*
 * The first program of a machine that is measured. Binds a device to the
 * kernel's dma_map_benchmark and runs each line of /lines through it:
 *
 *	NAME COUNT ARGUMENTS...
 *
 * COUNT is 'flushes' for those of the I/O TLB, 'memory' for the bytes that the
 * benchmark held when it held most, or '-': what is counted is what the kernel
 * traces, and takes time. An argument @bar stands for the address of the BAR.
 * What the program says is printed behind the name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACE "/sys/kernel/debug/tracing/"
#define MAX_ARGS 32
#define MAX_BLOCKS 65536
#define PAGE 4096ULL

/* What is allocated at the time */
static struct block {
	unsigned long long address, size;
} blocks[MAX_BLOCKS];
static int nblocks;

static const char *const flush_events[] = {
	"events/intel_iommu/qi_submit/enable", NULL
};

static const char *const memory_events[] = {
	"events/kmem/kmalloc/enable", "events/kmem/kmem_cache_alloc/enable",
	"events/kmem/kfree/enable", "events/kmem/kmem_cache_free/enable",
	"events/kmem/mm_page_alloc/enable", "events/kmem/mm_page_free/enable",
	"events/percpu/percpu_alloc_percpu/enable", "events/percpu/percpu_free_percpu/enable", NULL
};

static void mount_fs(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL))
		perror(where);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	int bad = fd < 0 || write(fd, text, strlen(text)) < 0;

	if (bad)
		printf("%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return bad;
}

/* Where the port that the console is on is not the kernel's, as on C3700. */
static void print_by_kernel(void)
{
	int fd = open("/dev/kmsg", O_WRONLY);

	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
	}
}

static void bind_device(const char *device)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", device);
	write_file(path, "dma_map_benchmark");
	write_file("/sys/bus/pci/drivers/dma_map_benchmark/bind", device);
}

/* The last of its BARs that has an address is the one that is memory. */
static void find_bar(const char *device, char *bar, size_t size)
{
	unsigned long long start, end, flags;
	char path[128];
	FILE *resources;
	int i;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", device);
	resources = fopen(path, "r");
	for (i = 0; resources && i < 6; i++)
		if (fscanf(resources, "%llx %llx %llx", &start, &end, &flags) == 3 && start)
			snprintf(bar, size, "0x%llx", start);
	if (resources)
		fclose(resources);
	/* its addresses are decoded only then */
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", device);
	write_file(path, "1");
}

static int count_flushes(void)
{
	FILE *trace = fopen(TRACE "trace", "r");
	char line[512];
	int n = 0;

	while (trace && fgets(line, sizeof(line), trace))
		n += line[0] != '#' && strstr(line, " iotlb");
	if (trace)
		fclose(trace);
	return n;
}

/* The number behind a key, or none */
static unsigned long long value(const char *line, const char *key, int base)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

static void allocated(unsigned long long address, unsigned long long size, unsigned long long *held)
{
	if (!address || nblocks == MAX_BLOCKS)
		return;
	blocks[nblocks++] = (struct block) { address, size };
	*held += size;
}

static void freed(unsigned long long address, unsigned long long *held)
{
	int i;

	/* the last ones are often the first to go */
	for (i = nblocks - 1; i >= 0; i--)
		if (blocks[i].address == address) {
			*held -= blocks[i].size;
			blocks[i] = blocks[--nblocks];
			return;
		}
}

/*
 * Objects are what the thread of the benchmark allocates; of those the kernel
 * makes room for more in whole pages, which are counted on their own, with all
 * other pages. Whoever frees it.
 */
static void count_memory(int pages)
{
	unsigned long long held = 0, most = 0;
	FILE *trace = fopen(TRACE "trace", "r");
	char line[512];

	nblocks = 0;
	while (trace && fgets(line, sizeof(line), trace)) {
		int ours = !!strstr(line, "dma-map-benchma");

		if (line[0] == '#')
			continue;
		if (strstr(line, "mm_page_alloc: ")) {
			if (ours && pages)
				allocated(value(line, "pfn=0x", 16), PAGE << value(line, "order=", 10), &held);
		} else if (strstr(line, "mm_page_free: ")) {
			if (pages)
				freed(value(line, "pfn=0x", 16), &held);
		} else if (strstr(line, " bytes_alloc=")) {
			if (ours && !pages)
				allocated(value(line, " ptr=", 16), value(line, " bytes_alloc=", 10), &held);
		} else if (!pages) {
			freed(value(line, " ptr=", 16), &held);
		}
		if (held > most)
			most = held;
	}
	if (trace)
		fclose(trace);
	printf("%s %llu\n", pages ? "pages" : "objects", most);
}

static void trace(const char *const *events, const char *on)
{
	if (*on == '1')
		write_file(TRACE "trace", "");
	for (; *events; events++) {
		char path[128];

		snprintf(path, sizeof(path), TRACE "%s", *events);
		write_file(path, on);
	}
}

static void run(char **argv)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		dup2(1, 2);
		execv("/dma_map_benchmark", argv);
		perror("dma_map_benchmark");
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (status)
		printf("status %d\n", status);
}

static void do_line(char *line, char *bar)
{
	char *argv[MAX_ARGS] = { "dma_map_benchmark" };
	char *name = strtok(line, " \n");
	char *count = strtok(NULL, " \n");
	const char *const *events = NULL;
	int i = 1;

	while (i < MAX_ARGS - 1 && (argv[i] = strtok(NULL, " \n"))) {
		if (!strcmp(argv[i], "@bar"))
			argv[i] = bar;
		i++;
	}
	if (!strcmp(count, "flushes"))
		events = flush_events;
	else if (!strcmp(count, "memory"))
		events = memory_events;
	printf("\nline %s\n", name);
	if (events)
		trace(events, "1");
	run(argv);
	if (events)
		trace(events, "0");
	if (events == flush_events)
		printf("flushes %d\n", count_flushes());
	if (events == memory_events) {
		count_memory(0);
		count_memory(1);
	}
}

int main(void)
{
	char line[512], bar[32] = "0";
	FILE *lines;

	setvbuf(stdout, NULL, _IONBF, 0);
	mount_fs("devtmpfs", "/dev");
	if (getenv("bench_kmsg"))
		print_by_kernel();
	mount_fs("proc", "/proc");
	mount_fs("sysfs", "/sys");
	mount_fs("debugfs", "/sys/kernel/debug");
	/* addresses that can be compared */
	write_file(TRACE "options/hash-ptr", "0");
	write_file(TRACE "buffer_size_kb", "16384");
	bind_device(getenv("bench_device"));
	if (getenv("bench_bar"))
		find_bar(getenv("bench_bar"), bar, sizeof(bar));

	lines = fopen("/lines", "r");
	while (lines && fgets(line, sizeof(line), lines))
		do_line(line, bar);
	printf("end of lines\n");
	reboot(RB_AUTOBOOT);
	return 1;
}
