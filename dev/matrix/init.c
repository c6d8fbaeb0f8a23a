// SPDX-License-Identifier: GPL-2.0
/*
 * The first program of a machine that runs the selftest $PROGRAM, whose
 * environment is what the kernel's command line says, and whose arguments are
 * what it says behind "--". Its lines go to the kernel's log: there none is
 * broken by another, and no interrupt of the serial port is needed, which QEMU's
 * C3700 may lose.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static void mount_fs(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL))
		perror(where);
}

/* Not everything was probed when the kernel starts a program. */
static void wait_for(const char *name)
{
	int tries = 60;

	while (name && access(name, F_OK) && tries--)
		sleep(1);
}

/* The persistent memory of an NVMe disk is no memory until it is switched on. */
static void enable_pmr(const char *registers)
{
	int bar = open(registers, O_RDWR);
	volatile uint32_t *r = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED, bar, 0);

	if (r == MAP_FAILED)
		perror(registers);
	else
		r[0xe04 / sizeof(*r)] = htole32(1);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(name);
	close(fd);
}

/* To a driver that takes what it is told to, and nothing else. */
static void bind_driver(const char *device, const char *driver)
{
	char name[128];

	if (!device)
		return;
	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/driver_override",
		 device);
	write_file(name, driver);
	write_file("/sys/bus/pci/drivers_probe", device);
}

static void log_lines(int from)
{
	FILE *lines = fdopen(from, "r");
	int log = open("/dev/kmsg", O_WRONLY);
	char line[512];

	while (fgets(line, sizeof(line), lines))
		if (write(log, line, strlen(line)) < 0)
			break;
}

int main(int argc, char **argv)
{
	const char *program = getenv("PROGRAM");
	char path[128];
	int lines[2];

	mount_fs("devtmpfs", "/dev");
	mount_fs("proc", "/proc");
	mount_fs("sysfs", "/sys");
	if (!access("/sys/kernel/tracing", F_OK))
		mount_fs("tracefs", "/sys/kernel/tracing");
	mkdir("/tmp", 0755);
	wait_for(getenv("BAR_IO_DISK"));
	wait_for(getenv("VB2_DISK"));
	wait_for(getenv("VFIO_DISK"));
	if (getenv("NVME_PMR"))
		enable_pmr(getenv("NVME_PMR"));
	bind_driver(getenv("VB2_IMPORTER_PCI"), "vedu");
	bind_driver(getenv("VFIO_EDU"), "vfio-pci");
	bind_driver(getenv("VFIO_BAR"), "vfio-pci");
	bind_driver(getenv("VFIO_REGS"), "vfio-pci");

	if (pipe(lines))
		perror("pipe");
	if (!fork()) {
		dup2(lines[1], 1);
		dup2(lines[1], 2);
		close(lines[1]);
		snprintf(path, sizeof(path), "/%s", program);
		argv[0] = path;
		execv(path, argv);
		perror(path);
		_exit(127);
	}
	close(lines[1]);
	log_lines(lines[0]);
	reboot(RB_AUTOBOOT);
	return 1;
}
