/* setup_install.c - the secret first, since hafailover -t looks at it; the others once they are right. */
#include "hafailover/hactl/setup_install.h"

#include "hafailover/hactl/commands.h"
#include "hafailover/hactl/setup_files.h"

static int
bundle_write(struct setup_files *f, const struct setup_bundle *b, struct err *err)
{
	for (size_t i = 0; i < SETUP_FILES; i++)
		if (b->texts[i] &&
		    setup_files_write(f, setup_file_names[i], str_of(b->texts[i]), err) < 0)
			return err->code;
	return 0;
}

/* By the daemons; hafailover.json names the secret by its place. */
static enum ending
bundle_check(struct hactl *h, const struct setup_files *f, const struct setup_bundle *b)
{
	enum ending worst = ENDING_DONE;
	char path[SETUP_PATH_MAX + 64];

	for (size_t i = SETUP_LBD; i < SETUP_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->work, setup_file_names[i]);
		if (b->texts[i] && check_quietly(h, path) != ENDING_DONE)
			worst = ENDING_REFUSED;
	}
	if (worst != ENDING_DONE)
		hactl_complain("nothing was written");
	return worst;
}

static enum ending
bundle_place(struct hactl *h, struct setup_files *f, const struct setup_bundle *b)
{
	struct err err;

	if (bundle_write(f, b, &err) < 0 ||
	    setup_files_place(f, setup_file_names[SETUP_SECRET], &err) < 0)
		return hactl_refuse(&err);
	if (bundle_check(h, f, b) != ENDING_DONE)
		return ENDING_REFUSED;
	for (size_t i = SETUP_LBD; i < SETUP_FILES; i++)
		if (b->texts[i] && setup_files_place(f, setup_file_names[i], &err) < 0)
			return hactl_refuse(&err);
	return ENDING_DONE;
}

enum ending
setup_install(struct hactl *h, const char *directory, const struct setup_bundle *b)
{
	struct setup_files files;
	struct err err;
	enum ending ending;

	if (setup_files_open(&files, directory, &err) < 0)
		return hactl_refuse(&err);
	ending = bundle_place(h, &files, b);
	setup_files_close(&files, ending == ENDING_DONE);
	for (size_t i = 0; ending == ENDING_DONE && i < SETUP_FILES; i++)
		if (b->texts[i])
			fprintf(h->out, "%s/%s is written\n", directory, setup_file_names[i]);
	return ending;
}
