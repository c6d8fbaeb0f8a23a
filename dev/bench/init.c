// SPDX-License-Identifier: GPL-2.0
/*
 * The first program of a machine that is measured. Binds a device to the
 * kernel's dma_map_benchmark and runs each line of /lines through it:
 *
 *	NAME FLUSHES ARGUMENTS...
 *
 * FLUSHES is 1 to count those of the I/O TLB that the kernel traces; an
 * argument @bar stands for the address of the BAR. What the program says is
 * printed behind the name.
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

static void do_line(char *line, char *bar, const char *event)
{
	char *argv[MAX_ARGS] = { "dma_map_benchmark" };
	char *name = strtok(line, " \n");
	char *flushes = strtok(NULL, " \n");
	int i = 1;

	while (i < MAX_ARGS - 1 && (argv[i] = strtok(NULL, " \n"))) {
		if (!strcmp(argv[i], "@bar"))
			argv[i] = bar;
		i++;
	}
	printf("\nline %s\n", name);
	if (atoi(flushes)) {
		write_file(TRACE "trace", "");
		write_file(event, "1");
	}
	run(argv);
	if (atoi(flushes)) {
		write_file(event, "0");
		printf("flushes %d\n", count_flushes());
	}
}

int main(void)
{
	char line[512], bar[32] = "0";
	FILE *lines;

	setvbuf(stdout, NULL, _IONBF, 0);
	mount_fs("devtmpfs", "/dev");
	mount_fs("proc", "/proc");
	mount_fs("sysfs", "/sys");
	mount_fs("debugfs", "/sys/kernel/debug");
	bind_device(getenv("bench_device"));
	if (getenv("bench_bar"))
		find_bar(getenv("bench_bar"), bar, sizeof(bar));

	lines = fopen("/lines", "r");
	while (lines && fgets(line, sizeof(line), lines))
		do_line(line, bar, TRACE "events/intel_iommu/qi_submit/enable");
	printf("end of lines\n");
	reboot(RB_AUTOBOOT);
	return 1;
}
