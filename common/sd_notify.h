/*
 * sd_notify.h - tells systemd how the service does, over the socket named by $NOTIFY_SOCKET.
 *
 * Without that variable every call does nothing; nothing here ever waits or fails the caller.  Only the main
 * process of a service may notify: a child clears the variables by sd_notify_forget.
 */
#ifndef COMMON_SD_NOTIFY_H
#define COMMON_SD_NOTIFY_H

#include <stdint.h>

void sd_notify_ready(void);
void sd_notify_reloading(void); /* sd_notify_ready ends it */
void sd_notify_stopping(int64_t takes_ns); /* the stop may take that long */
void sd_notify_watchdog(void); /* "I am well" */

/* One line for `systemctl status`. */
__attribute__((format(printf, 1, 2))) void sd_notify_status(const char *format, ...);

/* How often systemd wants to hear sd_notify_watchdog at the latest ($WATCHDOG_USEC); 0: never. */
int64_t sd_notify_watchdog_ns(void);

void sd_notify_forget(void);

#endif
