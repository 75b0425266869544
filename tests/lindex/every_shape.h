/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A test that runs once per shape of keys.h:
 *
 *     EVERY_SHAPE(lookup, is_exact_after_build)
 *     {
 *             harness_step(shape_name(*shape), 0);
 *             ...
 *     }
 */
#ifndef TESTS_EVERY_SHAPE_H
#define TESTS_EVERY_SHAPE_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "keys.h"

static inline struct criterion_test_params every_shape(void)
{
	static enum shape shapes[SHAPE_COUNT];

	for (unsigned int i = 0; i < SHAPE_COUNT; i++)
		shapes[i] = (enum shape)i;
	return cr_make_param_array(enum shape, shapes, SHAPE_COUNT);
}

#define EVERY_SHAPE(suite, name)                                                                   \
	ParameterizedTestParameters(suite, name)                                                   \
	{                                                                                          \
		return every_shape();                                                              \
	}                                                                                          \
	ParameterizedTest(const enum shape *shape, suite, name)

#endif
