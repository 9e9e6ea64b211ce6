/*
 * clock_step.c - the wall clock of one process, stepped: for LD_PRELOAD.
 *
 * CLOCK_STEP_FILE holds an offset in seconds, in binary; it is mapped, so that a change is a step at
 * once.  The clock of the machine is nobody's to step in a test.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The C library's functions under names of our own, so that its headers' declarations stay its own. */
int stepped_clock_gettime(clockid_t, struct timespec *) __asm__("clock_gettime");
int stepped_gettimeofday(struct timeval *restrict, void *restrict) __asm__("gettimeofday");
time_t stepped_time(time_t *) __asm__("time");

static const volatile int64_t *
offset_map(void)
{
	const char *file = getenv("CLOCK_STEP_FILE");
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		abort(); /* a test that steps nothing shows nothing */
	return at;
}

static int64_t
offset_s(void)
{
	static const volatile int64_t *offset;

	if (!offset)
		offset = offset_map();
	return *offset;
}

int
stepped_clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	int result;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	result = real(id, t);
	if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += offset_s();
	return result;
}

int
stepped_gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (stepped_clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -1;
	*t = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
	return 0;
}

time_t
stepped_time(time_t *t)
{
	struct timespec now = { 0 };

	stepped_clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
