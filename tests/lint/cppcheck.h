/*
 * cppcheck.h - included before every file that cppcheck reads, which sees no system header: the loops of
 * jansson.
 */
#define json_array_foreach(array, index, value)                                                    \
	for (index = 0; (value = json_array_get(array, index)) != NULL; index++)
#define json_object_foreach(object, key, value)                                                    \
	for (key = first_key(object); (value = json_object_get(object, key)) != NULL;              \
	     key = next_key(object, key))
