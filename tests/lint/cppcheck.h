/*
 * cppcheck.h - included before every file that cppcheck reads, which sees no system header: the loops of
 * jansson, and libbpf's way to say things.
 */
#define json_array_foreach(array, index, value)                                                    \
	for (index = 0; (value = json_array_get(array, index)) != NULL; index++)
#define json_object_foreach(object, key, value)                                                    \
	for (key = first_key(object); (value = json_object_get(object, key)) != NULL;              \
	     key = next_key(object, key))
#define LIBBPF_OPTS(type, name, ...) struct type name = { __VA_ARGS__ }
#define SEC(name)
#define __uint(name, value) int name
#define __type(name, type) int name
