/*
 * check_command.c - hactl check: hands each file to `lbd -t` or `hafailover -t`, which print what they find.
 *
 * The binaries are those beside hactl, or where they are installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"

static const struct judge {
	const char *name, *file; /* the installed one */
	const char *keys[5]; /* at the top level, that only it has */
} judges[] = {
	{ "lbd", "/etc/lbpair/lbd.json", { "listeners", "pools", "workers", "limits" } },
	{ "hafailover", "/etc/lbpair/hafailover.json",
	    { "nodes", "virtual_ips", "instances", "heartbeat" } },
};
enum { JUDGES = sizeof(judges) / sizeof(*judges) };

/* --- which daemon --- */

/* By the file's keys, or else by its name; lbd when nothing tells. */
static const struct judge *
judge_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	json_t *root = json_load_file(file, 0, NULL);
	const struct judge *found = NULL;

	for (size_t i = 0; i < JUDGES && !found; i++)
		for (const char *const *key = judges[i].keys; *key && !found; key++)
			if (json_object_get(root, *key))
				found = &judges[i];
	json_decref(root);
	if (found)
		return found;
	return strstr(slash ? slash : file, "hafailover") ? &judges[1] : &judges[0];
}

/* False: it is not there. */
static bool
binary_find(const char *name, char *path, size_t size)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(path, size, "%s/%s", self, name);
	if (access(path, X_OK) == 0)
		return true;
	snprintf(path, size, "%s/../sbin/%s", self, name);
	if (access(path, X_OK) == 0)
		return true;
	snprintf(path, size, "/usr/sbin/%s", name);
	return access(path, X_OK) == 0;
}

/* --- the verdict --- */

static enum ending
judge_wait(pid_t pid, const char *binary)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ENDING_REFUSED;
	if (WIFSIGNALED(status))
		hactl_complain("%s was ended by signal %d", binary, WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ENDING_DONE : ENDING_REFUSED;
}

/* Standard output, where a daemon says that all is well. */
static int
spawn(pid_t *pid, const char *binary, char *argv[], bool silent)
{
	posix_spawn_file_actions_t actions;
	int code = posix_spawn_file_actions_init(&actions);

	if (code)
		return code;
	if (silent)
		code = posix_spawn_file_actions_addopen(
		    &actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!code)
		code = posix_spawn(pid, binary, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

static enum ending
file_check(struct hactl *h, const struct judge *judge, char *file, const char *node, bool silent)
{
	char binary[8192], test[] = "-t", config[] = "-c", named[128];
	char *argv[] = { binary, test, config, file, node ? named : NULL, NULL };
	pid_t pid;
	int code;

	if (!binary_find(judge->name, binary, sizeof(binary))) {
		hactl_complain("%s: %s is not installed", file, judge->name);
		return ENDING_REFUSED;
	}
	if (node && snprintf(named, sizeof(named), "--node=%s", node) >= (int)sizeof(named)) {
		hactl_complain("the name of the node is too long");
		return ENDING_REFUSED;
	}
	fflush(h->out);
	code = spawn(&pid, binary, argv, silent);
	if (code) {
		hactl_complain("cannot run %s: %s", binary, strerror(code));
		return ENDING_REFUSED;
	}
	return judge_wait(pid, binary);
}

/* What is installed: a daemon that has no configuration here is not used here. */
static enum ending
installed_check(struct hactl *h, const char *node)
{
	enum ending worst = ENDING_DONE;
	unsigned n = 0;
	char file[64];

	for (size_t i = 0; i < JUDGES; i++) {
		snprintf(file, sizeof(file), "%s", judges[i].file);
		if (access(file, F_OK) < 0 && errno == ENOENT)
			continue;
		n++;
		if (file_check(h, &judges[i], file, node, false) != ENDING_DONE)
			worst = ENDING_REFUSED;
	}
	if (n)
		return worst;
	hactl_complain("there is neither %s nor %s", judges[0].file, judges[1].file);
	return ENDING_REFUSED;
}

enum ending
check_quietly(struct hactl *h, char *file)
{
	return file_check(h, judge_of(file), file, NULL, true);
}

enum ending
check_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	const char *node = NULL;
	const struct flag flags[] = { { "node", NULL, &node }, { 0 } };
	int n = arguments_take(command, flags, argv, 0, argc);
	enum ending worst = ENDING_DONE;

	if (n < 0)
		return ENDING_USAGE;
	if (n == 0)
		return installed_check(h, node);
	for (int i = 0; i < n; i++)
		if (file_check(h, judge_of(argv[i]), argv[i], node, false) != ENDING_DONE)
			worst = ENDING_REFUSED;
	return worst;
}
