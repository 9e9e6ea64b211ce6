/* control_command.c - finds the command of a request; `help` and the answer to what is unknown. */
#include "common/control_command.h"

#include "common/text.h"

static void
help_reply(struct control_token *token, const struct control_options *o)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < o->n_commands; i++)
		json_array_append_new(list,
		    json_pack("{s:s,s:b,s:s}", "name", o->commands[i].name, "read_only",
			o->commands[i].read_only, "help", o->commands[i].help));
	control_reply(token, json_pack("{s:o}", "commands", list));
}

static void
unknown_refuse(struct control_token *token, const char *name, const struct control_options *o)
{
	struct text known;
	size_t i;

	text_init(&known, 4096);
	for (i = 0; i < o->n_commands; i++)
		text_printf(&known, "%s, ", o->commands[i].name);
	control_refuse(
	    token, "unknown command \"%.64s\"; known: %shelp", name, known.p ? known.p : "");
	text_fini(&known);
}

void
control_command_run(
    const struct control_options *o, struct control_token *token, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	size_t i;

	if (!name) {
		control_refuse(token, "a request is an object with the string \"command\"");
		return;
	}
	for (i = 0; i < o->n_commands && strcmp(o->commands[i].name, name) != 0; i++)
		;
	if (i < o->n_commands && o->read_only && !o->commands[i].read_only)
		control_refuse(token, "\"%s\" is not allowed on a read-only socket", name);
	else if (i < o->n_commands)
		o->commands[i].run(token, request, o->context);
	else if (strcmp(name, "help") == 0)
		help_reply(token, o);
	else
		unknown_refuse(token, name, o);
}
