/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "plant.h"

#ifdef LFS_PLANT
enum lfs_plant lfs_plant_now;
#endif
