/* steering_object.c - the compiled BPF program, as a part of this one: a node needs no compiler. */
#include "hafailover/steering/steering.h"

/* STEERING_OBJECT: its file, from the Makefile.  libbpf wants it aligned. */
__asm__(".pushsection .rodata\n"
	".balign 16\n"
	"steering_object_begin:\n"
	".incbin \"" STEERING_OBJECT "\"\n"
	"steering_object_end:\n"
	".balign 8\n"
	"steering_object_size:\n"
	".long steering_object_end - steering_object_begin\n"
	".popsection\n");

extern const char steering_object_begin[];
extern const uint32_t steering_object_size;

struct str
steering_object(void)
{
	return (struct str){ steering_object_begin, steering_object_size };
}
