/*
 * live.c - raw mode, one write a page.
 *
 * The signal handler restores the terminal and ends the process there and then: a daemon that does not
 * answer must not keep anybody from leaving.  It calls async-signal-safe functions only.
 */
#include "hafailover/hactl/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/file.h"

static const char enter[] = "\033[?1049h\033[?25l";
static const char leave[] = "\033[?25h\033[?1049l";
static struct termios before;

static void
terminal_restore(void)
{
	(void)file_write(STDOUT_FILENO, (struct str){ leave, sizeof(leave) - 1 });
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* Ctrl-C is the usual way out; other signals end the process as they would have. */
static void
on_end(int signal_number)
{
	terminal_restore();
	if (signal_number == SIGINT)
		_exit(0);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void
on_resize(int signal_number)
{
	(void)signal_number; /* it interrupts the wait */
}

static void
signals_set(void (*end)(int), void (*resize)(int))
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	struct sigaction action = { .sa_handler = end };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaction(ends[i], &action, NULL);
	action.sa_handler = resize;
	sigaction(SIGWINCH, &action, NULL);
}

bool
live_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool
live_open(void)
{
	struct termios raw;

	if (!live_possible() || tcgetattr(STDIN_FILENO, &before) < 0)
		return false;
	signals_set(on_end, on_resize);
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped process would leave its screen behind */
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)file_write(STDOUT_FILENO, (struct str){ enter, sizeof(enter) - 1 });
	return true;
}

void
live_close(void)
{
	terminal_restore();
	signals_set(SIG_DFL, SIG_DFL);
}

static unsigned
live_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
}

unsigned
live_columns(int fd)
{
	struct winsize size;

	return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The next line of the page, without its newline; the page goes on behind it. */
static struct str
line_take(struct str *page)
{
	const char *end = memchr(page->p, '\n', page->n);
	struct str line = { page->p, end ? (size_t)(end - page->p) : page->n };

	*page = str_skip(*page, line.n + (end ? 1 : 0));
	return line;
}

void
live_draw(struct str page)
{
	unsigned rows = live_rows(), columns = live_columns(STDOUT_FILENO), row;
	struct text out;

	text_init(&out, 1 << 24);
	text_append(&out, STR("\033[H"));
	for (row = 0; row < rows && page.n; row++) {
		struct str line = line_take(&page);

		/* cleared before it is written: behind a line of full width that would eat its end */
		text_append(&out, row + 1 < rows ? STR("\033[K") : STR("\033[J"));
		text_append(&out, columns ? display_cut(line, columns) : line);
		text_append(&out, row + 1 < rows ? STR("\033[0m\r\n") : STR("\033[0m"));
	}
	if (row < rows)
		text_append(&out, STR("\033[J"));
	(void)file_write(STDOUT_FILENO, (struct str){ out.p, out.n });
	text_fini(&out);
}

/* True when q is among the keys that wait. */
static bool
quit_pressed(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == '\004')
			return true;
	return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

bool
live_wait(int64_t ns, const int *fds, size_t n_fds)
{
	struct pollfd p[1 + LIVE_FDS_MAX] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	int64_t deadline_ns = clock_ns() + ns, left;

	CHECK(n_fds <= LIVE_FDS_MAX);
	for (size_t i = 0; i < n_fds; i++)
		p[i + 1] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	while ((left = deadline_ns - clock_ns()) > 0) {
		struct timespec ts = { left / NS_PER_S, left % NS_PER_S };
		int n = ppoll(p, (nfds_t)n_fds + 1, &ts, NULL);

		if (n < 0)
			return errno == EINTR;
		if (p[0].revents && quit_pressed())
			return false;
		if (n > !!p[0].revents)
			return true;
	}
	return true;
}
