/*
 * setup_command.c - hactl setup: the files of a pair, on its first node; --export | --join, on the other one.
 *
 * What is missing is asked for on a terminal.  Both daemons check the files before they are in place.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/daemon_kinds.h"
#include "common/file.h"
#include "common/text.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/setup_files.h"
#include "hafailover/hactl/setup_host.h"
#include "hafailover/hactl/setup_install.h"

enum { SECRET_BYTES = 32, ANSWERS = 3 };

static const char usual_directory[] = "/etc/lbpair";

struct setup {
	struct hactl *h;
	const struct command *command;
	const char *directory;
	struct setup_host host;
	struct setup_wish wish;
	char secret_file[SETUP_PATH_MAX]; /* that wish points to, as to the answers */
	const struct setup_interface *self;
	bool asks; /* on a terminal */
	bool keeps_lbd; /* there is a lbd.json */
	char *answers[ANSWERS];
};

/* --- questions --- */

static int
peer_check(struct setup *s, struct err *err)
{
	return setup_peer_check(&s->wish, &s->host, &s->self, err);
}

static int
vips_check(struct setup *s, struct err *err)
{
	return setup_vips_check(&s->wish, &s->host, err);
}

static int
servers_check(struct setup *s, struct err *err)
{
	return setup_servers_check(&s->wish, err);
}

/* A line of the terminal without its end; NULL: there is none. */
static char *
line_read(struct hactl *h, const char *prompt)
{
	char *line = NULL;
	size_t size = 0;

	fprintf(h->out, "%s: ", prompt);
	fflush(h->out);
	if (getline(&line, &size, stdin) < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static const struct question {
	const char *option, *text;
	size_t at; /* of the answer in the wish */
	int (*check)(struct setup *, struct err *);
} questions[ANSWERS] = {
	{ "peer", "Address of the other node", offsetof(struct setup_wish, peer), peer_check },
	{ "vip", "Virtual address, or several with commas", offsetof(struct setup_wish, vips),
	    vips_check },
	{ "server", "Servers as HOST:PORT, with commas", offsetof(struct setup_wish, servers),
	    servers_check },
};

static enum ending
question_ask(struct setup *s, size_t i)
{
	const struct question *q = &questions[i];
	const char **wish = (const char **)((char *)&s->wish + q->at);
	bool given = *wish;
	struct err err;

	if (!given && !s->asks)
		return arguments_refuse(s->command, "--%s is needed", q->option);
	for (;;) {
		if (!given) {
			free(s->answers[i]);
			*wish = s->answers[i] = line_read(s->h, q->text);
		}
		if (!*wish) {
			hactl_complain("no answer: nothing was written");
			return ENDING_REFUSED;
		}
		if (q->check(s, &err) == 0)
			return ENDING_DONE;
		hactl_refuse(&err);
		if (given)
			return ENDING_REFUSED;
	}
}

static enum ending
questions_ask(struct setup *s)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; s->asks && !s->wish.peer && i < s->host.n; i++) {
		address_format_host(&s->host.list[i].address, text);
		fprintf(s->h->out, "this machine: %s on %s\n", text, s->host.list[i].name);
	}
	for (size_t i = 0; i < ANSWERS; i++) {
		enum ending ending;

		if (questions[i].check == servers_check && s->keeps_lbd)
			continue;
		ending = question_ask(s, i);
		if (ending != ENDING_DONE)
			return ending;
	}
	return ENDING_DONE;
}

/* --- files --- */

/* Hexadecimal, a line. */
static char *
secret_make(void)
{
	uint8_t bytes[SECRET_BYTES];
	char *text = malloc(2 * SECRET_BYTES + 2);

	if (!text || getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		free(text);
		return NULL;
	}
	for (size_t i = 0; i < SECRET_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	memcpy(text + 2 * SECRET_BYTES, "\n", 2);
	explicit_bzero(bytes, sizeof(bytes));
	return text;
}

/* `document` is taken over. */
static char *
document_text(json_t *document)
{
	char *text = document ? json_text(document, JSON_INDENT(2), "\n") : NULL;

	json_decref(document);
	return text;
}

static int
bundle_make(struct setup_bundle *b, const struct setup *s, struct err *err)
{
	*b = (struct setup_bundle){ { NULL } };
	b->texts[SETUP_SECRET] = secret_make();
	b->texts[SETUP_HAFAILOVER] = document_text(setup_hafailover(&s->wish, s->self));
	if (!s->keeps_lbd)
		b->texts[SETUP_LBD] = document_text(setup_lbd(&s->wish));
	if (b->texts[SETUP_SECRET] && b->texts[SETUP_HAFAILOVER] &&
	    (s->keeps_lbd || b->texts[SETUP_LBD]))
		return 0;
	setup_bundle_fini(b);
	return err_set(err, -EINVAL, "no randomness, no memory, or names that are not UTF-8");
}

/* --- the first node --- */

static void
next_tell(const struct setup *s)
{
	char option[SETUP_PATH_MAX + 32] = "";

	if (strcmp(s->directory, usual_directory) != 0)
		snprintf(option, sizeof(option), " --directory %s", s->directory);
	fprintf(s->h->out,
	    "\n"
	    "Install lbpair on the other node, and bring the files and the secret there:\n"
	    "  hactl setup --export%s | ssh root@%s hactl setup --join%s\n"
	    "Then on both nodes:\n"
	    "  systemctl enable --now lbpair.target\n"
	    "  hactl status\n",
	    option, s->wish.peer, option);
}

/* A lbd.json of the operator's own stays. */
static int
place_check(struct setup *s, struct err *err)
{
	static const char *const all[] = { "hafailover.json", "secret", "lbd.json" };

	s->keeps_lbd =
	    !s->wish.servers && setup_files_absent(s->directory, all + 2, 1, err) == -EEXIST;
	return setup_files_absent(s->directory, all, s->keeps_lbd ? 2 : 3, err);
}

static enum ending
create(struct setup *s)
{
	struct setup_bundle bundle;
	struct err err;
	enum ending ending;

	if (place_check(s, &err) < 0)
		return hactl_refuse(&err);
	s->wish.name = s->wish.name ? s->wish.name : "lb1";
	s->wish.peer_name = s->wish.peer_name ? s->wish.peer_name : "lb2";
	ending = questions_ask(s);
	if (ending != ENDING_DONE)
		return ending;
	snprintf(s->secret_file, sizeof(s->secret_file), "%s/secret", s->directory);
	s->wish.secret_file = s->secret_file;
	if (bundle_make(&bundle, s, &err) < 0)
		return hactl_refuse(&err);
	ending = setup_install(s->h, s->directory, &bundle);
	setup_bundle_fini(&bundle);
	if (ending == ENDING_DONE && s->keeps_lbd)
		fprintf(s->h->out, "%s/lbd.json is kept as it is\n", s->directory);
	if (ending == ENDING_DONE)
		next_tell(s);
	return ending;
}

/* NUL-terminated. */
static int
text_read(const char *path, char **text, struct err *err)
{
	char *bytes;
	size_t n;

	if (file_read(path, SETUP_FILE_MAX, &bytes, &n, err) < 0)
		return err->code;
	*text = memchr(bytes, '\0', n) ? NULL : strndup(bytes, n);
	free(bytes);
	return *text ? 0 : err_set(err, -EINVAL, "%s holds a NUL byte", path);
}

static int
bundle_read(struct setup_bundle *b, const struct setup *s, struct err *err)
{
	char path[SETUP_PATH_MAX];

	*b = (struct setup_bundle){ { NULL } };
	for (size_t i = 0; i < SETUP_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", s->directory, setup_file_names[i]);
		if (text_read(path, &b->texts[i], err) < 0 &&
		    (err->code != -ENOENT || i != SETUP_LBD))
			return err->code;
	}
	return 0;
}

static enum ending
bundle_print(struct setup *s)
{
	struct setup_bundle bundle;
	struct err err;
	json_t *root;
	char *line;

	if (s->h->terminal) {
		hactl_complain("the secret is not for a terminal: "
			       "hactl setup --export | ssh root@NODE hactl setup --join");
		return ENDING_REFUSED;
	}
	if (bundle_read(&bundle, s, &err) < 0) {
		setup_bundle_fini(&bundle);
		return hactl_refuse(&err);
	}
	root = setup_bundle_pack(&bundle);
	setup_bundle_fini(&bundle);
	line = root ? json_text(root, JSON_COMPACT, "\n") : NULL;
	json_decref(root);
	if (!line) {
		hactl_complain("out of memory, or a file is not UTF-8");
		return ENDING_REFUSED;
	}
	fputs(line, s->h->out);
	free(line);
	return ENDING_DONE;
}

/* --- the other node --- */

/* ssh may have made standard input a socket, which has no name to open. */
static int
input_read(struct text *input, struct err *err)
{
	char piece[4096];
	size_t n;

	text_init(input, SETUP_BUNDLE_MAX);
	while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
		text_append(input, (struct str){ piece, n });
	if (!ferror(stdin) && !input->failed)
		return 0;
	text_fini(input);
	return err_set(err, -EIO, "cannot read standard input");
}

static int
bundle_receive(struct setup_bundle *b, struct err *err)
{
	struct text input;
	int rc = input_read(&input, err);

	if (rc < 0)
		return rc;
	rc = setup_bundle_unpack(b, input.p ? input.p : "", input.n, err);
	text_fini(&input);
	return rc;
}

static enum ending
bundle_accept(struct setup *s, const struct setup_bundle *b)
{
	json_t *root = json_loads(b->texts[SETUP_HAFAILOVER], 0, NULL);
	struct err err;
	int rc = setup_join_check(root, &s->host, &err);
	enum ending ending = rc < 0 ? hactl_refuse(&err) : setup_install(s->h, s->directory, b);

	json_decref(root);
	if (ending == ENDING_DONE)
		fputs("\nThen on both nodes:\n  systemctl enable --now lbpair.target\n", s->h->out);
	return ending;
}

static enum ending
join(struct setup *s)
{
	struct setup_bundle bundle;
	struct err err;
	enum ending ending;

	if (isatty(STDIN_FILENO))
		return arguments_refuse(s->command,
		    "--join reads what `hactl setup --export` prints on the other node");
	if (setup_files_absent(s->directory, setup_file_names, SETUP_FILES, &err) < 0 ||
	    bundle_receive(&bundle, &err) < 0)
		return hactl_refuse(&err);
	ending = bundle_accept(s, &bundle);
	setup_bundle_fini(&bundle);
	return ending;
}

/* --- the command --- */

static void
setup_fini(struct setup *s)
{
	for (size_t i = 0; i < ANSWERS; i++)
		free(s->answers[i]);
	setup_host_fini(&s->host);
}

enum ending
setup_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	struct setup s = { .h = h,
		.command = command,
		.directory = usual_directory,
		.asks = h->terminal && isatty(STDIN_FILENO) };
	bool exports = false, joins = false;
	const struct flag flags[] = {
		{ "peer", NULL, &s.wish.peer },
		{ "vip", NULL, &s.wish.vips },
		{ "server", NULL, &s.wish.servers },
		{ "address", NULL, &s.wish.address },
		{ "interface", NULL, &s.wish.interface },
		{ "name", NULL, &s.wish.name },
		{ "peer-name", NULL, &s.wish.peer_name },
		{ "directory", NULL, &s.directory },
		{ "export", &exports, NULL },
		{ "join", &joins, NULL },
		{ 0 },
	};
	struct err err;
	enum ending ending;

	(void)argc;
	if (arguments_take(command, flags, argv, 0, 0) < 0)
		return ENDING_USAGE;
	if (exports && joins)
		return arguments_refuse(command, "--export and --join are for two machines");
	if ((exports || joins) && memcmp(&s.wish, &(struct setup_wish){ 0 }, sizeof(s.wish)) != 0)
		return arguments_refuse(command,
		    "--export and --join take what is in the files, and --directory alone");
	if (exports)
		return bundle_print(&s);
	if (setup_host_init(&s.host, &err) < 0)
		return hactl_refuse(&err);
	ending = joins ? join(&s) : create(&s);
	setup_fini(&s);
	return ending;
}
