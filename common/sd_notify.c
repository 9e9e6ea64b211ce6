/* sd_notify.c - datagrams of NAME=value lines; the protocol is sd_notify(3)'s, the code our own. */
#include "common/sd_notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

/* "/path", or "@name" in the abstract namespace.  0: notify nobody. */
static socklen_t
notify_address(struct sockaddr_un *un)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t n = name ? strlen(name) : 0;

	if (n < 2 || n > sizeof(un->sun_path) || (name[0] != '/' && name[0] != '@'))
		return 0;
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(un->sun_path, name, n);
	if (name[0] == '@')
		un->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static void
notify_send(const char *text)
{
	struct sockaddr_un un;
	socklen_t len = notify_address(&un);
	int saved = errno, fd;

	if (!len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&un, len);
		close(fd);
	}
	errno = saved;
}

void
sd_notify_ready(void)
{
	notify_send("READY=1\n");
}

void
sd_notify_reloading(void)
{
	char text[80];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n",
	    clock_ns() / NS_PER_US);
	notify_send(text);
}

void
sd_notify_stopping(int64_t takes_ns)
{
	char text[80];

	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\n",
	    takes_ns / NS_PER_US);
	notify_send(text);
}

void
sd_notify_watchdog(void)
{
	notify_send("WATCHDOG=1\n");
}

void
sd_notify_status(const char *format, ...)
{
	char text[512] = "STATUS=";
	size_t n = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - n, format, args);
	va_end(args);
	for (; text[n]; n++)
		if (text[n] == '\n') /* the next line would be another assignment */
			text[n] = ' ';
	notify_send(text);
}

static int64_t
number_of(const char *text)
{
	char *end;
	long long n;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || *end ? 0 : n;
}

int64_t
sd_notify_watchdog_ns(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	int64_t us = number_of(getenv("WATCHDOG_USEC"));

	if (pid && number_of(pid) != getpid()) /* meant for another process */
		return 0;
	return us > INT64_MAX / NS_PER_US ? 0 : us * NS_PER_US;
}

void
sd_notify_forget(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}
