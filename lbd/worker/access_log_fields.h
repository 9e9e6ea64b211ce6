/*
 * access_log_fields.h - the texts of a record, each with the bytes that it may take up in a line.
 *
 * More is cut, when a record is put as well as when it is formatted, so that no line is longer
 * than ACCESS_LINE_MAX whatever a client sends and however it must be escaped.
 */
#ifndef LBD_WORKER_ACCESS_LOG_FIELDS_H
#define LBD_WORKER_ACCESS_LOG_FIELDS_H

#define ACCESS_FIELDS(X)                                                                           \
	X(listener, 1024)                                                                          \
	X(client, 1024)                                                                            \
	X(method, 1024)                                                                            \
	X(host, 4096)                                                                              \
	X(target, 24576)                                                                           \
	X(pool, 1024)                                                                              \
	X(server, 1024)                                                                            \
	X(request_id, 1024)                                                                        \
	X(referer, 8192)                                                                           \
	X(user_agent, 8192)                                                                        \
	X(tls_version, 1024)

#define ACCESS_FIELD_MAX(name, max) ACCESS_MAX_##name = (max),
enum { ACCESS_FIELDS(ACCESS_FIELD_MAX) };

#endif
