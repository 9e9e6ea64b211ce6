/* certificate_command.c - hactl certificate: what lbd serves with, and other files for it at once. */
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "hafailover/hactl/arguments.h"
#include "hafailover/hactl/certificates_view.h"
#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/file_swap.h"
#include "hafailover/hactl/member.h"

enum { FILE_MAX = 1 << 20 };

/* Workers take the result in turn. */
static const int64_t renew_timeout_ns = 75 * NS_PER_S;

static json_t *
question(const char *command)
{
	return json_pack("{s:s}", "command", command);
}

/* --- list --- */

static enum ending
list(struct hactl *h, bool json)
{
	struct answer answer;
	struct text page;
	enum ending ending = hactl_ask(&h->lbd, question("certificates"), &answer);

	if (ending == ENDING_DONE && json) {
		ending = hactl_print_json(h, &answer);
	} else if (ending == ENDING_DONE) {
		text_init(&page, 1 << 24);
		certificates_view_print(answer.json, h->look, &page);
		ending = hactl_print(h, &page);
	}
	answer_fini(&answer);
	return ending;
}

/* --- renew --- */

static enum ending
renew(struct hactl *h)
{
	struct answer answer;
	enum ending ending;

	if (h->lbd.timeout_ns < renew_timeout_ns)
		h->lbd.timeout_ns = renew_timeout_ns;
	ending = hactl_ask(&h->lbd, question("renew"), &answer);
	answer_fini(&answer);
	if (ending == ENDING_DONE)
		fprintf(h->out, "lbd: certificates read again\n");
	return ending;
}

/* --- replace --- */

static void
take_back(const struct file_swap *f)
{
	struct err err;

	if (f->before && file_swap_back(f, &err) < 0)
		hactl_complain("%s", err.text);
}

/* Both files or none, also when lbd does not want them. */
static enum ending
pair_put(struct hactl *h, const json_t *row, struct str certificate, struct str key)
{
	struct file_swap first = { .before = NULL }, second = { .before = NULL };
	enum ending ending = ENDING_REFUSED;
	struct err err;

	if (file_swap(&first, member_text(row, "certificate").p, certificate, &err) < 0 ||
	    file_swap(&second, member_text(row, "key").p, key, &err) < 0)
		hactl_complain("%s", err.text);
	else
		ending = renew(h);
	if (ending != ENDING_DONE) {
		take_back(&first);
		take_back(&second);
	}
	file_swap_fini(&first);
	file_swap_fini(&second);
	return ending;
}

static void
wipe(char *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
	free(p);
}

static enum ending
pair_read(struct hactl *h, const json_t *row, char **files)
{
	char *certificate = NULL, *key = NULL;
	size_t certificate_n = 0, key_n = 0;
	enum ending ending = ENDING_REFUSED;
	struct err err;

	if (file_read(files[0], FILE_MAX, &certificate, &certificate_n, &err) < 0 ||
	    file_read(files[1], FILE_MAX, &key, &key_n, &err) < 0)
		hactl_complain("%s", err.text);
	else
		ending = pair_put(
		    h, row, (struct str){ certificate, certificate_n }, (struct str){ key, key_n });
	wipe(certificate, certificate_n);
	wipe(key, key_n);
	return ending;
}

static enum ending
replace(struct hactl *h, char **argv)
{
	struct answer answer;
	enum ending ending = hactl_ask(&h->lbd, question("certificates"), &answer);
	const json_t *row =
	    ending == ENDING_DONE ? certificates_view_find(answer.json, argv[0]) : NULL;

	if (row) {
		ending = pair_read(h, row, argv + 1);
	} else if (ending == ENDING_DONE) {
		hactl_complain("lbd uses no certificate %s; see hactl certificate list", argv[0]);
		ending = ENDING_REFUSED;
	}
	answer_fini(&answer);
	return ending;
}

enum ending
certificate_run(struct hactl *h, const struct command *command, int argc, char **argv)
{
	bool json = false;
	const struct flag flags[] = { { "json", &json, NULL }, { 0 } };
	int n = arguments_take(command, flags, argv, 0, 4);
	const char *action = n > 0 ? argv[0] : "list";

	(void)argc;
	if (n < 0)
		return ENDING_USAGE;
	if (strcmp(action, "list") == 0 && n <= 1)
		return list(h, json);
	if (json)
		return arguments_refuse(command, "--json is for list");
	if (strcmp(action, "renew") == 0 && n == 1)
		return renew(h);
	if (strcmp(action, "replace") == 0 && n == 4)
		return replace(h, argv + 1);
	return strcmp(action, "replace") == 0
	    ? arguments_refuse(command, "replace needs three files")
	    : arguments_refuse(command, "no action \"%s\"", action);
}
