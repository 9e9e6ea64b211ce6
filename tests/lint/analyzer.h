/*
 * analyzer.h - included before every file that clang-tidy reads: what the analyser cannot see by itself.
 *
 * err_set returns the code that it was given, and that is always negative; without this the analyser
 * believes that `return err_set(...)` may report success and finds uninitialised values behind it.
 */
#ifndef TESTS_LINT_ANALYZER_H
#define TESTS_LINT_ANALYZER_H

#include "common/err.h"

#define err_set(...)                                                                               \
	({                                                                                         \
		int code_ = err_set(__VA_ARGS__);                                                  \
		if (code_ >= 0)                                                                    \
			__builtin_unreachable();                                                   \
		code_;                                                                             \
	})

#endif
