/* config_schema.c - one table per object of hafailover.json, innermost first. */
#include "hafailover/config/config_schema.h"

#include "common/clock.h"
#include "common/daemon_kinds.h"

#define MS NS_PER_MS
#define S NS_PER_S
#define HOUR (3600 * NS_PER_S)

enum {
	SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
	PATH_LENGTH_MAX = 1024
};

/* Names go into logs, metrics and heartbeats. */
const char *
ha_check_name(struct str s)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	for (size_t i = 0; i < s.n; i++)
		if (!strchr(allowed, s.p[i]))
			return "is not a name: allowed are letters, digits and . _ -";
	return NULL;
}

static const char *
check_interface(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '/')
			return "is not the name of a network interface";
	return NULL;
}

static const struct json_field address_element = {
	.kind = &ha_kind_host,
	.size = sizeof(struct address),
};

static const struct json_field node_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct ha_node_config, name), .required = true,
	    .expects = "a name", .min = 1, .max = HA_NODE_NAME_MAX, .check = ha_check_name },
	{ JSON_ROW("address", ha_kind_host, struct ha_node_config, address) },
	{ JSON_ROW("addresses", json_kind_array, struct ha_node_config, addresses),
	    .beside = offsetof(struct ha_node_config, n_addresses), .min = 1, .max = HA_PATHS_MAX,
	    .element = &address_element,
	    .expects = "an array of addresses, one for each path of heartbeats" },
	{ JSON_ROW("priority", json_kind_integer, struct ha_node_config, priority),
	    .fallback = "100", .min = 1, .max = 255 },
	{ 0 },
};

static const struct json_field node_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct ha_node_config),
	.object = node_fields,
};

static const struct json_field heartbeat_fields[] = {
	{ JSON_ROW("interval", json_kind_duration, struct ha_config, interval),
	    .fallback = "\"100ms\"", .min = 10 * MS, .max = 10 * S },
	{ JSON_ROW("dead_after", json_kind_integer, struct ha_config, dead_after), .fallback = "3",
	    .min = 2, .max = 100 },
	{ JSON_ROW("port", json_kind_integer, struct ha_config, port), .fallback = "5405", .min = 1,
	    .max = 65535 },
	{ 0 },
};

static const struct json_choice steering_choices[] = {
	{ "auto", true },
	{ "off", false },
	{ NULL, 0 },
};

static const struct json_field handover_fields[] = {
	{ JSON_ROW("drain", json_kind_duration, struct ha_config, drain), .fallback = "\"30s\"",
	    .max = HOUR },
	{ JSON_ROW("steering", json_kind_choice, struct ha_config, steers), .fallback = "\"auto\"",
	    .choices = steering_choices },
	{ 0 },
};

static const struct json_field vip_fields[] = {
	{ JSON_ROW("address", ha_kind_vip_address, struct ha_vip_config, address),
	    .beside = offsetof(struct ha_vip_config, prefix), .required = true },
	{ JSON_ROW("interface", json_kind_string, struct ha_vip_config, interface), .min = 1,
	    .max = 15, .check = check_interface },
	{ 0 },
};

static const struct json_field vip_element = {
	.kind = &ha_kind_vip,
	.size = sizeof(struct ha_vip_config),
	.object = vip_fields,
};

/* --- what only one of the protocols has --- */

static const char *
barred_by_vrrp(const void *object)
{
	return ha_config_is_vrrp(object) ? "is not used where the instance's protocol is \"vrrp\""
					 : NULL;
}

static const char *
barred_in_vrrp(const void *object)
{
	const struct ha_instance_config *in = object;

	return in->protocol == HA_PROTOCOL_VRRP
	    ? "is not used with protocol \"vrrp\": there, priorities decide"
	    : NULL;
}

static const char *
barred_without_vrrp(const void *object)
{
	const struct ha_instance_config *in = object;

	return in->protocol == HA_PROTOCOL_VRRP ? NULL : "is for protocol \"vrrp\"";
}

static const char *
barred_in_version_3(const void *object)
{
	const struct ha_vrrp_config *v = object;

	return v->version == 2 ? NULL : "is for version 2: version 3 has no passwords";
}

static const char *
barred_in_version_2(const void *object)
{
	const struct ha_vrrp_config *v = object;

	return v->version == 2 ? "is for version 3" : NULL;
}

static const struct json_choice protocols[] = {
	{ "native", HA_PROTOCOL_NATIVE },
	{ "vrrp", HA_PROTOCOL_VRRP },
	{ NULL, 0 },
};

static const struct json_choice checksums[] = {
	{ "pseudo_header", false },
	{ "plain", true },
	{ NULL, 0 },
};

static const struct json_field vrrp_fields[] = {
	{ JSON_ROW("version", json_kind_integer, struct ha_vrrp_config, version), .fallback = "3",
	    .min = 2, .max = 3 },
	{ JSON_ROW("multicast", json_kind_bool, struct ha_vrrp_config, multicast),
	    .fallback = "false" },
	{ JSON_ROW("interval", json_kind_duration, struct ha_vrrp_config, interval),
	    .fallback = "\"1s\"", .min = 10 * MS, .max = 255 * S },
	{ JSON_ROW("checksum", json_kind_choice, struct ha_vrrp_config, plain_sum),
	    .fallback = "\"pseudo_header\"", .choices = checksums, .barred = barred_in_version_2 },
	{ JSON_ROW("password_file", json_kind_string, struct ha_vrrp_config, password_file),
	    .min = 2, .max = PATH_LENGTH_MAX, .expects = "an absolute path",
	    .check = check_absolute_path, .barred = barred_in_version_3 },
	{ 0 },
};

static const struct json_field instance_fields[] = {
	{ JSON_ROW("name", json_kind_string, struct ha_instance_config, name),
	    .fallback = "\"main\"", .expects = "a name", .min = 1, .max = HA_NODE_NAME_MAX,
	    .check = ha_check_name },
	{ JSON_ROW("virtual_ips", json_kind_array, struct ha_instance_config, vips),
	    .beside = offsetof(struct ha_instance_config, n_vips), .required = true,
	    .max = HA_VIPS_MAX, .element = &vip_element,
	    .expects = "an array of virtual addresses" },
	{ JSON_ROW("protocol", json_kind_choice, struct ha_instance_config, protocol),
	    .fallback = "\"native\"", .choices = protocols },
	{ JSON_ROW(
	      "virtual_router_id", json_kind_integer, struct ha_instance_config, virtual_router_id),
	    .min = 1, .max = 255, .barred = barred_without_vrrp },
	{ JSON_ROW("vrrp", json_kind_object, struct ha_instance_config, vrrp), .fallback = "{}",
	    .object = vrrp_fields, .barred = barred_without_vrrp },
	{ JSON_ROW("preempt", json_kind_bool, struct ha_instance_config, preempt),
	    .fallback = "false" },
	{ JSON_ROW("preempt_delay", json_kind_duration, struct ha_instance_config, preempt_delay),
	    .fallback = "\"0s\"", .max = HOUR },
	{ JSON_ROW("prefer", json_kind_string, struct ha_instance_config, prefer), .min = 1,
	    .max = HA_NODE_NAME_MAX, .expects = "the name of a node", .barred = barred_in_vrrp },
	{ 0 },
};

static const struct json_field instance_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct ha_instance_config),
	.object = instance_fields,
};

static const struct json_field track_lbd_fields[] = {
	{ JSON_ROW("socket", json_kind_string, struct ha_track_config, lbd_socket),
	    .fallback = "\"/run/lbpair/lbd.sock\"", .min = 2, .max = SOCKET_PATH_MAX,
	    .expects = "an absolute path", .check = check_absolute_path },
	{ 0 },
};

static const struct json_field interface_element = {
	.kind = &json_kind_string,
	.size = sizeof(struct str),
	.min = 1,
	.max = 15,
	.check = check_interface,
};

static const struct json_field script_fields[] = {
	{ JSON_ROW("command", json_kind_string, struct ha_script_config, command), .required = true,
	    .min = 1, .max = PATH_LENGTH_MAX, .expects = "a shell command" },
	{ JSON_ROW("interval", json_kind_duration, struct ha_script_config, interval),
	    .fallback = "\"5s\"", .min = 100 * MS, .max = HOUR },
	{ JSON_ROW("timeout", json_kind_duration, struct ha_script_config, timeout),
	    .fallback = "\"2s\"", .min = 10 * MS, .max = HOUR },
	{ JSON_ROW("fall", json_kind_integer, struct ha_script_config, fall), .fallback = "3",
	    .min = 1, .max = 100 },
	{ JSON_ROW("rise", json_kind_integer, struct ha_script_config, rise), .fallback = "2",
	    .min = 1, .max = 100 },
	{ 0 },
};

static const struct json_field script_element = {
	.kind = &json_kind_object,
	.size = sizeof(struct ha_script_config),
	.object = script_fields,
};

static const struct json_field track_fields[] = {
	{ .key = "lbd", .kind = &json_kind_object, .fallback = "{}", .object = track_lbd_fields },
	{ JSON_ROW("interfaces", json_kind_array, struct ha_track_config, interfaces),
	    .beside = offsetof(struct ha_track_config, n_interfaces), .fallback = "[]",
	    .max = HA_INTERFACES_MAX, .element = &interface_element,
	    .expects = "an array of names of network interfaces" },
	{ JSON_ROW("gateways", json_kind_array, struct ha_track_config, gateways),
	    .beside = offsetof(struct ha_track_config, n_gateways), .fallback = "[]",
	    .max = HA_GATEWAYS_MAX, .element = &address_element,
	    .expects = "an array of addresses" },
	{ JSON_ROW("scripts", json_kind_array, struct ha_track_config, scripts),
	    .beside = offsetof(struct ha_track_config, n_scripts), .fallback = "[]",
	    .max = HA_SCRIPTS_MAX, .element = &script_element, .expects = "an array of scripts" },
	{ 0 },
};

static const struct json_field hook_fields[] = {
	{ JSON_ROW("active", json_kind_string, struct ha_hooks_config, commands[HA_HOOK_ACTIVE]),
	    .min = 1, .max = PATH_LENGTH_MAX, .expects = "a shell command" },
	{ JSON_ROW("backup", json_kind_string, struct ha_hooks_config, commands[HA_HOOK_BACKUP]),
	    .min = 1, .max = PATH_LENGTH_MAX, .expects = "a shell command" },
	{ JSON_ROW("fault", json_kind_string, struct ha_hooks_config, commands[HA_HOOK_FAULT]),
	    .min = 1, .max = PATH_LENGTH_MAX, .expects = "a shell command" },
	{ JSON_ROW("timeout", json_kind_duration, struct ha_hooks_config, timeout),
	    .fallback = "\"5s\"", .min = 10 * MS, .max = HOUR },
	{ 0 },
};

static const struct json_field admin_fields[] = {
	{ JSON_ROW("http", json_kind_listen_or_off, struct ha_config, http),
	    .beside = offsetof(struct ha_config, http_on), .fallback = "\"127.0.0.1:9102\"" },
	{ 0 },
};

static const struct json_choice levels[] = {
	{ "error", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};

const struct json_field ha_log_fields[] = {
	{ JSON_ROW("level", json_kind_choice, struct ha_log_config, level), .fallback = "\"info\"",
	    .choices = levels },
	{ JSON_ROW("target", json_kind_log_sink, struct ha_log_config, target),
	    .beside = offsetof(struct ha_log_config, path), .fallback = "\"stderr\"" },
	{ 0 },
};

static const struct json_field witness_fields[] = {
	{ JSON_ROW("address", ha_kind_host, struct ha_witness_config, address), .required = true },
	{ JSON_ROW("port", json_kind_integer, struct ha_witness_config, port), .fallback = "5406",
	    .min = 1, .max = 65535 },
	{ JSON_ROW("secret_file", json_kind_string, struct ha_witness_config, secret_file),
	    .min = 2, .max = PATH_LENGTH_MAX, .expects = "an absolute path",
	    .check = check_absolute_path },
	{ 0 },
};

const struct json_field ha_config_fields[] = {
	{ JSON_ROW("nodes", json_kind_array, struct ha_config, nodes),
	    .beside = offsetof(struct ha_config, n_nodes), .required = true, .min = 2, .max = 2,
	    .element = &node_element, .expects = "an array of two nodes" },
	{ JSON_ROW("secret_file", json_kind_string, struct ha_config, secret_file), .min = 2,
	    .max = PATH_LENGTH_MAX, .expects = "an absolute path", .check = check_absolute_path,
	    .barred = barred_by_vrrp },
	{ JSON_ROW("virtual_ips", json_kind_array, struct ha_config, top_vips),
	    .beside = offsetof(struct ha_config, n_top_vips), .max = HA_VIPS_MAX,
	    .element = &vip_element, .expects = "an array of virtual addresses" },
	{ JSON_ROW("instances", json_kind_array, struct ha_config, instances),
	    .beside = offsetof(struct ha_config, n_instances), .min = 1, .max = 16,
	    .element = &instance_element, .expects = "an array of one instance" },
	{ .key = "heartbeat",
	    .kind = &json_kind_object,
	    .fallback = "{}",
	    .object = heartbeat_fields,
	    .barred = barred_by_vrrp },
	{ JSON_ROW("lease", ha_kind_lease, struct ha_config, lease), .fallback = "\"1s\"" },
	{ .key = "handover",
	    .kind = &json_kind_object,
	    .fallback = "{}",
	    .object = handover_fields,
	    .barred = barred_by_vrrp },
	{ JSON_ROW("track", json_kind_object, struct ha_config, track), .fallback = "{}",
	    .object = track_fields },
	{ JSON_ROW("witness", json_kind_object, struct ha_config, witness),
	    .object = witness_fields, .barred = barred_by_vrrp },
	{ JSON_ROW("hooks", json_kind_object, struct ha_config, hooks), .fallback = "{}",
	    .object = hook_fields },
	{ .key = "admin", .kind = &json_kind_object, .fallback = "{}", .object = admin_fields },
	{ JSON_ROW("control", json_kind_string, struct ha_config, control),
	    .fallback = "\"/run/lbpair/hafailover.sock\"", .min = 2, .max = SOCKET_PATH_MAX,
	    .expects = "an absolute path", .check = check_absolute_path },
	{ JSON_ROW("state_directory", json_kind_string, struct ha_config, state_directory),
	    .fallback = "\"/var/lib/lbpair\"", .min = 2, .max = PATH_LENGTH_MAX,
	    .expects = "an absolute path", .check = check_absolute_path },
	{ JSON_ROW("log", json_kind_object, struct ha_config, log), .fallback = "{}",
	    .object = ha_log_fields },
	{ 0 },
};
