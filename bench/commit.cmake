# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# cmake -DSOURCE=FOLDER -DOUT=FILE.c -P commit.cmake: a C file with the name of the commit that is built, so that
# a program knows it wherever it runs. Written only if it is another one than before.

execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --match "v*"
  OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT commit)
  set(commit unknown)
endif()
set(text "extern const char machine_commit[];\nconst char machine_commit[] = \"${commit}\";\n")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT text STREQUAL "${before}")
  file(WRITE ${OUT} "${text}")
endif()
