/* arguments.c - flags may stand anywhere, "--" ends them. */
#include "hafailover/hactl/arguments.h"

#include <stdarg.h>

#include "common/suggest.h"

enum ending
arguments_refuse(const struct command *command, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	hactl_complain("%s: %s", command->name, line);
	fprintf(stderr, "usage: hactl %s%s%s\n", command->name, command->usage[0] ? " " : "",
	    command->usage);
	return ENDING_USAGE;
}

static bool
refuse_unknown(const struct command *command, const struct flag *flags, struct str name)
{
	struct suggestion s = { 0 };

	for (; flags && flags->name; flags++)
		suggest_offer(&s, name, str_of(flags->name));
	if (s.word.p)
		arguments_refuse(command, "no option --%.*s; did you mean --%.*s?", STR_ARG(name),
		    STR_ARG(s.word));
	else
		arguments_refuse(command, "no option --%.*s", STR_ARG(name));
	return false;
}

/* One flag; its value may be the next word.  False: refused. */
static bool
flag_take(const struct command *command, const struct flag *flags, char ***words)
{
	struct str name = str_of(**words + 2);
	const char *equals = strchr(name.p, '=');
	const struct flag *f = flags;

	if (equals)
		name.n = (size_t)(equals - name.p);
	while (f && f->name && !str_eq(str_of(f->name), name))
		f++;
	if (!f || !f->name)
		return refuse_unknown(command, flags, name);
	if (!f->value && equals)
		return arguments_refuse(command, "--%s takes no value", f->name) == ENDING_DONE;
	if (f->value && !equals && !*++*words)
		return arguments_refuse(command, "--%s needs a value", f->name) == ENDING_DONE;
	if (f->value)
		*f->value = equals ? equals + 1 : **words;
	if (f->on)
		*f->on = true;
	return true;
}

int
arguments_take(
    const struct command *command, const struct flag *flags, char **argv, int least, int most)
{
	char **word = argv + 1, **kept = argv;
	bool flags_end = false;
	int n;

	for (; *word; word++) {
		if (!flags_end && strcmp(*word, "--") == 0)
			flags_end = true;
		else if (flags_end || strncmp(*word, "--", 2) != 0)
			*kept++ = *word;
		else if (!flag_take(command, flags, &word))
			return -1;
	}
	*kept = NULL;
	n = (int)(kept - argv);
	if (n >= least && n <= most)
		return n;
	if (n < least)
		arguments_refuse(command, "something is missing");
	else
		arguments_refuse(command, "unexpected argument \"%s\"", argv[most]);
	return -1;
}
