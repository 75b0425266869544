# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# cmake -DAR=ar -DOUT=both.a "-DIN=a.a;b.a" -P join_archives.cmake: the members of several archives in one.

file(REMOVE ${OUT})
set(script "create ${OUT}\n")
foreach(archive ${IN})
  string(APPEND script "addlib ${archive}\n")
endforeach()
file(WRITE ${OUT}.mri "${script}save\nend\n")
execute_process(COMMAND ${AR} -M INPUT_FILE ${OUT}.mri COMMAND_ERROR_IS_FATAL ANY)
